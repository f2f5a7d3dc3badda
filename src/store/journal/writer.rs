//! The journal as its one writer has it: begin a group, write it, have it synced. One group is one write, and it takes
//! effect whole or not at all.
//!
//! A failed write or sync ends the writing for good. What the disk holds is then not known, and asking for the same
//! sync again would be answered with a success that means nothing. Opening the journal anew finds out.

use std::path::Path;
use std::sync::Arc;

use crate::model::bounds;

use super::disk::{Disk, DiskFile};
use super::draft::Draft;
use super::error::JournalError;
use super::folder::Folder;
use super::format::{self, FIRST, FRAME_HEADER, GROUP_HEADER, SECTOR};
use super::group::Group;
use super::pool::Pool;
use super::position::Position;
use super::prepare::Prepare;
use super::reader::Reader;
use super::replay::{Replayed, replay};
use super::segments::{Purpose, Room, Segments};
use super::shared::Shared;
use super::table::Table;
use super::tail::Tail;
use super::unsynced::Unsynced;

/// The least that a segment may have: its header, and some groups.
const LEAST_SEGMENT_BYTES: u32 = 4_096;
/// Segments that may wait for a sync; past it one is made without being asked.
const MAX_UNSYNCED_SEGMENTS: usize = 4;

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

/// What whoever opens a journal knows of it.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Known {
    /// Up to where it was taken in.
    pub applied: Option<Position>,
    /// Up to where it was durable at some time: it cannot end before that.
    pub reached: Option<Position>,
    /// Segments in which something stands that is still needed.
    pub needed: Vec<u32>,
}

/// Called with each group that is taken in again.
pub(in crate::store) type Replay<'a> = dyn FnMut(Position, Group<'_>) -> Result<(), JournalError> + 'a;

/// A group that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Written {
    /// The place behind it.
    pub end: Position,
}

/// A journal in a folder, as its one writer has it. Dropping it ends the thread that prepares segments; it does not
/// sync.
#[derive(Debug)]
pub(in crate::store) struct Journal {
    // Ended before the rest is dropped.
    _prepare: Prepare,
    shared: Arc<Shared>,
    current: Option<Current>,
    /// Behind the last group.
    end: Position,
    /// Segments that may have to be synced, by their numbers, the one that is written last.
    recent: Vec<(u32, Arc<dyn DiskFile>)>,
    /// What the next draft is built in.
    buffer: Vec<u8>,
}

/// The segment being written.
#[derive(Debug)]
struct Current {
    number: u32,
    file: Arc<dyn DiskFile>,
    /// Where the next group starts.
    next: u32,
}

impl Journal {
    /// Opens the journal in a folder, or makes one, and shows every group behind what was taken in, in order. Writing
    /// goes on in a segment of its own, never behind what a crash has left.
    pub(in crate::store) fn open(
        dir: &Path,
        disk: Arc<dyn Disk>,
        settings: Settings,
        known: &Known,
        show: &mut Replay<'_>,
    ) -> Result<Self, JournalError> {
        let segment_bytes = settings.segment_bytes;
        if segment_bytes < LEAST_SEGMENT_BYTES || !segment_bytes.is_multiple_of(SECTOR) {
            return Err(JournalError::Settings { segment_bytes });
        }
        let folder = Folder::read(dir, Arc::clone(&disk))?;
        if let Some(segment) = known.needed.iter().copied().find(|segment| !folder.has(*segment)) {
            return Err(JournalError::Missing { segment, path: folder.path(segment) });
        }
        let Replayed { end, extents, unused } = replay(&folder, known.applied, show)?;
        if let Some(reached) = known.reached.filter(|reached| *reached > end) {
            return Err(JournalError::Beyond { dir: dir.to_owned(), applied: reached, end });
        }
        let next = folder.last_number().max(end.segment).saturating_add(1);
        let tidied = folder.tidy(&unused, segment_bytes)?;
        let pool = Pool::new(settings, next, tidied.spares.into(), tidied.bytes, end.segment);
        let (table, tail) = (Table::new(extents), Tail::new(bounds::JOURNAL_TAIL_BYTES));
        let shared = Arc::new(Shared::new(dir, disk, settings, table, tail, pool, end));
        let failed = |error| JournalError::disk(dir, "no thread can be started", &error);
        Ok(Self {
            _prepare: Prepare::start(&shared).map_err(failed)?,
            shared,
            current: None,
            end,
            recent: Vec::new(),
            buffer: Vec::new(),
        })
    }

    /// Begins a group behind the last one. It has room for one frame of `needed` bytes at least, so what does not
    /// fit the rest of the segment is begun in the next one, for which this may wait. Whoever has many frames at
    /// hand asks for all of them together, up to [`bounds::MAX_GROUP_BYTES`].
    ///
    /// # Errors
    /// [`JournalError::Full`] when there is no next one for this purpose. A smaller group may still be taken.
    pub(in crate::store) fn begin(&mut self, needed: usize, purpose: Purpose) -> Result<Draft, JournalError> {
        self.shared.check_running()?;
        let headers = GROUP_HEADER + FRAME_HEADER;
        let most = (self.shared.settings.segment_bytes - FIRST) as usize - headers;
        if needed > most {
            return Err(JournalError::TooLarge { bytes: needed, most });
        }
        let segment_bytes = self.shared.settings.segment_bytes;
        let rest = |current: &Current| (segment_bytes - current.next) as usize;
        let fitting = self.current.take_if(|current| rest(current) >= needed + headers);
        let current = match fitting {
            Some(current) => current,
            None => self.next_segment(purpose)?,
        };
        let room = rest(&current);
        let current = self.current.insert(current);
        Ok(Draft::new(std::mem::take(&mut self.buffer), current.number, current.next, room))
    }

    /// Takes a fresh segment. Where there is none, the one being written stays.
    fn next_segment(&mut self, purpose: Purpose) -> Result<Current, JournalError> {
        self.forget_synced();
        if self.recent.len() >= MAX_UNSYNCED_SEGMENTS {
            self.sync()?;
        }
        let ready = self.shared.take_segment(purpose)?;
        Ok(Current { number: ready.number, file: ready.file, next: FIRST })
    }

    /// Hands the group to the kernel, in one write. A draft without frames writes nothing.
    pub(in crate::store) fn write(&mut self, mut draft: Draft) -> Result<Written, JournalError> {
        self.shared.check_running()?;
        if !draft.is_empty() {
            self.append(&mut draft)?;
        }
        self.buffer = draft.bytes;
        Ok(Written { end: self.end })
    }

    fn append(&mut self, draft: &mut Draft) -> Result<(), JournalError> {
        let place = (draft.segment, draft.start);
        let current = self.current.as_mut().filter(|current| (current.number, current.next) == place);
        let current = current.ok_or(JournalError::Outdated)?;
        if !draft.is_within_its_segment() {
            let most = (self.shared.settings.segment_bytes - FIRST) as usize - GROUP_HEADER;
            return Err(JournalError::TooLarge { bytes: draft.body_bytes(), most });
        }
        format::seal(&mut draft.bytes, current.number, current.next, self.end, self.shared.synced.position());
        let bytes = draft.bytes.as_slice();
        match current.file.write_at(bytes, u64::from(current.next)) {
            Ok(written) if written == bytes.len() => (),
            Ok(written) => {
                let reason = format!("a write of {} bytes to the journal took {written} of them", bytes.len());
                return Err(self.shared.stop(reason));
            }
            Err(error) => {
                let reason = format!("a write of {} bytes to the journal failed: {error}", bytes.len());
                return Err(self.shared.stop(reason));
            }
        }
        if self.recent.last().is_none_or(|(number, _)| *number != current.number) {
            self.recent.push((current.number, Arc::clone(&current.file)));
        }
        // In memory before anybody can be told that it is there.
        self.shared.tail.keep(current.number, current.next, bytes);
        current.next += format::small(bytes.len());
        self.end = Position { segment: current.number, offset: current.next };
        self.shared.table.reach(self.end);
        self.shared.counts.wrote(draft.frames(), bytes.len());
        Ok(())
    }

    /// Makes everything durable that was written: with it, what was written can be acknowledged.
    pub(in crate::store) fn sync(&mut self) -> Result<(), JournalError> {
        self.unsynced().sync().map(drop)
    }

    /// What was written and may not be durable yet, for whoever is to sync it.
    pub(in crate::store) fn unsynced(&mut self) -> Unsynced {
        self.forget_synced();
        let files = self.recent.iter().map(|(_, file)| Arc::clone(file)).collect();
        Unsynced::new(Arc::clone(&self.shared), files, self.end)
    }

    /// Lets go of segments that are durable. Groups go into the last one alone.
    fn forget_synced(&mut self) {
        let synced = self.synced();
        self.recent.retain(|(number, _)| *number >= synced.segment);
    }

    /// The place behind the last group that was written.
    pub(in crate::store) fn end(&self) -> Position {
        self.end
    }

    /// Up to where everything is durable.
    pub(in crate::store) fn synced(&self) -> Position {
        self.shared.synced.position()
    }

    pub(in crate::store) fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// For other threads: what segments there are.
    pub(in crate::store) fn segments(&self) -> Segments {
        Segments::new(Arc::clone(&self.shared))
    }

    /// What may be taken, see [`Segments::room`].
    pub(in crate::store) fn room(&self) -> Room {
        self.segments().room()
    }
}
