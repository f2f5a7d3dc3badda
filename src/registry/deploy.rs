//! Deployments: a module becomes a version of a function, and a function where there is none of that name. Checked as far as
//! that goes without compiling, then compiled, then checked again under the lock: others change functions meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::change::{check_annotations, check_count};
use super::configure::ConfigText;
use super::error::Unshared;
use super::{Registry, RegistryError};
use crate::engine::{self, Build, CodeId, Flavor};
use crate::model::bounds::{self, within};
use crate::model::entrypoint::{Entrypoint, Wanted};
use crate::model::function::{Annotations, Function, Limits, Version};
use crate::model::grant::Grants;
use crate::model::names::{Digest, FunctionPath, VersionNumber};
use crate::model::time::{Timestamp, whole_ms};

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
    /// How many invocations one instance may serve at once; `None` is one.
    pub instance_concurrency: Option<NonZeroU32>,
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
    /// The version that it was made from: refused where another is the latest by now. `None` was made from nothing.
    pub made_from: Option<VersionNumber>,
}

/// Whose the configuration is that comes with a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Function,
    Version,
}

impl Registry {
    /// Deploys a module: makes a new version of the function, and the function where there is none of that
    /// name. The same deployment again makes no version. Returns whether this is its first version.
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
        let engine::Outside { wants, wasi_0_3, is_http_0_3 } = engine::look_at(deployment.module.clone()).await;
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
        deployment.may_share(entrypoint == Entrypoint::Http && is_http_0_3)?;
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

    /// The function with the configuration that comes with a deployment, and its latest version so far; `None` where
    /// it has none yet.
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
        if let Some(made_from) = deployment.made_from
            && function.latest != Some(made_from)
        {
            return Err(RegistryError::Overtaken { path: path.clone(), made_from });
        }
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

    /// A secret that is not there yet is a name written wrongly, more often than not.
    async fn secrets_exist(&self, path: &FunctionPath, deployment: &Deployment) -> Result<(), RegistryError> {
        let mut missing = BTreeSet::new();
        for name in deployment.grants.secrets.values() {
            let found = self.parts.store.secret(path.namespace.clone(), name.clone()).await;
            if found.map_err(RegistryError::Store)?.is_none() {
                missing.insert(name.clone());
            }
        }
        let missing: Vec<_> = missing.into_iter().collect();
        if missing.is_empty() { Ok(()) } else { Err(RegistryError::SecretUnknown(missing)) }
    }
}

impl Deployment {
    /// Checks what the engine does not: whether arguments and environment can be passed to a program, sizes and counts.
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
        check_count("the arguments", self.arguments.len(), bounds::MAX_ARGUMENTS)?;
        check_count("the bytes of the arguments", argument_bytes, bounds::MAX_ARGUMENT_BYTES)?;
        check_count("the environment entries", self.environment.len(), bounds::MAX_ENVIRONMENT)?;
        check_count("the bytes of the environment", environment_bytes, bounds::MAX_ARGUMENT_BYTES)?;
        check_count("the grants", self.grants.len(), bounds::MAX_GRANTS)?;
        check_annotations(&self.annotations)?;
        if let Some(reuse) = self.reuse {
            within("reuse", reuse.get(), &bounds::REUSE).map_err(RegistryError::Range)?;
        }
        if let Some(at_once) = self.instance_concurrency {
            within("instance_concurrency", at_once.get(), &bounds::INSTANCE_CONCURRENCY)
                .map_err(RegistryError::Range)?;
        }
        let timeout_ms = whole_ms(self.limits.timeout);
        within("timeout_ms", timeout_ms, &bounds::TIMEOUT_MS).map_err(RegistryError::Range)
    }

    /// Whether its instances may serve several invocations at once, where it asks for that.
    fn may_share(&self, is_http_0_3: bool) -> Result<(), RegistryError> {
        let why = match self.instance_concurrency {
            None | Some(NonZeroU32::MIN) => return Ok(()),
            Some(_) if !is_http_0_3 => Unshared::OneAtATime,
            Some(_) if self.reuse.is_none() => Unshared::Fresh,
            Some(_) if self.limits.fuel.is_some() => Unshared::Fuel,
            Some(_) if !self.grants.http.is_empty() || !self.grants.functions.is_empty() => Unshared::Outgoing,
            Some(_) => return Ok(()),
        };
        Err(RegistryError::CannotShare(why))
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
            instance_concurrency: self.instance_concurrency,
            wasi_0_3: false,
            core_dump: self.core_dump,
            annotations: self.annotations.clone(),
            cgi: self.cgi,
        }
    }
}

fn following(number: Option<VersionNumber>) -> Result<VersionNumber, RegistryError> {
    let Some(number) = number else { return Ok(NonZeroU32::MIN) };
    check_count("another version", number.get() as usize + 1, bounds::MAX_VERSIONS as usize)?;
    Ok(number.saturating_add(1))
}

/// SHA-256 of a module, on a thread that may take its time.
async fn digest(module: Bytes) -> Digest {
    let hash = move || Digest::from_bytes(Sha256::digest(&module).into());
    tokio::task::spawn_blocking(hash).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
