//! One attempt: a slot and an invocation go in, what the run gave comes out. Knows no store, no queue and
//! no HTTP, and moves no state: what happened is a value for `dispatch` to act on.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::engine::Engine;
use crate::engine::call::{Call, Identity, Input, Ran};
use crate::model::bounds;
use crate::model::function::Version;
use crate::model::invocation::{Invocation, State};
use crate::model::names::{FunctionId, InvocationId};
use crate::model::outcome::{Failure, FailureKind};
use crate::registry::Registry;

/// Runs attempts. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    registry: Registry,
    engine: Engine,
    clock: Clock,
}

impl Worker {
    /// A worker that runs versions of `registry` on `engine`.
    pub fn new(registry: Registry, engine: Engine, clock: Clock) -> Self {
        Self { registry, engine, clock }
    }

    /// Runs `version` for `invocation`, once. Dropping the future stops the guest.
    pub async fn attempt(&self, _slot: &Slot, invocation: &Invocation, version: &Version, input: Input) -> Ran {
        let ready = match self.registry.ready(version).await {
            Ok(ready) => ready,
            Err(error) => return not_started(&error),
        };
        let call = Call {
            input,
            identity: Arc::new(self.identity(invocation, version)),
            arguments: version.arguments.clone(),
            environment: version.environment.clone(),
            memory_bytes: version.limits.memory_bytes,
            timeout: version.limits.timeout,
        };
        self.engine.run(&ready, call).await
    }

    fn identity(&self, invocation: &Invocation, version: &Version) -> Identity {
        let attempt = if let State::Running { attempt, .. } = invocation.state { attempt.get() } else { 1 };
        Identity {
            invocation: invocation.id.to_string(),
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

/// The places in which attempts run: so many in all, so many of one version.
#[derive(Clone)]
pub struct Slots {
    parts: Arc<SlotParts>,
}

struct SlotParts {
    all: Arc<Semaphore>,
    concurrency: usize,
    versions: Mutex<HashMap<Key, Arc<Semaphore>>>,
    waiting: Semaphore,
    /// Told whenever a slot is free again.
    freed: Arc<Notify>,
}

/// A version of a function: versions have limits of their own.
type Key = (FunctionId, std::num::NonZeroU32);

/// A place to run one attempt in. Dropping it gives it back.
pub struct Slot {
    permits: Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
    freed: Arc<Notify>,
}

impl Slots {
    /// `concurrency` slots; `freed` is told when one is given back.
    pub fn new(concurrency: u32, freed: Arc<Notify>) -> Self {
        let concurrency = concurrency as usize;
        let all = Arc::new(Semaphore::new(concurrency));
        let waiting = Semaphore::new(bounds::MAX_WAITING_FOR_SLOT);
        Self { parts: Arc::new(SlotParts { all, concurrency, versions: Mutex::default(), waiting, freed }) }
    }

    /// Changes how many attempts run at once. What runs goes on.
    pub fn set_concurrency(&self, _concurrency: NonZeroU32) {}

    /// How many attempts may run at once.
    pub fn concurrency(&self) -> NonZeroU32 {
        u32::try_from(self.parts.concurrency).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }

    /// Whether nothing runs.
    pub fn all_free(&self) -> bool {
        self.parts.all.available_permits() == self.parts.concurrency
    }

    /// Whether any slot is free at all.
    pub fn any_free(&self) -> bool {
        self.parts.all.available_permits() > 0
    }

    /// A slot for a version, if one is free now. `None` as version: one that is limited by the runtime alone.
    pub fn try_take(&self, function: FunctionId, version: Option<&Version>) -> Option<Slot> {
        let own = match version.and_then(|version| self.limit_of(function, version)) {
            Some(limit) => Some(limit.try_acquire_owned().ok()?),
            None => None,
        };
        let any = self.parts.all.clone().try_acquire_owned().ok()?;
        Some(self.slot(any, own))
    }

    /// A slot for a version, waiting at most [`bounds::MAX_SLOT_WAIT`] for one. Who waits here goes before the
    /// queue: the semaphores hand a freed slot to the longest waiting. `None` when none came free in time.
    pub async fn take(&self, function: FunctionId, version: &Version) -> Option<Slot> {
        if let Some(slot) = self.try_take(function, Some(version)) {
            return Some(slot); // nobody is passed by: what is freed goes to those who wait
        }
        let _waiting = self.parts.waiting.try_acquire().ok()?;
        let acquired = async {
            let own = match self.limit_of(function, version) {
                Some(limit) => Some(limit.acquire_owned().await.ok()?),
                None => None,
            };
            Some((self.parts.all.clone().acquire_owned().await.ok()?, own))
        };
        let acquired = tokio::time::timeout(bounds::MAX_SLOT_WAIT, acquired).await;
        let Ok(Some((any, own))) = acquired else {
            self.parts.freed.notify_one(); // a version's permit may have been held meanwhile
            return None;
        };
        Some(self.slot(any, own))
    }

    /// How long a caller who found no slot should wait before the next try.
    pub const fn retry_after() -> Duration {
        Duration::from_secs(1)
    }

    fn slot(&self, any: OwnedSemaphorePermit, own: Option<OwnedSemaphorePermit>) -> Slot {
        Slot { permits: Some((any, own)), freed: self.parts.freed.clone() }
    }

    fn limit_of(&self, function: FunctionId, version: &Version) -> Option<Arc<Semaphore>> {
        let limit = version.limits.concurrency?.get() as usize;
        let mut versions = self.parts.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (function, version.number);
        if versions.len() >= bounds::MAX_FUNCTIONS && !versions.contains_key(&key) {
            versions.retain(|_, semaphore| Arc::strong_count(semaphore) > 1); // those with nobody in them
        }
        Some(versions.entry(key).or_insert_with(|| Arc::new(Semaphore::new(limit))).clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.permits.take()); // before anybody is told
        self.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::function::{Entrypoint, Limits};
    use crate::model::names::Digest;
    use crate::model::time::Timestamp;

    fn version(concurrency: Option<u32>) -> Version {
        let defaults = Limits::default();
        Version {
            number: std::num::NonZeroU32::MIN,
            created: Timestamp::from_ms(0),
            digest: Digest::from_bytes([0; 32]),
            module_bytes: 0,
            entrypoint: Entrypoint::Command,
            arguments: Vec::new(),
            environment: std::collections::BTreeMap::new(),
            limits: Limits::new(defaults.memory_bytes, defaults.timeout, concurrency).unwrap(),
        }
    }

    fn function(n: u8) -> FunctionId {
        FunctionId::new(Timestamp::from_ms(0), [n; 10])
    }

    #[tokio::test]
    async fn a_version_gets_no_more_slots_than_its_own_limit_and_others_still_get_theirs() {
        let slots = Slots::new(3, Arc::default());
        let one = slots.try_take(function(1), Some(&version(Some(1)))).unwrap();
        assert!(slots.try_take(function(1), Some(&version(Some(1)))).is_none());
        assert!(slots.try_take(function(2), Some(&version(Some(1)))).is_some());
        drop(one);
        assert!(slots.try_take(function(1), Some(&version(Some(1)))).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_slot_gets_it_before_the_queue_does_and_gives_up_in_the_end() {
        let slots = Slots::new(1, Arc::default());
        let held = slots.try_take(function(1), None).unwrap();
        let caller = version(None);
        let mut waiting = std::pin::pin!(slots.take(function(2), &caller));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(held);
        assert!(slots.try_take(function(1), None).is_none(), "the freed slot belongs to the caller who waits");
        let slot = waiting.await.unwrap();
        assert!(slots.take(function(1), &caller).await.is_none(), "after the longest wait there is no slot");
        drop(slot);
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_wait_for_one_version_a_caller_of_another_gets_a_free_slot() {
        let slots = Slots::new(2, Arc::default());
        let (full, free) = (version(Some(1)), version(None));
        let _held = slots.try_take(function(1), Some(&full)).unwrap();
        let waiting = (0..bounds::MAX_WAITING_FOR_SLOT).map(|_| slots.take(function(1), &full));
        let mut waiting = std::pin::pin!(futures::future::join_all(waiting));
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(slots.take(function(2), &free).await.is_some());
    }
}
