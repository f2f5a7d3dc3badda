//! Changes of functions: deploy, configure, alias, delete. Each is checked, committed and then published,
//! under one lock; a caller that goes away does not stop a change half way.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{Catalogue, Registry, RegistryError, TargetAsked};
use crate::engine::{self, Build, CodeId, Flavor};
use crate::model::bounds::{self, OutOfRange, within};
use crate::model::destination::{Destination, DestinationText, Destinations, FunctionTarget, Outside, Terms};
use crate::model::entrypoint::{Entrypoint, Wanted};
use crate::model::function::{Annotations, AsyncConfig, Function, Limits, Version, Weights};
use crate::model::grant::Grants;
use crate::model::graph::{Node, Owner};
use crate::model::names::{
    AccountName, AliasName, Digest, FunctionId, FunctionPath, Namespace, Qualifier, VersionNumber,
};
use crate::model::queue::QueueConfig;
use crate::model::retry::RetryPolicy;
use crate::model::time::{Timestamp, whole_ms};
use crate::store::{Change, Durability, Group};

/// What is deployed under a name.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, made by people")]
pub struct Deployment {
    /// The module.
    pub module: Bytes,
    /// What in it is to be called; `None` lets the module decide.
    pub entrypoint: Option<Wanted>,
    /// Arguments of a command.
    pub arguments: Vec<String>,
    /// Environment of a command or component.
    pub environment: BTreeMap<String, String>,
    /// What one attempt may use.
    pub limits: Limits,
    /// What it may reach beyond itself.
    pub grants: Grants,
    /// Whether backtraces say files and lines.
    pub debug_info: bool,
    /// How many invocations one instance may serve; `None` gives each a fresh one.
    pub reuse: Option<NonZeroU32>,
    /// Whether a core dump is kept of an attempt that traps.
    pub core_dump: bool,
    /// Whether it is a command that answers HTTP requests as CGI has it.
    pub cgi: bool,
    /// A configuration to set with it, in the same commit.
    pub config: Option<ConfigText>,
    /// What dialects keep of the version.
    pub annotations: Annotations,
    /// Whether there is to be a new version also when it would be the same as the latest.
    pub always: bool,
}

/// An asynchronous configuration as people write it: destinations by name.
#[derive(Clone, Debug)]
pub struct ConfigText {
    /// How often and how far apart.
    pub retry: RetryPolicy,
    /// The age after which no attempt starts.
    pub max_event_age: Duration,
    /// Where successes go.
    pub on_success: Option<DestinationText>,
    /// Where everything else goes.
    pub on_failure: Option<DestinationText>,
    /// How the record of a success is brought there.
    pub success_terms: Terms,
    /// How that of any other outcome is.
    pub failure_terms: Terms,
    /// The service account that must be allowed to invoke the function.
    pub service_account: Option<AccountName>,
}

/// What a configuration belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// All versions that have none of their own.
    Function,
    /// This version alone.
    Version(VersionNumber),
}

/// Whose the configuration is that comes with a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Function,
    Version,
}

/// What a change does to the catalogue once it is committed.
type Publish = Box<dyn FnOnce(&mut Catalogue) + Send>;

impl Registry {
    /// Deploys a module: makes a new version of the function, and the function where there is none of that
    /// name. The same deployment again makes no version. Returns whether the function is new.
    pub async fn deploy(&self, path: FunctionPath, deployment: Deployment) -> Result<bool, RegistryError> {
        let deployed = move |registry: Self| async move { registry.deployed(path, deployment, Whose::Function).await };
        Ok(self.change(deployed).await?.0)
    }

    /// Deploys a module as a new version, also when it would be the same as the latest. The configuration that comes with
    /// it is that version's own. Returns its number.
    pub async fn deploy_version(
        &self,
        path: FunctionPath,
        deployment: Deployment,
    ) -> Result<VersionNumber, RegistryError> {
        let deployment = Deployment { always: true, ..deployment };
        let deployed = move |registry: Self| async move { registry.deployed(path, deployment, Whose::Version).await };
        Ok(self.change(deployed).await?.1)
    }

    /// Sets the asynchronous configuration of a function or of one version; the one before is replaced whole.
    pub async fn configure(&self, path: FunctionPath, subject: Subject, text: ConfigText) -> Result<(), RegistryError> {
        self.targets_exist(&path, &text).await?;
        self.update(path, move |registry, function| {
            let config = registry.checked(function, &text)?;
            match subject {
                Subject::Function => function.async_config = Some(config),
                Subject::Version(number) => {
                    registry.existing(function, number)?;
                    function.version_configs.insert(number, config);
                }
            }
            Ok(())
        })
        .await
    }

    /// Removes a configuration, where there is one; the defaults apply again.
    pub async fn remove_config(&self, path: FunctionPath, subject: Subject) -> Result<(), RegistryError> {
        self.update(path, move |_, function| {
            match subject {
                Subject::Function => function.async_config = None,
                Subject::Version(number) => drop(function.version_configs.remove(&number)),
            }
            Ok(())
        })
        .await
    }

    /// Changes the settings of a function's queue. Returns the function as it then is.
    pub async fn set_queue(
        &self,
        path: &FunctionPath,
        change: impl FnOnce(&mut QueueConfig) + Send + 'static,
    ) -> Result<Arc<Function>, RegistryError> {
        let edit = move |_: &Self, function: &mut Function| {
            change(&mut function.queue);
            Ok(())
        };
        self.update(path.clone(), edit).await?;
        self.function(path)
    }

    /// Points an alias at a version and, with weights, at others, or removes it.
    pub async fn alias(
        &self,
        path: FunctionPath,
        alias: AliasName,
        to: Option<(VersionNumber, Weights)>,
    ) -> Result<(), RegistryError> {
        self.update(path, move |registry, function| {
            let Some((number, weights)) = to else {
                function.weights.remove(&alias);
                return match function.aliases.remove(&alias) {
                    Some(_) => Ok(()),
                    None => Err(unknown(function, Qualifier::Alias(alias))),
                };
            };
            registry.existing(function, number)?;
            weights.keys().try_for_each(|other| registry.existing(function, *other))?;
            let sum = weights.values().map(|weight| u32::from(*weight)).sum();
            within("the sum of the weights", sum, &bounds::ALIAS_WEIGHTS).map_err(RegistryError::Range)?;
            function.aliases.insert(alias.clone(), number);
            if weights.is_empty() {
                function.weights.remove(&alias);
            } else {
                function.weights.insert(alias, weights);
            }
            limited("another alias", function.aliases.len(), bounds::MAX_ALIASES)
        })
        .await
    }

    /// Deletes a function and its versions. Refused while it is a destination, unless forced. Returns its id.
    pub async fn delete(&self, path: FunctionPath, force: bool) -> Result<FunctionId, RegistryError> {
        self.change(move |registry| async move {
            let _changing = registry.parts.changing.lock().await;
            let id = registry.function(&path)?.id;
            let used_by = registry.read(|catalogue| catalogue.leading_to(id));
            if !force && !used_by.is_empty() {
                return Err(RegistryError::InUse { path, used_by });
            }
            registry.commit(vec![Change::RemoveFunction(id)], Box::new(move |catalogue| catalogue.remove(id))).await?;
            Ok(id)
        })
        .await
    }

    async fn deployed(
        &self,
        path: FunctionPath,
        deployment: Deployment,
        whose: Whose,
    ) -> Result<(bool, VersionNumber), RegistryError> {
        deployment.check()?;
        self.secrets_exist(&path, &deployment).await?;
        if let Some(config) = &deployment.config {
            self.targets_exist(&path, config).await?;
        }
        self.proposed(&path, &deployment, whose)?; // what is refused anyway need not be compiled first
        let parts = &self.parts;
        parts.engine.admit(&deployment.grants).await.map_err(RegistryError::Directory)?;
        let digest = digest(deployment.module.clone()).await;
        let engine::Outside { wants, wasi_0_3 } = engine::look_at(deployment.module.clone()).await;
        let entrypoint = parts
            .engine
            .inspect(
                CodeId { digest, build: deployment.build(wasi_0_3) },
                deployment.module.clone(),
                deployment.entrypoint.clone(),
            )
            .await
            .map_err(RegistryError::Module)?;
        if deployment.reuse.is_some() && entrypoint == Entrypoint::Command {
            return Err(RegistryError::CannotReuse);
        }
        if deployment.cgi && entrypoint != Entrypoint::Command {
            return Err(RegistryError::NoCgi(entrypoint));
        }

        let _changing = parts.changing.lock().await;
        let (mut function, latest) = self.proposed(&path, &deployment, whose)?;
        let number = following(latest.as_ref().map(|latest| latest.number))?;
        let version = Version { wants, wasi_0_3, ..deployment.version(number, digest, entrypoint, parts.clock.now()) };
        let same = latest.as_ref().is_some_and(|latest| latest.is_same_but_for_number(&version));
        let repeated = same && !deployment.always;
        if !repeated {
            function.latest = Some(number);
        }
        let function_latest = function.latest.unwrap_or(number);
        parts.store.put_module(digest, deployment.module).await.map_err(RegistryError::Store)?;
        self.keep(function, (!repeated).then_some(version)).await?;
        Ok((latest.is_none(), function_latest))
    }

    /// A secret that is not there yet is a name written wrongly, more often than not.
    async fn secrets_exist(&self, path: &FunctionPath, deployment: &Deployment) -> Result<(), RegistryError> {
        let mut missing = std::collections::BTreeSet::new();
        for name in deployment.grants.secrets.values() {
            let found = self.parts.store.secret(path.namespace.clone(), name.clone()).await;
            if found.map_err(RegistryError::Store)?.is_none() {
                missing.insert(name.clone());
            }
        }
        let missing: Vec<_> = missing.into_iter().collect();
        if missing.is_empty() { Ok(()) } else { Err(RegistryError::SecretUnknown(missing)) }
    }

    /// What lies outside the runtime is looked up before the change begins: what goes meanwhile is a delivery that
    /// fails, as it is when it goes later.
    async fn targets_exist(&self, path: &FunctionPath, text: &ConfigText) -> Result<(), RegistryError> {
        for (to, terms) in [(&text.on_success, &text.success_terms), (&text.on_failure, &text.failure_terms)] {
            match to {
                Some(DestinationText::Outside(to)) => self.target_exists(&path.namespace, to, terms).await?,
                Some(DestinationText::Function { .. }) => terms.check(None).map_err(RegistryError::Target)?,
                None => (),
            }
        }
        Ok(())
    }

    /// Whether outcomes can be brought there, as far as that can be told now.
    pub async fn target_exists(&self, namespace: &Namespace, to: &Outside, terms: &Terms) -> Result<(), RegistryError> {
        to.check(terms).map_err(RegistryError::Target)?;
        match self.parts.targets.get().and_then(Weak::upgrade) {
            Some(targets) => {
                targets.check(TargetAsked { namespace, to, terms }).await.map_err(RegistryError::TargetRefused)
            }
            None => Ok(()),
        }
    }

    /// The function with the configuration that comes with a deployment, and its latest version so far; `None` where
    /// the function would be new.
    fn proposed(
        &self,
        path: &FunctionPath,
        deployment: &Deployment,
        whose: Whose,
    ) -> Result<(Function, Option<Arc<Version>>), RegistryError> {
        let (mut function, latest) = match self.function(path) {
            Ok(function) => {
                let latest = function.latest.and_then(|number| self.version(function.id, number));
                ((*function).clone(), latest)
            }
            Err(_) => (self.new_function(path.clone())?, None),
        };
        if let Some(text) = &deployment.config {
            let config = self.checked(&function, text)?;
            match whose {
                Whose::Function => function.async_config = Some(config),
                Whose::Version => {
                    let number = following(latest.as_ref().map(|latest| latest.number))?;
                    function.version_configs.insert(number, config);
                }
            }
        }
        Ok((function, latest))
    }

    pub(super) fn new_function(&self, path: FunctionPath) -> Result<Function, RegistryError> {
        limited("another function", self.read(Catalogue::len) + 1, bounds::MAX_FUNCTIONS)?;
        Ok(Function {
            id: self.parts.clock.function_id(),
            path,
            created: self.parts.clock.now(),
            latest: None,
            aliases: BTreeMap::new(),
            async_config: None,
            version_configs: BTreeMap::new(),
            queue: QueueConfig::default(),
            annotations: Annotations::new(),
            weights: BTreeMap::new(),
            disabled: false,
        })
    }

    /// The configuration that `text` means on `function`, whose other edges count too.
    fn checked(&self, function: &Function, text: &ConfigText) -> Result<AsyncConfig, RegistryError> {
        within("max_event_age_s", text.max_event_age.as_secs(), &bounds::MAX_EVENT_AGE_S)
            .map_err(RegistryError::Range)?;
        let destinations = Destinations {
            on_success: self.destination(function, text.on_success.as_ref())?,
            on_failure: self.destination(function, text.on_failure.as_ref())?,
            success_terms: text.success_terms.clone(),
            failure_terms: text.failure_terms.clone(),
        };
        let ways = Node::of(&destinations, &function.path.namespace);
        let edges = ways.map(|(_, to)| (Node::Function(function.path.clone()), to)).collect();
        let owner = Owner::Function(function.id);
        match self.read(|catalogue| catalogue.cycle(&owner, &edges)) {
            Some(cycle) => Err(RegistryError::Cycle(cycle)),
            None => Ok(AsyncConfig {
                retry: text.retry,
                max_event_age: text.max_event_age,
                destinations,
                service_account: text.service_account.clone(),
            }),
        }
    }

    fn destination(
        &self,
        owner: &Function,
        text: Option<&DestinationText>,
    ) -> Result<Option<Destination>, RegistryError> {
        let (namespace, name, qualifier) = match text {
            None => return Ok(None),
            Some(DestinationText::Outside(outside)) => return Ok(Some(Destination::Outside(outside.clone()))),
            Some(DestinationText::Function { namespace, name, qualifier }) => (namespace, name, qualifier),
        };
        let namespace = namespace.clone().unwrap_or_else(|| owner.path.namespace.clone());
        let path = FunctionPath { namespace, name: name.clone() };
        let target = |id| FunctionTarget { id, path: path.clone(), qualifier: qualifier.clone() };
        if path == owner.path {
            return Ok(Some(Destination::Function(target(owner.id)))); // a cycle, which the graph tells
        }
        if let Ok((function, _)) = self.resolve(&path, qualifier) {
            return Ok(Some(Destination::Function(target(function.id))));
        }
        let destination = Destination::Function(target(owner.id)).to_string();
        Err(RegistryError::DestinationUnknown { destination })
    }

    pub(super) fn existing(&self, function: &Function, number: VersionNumber) -> Result<(), RegistryError> {
        let missing = || unknown(function, Qualifier::Version(number));
        self.version(function.id, number).map(|_| ()).ok_or_else(missing)
    }

    /// A change of a function's settings.
    pub(super) async fn update(
        &self,
        path: FunctionPath,
        edit: impl FnOnce(&Self, &mut Function) -> Result<(), RegistryError> + Send + 'static,
    ) -> Result<(), RegistryError> {
        self.change(move |registry| async move {
            let _changing = registry.parts.changing.lock().await;
            let mut function = (*registry.function(&path)?).clone();
            edit(&registry, &mut function)?;
            registry.keep(function, None).await
        })
        .await
    }

    pub(super) async fn keep(&self, function: Function, version: Option<Version>) -> Result<(), RegistryError> {
        let id = function.id;
        let mut changes = vec![Change::PutFunction(Box::new(function.clone()))];
        changes.extend(version.clone().map(|version| Change::PutVersion(id, Box::new(version))));
        let publish = move |catalogue: &mut Catalogue| {
            catalogue.put(Arc::new(function));
            if let Some(version) = version {
                catalogue.put_version(id, Arc::new(version));
            }
        };
        self.commit(changes, Box::new(publish)).await
    }

    pub(super) async fn commit(&self, changes: Vec<Change>, publish: Publish) -> Result<(), RegistryError> {
        self.parts.store.commit(Group(changes), Durability::Synced).await.map_err(RegistryError::Store)?;
        publish(&mut self.parts.catalogue.write().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// Sees a change through, also when the caller goes away.
    pub(super) async fn change<T, F>(&self, change: impl FnOnce(Self) -> F) -> Result<T, RegistryError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RegistryError>> + Send + 'static,
    {
        self.parts.tasks.see_through("change", change(self.clone())).await.unwrap_or(Err(RegistryError::Interrupted))
    }
}

impl Deployment {
    /// Checks what the engine does not: what can be told at all, sizes and counts.
    fn check(&self) -> Result<(), RegistryError> {
        let argument_bytes: usize = self.arguments.iter().map(String::len).sum();
        let environment_bytes: usize = self.environment.iter().map(|(name, value)| name.len() + value.len()).sum();
        let nul = |text: &String| text.contains('\0');
        let bad_name = |name: &String| name.is_empty() || name.contains('=') || nul(name);
        let bad = self.environment.iter().find(|(name, value)| bad_name(name) || nul(value)).map(|(name, _)| name);
        let bad = bad.or_else(|| self.grants.secrets.keys().find(|name| bad_name(name)));
        if let Some(bad) = bad.or_else(|| self.arguments.iter().find(|argument| nul(argument))) {
            return Err(RegistryError::Environment(bad.escape_default().take(100).collect()));
        }
        limited("the arguments", self.arguments.len(), bounds::MAX_ARGUMENTS)?;
        limited("the bytes of the arguments", argument_bytes, bounds::MAX_ARGUMENT_BYTES)?;
        limited("the environment entries", self.environment.len(), bounds::MAX_ENVIRONMENT)?;
        limited("the bytes of the environment", environment_bytes, bounds::MAX_ARGUMENT_BYTES)?;
        limited("the grants", self.grants.len(), bounds::MAX_GRANTS)?;
        annotated(&self.annotations)?;
        if let Some(reuse) = self.reuse {
            within("reuse", reuse.get(), &bounds::REUSE).map_err(RegistryError::Range)?;
        }
        let timeout_ms = whole_ms(self.limits.timeout);
        within("timeout_ms", timeout_ms, &bounds::TIMEOUT_MS).map_err(|error: OutOfRange| RegistryError::Range(error))
    }

    fn build(&self, wasi_0_3: bool) -> Build {
        let flavor = Flavor { fuel: self.limits.fuel.is_some(), concurrent: wasi_0_3, dumps: self.core_dump };
        Build { debug_info: self.debug_info, flavor }
    }

    fn version(&self, number: VersionNumber, digest: Digest, entrypoint: Entrypoint, created: Timestamp) -> Version {
        Version {
            number,
            created,
            digest,
            module_bytes: self.module.len() as u64,
            entrypoint,
            arguments: self.arguments.clone(),
            environment: self.environment.clone(),
            limits: self.limits,
            grants: self.grants.clone(),
            debug_info: self.debug_info,
            wants: Vec::new(),
            reuse: self.reuse,
            wasi_0_3: false,
            core_dump: self.core_dump,
            annotations: self.annotations.clone(),
            cgi: self.cgi,
        }
    }
}

fn following(number: Option<VersionNumber>) -> Result<VersionNumber, RegistryError> {
    let Some(number) = number else { return Ok(NonZeroU32::MIN) };
    limited("another version", number.get() as usize + 1, bounds::MAX_VERSIONS as usize)?;
    Ok(number.saturating_add(1))
}

pub(super) fn annotated(annotations: &Annotations) -> Result<(), RegistryError> {
    let longest = annotations.values().map(String::len).max().unwrap_or_default();
    limited("the bytes that a dialect keeps", longest, bounds::MAX_ANNOTATION_BYTES)
}

pub(super) fn limited(what: &'static str, count: usize, limit: usize) -> Result<(), RegistryError> {
    if count <= limit { Ok(()) } else { Err(RegistryError::TooMany { what, limit }) }
}

fn unknown(function: &Function, qualifier: Qualifier) -> RegistryError {
    RegistryError::VersionUnknown { path: function.path.clone(), qualifier }
}

/// SHA-256 of a module, on a thread that may take its time.
async fn digest(module: Bytes) -> Digest {
    let hash = move || Digest::from_bytes(Sha256::digest(&module).into());
    tokio::task::spawn_blocking(hash).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
