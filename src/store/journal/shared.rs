//! What the writer, who syncs, the readers and the thread that prepares have in common.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::disk::Disk;
use super::error::JournalError;
use super::files::OpenFiles;
use super::pool::{Pool, Ready};
use super::position::Position;
use super::segments::Purpose;
use super::table::Table;
use super::tail::Tail;
use super::writer::Settings;
use crate::model::bounds;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) settings: Settings,
    pub(super) table: Table,
    pub(super) tail: Tail,
    pub(super) files: OpenFiles,
    pub(super) counts: Counts,
    /// Up to where everything is durable.
    pub(super) synced: Synced,
    /// Why nothing is written any more.
    pub(super) stopped: OnceLock<String>,
    pub(super) pool: Mutex<Pool>,
    /// The pool has changed, or should be looked at.
    pub(super) changed: Condvar,
}

/// Up to where the journal is durable.
#[derive(Debug)]
pub(super) struct Synced {
    position: AtomicU64,
    /// Held by who syncs: the kernel tells a failure to one of two who ask at once, and the other would not know.
    turn: Mutex<()>,
}

/// What was done since the journal was opened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) groups: AtomicU64,
    pub(super) frames: AtomicU64,
    pub(super) written_bytes: AtomicU64,
    pub(super) syncs: AtomicU64,
}

impl Synced {
    pub(super) fn up_to(position: Position) -> Self {
        Self { position: AtomicU64::new(u64::from_be_bytes(position.to_bytes())), turn: Mutex::new(()) }
    }

    pub(super) fn position(&self) -> Position {
        Position::from_bytes(self.position.load(Ordering::Acquire).to_be_bytes())
    }

    /// Nobody else syncs until the guard is dropped.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called by whose turn it is.
    pub(super) fn reach(&self, position: Position) {
        self.position.store(u64::from_be_bytes(position.to_bytes()), Ordering::Release);
    }
}

impl Shared {
    /// Of a journal in `dir` that is durable up to its `end`.
    pub(super) fn new(
        dir: &Path,
        disk: Arc<dyn Disk>,
        settings: Settings,
        table: Table,
        tail: Tail,
        pool: Pool,
        end: Position,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            disk,
            settings,
            table,
            tail,
            files: OpenFiles::new(bounds::MAX_OPEN_SEGMENTS),
            counts: Counts::default(),
            synced: Synced::up_to(end),
            stopped: OnceLock::new(),
            pool: Mutex::new(pool),
            changed: Condvar::new(),
        }
    }

    /// Fails once something has failed.
    pub(super) fn check_running(&self) -> Result<(), JournalError> {
        match self.stopped.get() {
            None => Ok(()),
            Some(reason) => Err(JournalError::Stopped(reason.clone())),
        }
    }

    /// Nothing is written from here on.
    pub(super) fn stop(&self, reason: String) -> JournalError {
        tracing::error!(%reason, "the journal failed to write and takes nothing more: restart the process");
        JournalError::Unknown(self.stopped.get_or_init(|| reason).clone())
    }

    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait<'a>(&self, pool: MutexGuard<'a, Pool>) -> MutexGuard<'a, Pool> {
        self.changed.wait(pool).unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for no longer than `patience`; says whether it took that long.
    pub(super) fn wait_for<'a>(&self, pool: MutexGuard<'a, Pool>, patience: Duration) -> (MutexGuard<'a, Pool>, bool) {
        let (pool, waited) = self.changed.wait_timeout(pool, patience).unwrap_or_else(PoisonError::into_inner);
        (pool, waited.timed_out())
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
