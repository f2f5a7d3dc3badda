//! Compilations that go on whoever waits for them: what takes longer than its callers have patience would begin anew with
//! each of them, and never be done.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::Shared;
use tokio::sync::oneshot;

use crate::engine::ready::{Key, Ready};
use crate::engine::refused::Refused;
use crate::model::bounds;
use crate::tasks::{OnExit, Tasks};

type Outcome = Result<Ready, Refused>;

/// An outcome that is waited for; nothing comes where the runtime stops.
pub(super) type Awaited = Shared<oneshot::Receiver<Outcome>>;

/// All of them. Whoever begins one sees to their number.
#[derive(Default)]
pub(super) struct UnderWay {
    tasks: Tasks,
    all: Arc<Mutex<HashMap<Key, Awaited>>>,
}

impl UnderWay {
    /// The one of this module, if there is any.
    pub(super) fn find(&self, key: &Key) -> Option<Awaited> {
        lock(&self.all).get(key).cloned()
    }

    /// The one of this module, which is `work` from now on unless another has begun meanwhile.
    pub(super) fn begin(&self, key: Key, work: impl Future<Output = Outcome> + Send + 'static) -> Awaited {
        let mut all = lock(&self.all);
        if let Some(awaited) = all.get(&key) {
            return awaited.clone();
        }
        let (answer, awaited) = oneshot::channel();
        let awaited = awaited.shared();
        all.insert(key.clone(), awaited.clone());
        drop(all);
        let entry = Entry { all: Arc::clone(&self.all), key };
        let stopping = self.tasks.stopping().clone();
        self.tasks.spawn("compile", OnExit::Ignore, async move {
            let outcome = stopping.run_until_cancelled(work).await;
            drop(entry);
            if let Some(outcome) = outcome {
                let _ = answer.send(outcome); // or nobody waits any more
            }
        });
        awaited
    }

    /// Ends all of them.
    pub(super) async fn stop(&self) {
        self.tasks.stop();
        self.tasks.ended(bounds::GUEST_STOP).await;
    }
}

/// Takes a compilation out, whatever ends it.
struct Entry {
    all: Arc<Mutex<HashMap<Key, Awaited>>>,
    key: Key,
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.key);
    }
}

fn lock(all: &Mutex<HashMap<Key, Awaited>>) -> MutexGuard<'_, HashMap<Key, Awaited>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}
