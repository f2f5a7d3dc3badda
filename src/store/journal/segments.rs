//! What segments there are, which are needed no more, and whether there is room for others. For threads beside the
//! writer: whoever copies what is still needed gives segments away here, and whoever accepts work asks for room.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::shared::Shared;

/// May be asked by any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) struct Segments(Arc<Shared>);

/// What may still be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Room {
    /// Anything.
    Plenty,
    /// Only what is needed to settle what was taken: the segments kept for that are what is left.
    ReserveOnly,
    /// Nothing but what the segment being written still holds.
    None,
}

/// Figures of a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Stats {
    /// Bytes of all its files.
    pub bytes_on_disk: u64,
    /// Segments that hold something that was not released.
    pub segments: usize,
    /// Segments that are ready to be written.
    pub spares: usize,
    /// Since the journal was opened.
    pub groups: u64,
    pub frames: u64,
    /// Bytes of the groups, with what fills up their last sectors.
    pub written_bytes: u64,
    pub syncs: u64,
}

impl Segments {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Segments that hold something and were not released, the oldest first, and up to where each is written.
    pub(in crate::store) fn list(&self) -> Vec<(u32, u32)> {
        self.0.table.list()
    }

    /// Nothing needs this segment any more. Never the one being written. Nothing is read from it from here on; its
    /// file is used again, or goes, soon after. A crash before that brings the segment back.
    pub(in crate::store) fn release(&self, segment: u32) {
        if self.0.table.remove(segment) {
            self.0.files.forget(segment);
            self.0.pool().release(segment);
            self.0.changed.notify_all();
        }
    }

    /// What may be taken? Where it was full, asking makes it look again, so that a later answer is another.
    pub(in crate::store) fn room(&self) -> Room {
        let (room, look_again) = self.0.pool().room();
        if look_again {
            self.0.changed.notify_all();
        }
        room
    }

    pub(in crate::store) fn stats(&self) -> Stats {
        let (bytes_on_disk, spares) = {
            let pool = self.0.pool();
            (pool.bytes(), pool.prepared())
        };
        let counts = &self.0.counts;
        Stats {
            bytes_on_disk,
            segments: self.0.table.len(),
            spares,
            groups: counts.groups.load(Ordering::Relaxed),
            frames: counts.frames.load(Ordering::Relaxed),
            written_bytes: counts.written_bytes.load(Ordering::Relaxed),
            syncs: counts.syncs.load(Ordering::Relaxed),
        }
    }
}
