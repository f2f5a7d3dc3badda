//! One attempt: a slot and an invocation go in, what the run gave comes out. Knows no store, no queue and
//! no HTTP, and moves no state: what happened is a value for `dispatch` to act on.

mod limit;
mod slots;

use std::sync::Arc;

pub use slots::{Freed, NoSlot, Slot, Slots};

use crate::clock::Clock;
use crate::engine::Engine;
use crate::engine::asks::Asks;
use crate::engine::call::{Call, Identity, Input, Ran};
use crate::model::function::Version;
use crate::model::invocation::{Invocation, State};
use crate::model::names::InvocationId;
use crate::model::outcome::{Failure, FailureKind};
use crate::registry::Registry;

/// Runs attempts. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    registry: Registry,
    engine: Engine,
    clock: Clock,
    desk: Arc<dyn Asks>,
}

impl Worker {
    /// A worker that runs versions of `registry` on `engine`; `desk` is where the guests ask for what only the runtime
    /// can do.
    pub fn new(registry: Registry, engine: Engine, clock: Clock, desk: Arc<dyn Asks>) -> Self {
        Self { registry, engine, clock, desk }
    }

    /// Runs `version` for `invocation`, once. Dropping the future stops the guest.
    pub async fn attempt(&self, _slot: &Slot, invocation: &Invocation, version: &Arc<Version>, input: Input) -> Ran {
        let ready = match self.registry.ready(version).await {
            Ok(ready) => ready,
            Err(error) => return not_started(&error),
        };
        let identity = Arc::new(self.identity(invocation, version));
        let call = Call { input, identity, version: Arc::clone(version), desk: Arc::clone(&self.desk) };
        self.engine.run(&ready, call).await
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
    Ran { end: Err(failure), answer: None, log: bytes::Bytes::new() }
}
