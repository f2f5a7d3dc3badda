//! Copies forward what is still needed of segments that hold little of it, so that they can be used again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::change::Prepared;
use super::committer::Hand;
use super::entry::Entry;
use super::index_writer;
use super::op::{self, Op};
use super::stage::Before as _;
use super::view::{self, View};
use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::store::journal::{JournalError, Pressure, Segments, Span};
use crate::store::{Durability, StoreError};

/// How many segments are given up at once while room is short.
const AT_ONCE: usize = 8;
/// Copying gains something when it frees more than it takes by this part of the segment.
const GAIN: u64 = 16;
/// A group of copies takes at most this part of a segment, or the end of it would be left empty.
const PART_OF_SEGMENT: u64 = 8;

/// What could stand in a segment still, by who it belongs to.
#[derive(Default)]
struct Candidates {
    invocations: Vec<InvocationId>,
    records: Vec<Vec<u8>>,
}

/// A segment that could be given up.
#[derive(Clone, Copy)]
struct Sparse {
    segment: u32,
    /// Up to where it is written.
    written: u64,
    /// Bytes of it that rows point to.
    needed: u64,
}

/// What became of a segment.
enum Given {
    /// What is needed of it is on its way.
    Up,
    /// It would be no smaller anywhere else.
    NotWorthIt,
    /// There is no room for what is needed of it.
    NoRoom,
}

/// Decides which segments are given up, and has what is needed of them copied.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// Segments that hold something that cannot be copied: they stay.
    kept: BTreeSet<u32>,
    /// Segments that were not worth it while so many bytes of them were needed.
    dense: BTreeMap<u32, u64>,
    /// Segments that could not be read when they were looked at: they come behind all others, so that one that a disk
    /// does not give holds nobody up.
    failed: BTreeSet<u32>,
}

impl Collector {
    /// Copies forward what is needed of the segment of which least is, if it is worth it; while room is short of
    /// several, and of fuller ones too. The next window then lets go of them.
    pub(super) fn collect(&mut self, view: &View, segments: &Segments, needed: &BTreeMap<u32, u64>, hand: &Hand) {
        let Ok(applied) = index_writer::applied(&view.index) else { return };
        let pressure = segments.pressure();
        let (most, mut room) = match pressure {
            Pressure::None => (1, u64::MAX),
            Pressure::NearlyFull | Pressure::Full => (AT_ONCE, segments.room_to_copy()),
        };
        let finished = segments.list().into_iter().filter(|(segment, _)| *segment < applied.segment);
        let finished = finished.map(|(segment, written)| {
            let needed = needed.get(&segment).copied().unwrap_or_default();
            Sparse { segment, written: u64::from(written), needed }
        });
        let mut sparse: Vec<_> = finished.filter(|it| self.may_be_worth_it(it, pressure)).collect();
        sparse.sort_by_key(|sparse| (self.failed.contains(&sparse.segment), sparse.needed));
        for sparse in sparse.into_iter().take(most) {
            match give_up(view, sparse, segments.segment_bytes(), &mut room, hand) {
                Ok(Given::Up) => drop(self.failed.remove(&sparse.segment)),
                Ok(Given::NotWorthIt) => drop(self.dense.insert(sparse.segment, sparse.needed)),
                Err(error @ StoreError::Damaged { .. }) => {
                    let segment = sparse.segment;
                    tracing::warn!(%error, segment, "what is needed of a segment could not be copied; it stays");
                    self.kept.insert(segment);
                }
                // There is a next time, at the next start or before.
                Ok(Given::NoRoom) | Err(StoreError::Stopped(_) | StoreError::Refused(_) | StoreError::Full(_)) => {
                    return;
                }
                // The index may be opened again just now.
                Err(error) => {
                    if self.failed.insert(sparse.segment) {
                        let segment = sparse.segment;
                        tracing::warn!(%error, segment, "what is needed of a segment could not be read to be copied; it is tried again");
                    }
                }
            }
        }
    }

    /// Whether so little of it is needed that it is worth looking at: the shorter room is, the more that may be.
    fn may_be_worth_it(&self, sparse: &Sparse, pressure: Pressure) -> bool {
        let Sparse { segment, written, needed } = *sparse;
        let is_little = match pressure {
            Pressure::None => needed * 4 < written,
            Pressure::NearlyFull => needed * 2 < written,
            Pressure::Full => needed < written,
        };
        let was_dense = self.dense.get(&segment).is_some_and(|then| needed >= *then);
        needed > 0 && is_little && !was_dense && !self.kept.contains(&segment)
    }
}

/// Has what is needed of a segment copied, if that gains something and there is room for it.
fn give_up(view: &View, sparse: Sparse, segment_bytes: u64, room: &mut u64, hand: &Hand) -> Result<Given, StoreError> {
    let candidates = candidates(view, sparse.segment)?;
    let bytes = copied_bytes(view, &candidates, sparse.segment)?;
    if bytes + sparse.written / GAIN >= sparse.written {
        return Ok(Given::NotWorthIt);
    }
    let most = segment_bytes / PART_OF_SEGMENT;
    match room.checked_sub(bytes).filter(|left| *left >= most) {
        Some(left) => *room = left,
        None => return Ok(Given::NoRoom),
    }
    copy_forward(view, sparse.segment, candidates, usize::try_from(most).unwrap_or(usize::MAX), hand)?;
    Ok(Given::Up)
}

/// How many bytes of groups it takes to copy what is needed of a segment.
fn copied_bytes(view: &View, candidates: &Candidates, segment: u32) -> Result<u64, StoreError> {
    let stored = |span: Span| if span.segment == segment { span.stored_bytes() } else { 0 };
    let mut bytes = 0;
    for id in &candidates.invocations {
        let Some(entry) = view.entry(*id)? else { continue };
        let values: usize = entry.spans().map(stored).sum();
        if values > 0 {
            bytes += values + Prepared::moved_bytes(&entry);
        }
    }
    for key in &candidates.records {
        let Some(span) = view.record(key)?.filter(|span| span.segment == segment) else { continue };
        bytes += span.stored_bytes() + Prepared::moved_record_bytes(key);
    }
    Ok(bytes as u64)
}

fn copy_forward(view: &View, segment: u32, candidates: Candidates, most: usize, hand: &Hand) -> Result<(), StoreError> {
    let mut copies = Copies { waiting: Vec::new(), bytes: 0, most: most.min(bounds::MAX_GROUP_BYTES / 8), hand };
    for id in candidates.invocations {
        let Some(entry) = view.entry(id)? else { continue };
        let values = values(view, &entry, segment)?;
        if !values.is_empty() {
            copies.add(Prepared::MoveInvocation { id, values })?;
        }
    }
    for key in candidates.records {
        let Some(from) = view.record(&key)?.filter(|span| span.segment == segment) else { continue };
        if let Some(record) = read(view, from)? {
            copies.add(Prepared::MoveRecord { key, from, record })?;
        }
    }
    copies.hand_over()
}

/// Copies that go to the committer together.
struct Copies<'a> {
    waiting: Vec<Prepared>,
    bytes: usize,
    /// Bytes of one group, unless a single copy is larger.
    most: usize,
    hand: &'a Hand,
}

impl Copies<'_> {
    fn add(&mut self, copy: Prepared) -> Result<(), StoreError> {
        if self.bytes + copy.bytes() > self.most || self.waiting.len() >= bounds::MAX_GROUP_CHANGES / 2 {
            self.hand_over()?;
        }
        self.bytes += copy.bytes();
        self.waiting.push(copy);
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), StoreError> {
        self.bytes = 0;
        if self.waiting.is_empty() {
            return Ok(());
        }
        // How it ends is seen by what is needed of the segment in the next round.
        drop(self.hand.submit(std::mem::take(&mut self.waiting), Durability::Written)?);
        Ok(())
    }
}

fn candidates(view: &View, segment: u32) -> Result<Candidates, StoreError> {
    let mut candidates = Candidates::default();
    let mut see = |op: Op| match op {
        Op::Invocation { id, net } => {
            if net.now.is_some_and(|entry| entry.spans().any(|span| span.segment == segment)) {
                candidates.invocations.push(id);
            }
        }
        Op::Record { key, net } => {
            if net.now.is_some_and(|span| span.segment == segment) {
                candidates.records.push(key);
            }
        }
        Op::Row { .. } => (),
    };
    let frames = view.reader.frames(segment, &mut |frame| {
        op::read_all(frame.bytes()).into_iter().flatten().for_each(&mut see);
    });
    frames.map_err(|error| unread(segment, &error))?;
    candidates.invocations.sort_unstable();
    candidates.invocations.dedup();
    candidates.records.sort_unstable();
    candidates.records.dedup();
    Ok(candidates)
}

/// The values of an invocation that stand in the segment.
fn values(view: &View, entry: &Entry, segment: u32) -> Result<Vec<(Span, Bytes)>, StoreError> {
    let mut values = Vec::new();
    for span in entry.spans().filter(|span| span.segment == segment) {
        values.extend(read(view, span)?.map(|bytes| (span, bytes)));
    }
    Ok(values)
}

fn read(view: &View, span: Span) -> Result<Option<Bytes>, StoreError> {
    view.reader.read(span).map_err(|error| unread(span.segment, &error))
}

fn unread(segment: u32, error: &JournalError) -> StoreError {
    view::unread(format!("segment {segment}"), error)
}
