//! Modules that are ready to run, in memory: the most recently used, each loaded once however many ask for it.

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokio::sync::OnceCell;

use super::entrypoint::{Signature, Target};
use crate::model::bounds;
use crate::model::function::Entrypoint;
use crate::model::names::Digest;

/// A module that is ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Ready(Arc<Target>);

impl Ready {
    pub(super) fn new(target: Target) -> Self {
        Self(Arc::new(target))
    }

    /// What in it is called.
    pub fn entrypoint(&self) -> Entrypoint {
        self.0.entrypoint()
    }

    /// What its payload and its result have to be, where the module says so: for a typed function.
    pub fn signature(&self) -> Option<&Signature> {
        self.0.signature()
    }

    pub(super) fn target(&self) -> &Target {
        &self.0
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ready").field(&self.entrypoint()).finish()
    }
}

/// The ready modules.
pub(super) struct Shelf(Mutex<LruCache<Key, Arc<OnceCell<Ready>>>>);

pub(super) type Key = (Digest, Entrypoint);

const PLACES: NonZeroUsize = NonZeroUsize::new(bounds::MAX_READY_MODULES).expect("it is not zero");

impl Shelf {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(PLACES)))
    }

    /// The module, from here or from `load`. Of those who ask at once one loads and the others wait; if it fails or
    /// is dropped, the next one loads.
    pub(super) async fn get<E>(&self, key: Key, load: impl Future<Output = Result<Ready, E>>) -> Result<Ready, E> {
        let place = Arc::clone(self.places().get_or_insert(key, Arc::default));
        place.get_or_try_init(|| load).await.cloned()
    }

    /// Puts a module here.
    pub(super) fn put(&self, key: Key, ready: Ready) {
        self.places().put(key, Arc::new(OnceCell::new_with(Some(ready))));
    }

    fn places(&self) -> std::sync::MutexGuard<'_, LruCache<Key, Arc<OnceCell<Ready>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
