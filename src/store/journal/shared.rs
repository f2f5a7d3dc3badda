//! What the writer, the readers and the thread that prepares have in common.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::disk::Disk;
use super::error::JournalError;
use super::files::OpenFiles;
use super::pool::{Pool, Ready};
use super::segments::Purpose;
use super::table::Table;
use super::tail::Tail;
use super::writer::Settings;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) settings: Settings,
    pub(super) table: Table,
    pub(super) tail: Tail,
    pub(super) files: OpenFiles,
    pub(super) counts: Counts,
    pub(super) pool: Mutex<Pool>,
    /// The pool has changed, or should be looked at.
    pub(super) changed: Condvar,
}

/// What was done since the journal was opened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) groups: AtomicU64,
    pub(super) frames: AtomicU64,
    pub(super) written_bytes: AtomicU64,
    pub(super) syncs: AtomicU64,
}

impl Shared {
    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait<'a>(&self, pool: MutexGuard<'a, Pool>) -> MutexGuard<'a, Pool> {
        self.changed.wait(pool).unwrap_or_else(PoisonError::into_inner)
    }

    /// A segment to write. Waits for one as long as one can come.
    pub(super) fn take_segment(&self, purpose: Purpose) -> Result<Ready, JournalError> {
        let mut pool = self.pool();
        pool.want();
        self.changed.notify_all();
        loop {
            if let Some(ready) = pool.take(purpose) {
                // The next one is prepared at once.
                self.changed.notify_all();
                return Ok(ready);
            }
            if let Some(reason) = pool.hopeless(purpose) {
                return Err(JournalError::Full(reason));
            }
            pool = self.wait(pool);
        }
    }
}

impl Counts {
    pub(super) fn wrote(&self, frames: u64, bytes: usize) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.frames.fetch_add(frames, Ordering::Relaxed);
        self.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
