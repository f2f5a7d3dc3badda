//! Open files of segments for reading, the most recently used ones: a read of something old costs an open only
//! now and then, and the number of descriptors is bounded however many segments there are.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::disk::{Disk, DiskFile};
use super::names::Name;

#[derive(Debug)]
pub(super) struct OpenFiles(Mutex<LruCache<u32, Arc<dyn DiskFile>>>);

impl OpenFiles {
    pub(super) fn new(most: NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::new(most)))
    }

    /// The segment's file. It is opened outside the lock: two may open the same one, and then one of them is kept.
    pub(super) fn get(&self, disk: &dyn Disk, dir: &Path, segment: u32) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.lock().get(&segment) {
            return Ok(Arc::clone(file));
        }
        let file = disk.open(&Name::Segment(segment).path(dir))?;
        self.lock().put(segment, Arc::clone(&file));
        Ok(file)
    }

    /// Closes the segment's file, once those who are reading it have done so.
    pub(super) fn forget(&self, segment: u32) {
        self.lock().pop(&segment);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<u32, Arc<dyn DiskFile>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
