//! What segments there are, which are needed no more, and whether there is room for others. For threads beside the
//! writer: whoever copies what is still needed gives segments away here, and whoever accepts work asks for room.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::format::FIRST;
use super::shared::Shared;

/// May be asked by any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) struct Segments(Arc<Shared>);

/// What may still be taken, from the most to the least.
///
/// The last segments are kept for what makes room: nothing that settles takes the last two, and nothing that removes
/// takes the last one. So whatever has been written, there is room to remove something, and to copy forward what is
/// left of a segment: both give segments back, and a full journal is never full for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Room {
    /// Anything.
    Plenty,
    /// Only what is needed to settle what was taken, and what makes room.
    ReserveOnly,
    /// Only what removes something, and copies.
    RemovalsOnly,
    /// Only copies of what is still needed, by which segments come free.
    CopiesOnly,
}

/// How pressing it is that segments come free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Pressure {
    /// There is room.
    None,
    /// There is, and the journal is not far from its limit.
    NearlyFull,
    /// New work is refused.
    Full,
}

/// What a group is for, as far as room is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Purpose {
    /// Anything else: it may make more needed.
    Change,
    /// It only removes.
    Removal,
    /// It only copies forward what is still needed.
    Copy,
}

impl Purpose {
    /// How many prepared segments are left to those with a more urgent purpose.
    pub(super) fn leaves(self) -> usize {
        match self {
            Self::Change => 2,
            Self::Removal => 1,
            Self::Copy => 0,
        }
    }
}

impl Room {
    /// What may be taken where no segment can come and so many are left, at most what the reserve is.
    pub(super) fn of_reserve(prepared: usize) -> Self {
        match prepared {
            0 => Self::CopiesOnly,
            1 => Self::RemovalsOnly,
            _ => Self::ReserveOnly,
        }
    }

    /// Whether a group may be written for this, as long as it fits.
    pub(in crate::store) fn takes(self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Change => self <= Self::ReserveOnly,
            Purpose::Removal => self <= Self::RemovalsOnly,
            Purpose::Copy => true,
        }
    }
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

    /// How pressing is it that segments come free? Where it was full, asking makes it look again.
    pub(in crate::store) fn pressure(&self) -> Pressure {
        let (pressure, look_again) = self.0.pool().pressure();
        if look_again {
            self.0.changed.notify_all();
        }
        pressure
    }

    /// Bytes of groups that can certainly still be written to copy something: a whole segment where one is prepared,
    /// and else what the last one still holds, into which then nothing but copies go.
    pub(in crate::store) fn room_to_copy(&self) -> u64 {
        let written = match self.0.pool().prepared() {
            0 => self.0.table.list().last().map_or(FIRST, |(_, written)| *written),
            _ => FIRST,
        };
        self.segment_bytes().saturating_sub(u64::from(written))
    }

    /// Bytes of one segment.
    pub(in crate::store) fn segment_bytes(&self) -> u64 {
        u64::from(self.0.settings.segment_bytes)
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
