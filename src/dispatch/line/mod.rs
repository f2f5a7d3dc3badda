//! Who is next: the due order of what waits, fair over functions. Pure: no clock, no store.
//!
//! Functions are served in turn ([`turns`]), however many versions and priorities they have; within a function
//! priorities by weight, within a priority versions in turn, within a lane what is due first. Functions that are
//! paused, and those without a free slot, are in nobody's way: they are out of the order until something changes.
//!
//! Memory does not grow with the backlog: of each lane the nearest due are here, up to its horizon ([`row`]); a lane
//! that runs low asks for more ([`Line::begin_refill`], [`Line::finish_refill`]). What is in somebody's hands is not in line;
//! who has it says when it comes back, or that it is gone ([`Line::release`]). Everything here is also held by expiry,
//! so that what grows too old is settled on time although its function has no slot free.

mod row;
mod share;
mod standing;
mod turns;
mod windows;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

pub(super) use windows::{Refill, Windows};

use crate::model::bounds;
use crate::model::names::{FunctionId, InvocationId};
use crate::model::place::{Lane, Place};
use crate::model::time::Timestamp;
use crate::worker::NoSlot;
use row::{AT_ONCE, Note, Row, START, Standing};
use share::{COST, Share};
use turns::Turns;

/// What waits, as far as it is in memory.
#[derive(Debug, Default)]
pub(super) struct Line {
    windows: Windows,
    /// The latest time it was told.
    now: Timestamp,
    places: HashMap<InvocationId, Place>,
    /// Those that are not to be looked at before a time, because they could not be worked on.
    aside: BTreeSet<(Timestamp, InvocationId)>,
    put_aside: HashMap<InvocationId, (Timestamp, Place)>,
    /// Those of them that are damaged: it is their own fault, and they are in nobody's way.
    damaged: HashSet<InvocationId>,
    rows: HashMap<Lane, Row>,
    functions: HashMap<FunctionId, Share>,
    paused: HashSet<FunctionId>,
    /// Functions with something to take.
    order: Turns<FunctionId>,
    /// Lanes with nothing due yet, by the time of their first.
    sleeping: BTreeSet<(Timestamp, Lane)>,
    /// Everything in memory, by the time at which it is too old.
    expiry: BTreeSet<(Timestamp, InvocationId)>,
    /// Lanes that run low, in the order in which they are to be filled.
    hungry: VecDeque<Lane>,
    refilling: BTreeSet<Lane>,
    /// Lanes there were when each was last cut to its share.
    trimmed_at: usize,
}

impl Line {
    /// A line whose lanes are to be filled from the store.
    pub(super) fn of(windows: Windows, lanes: &[Lane]) -> Self {
        let mut line = Self { windows, ..Self::default() };
        for lane in lanes {
            line.rows.insert(*lane, Row { horizon: Some(START), ..Row::default() });
            line.functions.entry(lane.function).or_default().lanes.insert(*lane);
        }
        for lane in lanes {
            line.settle(*lane);
        }
        line
    }

    /// How many are in memory.
    pub(super) fn len(&self) -> usize {
        let noted = |lane: &Lane| self.rows.get(lane).and_then(|row| row.refill.as_ref()).map_or(0, Note::len);
        self.places.len() + self.put_aside.len() + self.refilling.iter().map(noted).sum::<usize>()
    }

    /// Whether there is more in the store.
    pub(super) fn has_more(&self) -> bool {
        self.rows.values().any(|row| row.horizon.is_some())
    }

    /// Whether one is in memory.
    pub(super) fn contains(&self, id: InvocationId) -> bool {
        self.places.contains_key(&id) || self.put_aside.contains_key(&id)
    }

    /// Adds one, or moves it when it waits already. It is in the store, and stands there no earlier.
    pub(super) fn insert(&mut self, place: Place) {
        self.remove(place.id);
        let row = self.rows.entry(place.lane).or_default();
        if row.covers(&place) {
            self.put(place);
            self.trim(place.lane);
            self.trim_all();
        } else if let Some(note) = &mut row.refill {
            note.came(place);
        }
    }

    /// Takes one out of the line, into somebody's hands. `None` when it is not in memory.
    pub(super) fn remove(&mut self, id: InvocationId) -> Option<Place> {
        if let Some(place) = self.places.get(&id).copied() {
            self.forget(&place);
            if let Some(row) = self.rows.get_mut(&place.lane) {
                row.waiting.remove(&place.turn());
            }
            self.settle(place.lane);
            return Some(place);
        }
        if let Some((until, place)) = self.put_aside.remove(&id) {
            self.aside.remove(&(until, id));
            self.damaged.remove(&id);
            return Some(place);
        }
        let rows = &mut self.rows;
        self.refilling.iter().find_map(|lane| rows.get_mut(lane)?.refill.as_mut()?.remove(id))
    }

    /// Says that one is in nobody's hands any more: where it stands again, or that it stands nowhere.
    pub(super) fn release(&mut self, id: InvocationId, lane: Lane, back: Option<Place>) {
        let most = self.windows.most * 4;
        if let Some(note) = self.rows.get_mut(&lane).and_then(|row| row.refill.as_mut()) {
            note.went(id, most);
        }
        if let Some(place) = back {
            self.insert(place);
        }
    }

    /// Like [`Line::release`], but it is not to be looked at before `until`.
    pub(super) fn put_aside(&mut self, place: Place, until: Timestamp) {
        self.release(place.id, place.lane, None);
        self.remove(place.id);
        self.aside.insert((until, place.id));
        self.put_aside.insert(place.id, (until, Place { due: AT_ONCE, ..place }));
    }

    /// The same, of one that is damaged.
    pub(super) fn put_damaged_aside(&mut self, place: Place, until: Timestamp) {
        self.put_aside(place, until);
        if self.damaged.len() < bounds::MAX_DAMAGED {
            self.damaged.insert(place.id);
        }
    }

    /// How many are put aside.
    pub(super) fn aside(&self) -> usize {
        self.aside.len()
    }

    /// How many of them are damaged.
    pub(super) fn damaged(&self) -> usize {
        self.damaged.len()
    }

    /// Whether so many are put aside that the fault is not theirs.
    fn is_stuck(&self) -> bool {
        self.aside.len() - self.damaged.len() >= bounds::MAX_ASIDE
    }

    /// The next that is due and fits: `slot` is asked for a place to run it in.
    pub(super) fn take<S>(
        &mut self,
        now: Timestamp,
        mut slot: impl FnMut(&Place) -> Result<S, NoSlot>,
    ) -> Option<(Place, S)> {
        self.wake(now);
        while !self.is_stuck() {
            let function = self.order.first()?;
            let lane = self.functions.get(&function)?.next()?;
            let (_, id) = self.rows.get(&lane)?.waiting.first()?;
            let place = *self.places.get(id)?;
            match slot(&place) {
                Ok(slot) => {
                    self.order.served(function, COST);
                    self.functions.get_mut(&function)?.served(lane);
                    self.remove(place.id);
                    return Some((place, slot));
                }
                Err(NoSlot::Runtime) => return None,
                Err(NoSlot::Function) => {
                    self.functions.get_mut(&function)?.full = true;
                    self.settle_function(function);
                }
                Err(NoSlot::Version) => self.stand(lane, Standing::Full),
            }
        }
        None
    }

    /// One that is too old, taken out of the line.
    pub(super) fn take_expired(&mut self, now: Timestamp) -> Option<Place> {
        let (expires, id) = *self.expiry.first()?;
        if now > expires && !self.is_stuck() { self.remove(id) } else { None }
    }

    /// When to look again, if nothing else happens: the next time something becomes due or too old. What is due and lacks
    /// only a slot, or too old and lacks only a permit, needs no look: the loop is woken when one comes free.
    pub(super) fn next_look(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.wake(now);
        let due = self.sleeping.first().map(|(due, _)| *due);
        let too_old = self.expiry.first().map(|(expires, _)| *expires + Duration::from_millis(1));
        let aside = self.aside.first().map(|(until, _)| *until);
        due.into_iter().chain(too_old.filter(|at| *at > now)).chain(aside).min()
    }

    /// How long the oldest due of each function has been waiting.
    pub(super) fn ages(&self, now: Timestamp) -> BTreeMap<FunctionId, Duration> {
        let mut ages = BTreeMap::new();
        for (lane, row) in &self.rows {
            if let Some(due) = row.oldest().filter(|due| *due <= now) {
                let age = ages.entry(lane.function).or_default();
                *age = now.since(due).max(*age);
            }
        }
        ages
    }

    fn put(&mut self, place: Place) {
        self.places.insert(place.id, place);
        self.expiry.insert((place.expires, place.id));
        self.rows.entry(place.lane).or_default().waiting.insert(place.turn());
        self.functions.entry(place.lane.function).or_default().lanes.insert(place.lane);
        self.settle(place.lane);
    }

    fn forget(&mut self, place: &Place) {
        self.places.remove(&place.id);
        self.expiry.remove(&(place.expires, place.id));
    }
}
