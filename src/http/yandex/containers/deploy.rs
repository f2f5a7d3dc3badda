//! What is deployed as a revision: the request in the form that is kept, and what of it the runtime has a use for.

use std::collections::BTreeMap;
use std::time::Duration;

use prost_types::Duration as ProtoDuration;
use tonic::Status;

use super::super::proto::containers::{
    DeployContainerRevisionRequest, Image, ImageSpec, LogOptions, Resources, Revision, Runtime as RuntimeOf,
    log_options, runtime,
};
use super::super::status::{self, invalid};
use super::kept;
use crate::access::Caller;
use crate::model::bounds;
use crate::model::destination::Terms;
use crate::model::entrypoint::{Entrypoint, Wanted};
use crate::model::function::Limits;
use crate::model::grant::Grants;
use crate::model::names::{AccountName, FunctionPath, Namespace};
use crate::model::retry::RetryPolicy;
use crate::registry::{ConfigText, Deployment, RegistryError};
use crate::runtime::{Described, Error, ModuleSource, Runtime};

/// What holds where a request does not say: what the service itself takes.
const TIMEOUT: ProtoDuration = ProtoDuration { seconds: 3, nanos: 0 };
const CORES: i64 = 1;
const CORE_FRACTION: i64 = 100;
const CONCURRENCY: i64 = 1;

/// A revision that is to be.
pub(super) struct Order {
    pub(super) revision: Revision,
    source: ModuleSource,
    limits: Limits,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl Order {
    /// What a request asks for.
    pub(super) fn of(request: DeployContainerRevisionRequest, folder: &Namespace) -> Result<Self, Status> {
        let spec = request.image_spec.clone().unwrap_or_default();
        let source = spec.image_url.parse::<ModuleSource>();
        let source = source.map_err(|error| invalid("image_spec.image_url", error))?;
        let revision = revision(request, &spec, folder);
        let limits = limits(&revision)?;
        let arguments = spec.args.map(|args| args.args).unwrap_or_default();
        Ok(Self { revision, source, limits, arguments, environment: spec.environment })
    }

    /// Gets the image and deploys it. A component of `wasi:http` answers requests as it does anywhere, and a command as CGI
    /// has it.
    pub(super) async fn carry_out(
        mut self,
        runtime: &Runtime,
        caller: &Caller,
        path: &FunctionPath,
    ) -> Result<Described, Status> {
        let pulled = runtime.fetch(caller, &path.namespace, &self.source).await.map_err(status::status)?;
        if let Some(image) = &mut self.revision.image {
            image.image_digest = format!("sha256:{}", pulled.digest);
        }
        let config = config(account(runtime, path, &self.revision));
        let component = Deployment {
            module: pulled.module,
            entrypoint: Some(Wanted::Entrypoint(Entrypoint::Http)),
            arguments: Vec::new(),
            environment: self.environment,
            limits: self.limits,
            grants: Grants::default(),
            debug_info: false,
            reuse: None,
            core_dump: false,
            cgi: false,
            instance_concurrency: None,
            config: Some(config),
            annotations: kept::annotations(&self.revision)?,
            always: true,
            made_from: None,
        };
        match runtime.deploy_version(caller, path.clone(), component.clone()).await {
            Ok(described) => Ok(described),
            Err(Error::Registry(RegistryError::Module(refused))) if !refused.is_ours() => {
                let entrypoint = Some(Wanted::Entrypoint(Entrypoint::Command));
                let command = Deployment { entrypoint, arguments: self.arguments, cgi: true, ..component };
                match runtime.deploy_version(caller, path.clone(), command).await {
                    Ok(described) => Ok(described),
                    Err(Error::Registry(RegistryError::Module(also))) if !also.is_ours() => Err(invalid(
                        "image_spec.image_url",
                        format!("it is neither a component of `wasi:http` ({refused}) nor a command ({also})"),
                    )),
                    Err(error) => Err(status::status(error)),
                }
            }
            Err(error) => Err(status::status(error)),
        }
    }
}

/// The request in the form that is kept and shown. What only a version has stands in the version.
fn revision(request: DeployContainerRevisionRequest, spec: &ImageSpec, folder: &Namespace) -> Revision {
    let image = Image {
        image_url: spec.image_url.clone(),
        image_digest: String::new(),
        command: spec.command.clone(),
        args: spec.args.clone(),
        environment: spec.environment.clone(),
        working_dir: spec.working_dir.clone(),
    };
    let or = |asked: i64, usual: i64| if asked == 0 { usual } else { asked };
    let resources = request.resources.unwrap_or_default();
    let resources = Resources {
        memory: resources.memory,
        cores: or(resources.cores, CORES),
        core_fraction: or(resources.core_fraction, CORE_FRACTION),
    };
    let timeout = request.execution_timeout.filter(|timeout| timeout.seconds != 0 || timeout.nanos != 0);
    let http = || RuntimeOf { r#type: Some(runtime::Type::Http(runtime::Http {})) };
    Revision {
        description: request.description,
        image: Some(image),
        resources: Some(resources),
        execution_timeout: Some(timeout.unwrap_or(TIMEOUT)),
        concurrency: or(request.concurrency, CONCURRENCY),
        service_account_id: request.service_account_id,
        secrets: request.secrets,
        connectivity: request.connectivity,
        provision_policy: request.provision_policy,
        scaling_policy: request.scaling_policy,
        log_options: request.log_options.or_else(|| Some(log(folder))),
        storage_mounts: request.storage_mounts,
        mounts: request.mounts,
        runtime: request.runtime.or_else(|| Some(http())),
        metadata_options: request.metadata_options,
        async_invocation_config: request.async_invocation_config,
        ..Revision::default()
    }
}

/// Where its log goes where nobody says: to its folder's.
fn log(folder: &Namespace) -> LogOptions {
    let destination = Some(log_options::Destination::FolderId(folder.to_string()));
    LogOptions { destination, ..LogOptions::default() }
}

/// What of it limits an attempt. `concurrency` says how many requests one instance takes, of which there are as many as are
/// needed: it limits nothing here, and `zone_requests_limit` does.
fn limits(revision: &Revision) -> Result<Limits, Status> {
    if !(1..=16).contains(&revision.concurrency) {
        return Err(invalid("concurrency", format!("is {}, and must be 0 to 16", revision.concurrency)));
    }
    let memory = revision.resources.as_ref().map(|resources| resources.memory).unwrap_or_default();
    // More is accepted and shown; an instance gets no more than this.
    let memory = u64::try_from(memory).unwrap_or_default().min(*bounds::MEMORY_BYTES.end());
    let timeout = revision.execution_timeout.unwrap_or(TIMEOUT);
    let timeout = Duration::try_from(timeout).map_err(|error| invalid("execution_timeout", error))?;
    let at_once = revision.scaling_policy.as_ref().map(|policy| policy.zone_requests_limit).unwrap_or_default();
    let at_once = match at_once {
        0 => None,
        limit => {
            let limit = u32::try_from(limit);
            Some(limit.map_err(|error| invalid("scaling_policy.zone_requests_limit", error))?)
        }
    };
    Limits::new(memory, timeout, at_once).map_err(|error| invalid("resources", error))
}

/// The account that asynchronous invocations are for, where it is one of the folder here; the id of another is kept.
fn account(runtime: &Runtime, path: &FunctionPath, revision: &Revision) -> Option<AccountName> {
    let config = revision.async_invocation_config.as_ref()?;
    let account = runtime.access().account_of(&config.service_account_id)?;
    (account.namespace == path.namespace).then(|| account.name.clone())
}

/// How requests that wait are treated: once, and nobody is told. It is the revision's own.
fn config(service_account: Option<AccountName>) -> ConfigText {
    ConfigText {
        retry: RetryPolicy::NEVER,
        max_event_age: bounds::DEFAULT_MAX_EVENT_AGE,
        on_success: None,
        on_failure: None,
        success_terms: Terms::default(),
        failure_terms: Terms::default(),
        service_account,
    }
}
