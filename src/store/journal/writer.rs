//! The journal as its one writer sees it.

use std::path::Path;
use std::sync::Arc;

use super::disk::Disk;
use super::draft::Draft;
use super::error::JournalError;
use super::group::Group;
use super::position::Position;
use super::reader::Reader;
use super::segments::{Room, Segments, Stats};

/// What a journal is opened with.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Settings {
    /// Bytes of one segment: a multiple of 512.
    pub segment_bytes: u32,
    /// Segments kept for what must still be written when the disk is full.
    pub reserve: usize,
    /// Bytes of all segments together.
    pub max_bytes: u64,
    /// Free bytes of the file system below which no new segment is made.
    pub min_free_bytes: u64,
}

/// Called with each group that is taken in again.
pub(in crate::store) type Replay<'a> = dyn FnMut(Position, Group<'_>) -> Result<(), JournalError> + 'a;

/// A group that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Written {
    /// The place behind it.
    pub end: Position,
}

/// A journal in a folder, as its one writer has it.
#[derive(Debug)]
pub(in crate::store) struct Journal;

impl Journal {
    /// Opens the journal in a folder, or makes one, and shows every group behind `applied` in order.
    pub(in crate::store) fn open(
        dir: &Path,
        disk: Arc<dyn Disk>,
        settings: Settings,
        applied: Option<Position>,
        replay: &mut Replay<'_>,
    ) -> Result<Self, JournalError> {
        let _ = (dir, disk, settings, applied, replay);
        Ok(Self)
    }

    /// Begins a group that has room for a frame of `needed` bytes at least.
    pub(in crate::store) fn begin(&mut self, needed: usize) -> Result<Draft, JournalError> {
        Ok(Draft::new(Vec::new(), 0, 0, needed))
    }

    /// Hands the group to the kernel.
    pub(in crate::store) fn write(&mut self, draft: Draft) -> Result<Written, JournalError> {
        drop(draft);
        Ok(Written { end: self.end() })
    }

    /// Makes everything durable that was written.
    pub(in crate::store) fn sync(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    /// The place behind the last group.
    pub(in crate::store) fn end(&self) -> Position {
        Position::START
    }

    /// Up to where everything is durable.
    pub(in crate::store) fn synced(&self) -> Position {
        Position::START
    }

    pub(in crate::store) fn is_dirty(&self) -> bool {
        false
    }

    pub(in crate::store) fn reader(&self) -> Reader {
        Reader
    }

    /// For other threads: what segments there are.
    pub(in crate::store) fn segments(&self) -> Segments {
        Segments
    }

    pub(in crate::store) fn room(&self) -> Room {
        self.segments().room()
    }

    pub(in crate::store) fn stats(&self) -> Stats {
        self.segments().stats()
    }
}
