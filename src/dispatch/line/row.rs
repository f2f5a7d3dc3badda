//! One lane as far as it is in memory: the nearest due. What lies behind its horizon is in the store alone.
//!
//! A place in memory never stands later than it does in the store; then what is dropped for lack of room is found
//! again behind the horizon.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::model::names::InvocationId;
use crate::model::place::{Place, Turn};
use crate::model::time::Timestamp;

/// Due at once, whatever the store says: of an invocation whose state is not known for sure.
pub(super) const AT_ONCE: Timestamp = Timestamp::from_ms(0);
/// Before every turn.
pub(super) const START: Turn = (AT_ONCE, InvocationId::from_bytes([0; 16]));

/// One lane.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// What is in memory.
    pub(super) waiting: BTreeSet<Turn>,
    /// Up to here everything is in memory, and there may be more behind it; `None`: all of it is in memory.
    pub(super) horizon: Option<Turn>,
    /// More of it is being read.
    pub(super) refill: Option<Note>,
    /// It waits for its refill.
    pub(super) hungry: bool,
    /// Its version is gone: what is in it has nothing to wait for.
    pub(super) gone: bool,
    pub(super) standing: Standing,
}

/// Whether something of a lane can be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has nothing in memory.
    #[default]
    Empty,
    /// Nothing is due before this.
    Sleeping(Timestamp),
    /// Something is due.
    Ready,
    /// Its version has no slot free; it is told when one is.
    Full,
}

/// What happens to a lane while more of it is being read.
#[derive(Debug)]
pub(super) struct Note {
    /// Read is what stands behind this.
    pub(super) after: Turn,
    /// At most so many.
    pub(super) limit: usize,
    /// What came to stand behind the horizon: it may or may not be in what is read.
    came: HashMap<InvocationId, Place>,
    order: BTreeSet<Turn>,
    /// Behind this, more came than is noted.
    noted_until: Option<Turn>,
    /// What was moved or settled: where it stands in what is read may be true no more.
    went: HashSet<InvocationId>,
    /// More went than is noted: what is read is of no use.
    spoiled: bool,
}

/// What a refill brings, once it is compared with what happened meanwhile.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// What is to stand in memory.
    pub(super) places: Vec<Place>,
    /// The horizon from now on.
    pub(super) horizon: Option<Turn>,
}

impl Row {
    /// When the first in memory is due.
    pub(super) fn first_due(&self) -> Option<Timestamp> {
        let (due, _) = self.waiting.first()?;
        Some(if self.gone { AT_ONCE } else { *due })
    }

    /// The first whose due time is known.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.waiting.range((Timestamp::from_ms(1), START.1)..).next().map(|(due, _)| *due)
    }

    /// Whether a place stands where all is in memory.
    pub(super) fn covers(&self, place: &Place) -> bool {
        place.due == AT_ONCE || self.horizon.is_none_or(|horizon| place.turn() <= horizon)
    }

    /// Takes the last out of memory; there is more in the store now.
    pub(super) fn drop_last(&mut self) -> Option<InvocationId> {
        let (due, id) = self.waiting.last().copied().filter(|(due, _)| *due != AT_ONCE)?;
        self.waiting.remove(&(due, id));
        self.horizon = Some(self.waiting.last().copied().unwrap_or(START));
        Some(id)
    }

    /// Whether nothing of it is left anywhere.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.horizon.is_none() && self.refill.is_none()
    }
}

impl Note {
    pub(super) fn new(after: Turn, limit: usize) -> Self {
        let (came, order, went) = (HashMap::new(), BTreeSet::new(), HashSet::new());
        Self { after, limit, came, order, noted_until: None, went, spoiled: false }
    }

    /// `place` came to stand behind the horizon.
    pub(super) fn came(&mut self, place: Place) {
        if self.noted_until.is_some_and(|until| place.turn() > until) {
            return;
        }
        self.remove(place.id);
        self.came.insert(place.id, place);
        self.order.insert(place.turn());
        while self.order.len() > self.limit
            && let Some((_, id)) = self.order.pop_last()
        {
            self.came.remove(&id);
            self.noted_until = Some(self.order.last().copied().unwrap_or(self.after));
        }
    }

    /// `id` was in somebody's hands and is not any more.
    pub(super) fn went(&mut self, id: InvocationId, most: usize) {
        if self.went.len() < most {
            self.went.insert(id);
        } else {
            self.spoiled = true;
        }
    }

    /// Takes out what had come.
    pub(super) fn remove(&mut self, id: InvocationId) -> Option<Place> {
        let place = self.came.remove(&id)?;
        self.order.remove(&place.turn());
        Some(place)
    }

    pub(super) fn len(&self) -> usize {
        self.came.len()
    }

    /// What is read, and what happened meanwhile, together. `horizon` is that of the lane as it is now. `None` when
    /// what was read is of no use.
    pub(super) fn merge(self, read: Vec<Place>, horizon: Option<Turn>) -> Option<Merged> {
        if self.spoiled || horizon != Some(self.after) {
            return None;
        }
        let read_until = read.last().filter(|_| read.len() >= self.limit).map(Place::turn);
        let horizon = read_until.into_iter().chain(self.noted_until).min();
        let here = |place: &Place| horizon.is_none_or(|horizon| place.turn() <= horizon);
        let read =
            read.into_iter().filter(|place| !self.went.contains(&place.id) && !self.came.contains_key(&place.id));
        let places = read.chain(self.came.values().copied()).filter(here).collect();
        Some(Merged { places, horizon })
    }
}
