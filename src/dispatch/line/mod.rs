//! Who is next: the due order of what waits, fair over functions. Pure: no clock, no store.
//!
//! Functions are served in turn ([`turns`]), however many versions and priorities they have; within a function
//! priorities by weight, within a priority versions in turn, within a lane what is due first. Functions that are
//! paused, and those without a free slot, are in nobody's way: they are out of the order until something changes.
//!
//! Memory does not grow with the backlog: of each lane the nearest due are here, up to its horizon ([`row`]); a lane
//! that runs low asks for more ([`Line::begin_refill`], [`Line::deliver`]). What is in somebody's hands is not in line;
//! who has it says when it comes back, or that it is gone ([`Line::release`]). Everything here is also held by expiry,
//! so that what grows too old is settled on time although its function has no slot free.

mod row;
mod share;
mod turns;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::model::bounds;
use crate::model::names::{FunctionId, InvocationId, VersionNumber};
use crate::model::place::{Lane, Place, Priority, Turn};
use crate::model::time::Timestamp;
use crate::worker::NoSlot;
use row::{AT_ONCE, Merged, Note, Row, START, Standing};
use share::{COST, Share};
use turns::Turns;

/// How much stands in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// Of all lanes together, about.
    pub(super) total: usize,
    /// Of one lane, at least.
    pub(super) least: usize,
    /// Of one lane, at most.
    pub(super) most: usize,
}

impl Default for Windows {
    fn default() -> Self {
        Self { total: bounds::MAX_PLACES, least: *bounds::LANE_PLACES.start(), most: *bounds::LANE_PLACES.end() }
    }
}

/// A request for more of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refill {
    /// Which.
    pub(super) lane: Lane,
    /// What stands behind this.
    pub(super) after: Turn,
    /// At most so many.
    pub(super) limit: usize,
}

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
        lanes.iter().for_each(|lane| line.settle(*lane));
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

    /// The next that is due and fits: `slot` is asked for a place to run it in.
    pub(super) fn take<S>(
        &mut self,
        now: Timestamp,
        mut slot: impl FnMut(&Place) -> Result<S, NoSlot>,
    ) -> Option<(Place, S)> {
        self.wake(now);
        while self.aside.len() < bounds::MAX_ASIDE {
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
        if now > expires && self.aside.len() < bounds::MAX_ASIDE { self.remove(id) } else { None }
    }

    /// When to look again, if nothing else happens: the next time something becomes due or too old. What is due
    /// already and only lacks a slot is no reason to look, nor what is too old and is not settled for lack of room:
    /// both are told.
    pub(super) fn next_look(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.wake(now);
        let due = self.sleeping.first().map(|(due, _)| *due);
        let too_old = self.expiry.first().map(|(expires, _)| *expires + Duration::from_millis(1));
        let aside = self.aside.first().map(|(until, _)| *until);
        due.into_iter().chain(too_old.filter(|at| *at > now)).chain(aside).min()
    }

    /// Everything of a function is due now, whatever its time: the function is gone.
    pub(super) fn function_removed(&mut self, function: FunctionId) {
        let lanes = self.functions.get(&function).map(|share| share.lanes.clone()).unwrap_or_default();
        lanes.into_iter().for_each(|lane| self.lane_gone(lane));
    }

    /// Everything in a lane is due now, whatever its time: its version is gone.
    pub(super) fn lane_gone(&mut self, lane: Lane) {
        if let Some(row) = self.rows.get_mut(&lane) {
            row.gone = true;
            self.settle(lane);
        }
    }

    /// Nothing of a function is taken while it is paused.
    pub(super) fn pause(&mut self, function: FunctionId, paused: bool) {
        if paused {
            self.paused.insert(function)
        } else {
            self.paused.remove(&function)
        };
        self.settle_function(function);
    }

    /// A slot of a function, or of one of its versions, may be free again.
    pub(super) fn freed(&mut self, function: FunctionId, version: Option<VersionNumber>) {
        if let Some(share) = self.functions.get_mut(&function) {
            share.full = false;
        }
        self.settle_function(function);
        for lane in Priority::ALL.map(|priority| Lane { function, version, priority }) {
            if self.rows.get(&lane).is_some_and(|row| row.standing == Standing::Full) {
                self.stand(lane, Standing::Empty);
                self.settle(lane);
            }
        }
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

    /// A lane that runs low, while not too many are being filled. Each is followed by [`Line::deliver`].
    pub(super) fn begin_refill(&mut self) -> Option<Refill> {
        while self.refilling.len() < bounds::MAX_REFILLS {
            let lane = self.hungry.pop_front()?;
            let share = self.share();
            let Some(row) = self.rows.get_mut(&lane) else { continue };
            row.hungry = false;
            let Some(after) = row.horizon.filter(|_| row.refill.is_none() && row.waiting.len() < share) else {
                continue;
            };
            let limit = share - row.waiting.len();
            row.refill = Some(Note::new(after, limit));
            self.refilling.insert(lane);
            return Some(Refill { lane, after, limit });
        }
        None
    }

    /// Brings what was read of a lane, or nothing when it could not be read. `held` says what is in somebody's hands.
    pub(super) fn deliver(&mut self, lane: Lane, read: Option<Vec<Place>>, held: impl Fn(InvocationId) -> bool) {
        self.refilling.remove(&lane);
        let Some(row) = self.rows.get_mut(&lane) else { return };
        let merged = row.refill.take().zip(read).and_then(|(note, read)| note.merge(read, row.horizon));
        if let Some(Merged { places, horizon }) = merged {
            row.horizon = horizon;
            for place in places {
                if !held(place.id) && !self.contains(place.id) {
                    self.put(place);
                }
            }
            self.trim(lane);
        }
        self.settle(lane);
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

    /// What one lane may have in memory.
    fn share(&self) -> usize {
        (self.windows.total / self.rows.len().max(1)).clamp(self.windows.least, self.windows.most)
    }

    /// Takes out of memory what is over a lane's share, the latest first.
    fn trim(&mut self, lane: Lane) {
        let share = self.share();
        while let Some(row) = self.rows.get_mut(&lane)
            && row.waiting.len() > share
            && let Some(id) = row.drop_last()
        {
            if let Some(place) = self.places.get(&id).copied() {
                self.forget(&place);
            }
        }
    }

    /// Cuts every lane to its share once there are twice as many as last time: shares have become that much smaller.
    fn trim_all(&mut self) {
        if self.rows.len() < self.trimmed_at.saturating_mul(2).max(16) {
            self.trimmed_at = self.trimmed_at.min(self.rows.len());
            return;
        }
        self.trimmed_at = self.rows.len();
        let lanes: Vec<Lane> = self.rows.keys().copied().collect();
        lanes.into_iter().for_each(|lane| self.trim(lane));
    }

    /// Lets in what was put aside until now, and lanes whose first has become due.
    fn wake(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some(&(until, id)) = self.aside.first()
            && until <= now
        {
            if let Some(place) = self.remove(id) {
                self.insert(place);
            }
        }
        while let Some(&(due, lane)) = self.sleeping.first()
            && due <= now
        {
            self.settle(lane);
        }
    }

    /// Keeps everything true about a lane after a change: whether it sleeps or is ready, whether it runs low, and
    /// that one of which nothing is left stands nowhere. (Whether a full one still is, is found out by being told.)
    fn settle(&mut self, lane: Lane) {
        let share = self.share();
        let Some(row) = self.rows.get_mut(&lane) else { return };
        if row.horizon.is_some() && row.refill.is_none() && !row.hungry && row.waiting.len() < share.div_ceil(2) {
            row.hungry = true;
            self.hungry.push_back(lane);
        }
        let standing = match row.first_due() {
            None => Standing::Empty,
            Some(_) if row.standing == Standing::Full => Standing::Full,
            Some(due) if due <= self.now => Standing::Ready,
            Some(due) => Standing::Sleeping(due),
        };
        let over = row.is_over();
        self.stand(lane, standing);
        if over {
            self.rows.remove(&lane);
            if let Some(share) = self.functions.get_mut(&lane.function) {
                share.lanes.remove(&lane);
                if share.lanes.is_empty() {
                    self.functions.remove(&lane.function);
                    self.order.leave(lane.function);
                }
            }
        }
    }

    fn stand(&mut self, lane: Lane, standing: Standing) {
        let (Some(row), Some(share)) = (self.rows.get_mut(&lane), self.functions.get_mut(&lane.function)) else {
            return;
        };
        if row.standing == standing {
            return;
        }
        match std::mem::replace(&mut row.standing, standing) {
            Standing::Sleeping(due) => drop(self.sleeping.remove(&(due, lane))),
            Standing::Ready => share.leave(lane),
            Standing::Empty | Standing::Full => (),
        }
        match standing {
            Standing::Sleeping(due) => drop(self.sleeping.insert((due, lane))),
            Standing::Ready => share.enter(lane),
            Standing::Empty | Standing::Full => (),
        }
        self.settle_function(lane.function);
    }

    fn settle_function(&mut self, function: FunctionId) {
        let paused = self.paused.contains(&function);
        match self.functions.get(&function) {
            Some(share) if !paused && !share.full && share.next().is_some() => self.order.enter(function),
            _ => self.order.leave(function),
        }
    }
}
