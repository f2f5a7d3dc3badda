//! What was written and may not be durable yet. Whoever has it syncs it, on whatever thread, while the writer goes on
//! writing. Two never sync at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::disk::DiskFile;
use super::error::JournalError;
use super::position::Position;
use super::shared::Shared;

/// What was written up to some place.
#[derive(Debug)]
pub(in crate::store) struct Unsynced {
    shared: Arc<Shared>,
    /// The segments of it, in the order in which they were written.
    files: Vec<Arc<dyn DiskFile>>,
    end: Position,
}

impl Unsynced {
    pub(super) fn new(shared: Arc<Shared>, files: Vec<Arc<dyn DiskFile>>, end: Position) -> Self {
        Self { shared, files, end }
    }

    /// Makes it durable, with everything in front of it, and says up to where the journal is now.
    ///
    /// # Errors
    /// [`JournalError::Unknown`] when a sync has failed: nothing is written or synced any more.
    pub(in crate::store) fn sync(&self) -> Result<Position, JournalError> {
        let Shared { synced, counts, .. } = &*self.shared;
        let _turn = synced.turn();
        self.shared.check_running()?;
        let before = synced.position();
        if before >= self.end {
            return Ok(before);
        }
        for file in &self.files {
            file.sync().map_err(|error| self.shared.stop(format!("a sync of the journal failed: {error}")))?;
        }
        counts.syncs.fetch_add(self.files.len() as u64, Ordering::Relaxed);
        if before.segment != self.end.segment {
            self.shared.pool().synced(self.end.segment);
            self.shared.changed.notify_all();
        }
        synced.reach(self.end);
        Ok(self.end)
    }
}
