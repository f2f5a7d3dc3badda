//! One attempt: a slot and an invocation go in, what the run gave comes out. Knows no store, no queue and
//! no HTTP, and moves no state: what happened is a value for `dispatch` to act on.

mod limit;
mod slots;
mod waiting;

use std::sync::Arc;

use tokio::time::Instant;

pub use slots::{Freed, NoSlot, Slot, Slots};

use crate::access::{Access, Denied};
use crate::clock::Clock;
use crate::core_dumps::CoreDumps;
use crate::engine::Engine;
use crate::engine::asks::Asks;
use crate::engine::call::{Call, Identity, Input, Ran};
use crate::model::access::{Permission, Scope};
use crate::model::function::Version;
use crate::model::invocation::{Invocation, Policy, State};
use crate::model::names::InvocationId;
use crate::model::outcome::{Advice, Failure, FailureKind};
use crate::model::secret::{Entrust, Entrusted};
use crate::model::time::whole_us;
use crate::model::usage::Usage;
use crate::registry::Registry;
use crate::vault::Vault;

/// Runs attempts. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    registry: Registry,
    engine: Engine,
    clock: Clock,
    vault: Vault,
    access: Access,
    dumps: CoreDumps,
    desk: Arc<dyn Asks>,
}

impl Worker {
    /// A worker that runs versions of `registry` on `engine`, with secrets of `vault`, for accounts that `access` allows to;
    /// core dumps go to `dumps`, and `desk` is where the guests ask for what only the runtime can do.
    pub fn new(
        registry: Registry,
        engine: Engine,
        clock: Clock,
        vault: Vault,
        access: Access,
        dumps: CoreDumps,
        desk: Arc<dyn Asks>,
    ) -> Self {
        Self { registry, engine, clock, vault, access, dumps, desk }
    }

    /// Runs `version` for `invocation`, once. Dropping the future stops the guest.
    pub async fn attempt(&self, _slot: &Slot, invocation: &Invocation, version: &Arc<Version>, input: Input) -> Ran {
        if let Some(denied) = self.denied(invocation) {
            return not_run(Failure::new(FailureKind::AccessDenied, denied.to_string(), Advice::GiveUp));
        }
        let asked = Instant::now();
        let ready = match self.registry.ready(version).await {
            Ok(ready) => ready,
            Err(error) => return not_started(&error),
        };
        let loaded_us = whole_us(asked.elapsed());
        let secrets = match Box::pin(self.secrets(invocation, version)).await {
            Ok(secrets) => secrets,
            Err(failure) => return not_run(failure),
        };
        let identity = Arc::new(self.identity(invocation, version));
        let call = Call { input, identity, version: Arc::clone(version), secrets, desk: Arc::clone(&self.desk) };
        let mut ran = self.engine.run(&ready, call).await;
        if let Some(dump) = ran.core_dump.take() {
            Box::pin(self.dumps.keep(invocation.id, dump)).await;
        }
        Ran { usage: Usage { loaded_us, ..ran.usage }, ..ran }
    }

    /// Why an account that it is to run for may not invoke its function any more.
    fn denied(&self, invocation: &Invocation) -> Option<Denied> {
        let path = &invocation.target.path;
        let Policy { config, invoker, .. } = &invocation.policy;
        let own = config.service_account.as_ref().map(|account| (&path.namespace, account));
        let invoker = invoker.as_ref().map(|(namespace, account)| (namespace, account));
        let may = |(namespace, account)| {
            self.access.may(namespace, account, Permission::FunctionsInvoke, &Scope::function(path))
        };
        [own, invoker].into_iter().flatten().find_map(|account| may(account).err())
    }

    /// The secrets that the version was granted, as they are now.
    async fn secrets(&self, invocation: &Invocation, version: &Version) -> Result<Entrusted, Failure> {
        let mut all = Vec::with_capacity(version.grants.secrets.len());
        for (variable, name) in &version.grants.secrets {
            let namespace = invocation.target.path.namespace.clone();
            let gone = || {
                let hint = format!("set it with `tidemill secrets set {name}`, or deploy the function without it");
                format!("the secret `{name}`, which the function was to find in {variable}, does not exist: {hint}")
            };
            let value = match self.vault.value(namespace, name.clone()).await {
                Ok(Some(value)) => Ok(value),
                Ok(None) => Err(gone()),
                Err(error) => {
                    tracing::warn!(invocation = %invocation.id, secret = %name, %error, "a secret could not be opened");
                    Err(format!("the secret `{name}` could not be opened: {error}"))
                }
            };
            let value = value.map_err(|message| Failure::retry(FailureKind::Load, message))?;
            all.push(Entrust { variable: variable.clone(), name: name.clone(), value });
        }
        Ok(Entrusted::new(all))
    }

    fn identity(&self, invocation: &Invocation, version: &Version) -> Identity {
        let attempt = if let State::Running { attempt, .. } = invocation.state { attempt.get() } else { 1 };
        Identity {
            invocation: invocation.id.to_string(),
            namespace: invocation.target.path.namespace.clone(),
            function: invocation.target.path.name.to_string(),
            version: version.number.get(),
            attempt,
            content_type: invocation.request.payload.content_type.clone(),
            accepted: invocation.accepted,
            deadline: self.clock.now() + version.limits.timeout,
            chain: invocation.lineage.chain.iter().map(InvocationId::to_string).collect(),
            hop: invocation.lineage.hop(),
            traceparent: invocation.request.traceparent.clone(),
            attributes: invocation.request.attributes.clone(),
        }
    }
}

fn not_started(error: &dyn std::fmt::Display) -> Ran {
    let failure = Failure::retry(FailureKind::Load, format!("the module could not be loaded: {error}"));
    not_run(failure)
}

fn not_run(failure: Failure) -> Ran {
    Ran { end: Err(failure), answer: None, log: bytes::Bytes::new(), usage: Usage::default(), core_dump: None }
}
