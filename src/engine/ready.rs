//! Modules that are ready to run, in memory: the most recently used, each loaded once however many ask for it.
//!
//! Bounded by number and by bytes: those that are mapped, and those that its description takes. What is put out stays for
//! the guests that run it, and is mapped from the disk again when somebody asks.

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use tokio::sync::OnceCell;

use super::build::CodeId;
use super::engines::Made;
use super::entrypoint::{Http, Http03, Signature, Target};
use crate::model::bounds;
use crate::model::function::Entrypoint;

/// A module that is ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Ready(Arc<Inner>);

struct Inner {
    engine: Arc<Made>,
    target: Target,
    bytes: u64,
    /// Its last run, as far as one has ended, computed for long.
    long: AtomicBool,
}

impl Ready {
    /// `engine` is the one that its code was compiled for, `bytes` is what it takes in memory.
    pub(super) fn new(engine: Arc<Made>, target: Target, bytes: u64) -> Self {
        Self(Arc::new(Inner { engine, target, bytes, long: AtomicBool::new(false) }))
    }

    /// What in it is called.
    pub fn entrypoint(&self) -> Entrypoint {
        self.0.target.entrypoint()
    }

    /// What its payload and its result have to be, where the module says so: for a typed function.
    pub fn signature(&self) -> Option<&Signature> {
        self.0.target.signature()
    }

    /// Whether it is a program, with a standard input and output of its own.
    pub(super) fn is_command(&self) -> bool {
        matches!(self.0.target, Target::Command(_))
    }

    /// The function, if it is one of which an instance may serve several runs at once.
    pub(super) fn shareable(&self) -> Option<&Http03> {
        if let Target::Http(Http::Wasi03(http)) = &self.0.target { Some(http) } else { None }
    }

    /// Whether it is to be expected that a run computes for long: the last one did.
    pub(super) fn is_long(&self) -> bool {
        self.0.long.load(Ordering::Relaxed)
    }

    /// A run has computed for long, or has ended and had not.
    pub(super) fn note_long(&self, long: bool) {
        if self.is_long() != long {
            self.0.long.store(long, Ordering::Relaxed);
        }
    }

    /// The engine that it runs in.
    pub(super) fn engine(&self) -> &Arc<Made> {
        &self.0.engine
    }

    /// Whether both are the same value, and not only alike.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn target(&self) -> &Target {
        &self.0.target
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ready").field(&self.entrypoint()).finish()
    }
}

/// The ready modules.
pub(super) struct Shelf {
    places: Mutex<Places>,
    most_bytes: u64,
}

struct Places {
    modules: LruCache<Key, Place>,
    /// Of all that are loaded.
    bytes: u64,
}

struct Place {
    module: Arc<OnceCell<Ready>>,
    /// What of it is in the sum; 0 while it is being loaded.
    bytes: u64,
}

pub(super) type Key = (CodeId, Entrypoint);

const PLACES: NonZeroUsize = NonZeroUsize::new(bounds::MAX_READY_MODULES).expect("it is not zero");

impl Shelf {
    /// A shelf for so many bytes of code.
    pub(super) fn new(most_bytes: u64) -> Self {
        Self { places: Mutex::new(Places { modules: LruCache::unbounded(), bytes: 0 }), most_bytes }
    }

    /// The module, from here or from `load`. Of those who ask at once one loads and the others wait; if it fails or
    /// is dropped, the next one loads.
    pub(super) async fn get<E, L>(&self, key: Key, load: impl FnOnce() -> L) -> Result<Ready, E>
    where
        L: Future<Output = Result<Ready, E>>,
    {
        let place = self.place(&key);
        if let Some(ready) = place.get() {
            return Ok(ready.clone());
        }
        let ready = place.get_or_try_init(load).await?.clone();
        self.count(&key, &place, &ready);
        Ok(ready)
    }

    /// Puts a module here.
    pub(super) fn put(&self, key: &Key, ready: &Ready) {
        let place = Arc::new(OnceCell::new_with(Some(ready.clone())));
        let mut places = self.lock();
        let before = places.modules.push(key.clone(), Place { module: Arc::clone(&place), bytes: 0 });
        places.bytes -= before.map_or(0, |(_, before)| before.bytes);
        drop(places);
        self.count(key, &place, ready);
    }

    fn place(&self, key: &Key) -> Arc<OnceCell<Ready>> {
        let mut places = self.lock();
        if let Some(place) = places.modules.get(key) {
            return Arc::clone(&place.module);
        }
        let module = Arc::<OnceCell<Ready>>::default();
        places.modules.push(key.clone(), Place { module: Arc::clone(&module), bytes: 0 });
        places.put_out(self.most_bytes);
        module
    }

    /// Counts what was loaded, if it is still here and was not counted by another, and makes room.
    fn count(&self, key: &Key, loaded: &Arc<OnceCell<Ready>>, ready: &Ready) {
        let mut places = self.lock();
        let counted =
            places.modules.peek_mut(key).filter(|place| Arc::ptr_eq(&place.module, loaded) && place.bytes == 0);
        if let Some(place) = counted {
            place.bytes = ready.0.bytes;
            places.bytes += ready.0.bytes;
            places.put_out(self.most_bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many modules are here, and their bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, u64) {
        let places = self.lock();
        (places.modules.len(), places.bytes)
    }
}

impl Places {
    /// Puts out what was not used for longest, until the rest is within the bounds; never the last one.
    fn put_out(&mut self, most_bytes: u64) {
        while self.modules.len() > PLACES.get() || (self.bytes > most_bytes && self.modules.len() > 1) {
            let Some((_, place)) = self.modules.pop_lru() else { return };
            self.bytes -= place.bytes;
        }
    }
}
