//! Instances at rest: those of versions that ask for reuse, between two runs.
//!
//! One serves runs of its version alone, one after the other or, where its version says so, several at once (`shared`), and
//! only after runs that ended by themselves: whatever was interrupted or has trapped is gone. There are few, they take a
//! bounded part of the pool and of memory, those that were used least lately give way, and after a while of rest each goes. A
//! fresh instance never waits for one.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::Store;

use super::call::Call;
use super::engines::Made;
use super::entrypoint::Standing;
use super::host::Host;
use super::ready::Ready;
use super::run::Output;
use super::shared::Door;
use crate::model::bounds;
use crate::model::function::Version;
use crate::model::secret::Entrusted;

/// An instance between two runs, with all that belongs to it.
pub(super) struct Alive {
    pub(super) store: Store<Host>,
    pub(super) standing: Standing,
    /// Where it writes: what it holds open leads there for as long as it lives.
    pub(super) output: Output,
    /// Runs that it has served.
    pub(super) served: u32,
}

/// The instances at rest in one engine.
pub(super) struct Resting {
    places: Mutex<Places>,
    most: usize,
    /// How long one may rest.
    patience: Duration,
}

#[derive(Default)]
struct Places {
    /// The one that came last at the end.
    all: Vec<Place>,
    /// Whether somebody looks after them.
    is_tended: bool,
}

struct Place {
    what: Rests,
    of: Of,
    memory_bytes: u64,
    since: Instant,
}

/// What rests.
enum Rests {
    Alone(Alive),
    /// Waits for runs where it is; dropped, it ends.
    Shared(Door),
}

/// What an instance was made of: the very same values, not such that are equal.
#[derive(Clone)]
pub(super) struct Of {
    ready: Ready,
    version: Arc<Version>,
    /// What it has in its environment; another value of a secret needs another instance.
    secrets: Entrusted,
}

/// Lets those go that have rested for long, until none is left.
pub(super) fn tend(engine: &Arc<Made>) -> impl Future<Output = ()> + Send + use<> {
    let engine = Arc::downgrade(engine);
    async move {
        while let Some(due) = engine.upgrade().and_then(|engine| engine.resting.sweep()) {
            tokio::time::sleep_until(due).await;
        }
    }
}

impl Of {
    /// What a fresh instance for this call would be made of.
    pub(super) fn call(ready: &Ready, call: &Call) -> Self {
        Self { ready: ready.clone(), version: Arc::clone(&call.version), secrets: call.secrets.clone() }
    }

    /// Whether that is the same.
    pub(super) fn fits(&self, ready: &Ready, call: &Call) -> bool {
        self.ready.is_same(ready)
            && Arc::ptr_eq(&self.version, &call.version)
            && self.secrets.variables().eq(call.secrets.variables())
    }

    /// Whose version it is.
    pub(super) fn version(&self) -> &Version {
        &self.version
    }

    /// The module.
    pub(super) fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The engine that it runs in.
    pub(super) fn engine(&self) -> &Arc<Made> {
        self.ready.engine()
    }
}

impl Resting {
    /// Room for so many, each for so long.
    pub(super) fn new(most: usize, patience: Duration) -> Self {
        Self { places: Mutex::default(), most, patience }
    }

    /// One that can serve this call: that which rested last, since it is the one whose memory is near.
    pub(super) fn take(&self, ready: &Ready, call: &Call) -> Option<Alive> {
        call.version.reuse?;
        let Rests::Alone(alive) = self.place(ready, call)?.what else { return None };
        Some(alive)
    }

    /// The same of those that serve several at once.
    pub(super) fn take_shared(&self, ready: &Ready, call: &Call) -> Option<Door> {
        let Rests::Shared(door) = self.place(ready, call)?.what else { return None };
        Some(door)
    }

    /// Puts one here. Returns whether nobody looks after those at rest yet: whoever put it has to ([`tend`]).
    pub(super) fn put(&self, alive: Alive, of: Of) -> bool {
        let memory_bytes = alive.store.data().memory_bytes();
        self.lay(Rests::Alone(alive), of, memory_bytes)
    }

    /// The same of one that serves several at once, and has so much memory.
    pub(super) fn put_shared(&self, door: Door, of: Of, memory_bytes: u64) -> bool {
        self.lay(Rests::Shared(door), of, memory_bytes)
    }

    fn place(&self, ready: &Ready, call: &Call) -> Option<Place> {
        let mut places = self.lock();
        let at = places.all.iter().rposition(|place| place.of.fits(ready, call))?;
        Some(places.all.remove(at))
    }

    fn lay(&self, what: Rests, of: Of, memory_bytes: u64) -> bool {
        if self.most == 0 || memory_bytes > bounds::MAX_RESTING_BYTES {
            return false;
        }
        let place = Place { what, of, memory_bytes, since: Instant::now() };
        let mut places = self.lock();
        let mut gone = Vec::new(); // dropped when nobody is kept waiting
        while places.all.len() >= self.most || places.memory_bytes() + memory_bytes > bounds::MAX_RESTING_BYTES {
            gone.push(places.all.remove(0));
        }
        places.all.push(place);
        let is_tended = std::mem::replace(&mut places.is_tended, true);
        drop(places);
        !is_tended
    }

    /// Lets those go that have rested for long. Returns when to look again; `None` when none is left, and nobody need look.
    pub(super) fn sweep(&self) -> Option<Instant> {
        let (now, mut places) = (Instant::now(), self.lock());
        let first_kept = places.all.iter().position(|place| now < place.since + self.patience);
        let gone: Vec<_> = match first_kept {
            Some(first) => places.all.drain(..first).collect(),
            None => std::mem::take(&mut places.all),
        };
        let next = places.all.first().map(|place| place.since + self.patience);
        places.is_tended = next.is_some();
        drop(places);
        drop(gone);
        next
    }

    /// Lets all go.
    pub(super) fn clear(&self) {
        let gone = std::mem::take(&mut self.lock().all);
        drop(gone);
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().all.len()
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn memory_bytes(&self) -> u64 {
        self.all.iter().map(|place| place.memory_bytes).sum()
    }
}
