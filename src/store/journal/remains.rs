//! A journal that is only looked at: nothing in its folder is changed, nothing is prepared, nothing is written. For
//! whoever checks it, copies it, or saves what is left of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::Disk;
use super::error::JournalError;
use super::folder::{Folder, Segment};
use super::format::FIRST;
use super::group::Group;
use super::pool::Pool;
use super::position::Position;
use super::reader::Reader;
use super::replay::{self, Replayed};
use super::scan::Bytes;
use super::shared::Shared;
use super::table::Table;
use super::tail::Tail;
use super::writer::{Replay, Settings};

/// What is there of a journal.
#[derive(Debug)]
pub(in crate::store) struct Remains {
    folder: Folder,
}

/// How much of a journal was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Salvaged {
    /// From here on nothing is missing. [`Position::START`] where nothing ever was given away.
    pub whole_from: Position,
    /// The place behind the last group.
    pub end: Position,
}

impl Remains {
    /// Looks at the folder. Files that are not what they should be are told to `wrong` and left out.
    pub(in crate::store) fn look(
        dir: &Path,
        disk: Arc<dyn Disk>,
        wrong: &mut dyn FnMut(JournalError),
    ) -> Result<Self, JournalError> {
        let folder = Folder::look(dir, disk, &mut |error| {
            wrong(error);
            Ok(())
        })?;
        Ok(Self { folder })
    }

    /// Shows every group behind `applied` and refuses what the journal itself would refuse when it is opened.
    pub(in crate::store) fn replay(
        &self,
        applied: Option<Position>,
        show: &mut Replay<'_>,
    ) -> Result<Reader, JournalError> {
        let Replayed { extents, .. } = replay::replay(&self.folder, applied, show)?;
        Ok(self.reader_of(Table::new(extents)))
    }

    /// Reads whatever is there.
    pub(in crate::store) fn reader(&self) -> Result<Reader, JournalError> {
        Ok(self.reader_of(Table::new(replay::extents(&self.folder)?)))
    }

    /// Shows every group that is whole, the oldest first, whatever is missing before or between. What was
    /// acknowledged and is not there is told to `lost`; what only a crash has left is passed over.
    pub(in crate::store) fn salvage(
        &self,
        show: &mut Replay<'_>,
        lost: &mut dyn FnMut(JournalError),
    ) -> Result<Salvaged, JournalError> {
        let mut salvage = Salvage {
            folder: &self.folder,
            seen: Salvaged { whole_from: Position::START, end: Position::START },
            lost,
        };
        for index in 0..self.folder.segments.len() {
            if !salvage.segment(index, show)? {
                break;
            }
        }
        Ok(salvage.seen)
    }

    /// The numbers of the segments that are there.
    pub(in crate::store) fn segments(&self) -> impl Iterator<Item = u32> {
        self.folder.segments.iter().map(|segment| segment.number)
    }

    /// Where a segment is, or should be.
    pub(in crate::store) fn path(&self, segment: u32) -> PathBuf {
        self.folder.path(segment)
    }

    /// Removes what is only kept in advance.
    pub(in crate::store) fn remove_spares(&self) -> io::Result<()> {
        self.folder.remove_spares()
    }

    fn reader_of(&self, table: Table) -> Reader {
        // Nobody takes a segment of this pool.
        let settings = Settings { segment_bytes: 0, reserve: 0, max_bytes: 0, min_free_bytes: u64::MAX };
        let pool = Pool::new(settings, 0, [].into(), 0, 0);
        let disk = Arc::clone(&self.folder.disk);
        let (dir, tail) = (&self.folder.dir, Tail::new(0));
        Reader::new(Arc::new(Shared::new(dir, disk, settings, table, tail, pool, Position::START)))
    }
}

/// The way through what is left.
struct Salvage<'a> {
    folder: &'a Folder,
    seen: Salvaged,
    lost: &'a mut dyn FnMut(JournalError),
}

impl Salvage<'_> {
    /// Takes what is whole of a segment. `false` at the end of the journal.
    fn segment(&mut self, index: usize, show: &mut Replay<'_>) -> Result<bool, JournalError> {
        let segment = &self.folder.segments[index];
        let end = self.told_end(index)?;
        let bytes = self.folder.load(segment)?;
        let bytes = Bytes { number: segment.number, bytes: &bytes };
        let mut offset = FIRST;
        while end.is_none_or(|end| offset < end) {
            if let Some(group) = bytes.group(offset) {
                if group.previous != self.seen.end {
                    self.seen.whole_from = Position { segment: segment.number, offset };
                }
                offset = group.end;
                self.seen.end = Position { segment: segment.number, offset };
                show(self.seen.end, Group::new(group.body))?;
                continue;
            }
            let here = Position { segment: segment.number, offset };
            match end {
                Some(_) if !self.is_acknowledged(index, here)? => return Ok(false),
                None if bytes.acknowledges_more_than(here, offset).is_none() => return Ok(true),
                Some(_) | None => (),
            }
            let next = bytes.groups_from(offset).map(|(next, _)| next).find(|next| end.is_none_or(|end| *next < end));
            self.tell(segment, offset, next.or(end));
            match next {
                Some(next) => offset = next,
                None => break,
            }
        }
        Ok(true)
    }

    fn tell(&mut self, segment: &Segment, offset: u32, end: Option<u32>) {
        let end = end.unwrap_or(segment.bytes);
        let detail = format!("what was written from here up to offset {end} is lost");
        (self.lost)(JournalError::Damaged { path: self.folder.path(segment.number), offset, detail });
    }

    /// Where the first group of the next segment says that this one ended.
    fn told_end(&self, index: usize) -> Result<Option<u32>, JournalError> {
        let Some(next) = self.folder.segments.get(index + 1) else { return Ok(None) };
        let bytes = self.folder.load(next)?;
        let first = Bytes { number: next.number, bytes: &bytes }.group(FIRST).map(|group| group.previous);
        let number = self.folder.segments[index].number;
        Ok(first.filter(|previous| previous.segment == number).map(|previous| previous.offset))
    }

    /// Whether a group of this segment or a later one was written when more than this was synced.
    fn is_acknowledged(&self, index: usize, here: Position) -> Result<bool, JournalError> {
        for segment in &self.folder.segments[index..] {
            let bytes = self.folder.load(segment)?;
            let from = if segment.number == here.segment { here.offset } else { FIRST };
            let bytes = Bytes { number: segment.number, bytes: &bytes };
            if bytes.acknowledges_more_than(here, from).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
