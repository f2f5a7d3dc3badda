//! Copies forward what is still needed of segments that hold little of it, so that they can be used again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::change::Prepared;
use super::committer::Hand;
use super::entry::Entry;
use super::index_writer;
use super::op::{self, Op};
use super::stage::Before as _;
use super::view::View;
use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::store::journal::{JournalError, Segments, Span};
use crate::store::{Durability, StoreError};

/// A segment of which less than one part in this many is needed is given up.
const WORTHWHILE: u64 = 4;

/// What could stand in a segment still, by who it belongs to.
#[derive(Default)]
struct Candidates {
    invocations: Vec<InvocationId>,
    records: Vec<Vec<u8>>,
}

/// Decides which segment is given up, and has what is needed of it copied.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// Segments that hold something that cannot be copied: they stay.
    kept: BTreeSet<u32>,
}

impl Collector {
    /// Copies forward what is needed of the segment of which least is, if it is worth it. The next window then lets
    /// go of it.
    pub(super) fn collect(&mut self, view: &View, segments: &Segments, needed: &BTreeMap<u32, u64>, hand: &Hand) {
        let Ok(applied) = index_writer::applied(&view.index) else { return };
        let of = |segment: u32| needed.get(&segment).copied().unwrap_or_default();
        let finished = segments.list().into_iter().filter(|(segment, _)| *segment < applied.segment);
        let sparse = finished.filter(|(segment, written)| {
            let needed = of(*segment);
            needed > 0 && needed * WORTHWHILE < u64::from(*written) && !self.kept.contains(segment)
        });
        let Some((segment, _)) = sparse.min_by_key(|(segment, _)| of(*segment)) else { return };
        match copy_forward(view, segment, hand) {
            // There is a next time, at the next start or before.
            Ok(()) | Err(StoreError::Stopped(_) | StoreError::Refused(_) | StoreError::Full(_)) => (),
            Err(error) => {
                tracing::warn!(%error, segment, "what is needed of a segment could not be copied; it stays");
                self.kept.insert(segment);
            }
        }
    }
}

fn copy_forward(view: &View, segment: u32, hand: &Hand) -> Result<(), StoreError> {
    let candidates = candidates(view, segment)?;
    let mut moves = Vec::new();
    let mut bytes = 0;
    for id in candidates.invocations {
        let Some(entry) = view.entry(id)? else { continue };
        let values = values(view, &entry, segment)?;
        if !values.is_empty() {
            moves.push(Prepared::MoveInvocation { id, values });
        }
        flush(&mut moves, &mut bytes, hand)?;
    }
    for key in candidates.records {
        let Some(from) = view.record(&key)?.filter(|span| span.segment == segment) else { continue };
        if let Some(record) = read(view, from)? {
            moves.push(Prepared::MoveRecord { key, from, record });
        }
        flush(&mut moves, &mut bytes, hand)?;
    }
    bytes = usize::MAX;
    flush(&mut moves, &mut bytes, hand)
}

/// Hands over what has come together, once it is enough.
fn flush(moves: &mut Vec<Prepared>, bytes: &mut usize, hand: &Hand) -> Result<(), StoreError> {
    *bytes = bytes.saturating_add(moves.last().map_or(0, Prepared::bytes));
    if moves.is_empty() || (*bytes < bounds::MAX_GROUP_BYTES / 8 && moves.len() < bounds::MAX_GROUP_CHANGES / 2) {
        return Ok(());
    }
    *bytes = 0;
    drop(hand.submit(std::mem::take(moves), Durability::Written)?);
    Ok(())
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
    frames.map_err(|error| unread(&error))?;
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
    view.reader.read(span).map_err(|error| unread(&error))
}

fn unread(error: &JournalError) -> StoreError {
    StoreError::Unreadable(error.to_string())
}
