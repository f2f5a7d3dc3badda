//! `CreateVersion`: code, and how it is to run. What is wrong with the request is told at once; compiling takes its time, so
//! what is wrong with the code is told by the operation.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tonic::{Code, Response, Status};

use super::Functions;
use super::find::version_id;
use super::kept::version_annotations;
use super::shown;
use super::source::MAX_CONTENT_BYTES;
use super::tags::alias;
use crate::engine::Refused;
use crate::http::entry;
use crate::http::yandex::asked::Asked;
use crate::http::yandex::operations::{About, ended, run};
use crate::http::yandex::proto::dynamic;
use crate::http::yandex::proto::functions as f;
use crate::http::yandex::proto::functions::create_function_version_request::PackageSource;
use crate::http::yandex::proto::operation::Operation;
use crate::http::yandex::rules;
use crate::http::yandex::status::{self, invalid};
use crate::model::access::Permission;
use crate::model::bounds;
use crate::model::entrypoint::Wanted;
use crate::model::function::{Function, Limits};
use crate::model::grant::Grants;
use crate::model::names::{AliasName, Qualifier, VersionNumber};
use crate::operations::Ended;
use crate::registry::{Deployment, RegistryError};
use crate::runtime::{Described, Error};

impl Functions {
    pub(super) async fn create_version_of(
        &self,
        asked: Asked,
        mut request: f::CreateFunctionVersionRequest,
    ) -> Result<Response<Operation>, Status> {
        let source = checked(&mut request)?;
        let function = self.function(&asked, &request.function_id, Permission::FunctionsEdit)?;
        asked.changes(format!("function {}", function.path));
        let tags = request.tag.iter().map(|tag| alias(tag)).collect::<Result<Vec<_>, _>>()?;
        let config = self.config(&function.path.namespace, request.async_invocation_config.as_ref())?;
        let limits = limits(&request)?;
        let module = self.module(&asked, &function.path.namespace, source, &request.entrypoint).await?;
        let kept = kept(&request);
        let deployment = Deployment {
            module,
            entrypoint: None,
            arguments: Vec::new(),
            environment: request.environment.clone(),
            limits,
            grants: Grants::default(),
            debug_info: false,
            reuse: None,
            core_dump: false,
            cgi: false,
            instance_concurrency: None,
            config: Some(config),
            annotations: version_annotations(&kept)?,
            always: true,
            made_from: None,
        };
        let next = function.latest.map_or(VersionNumber::MIN, |latest| latest.saturating_add(1));
        let metadata = f::CreateFunctionVersionMetadata { function_version_id: version_id(function.id, next) };
        let id = function.id.to_string();
        let about = About { description: "Create function version", namespace: &function.path.namespace, subject: &id };
        let begun = about.begun(&asked, &metadata);
        let (functions, entrypoint) = (self.clone(), request.entrypoint);
        let work = async move { functions.deployed(&asked, &function, deployment, &entrypoint, tags).await };
        run(&self.runtime, begun, Box::pin(work)).await
    }

    async fn deployed(
        self,
        asked: &Asked,
        function: &Arc<Function>,
        deployment: Deployment,
        entrypoint: &str,
        tags: Vec<AliasName>,
    ) -> Result<Ended, Status> {
        let described = self.deploy_entry(asked, function, deployment, entrypoint).await?;
        let number = described.version.number;
        for tag in tags {
            self.put_tag(&function.path, &tag, number).await?;
        }
        let now = self.runtime.describe(&function.path, &Qualifier::Version(number)).map_err(status::status)?;
        let metadata = f::CreateFunctionVersionMetadata { function_version_id: version_id(function.id, number) };
        Ok(ended(Some(&metadata), &shown::version(&now.function, &now.version)))
    }

    /// `FILE.ENTRY` means the module's only entrypoint, whatever it is called; of several the one that ENTRY names.
    async fn deploy_entry(
        &self,
        asked: &Asked,
        function: &Arc<Function>,
        deployment: Deployment,
        entrypoint: &str,
    ) -> Result<Described, Status> {
        let mut refused = None;
        for wanted in wanted(entrypoint) {
            let deployment = Deployment { entrypoint: wanted, ..deployment.clone() };
            match self.runtime.deploy_version(&asked.caller, function.path.clone(), deployment).await {
                Ok(described) => return Ok(described),
                Err(Error::Registry(RegistryError::Module(
                    why @ (Refused::ManyFunctions { .. }
                    | Refused::MissingEntrypoint { .. }
                    | Refused::MissingExport { .. }
                    | Refused::WrongSignature { .. }),
                ))) => refused = refused.or(Some(why)),
                Err(error) => return Err(status::status(error)),
            }
        }
        let why = refused.map_or_else(String::new, |why| why.to_string());
        Err(Status::new(Code::InvalidArgument, format!("entrypoint: `{}`: {why}", told(entrypoint))))
    }
}

/// What an entrypoint may mean, in the order in which it is tried.
fn wanted(entrypoint: &str) -> Vec<Option<Wanted>> {
    let entry = entry::of(entrypoint);
    let parsed: Option<Wanted> = entry.parse().ok();
    // A kind that is no usual name of a function is meant as one.
    let is_explicit = matches!(entry, "command" | "http") || entry.contains([':', '#']);
    let mut tried = Vec::new();
    if is_explicit {
        tried.extend(parsed.clone().map(Some));
    }
    tried.push(None);
    if !is_explicit && let Ok(name) = entry.parse() {
        tried.push(Some(Wanted::Export(name)));
    }
    tried
}

/// Checks a request without going through its content, which it hands out.
fn checked(request: &mut f::CreateFunctionVersionRequest) -> Result<Option<PackageSource>, Status> {
    let source = request.package_source.take();
    let outlined = match &source {
        Some(PackageSource::Content(content)) if content.len() > MAX_CONTENT_BYTES => {
            return Err(invalid(
                "content",
                format!("has {} bytes, and must have <={MAX_CONTENT_BYTES}", content.len()),
            ));
        }
        Some(PackageSource::Content(_)) => Some(PackageSource::Content(Bytes::from_static(b"."))),
        other => other.clone(),
    };
    request.package_source = outlined;
    rules::check(&dynamic(request))?;
    Ok(source)
}

/// What of a request the runtime takes as limits. More memory than a guest can have is taken and shown, and not given.
fn limits(request: &f::CreateFunctionVersionRequest) -> Result<Limits, Status> {
    let memory = request.resources.as_ref().map_or(0, |resources| resources.memory);
    let memory = u64::try_from(memory).unwrap_or_default().min(*bounds::MEMORY_BYTES.end());
    let timeout = request.execution_timeout.as_ref().map(|timeout| {
        let (seconds, nanos) = (u64::try_from(timeout.seconds), u32::try_from(timeout.nanos));
        Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
    });
    let timeout = timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(bounds::DEFAULT_TIMEOUT);
    let timeout = timeout.max(Duration::from_millis(*bounds::TIMEOUT_MS.start()));
    Limits::new(memory, timeout, None).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// What is kept of a request, in the form in which it is shown.
fn kept(request: &f::CreateFunctionVersionRequest) -> f::Version {
    let request = request.clone();
    f::Version {
        description: request.description,
        runtime: request.runtime,
        entrypoint: request.entrypoint,
        resources: request.resources,
        execution_timeout: request.execution_timeout.filter(|timeout| timeout.seconds > 0 || timeout.nanos > 0),
        service_account_id: request.service_account_id,
        environment: request.environment,
        connectivity: request.connectivity,
        named_service_accounts: request.named_service_accounts,
        secrets: request.secrets,
        log_options: request.log_options,
        storage_mounts: request.storage_mounts,
        async_invocation_config: request.async_invocation_config,
        tmpfs_size: request.tmpfs_size,
        concurrency: request.concurrency,
        mounts: request.mounts,
        metadata_options: request.metadata_options,
        ..f::Version::default()
    }
}

fn told(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entrypoint_is_the_modules_own_unless_it_says_otherwise() {
        let told = |entrypoint: &str| {
            let tried = wanted(entrypoint).into_iter();
            tried.map(|it| it.map_or("-".to_owned(), |it| it.to_string())).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told("index.handler"), "- handler");
        assert_eq!(told("com.example.Main.run"), "- run");
        assert_eq!(told("index.http"), "http -");
        assert_eq!(told("index.shop:orders/total@1.0.0#total"), "shop:orders/total@1.0.0#total -");
        assert_eq!(told("typed:a:b/c@1.0.0#d"), "typed:a:b/c@1.0.0#d -");
    }
}
