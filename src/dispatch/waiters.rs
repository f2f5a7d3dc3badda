//! Who waits for an invocation to settle. A notification is a hint: the waiter looks into the store itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::model::bounds;
use crate::model::names::InvocationId;

/// Those who wait, by the invocation they wait for.
#[derive(Default)]
pub(super) struct Waiters {
    waiting: Mutex<HashMap<InvocationId, Waited>>,
}

#[derive(Default)]
struct Waited {
    settled: Arc<Notify>,
    by: usize,
}

/// A registration; dropping it ends it.
pub(super) struct Waiter<'a> {
    all: &'a Waiters,
    id: InvocationId,
    settled: Arc<Notify>,
}

impl Waiters {
    /// Registers for an invocation. `None` when [`bounds::MAX_WAITERS`] wait already.
    pub(super) fn register(&self, id: InvocationId) -> Option<Waiter<'_>> {
        let mut waiting = self.lock();
        if waiting.len() >= bounds::MAX_WAITERS {
            return None;
        }
        let waited = waiting.entry(id).or_default();
        waited.by += 1;
        Some(Waiter { all: self, id, settled: waited.settled.clone() })
    }

    /// Tells those who wait for `id` that it has settled.
    pub(super) fn tell(&self, id: InvocationId) {
        if let Some(waited) = self.lock().get(&id) {
            waited.settled.notify_waiters();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<InvocationId, Waited>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter<'_> {
    /// What completes at the next settling. Make it before looking into the store, then await it.
    pub(super) fn settled(&self) -> tokio::sync::futures::Notified<'_> {
        self.settled.notified()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.all.lock();
        if let Some(waited) = waiting.get_mut(&self.id) {
            waited.by -= 1;
            if waited.by == 0 {
                waiting.remove(&self.id);
            }
        }
    }
}
