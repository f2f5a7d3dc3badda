//! An index from nothing but the journal: every change that is still there is taken in again, the oldest first.
//!
//! A segment that nothing points to is given away, and with it what it said of removals. So where segments are missing
//! before a change, what is known of an invocation is the last that is still there: it may have been removed since,
//! but never be in another state, since the change that made a state is kept as long as its record is. What that
//! leaves open is decided so that nothing accepted is lost and nothing old is brought back to life:
//!
//! - what has settled is kept: retention removes it again, if it had;
//! - what waits and was too old when the journal ended is left out: it had settled before, or would have expired;
//! - what waits and was not too old is kept, and runs, perhaps once more than needed;
//! - a version is left out when its module is gone, since removing a function removes its modules;
//! - a secret or a pair is kept as it was last seen: one that was removed may be back.
//!
//! Idempotency keys that were noted only in segments that are gone are not known any more.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::super::entry::{Entry, Standing};
use super::super::index_writer::{IndexWriter, Opened};
use super::super::layout::Layout;
use super::super::modules::Modules;
use super::super::op::{self, Net, Op};
use super::super::stage::Before as _;
use super::super::state::Shared;
use super::super::view::View;
use super::offline::Offline;
use super::read::Judge;
use super::report::{Kind, Tell, finding};
use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::journal::{FileSystem, Group, JournalError, Position, Remains, Salvaged, Span};
use crate::store::sled::{Changes, Index};

/// A store whose index was made anew, and what is not certain about it.
pub(super) struct Rebuilt {
    pub(super) store: Offline,
    pub(super) judge: Uncertain,
}

/// What may have been removed by a change that is missing.
pub(super) struct Uncertain {
    /// From here on nothing is missing.
    whole_from: Position,
    /// When the journal ended.
    now: Timestamp,
}

/// Makes an index in `dir`.
pub(super) fn rebuild(layout: &Layout, dir: &Path, tell: &mut Tell<'_>) -> Result<Rebuilt, StoreError> {
    let failed = |error: JournalError| layout.refused(error.to_string());
    let mut wrong = Vec::new();
    let remains = Remains::look(&layout.journal(), Arc::new(FileSystem), &mut |error| wrong.push(error));
    let remains = remains.map_err(failed)?;
    for error in wrong {
        tell(finding(Kind::Journal, "the journal", error.to_string()));
    }
    let index =
        Index::open(dir, bounds::STORE_CACHE_BYTES, false).map_err(|error| layout.refused(error.to_string()))?;
    let index = Arc::new(index);
    let shared = Arc::new(Shared::new(Position::START, None, HashMap::default()));
    let view = View { shared, index: Arc::clone(&index), reader: remains.reader().map_err(failed)? };
    let changes = Changes::default();
    let writer =
        IndexWriter { index, needed: [].into(), min_free_bytes: 0, free_bytes: Box::new(|| u64::MAX), changes };
    let mut rebuilding = Rebuilding { view, writer, now: Timestamp::from_ms(0) };
    let salvaged = remains.salvage(&mut |end, group| rebuilding.take_in(end, group), &mut |error| {
        tell(finding(Kind::Journal, "the journal", error.to_string()));
    });
    let Salvaged { whole_from, end } = salvaged.map_err(failed)?;
    if let Some(known) = known_end(layout).filter(|known| *known > end) {
        let detail = format!("it ends at {end}, and the index knew of it up to {known}: what was between is lost");
        tell(finding(Kind::Journal, "the journal", detail));
    }
    let Rebuilding { view, now, .. } = rebuilding;
    if whole_from > Position::START {
        // What was counted in changes that are missing is not known; what is kept is counted again.
        view.shared.lock().counts.clear();
    }
    let store = Offline { view, modules: Modules::at(layout.modules()), needed: [].into() };
    Ok(Rebuilt { store, judge: Uncertain { whole_from, now } })
}

/// How far the index that is given up knew of the journal, where it still says so.
fn known_end(layout: &Layout) -> Option<Position> {
    let index = Index::open(&layout.index(), bounds::STORE_CACHE_BYTES, true).ok()?;
    let opened = Opened::read(&index).ok()?;
    opened.applied.max(opened.applying)
}

struct Rebuilding {
    view: View,
    writer: IndexWriter,
    now: Timestamp,
}

impl Rebuilding {
    fn take_in(&mut self, end: Position, group: Group<'_>) -> Result<(), JournalError> {
        let refused = |detail: String| JournalError::Refused { end, detail };
        for frame in group.frames() {
            let ops = op::read_all(frame.bytes());
            let ops = ops.ok_or_else(|| refused("it holds something that this program does not write".to_owned()))?;
            for op in ops {
                let op = self.as_it_is_here(op).map_err(|error| refused(error.to_string()))?;
                self.view.shared.lock().take_in([op], end);
            }
        }
        let mut state = self.view.shared.lock();
        if !state.current.fills(1) {
            return Ok(());
        }
        let sealed = state.seal();
        drop(state);
        self.writer.apply(&sealed).map_err(|error| refused(error.to_string()))
    }

    /// The change of what is there, which need not be what was there when it was made.
    fn as_it_is_here(&mut self, op: Op) -> Result<Op, StoreError> {
        Ok(match op {
            Op::Invocation { id, net } => {
                if let Some(Entry { facts, .. }) = net.now {
                    let settled = if let Standing::Done { at, .. } = facts.standing { at } else { facts.accepted };
                    self.now = self.now.max(facts.accepted).max(settled);
                }
                Op::Invocation { id, net: Net { before: self.view.entry(id)?, now: net.now } }
            }
            Op::Record { key, net } => {
                let before = self.view.record(&key)?;
                Op::Record { key, net: Net { before, now: net.now } }
            }
            row @ Op::Row { .. } => row,
        })
    }
}

impl Uncertain {
    /// Whether the change that this was last seen in has missing ones behind it.
    fn is_uncertain(&self, last: Span) -> bool {
        (last.segment, last.offset) < (self.whole_from.segment, self.whole_from.offset)
    }
}

impl Judge for Uncertain {
    fn leaves_out(&self, id: InvocationId, entry: &Entry) -> Option<StoreError> {
        let last = entry.spans().max()?;
        let Standing::Waiting { expires, .. } = entry.facts.standing else { return None };
        (self.is_uncertain(last) && expires < self.now).then(|| StoreError::Damaged {
            what: format!("invocation {id}"),
            detail: "parts of the journal behind it are gone, and it was over before the journal ended".to_owned(),
        })
    }

    fn leaves_out_record(&self, span: Span, is_module_there: bool) -> Option<StoreError> {
        (self.is_uncertain(span) && !is_module_there).then(|| StoreError::Damaged {
            what: "a version of a function".to_owned(),
            detail: "parts of the journal behind it are gone, and so is its module".to_owned(),
        })
    }
}
