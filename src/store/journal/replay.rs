//! Taking in again what was written: every group behind the place that is known to be taken in, in order, up to the
//! first that does not check out. Then the question is whether that is the end. Changes nothing on disk.
//!
//! What follows the end of a segment is the first group of a later one, which names that end: whether the writer
//! went on because the segment was full, or a new session began behind what a crash had torn.
//!
//! Where nothing follows, the end is what a crash left, if no group behind it was written when more than it was
//! synced. If there is one, then what is missing was acknowledged: it is refused, not dropped. What is dropped
//! was never acknowledged; its segments become spares before anything new is written.
//!
//! Every segment is synced before it is read: what a killed process left in the kernel's hands is on disk then,
//! and what the journal goes on from is durable. It is read from the disk itself, since after a sync that failed
//! the kernel may show bytes that the disk does not have.

use std::collections::BTreeMap;

use super::error::JournalError;
use super::folder::{Folder, Segment, unreadable};
use super::format::{self, FIRST, GROUP_HEADER, GroupHeader};
use super::group::Group;
use super::position::Position;
use super::scan::Bytes;
use super::table::Extent;
use super::writer::Replay;

/// What replay has found.
#[derive(Debug)]
pub(super) struct Replayed {
    /// The place behind the last group.
    pub(super) end: Position,
    /// Segments with groups.
    pub(super) extents: BTreeMap<u32, Extent>,
    /// Segments without.
    pub(super) unused: Vec<u32>,
}

/// Shows every group behind `applied`.
pub(super) fn replay(
    folder: &Folder,
    applied: Option<Position>,
    show: &mut Replay<'_>,
) -> Result<Replayed, JournalError> {
    let mut walk = Walk::from(folder, applied.unwrap_or(Position::START));
    let (older, rest): (Vec<_>, Vec<_>) = folder.segments.iter().partition(|segment| segment.number < walk.at.segment);
    for segment in &rest {
        let failed = |error| unreadable(&folder.path(segment.number), &error);
        segment.file.sync().map_err(failed)?;
        segment.file.forget_cached();
    }
    for segment in &rest {
        if !walk.segment(segment, show)? {
            break;
        }
    }
    walk.check_nothing_follows(
        &rest,
        applied.is_some_and(|applied| applied > Position::START && !folder.has(applied.segment)),
    )?;
    let unused =
        rest.iter().map(|segment| segment.number).filter(|number| !walk.extents.contains_key(number)).collect();
    walk.measure(&older)?;
    Ok(Replayed { end: walk.at, extents: walk.extents, unused })
}

/// Up to where each segment is written, judged by what is in it and in the next one alone.
pub(super) fn extents(folder: &Folder) -> Result<BTreeMap<u32, Extent>, JournalError> {
    let mut walk = Walk::from(folder, Position::START);
    walk.measure(&folder.segments.iter().collect::<Vec<_>>())?;
    Ok(walk.extents)
}

/// The way along the groups.
struct Walk<'a> {
    folder: &'a Folder,
    /// Behind the last group so far.
    at: Position,
    extents: BTreeMap<u32, Extent>,
    /// Of segments that were gone through: up to where all was synced at the latest, as groups behind their ends say.
    behind: BTreeMap<u32, Option<Position>>,
}

impl<'a> Walk<'a> {
    fn from(folder: &'a Folder, at: Position) -> Self {
        Self { folder, at, extents: BTreeMap::new(), behind: BTreeMap::new() }
    }

    /// Takes in what the segment holds. `false` when it does not follow what was taken in so far.
    fn segment(&mut self, segment: &Segment, show: &mut Replay<'_>) -> Result<bool, JournalError> {
        let bytes = self.folder.load(segment)?;
        let bytes = Bytes { number: segment.number, bytes: &bytes };
        let mut offset = FIRST;
        if segment.number == self.at.segment {
            check_reaches(self.folder, bytes, self.at)?;
            offset = self.at.offset;
        } else {
            match bytes.group(FIRST) {
                Some(first) if first.previous < self.at => return Err(self.overlaps(segment.number, first.previous)),
                Some(first) if first.previous > self.at => return Ok(false),
                Some(_) => (),
                // It was prepared and never written, unless something behind tells otherwise.
                None => {
                    self.behind.insert(segment.number, bytes.synced_from(FIRST));
                    return Ok(true);
                }
            }
        }
        while let Some(group) = bytes.next(offset, self.at) {
            self.at = Position { segment: segment.number, offset: group.end };
            show(self.at, Group::new(group.body))?;
            offset = group.end;
        }
        self.extents.insert(segment.number, Extent { bytes: offset, exact: true });
        self.behind.insert(segment.number, bytes.synced_from(offset));
        Ok(true)
    }

    /// Refuses unless what stands behind the end may be dropped.
    fn check_nothing_follows(&mut self, rest: &[&Segment], is_released: bool) -> Result<(), JournalError> {
        for segment in rest {
            let is_last = segment.number == self.at.segment;
            if self.extents.contains_key(&segment.number) && !is_last {
                continue;
            }
            let behind = match self.behind.get(&segment.number) {
                Some(behind) => *behind,
                None => Bytes { number: segment.number, bytes: &self.folder.load(segment)? }.synced_from(FIRST),
            };
            if let Some(synced) = behind.filter(|synced| *synced > self.at) {
                return Err(self.lost(segment.number, synced, rest));
            }
        }
        // The last synced group's segment is never given away: where it is gone, something else took it.
        if is_released && self.extents.is_empty() {
            return Err(JournalError::Beyond {
                dir: self.folder.dir.clone(),
                applied: self.at,
                end: self
                    .folder
                    .segments
                    .last()
                    .map_or(Position::START, |last| Position { segment: last.number, offset: 0 }),
            });
        }
        Ok(())
    }

    /// What is missing at the end, seen from a group behind it.
    fn lost(&mut self, witness: u32, synced: Position, rest: &[&Segment]) -> JournalError {
        let mut place = self.at;
        for segment in rest.iter().filter(|segment| segment.number >= self.at.segment) {
            let bytes = match self.folder.load(segment) {
                Ok(bytes) => bytes,
                Err(error) => return error,
            };
            let bytes = Bytes { number: segment.number, bytes: &bytes };
            if segment.number == self.at.segment {
                if bytes.looks_like_a_group(self.at.offset) || bytes.groups_from(self.at.offset).next().is_some() {
                    break;
                }
                continue;
            }
            let Some((_, first)) = bytes.groups_from(FIRST).next() else { continue };
            let before = first.previous.segment;
            if before == segment.number {
                place = Position { segment: before, offset: FIRST };
            } else if before > 0 && !self.folder.has(before) {
                return JournalError::Missing { segment: before, path: self.folder.path(before) };
            }
            break;
        }
        let detail = format!(
            "no whole group is there, but a group of segment {witness} says that all up to {synced} was synced"
        );
        JournalError::Damaged { path: self.folder.path(place.segment), offset: place.offset, detail }
    }

    fn overlaps(&self, number: u32, previous: Position) -> JournalError {
        let detail =
            format!("it says that the journal ended at {previous} before it, but there are groups up to {}", self.at);
        JournalError::Damaged { path: self.folder.path(number), offset: FIRST, detail }
    }

    /// Up to where the segments are written that were taken in before. The first group of each names the end of
    /// the one before it; where that one is gone, the headers have to tell.
    fn measure(&mut self, older: &[&Segment]) -> Result<(), JournalError> {
        for (index, segment) in self.folder.segments.iter().take(older.len()).enumerate() {
            let following = self.folder.segments.get(index + 1);
            let told = following.map(|following| header(self.folder, following, FIRST)).transpose()?.flatten();
            let exact = told.map(|header| header.previous).filter(|previous| {
                previous.segment == segment.number && (FIRST..=segment.bytes).contains(&previous.offset)
            });
            let bytes = match exact {
                Some(end) => end.offset,
                None => end_by_headers(self.folder, segment)?,
            };
            self.extents.insert(segment.number, Extent { bytes, exact: exact.is_some() });
        }
        Ok(())
    }
}

/// Refuses unless `applied` is a place between two groups of this segment. Bodies are not looked at: those groups
/// were taken in, and a value that is damaged concerns whoever reads it.
fn check_reaches(folder: &Folder, bytes: Bytes<'_>, applied: Position) -> Result<(), JournalError> {
    let number = bytes.number;
    let mut offset = FIRST;
    while offset < applied.offset {
        let here = Position { segment: number, offset };
        let header = bytes.bytes.get(offset as usize..).and_then(format::read_group_header);
        let next =
            header.filter(|header| offset == FIRST || header.previous == here).and_then(|header| end(offset, header));
        match next {
            Some(next) => offset = next,
            None if bytes.acknowledges_more_than(here, offset).is_some() => {
                let detail = format!("no group is there, but all up to {applied} was taken in");
                return Err(JournalError::Damaged { path: folder.path(number), offset, detail });
            }
            None => return Err(JournalError::Beyond { dir: folder.dir.clone(), applied, end: here }),
        }
    }
    // The start of a segment is no such place: what is before its first group is the end of another one.
    if offset == applied.offset && offset > FIRST {
        return Ok(());
    }
    let detail = format!("all up to {applied} was told to be taken in, and that is not between groups");
    Err(JournalError::Damaged { path: folder.path(number), offset, detail })
}

/// Where the groups of a segment end at the latest, by their headers alone.
fn end_by_headers(folder: &Folder, segment: &Segment) -> Result<u32, JournalError> {
    let mut offset = FIRST;
    while let Some(header) = header(folder, segment, offset)? {
        let here = Position { segment: segment.number, offset };
        match end(offset, header).filter(|_| offset == FIRST || header.previous == here) {
            Some(next) if next <= segment.bytes => offset = next,
            Some(_) | None => break,
        }
    }
    // Not one group, in a segment that was kept: its first header is damaged, and how much is behind is not known.
    Ok(if offset == FIRST { segment.bytes } else { offset })
}

fn header(folder: &Folder, segment: &Segment, offset: u32) -> Result<Option<GroupHeader>, JournalError> {
    let mut bytes = [0; GROUP_HEADER];
    let read = segment.file.read_at(&mut bytes, u64::from(offset));
    let read = read.map_err(|error| unreadable(&folder.path(segment.number), &error))?;
    Ok(format::read_group_header(&bytes[..read]))
}

/// Where a group with this header ends.
fn end(offset: u32, header: GroupHeader) -> Option<u32> {
    let bytes = format::next_sector(GROUP_HEADER + header.body_bytes as usize);
    offset.checked_add(u32::try_from(bytes).ok()?)
}
