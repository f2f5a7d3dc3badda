//! Who is next: the due order of everything that waits, fair over functions. Pure: no clock, no store.
//!
//! Each version of a function has a lane, ordered by due time, since slots are a version's. Lanes with something due stand in a ring and are served in
//! turn, one invocation a turn; so a function with a million invocations delays another's next one by one.
//! What does not fit (no slot for that function) is passed over. Everything is also held by expiry, so that
//! what grows too old is settled on time although its function has no slot free.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::model::names::{FunctionId, InvocationId};
use crate::model::place::{Lane, Place};
use crate::model::time::Timestamp;

/// Everything that waits.
#[derive(Debug, Default)]
pub(super) struct Line {
    places: HashMap<InvocationId, Place>,
    lanes: HashMap<Lane, Row>,
    /// Lanes with something due, in the order of their turns.
    ring: VecDeque<Lane>,
    /// Lanes with nothing due yet, by the time of their first.
    sleeping: BTreeSet<(Timestamp, Lane)>,
    /// Everything, by the time at which it is too old.
    expiry: BTreeSet<(Timestamp, InvocationId)>,
}

#[derive(Debug, Default)]
struct Row {
    waiting: BTreeSet<(Timestamp, InvocationId)>,
    /// Whether it stands in the ring; otherwise in `sleeping`, under the time of its first.
    in_ring: bool,
}

impl Row {
    fn first_due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(due, _)| *due)
    }
}

impl Extend<Place> for Line {
    fn extend<I: IntoIterator<Item = Place>>(&mut self, places: I) {
        for place in places {
            self.insert(place);
        }
    }
}

impl Line {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Adds one, or moves it when it waits already.
    pub(super) fn insert(&mut self, place: Place) {
        self.remove(place.id);
        self.places.insert(place.id, place);
        self.expiry.insert((place.expires, place.id));
        self.edit(place.lane, |lane| {
            lane.waiting.insert((place.due, place.id));
        });
    }

    /// Takes one out of the line.
    pub(super) fn remove(&mut self, id: InvocationId) -> Option<Place> {
        let place = self.places.remove(&id)?;
        self.expiry.remove(&(place.expires, id));
        self.edit(place.lane, |lane| {
            lane.waiting.remove(&(place.due, id));
        });
        Some(place)
    }

    /// The next that is due and fits: `slot` is asked for a place to run it in. Each lane is asked once.
    pub(super) fn take<S>(&mut self, now: Timestamp, mut slot: impl FnMut(&Place) -> Option<S>) -> Option<(Place, S)> {
        self.wake(now);
        for _ in 0..self.ring.len() {
            let first = self.lanes.get(self.ring.front()?).and_then(|lane| lane.waiting.first());
            let place = first.and_then(|(_, id)| self.places.get(id)).copied();
            self.ring.rotate_left(1);
            if let Some(place) = place
                && place.due <= now
                && let Some(slot) = slot(&place)
            {
                self.remove(place.id);
                return Some((place, slot));
            }
        }
        None
    }

    /// One that is too old, taken out of the line.
    pub(super) fn take_expired(&mut self, now: Timestamp) -> Option<Place> {
        let (expires, id) = *self.expiry.first()?;
        if now > expires { self.remove(id) } else { None }
    }

    /// When to look again, if nothing else happens: the next time something becomes due or too old. What is
    /// due already and only lacks a slot is no reason to look: a freed slot is told.
    pub(super) fn next_look(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.wake(now);
        let due = self.sleeping.first().map(|(due, _)| *due);
        let too_old = self.expiry.first().map(|(expires, _)| *expires + std::time::Duration::from_millis(1));
        due.into_iter().chain(too_old).min()
    }

    /// Makes everything of a function due now.
    pub(super) fn expedite(&mut self, function: FunctionId, now: Timestamp) {
        let lanes = self.lanes.iter().filter(|(lane, _)| lane.function == function);
        let early = lanes.flat_map(|(_, lane)| &lane.waiting).filter(|(due, _)| *due > now);
        let ids: Vec<InvocationId> = early.map(|(_, id)| *id).collect();
        for place in ids.iter().filter_map(|id| self.places.get(id).copied()).collect::<Vec<_>>() {
            self.insert(Place { due: now, ..place });
        }
    }

    /// Lanes whose first has become due join the ring.
    fn wake(&mut self, now: Timestamp) {
        while let Some(&(due, key)) = self.sleeping.first()
            && due <= now
        {
            self.sleeping.remove(&(due, key));
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.in_ring = true;
                self.ring.push_back(key);
            }
        }
    }

    /// Changes a lane and keeps the ring and the sleepers true: an empty lane stands nowhere, a lane whose first
    /// changed sleeps until then. (That it may be due already is found out at the next turn.)
    fn edit(&mut self, key: Lane, change: impl FnOnce(&mut Row)) {
        let lane = self.lanes.entry(key).or_default();
        let before = lane.first_due();
        change(lane);
        let after = lane.first_due();
        if lane.in_ring {
            if after.is_none_or(|due| before.is_some_and(|before| due > before)) {
                // Its first is gone; the next may not be due yet. Keep its turn if it is the same instant.
                lane.in_ring = false;
                let turn = self.ring.iter().rposition(|other| *other == key);
                turn.and_then(|turn| self.ring.remove(turn));
                self.sleeping.extend(after.map(|due| (due, key)));
            }
        } else if before != after {
            before.map(|due| self.sleeping.remove(&(due, key)));
            self.sleeping.extend(after.map(|due| (due, key)));
        }
        if after.is_none() {
            self.lanes.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::VersionNumber;
    use crate::model::place::Priority;
    use proptest::prelude::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn place(function: u8, n: u8, due: u64) -> Place {
        Place {
            id: InvocationId::new(at(0), [n; 10]),
            lane: lane(function, None),
            due: at(due),
            expires: at(due + 1_000),
        }
    }

    fn lane(function: u8, version: Option<u32>) -> Lane {
        let version = version.and_then(VersionNumber::new);
        Lane { function: FunctionId::new(at(0), [function; 10]), version, priority: Priority::Normal }
    }

    fn take(line: &mut Line, now: u64) -> Option<Place> {
        line.take(at(now), |_| Some(())).map(|(place, ())| place)
    }

    #[test]
    fn functions_take_turns_however_much_one_of_them_has_waiting() {
        let mut line = Line::default();
        (0..100).for_each(|n| line.insert(place(1, n, u64::from(n))));
        line.insert(place(2, 200, 50));
        line.insert(place(3, 201, 50));
        let order: Vec<_> = (0..4).filter_map(|_| take(&mut line, 1_000)).map(|place| place.due).collect();
        assert_eq!(order, [at(0), at(50), at(50), at(1)]);
    }

    #[test]
    fn nothing_is_taken_before_it_is_due_and_the_line_says_when_to_look_again() {
        let mut line = Line::default();
        line.insert(place(1, 1, 500));
        assert_eq!(take(&mut line, 499), None);
        assert_eq!(line.next_look(at(499)), Some(at(500)));
        assert_eq!(take(&mut line, 500).map(|place| place.due), Some(at(500)));
        assert_eq!((line.next_look(at(500)), line.len()), (None, 0));
    }

    #[test]
    fn what_is_due_and_only_lacks_a_slot_is_no_reason_to_look_again_soon() {
        let mut line = Line::default();
        line.insert(place(1, 1, 0));
        assert_eq!(line.next_look(at(9)), Some(at(1_001)), "when it is too old");
    }

    #[test]
    fn a_function_without_a_free_slot_is_passed_over_and_keeps_its_place() {
        let mut line = Line::default();
        line.insert(place(1, 1, 0));
        line.insert(place(2, 2, 1));
        let full = place(1, 1, 0).lane.function;
        let (taken, ()) = line.take(at(9), |place| (place.lane.function != full).then_some(())).unwrap();
        assert_eq!(taken, place(2, 2, 1));
        assert_eq!(take(&mut line, 9), Some(place(1, 1, 0)));
    }

    #[test]
    fn a_version_without_a_free_slot_does_not_hold_up_the_others_of_its_function() {
        let mut line = Line::default();
        let full = place(1, 1, 0);
        let other = Place { lane: lane(1, Some(2)), ..place(1, 2, 1) };
        line.extend([full, other]);
        let (taken, ()) = line.take(at(9), |place| (place.lane != full.lane).then_some(())).unwrap();
        assert_eq!(taken, other);
    }

    #[test]
    fn what_is_too_old_is_found_although_it_never_got_a_slot() {
        let mut line = Line::default();
        line.insert(place(1, 1, 0));
        assert_eq!(line.take_expired(at(1_000)), None);
        assert_eq!(line.take_expired(at(1_001)), Some(place(1, 1, 0)));
        assert_eq!(line.len(), 0);
    }

    #[test]
    fn everything_of_a_function_can_be_made_due_at_once() {
        let mut line = Line::default();
        line.insert(place(1, 1, 500));
        line.insert(place(1, 2, 700));
        line.expedite(place(1, 1, 0).lane.function, at(10));
        assert!(take(&mut line, 10).is_some() && take(&mut line, 10).is_some());
    }

    proptest! {
        #[test]
        fn whatever_is_put_in_comes_out_once_and_never_early(
            work in prop::collection::vec((0u8..5, 0u8..40, 0u64..100, 0u8..4), 0..300),
        ) {
            let mut line = Line::default();
            let mut model = std::collections::BTreeMap::new();
            for (step, (function, n, due, action)) in work.into_iter().enumerate() {
                let now = step as u64;
                let place = place(function, n, due);
                match action {
                    0 => prop_assert_eq!(line.remove(place.id), model.remove(&place.id)),
                    1 => {
                        if let Some(taken) = take(&mut line, now) {
                            prop_assert!(taken.due <= at(now));
                            prop_assert_eq!(model.remove(&taken.id), Some(taken));
                        } else {
                            prop_assert!(model.values().all(|place: &Place| place.due > at(now)));
                        }
                    }
                    _ => {
                        line.insert(place);
                        model.insert(place.id, place);
                    }
                }
                prop_assert_eq!(line.len(), model.len());
            }
            while let Some(taken) = take(&mut line, u64::MAX) {
                prop_assert_eq!(model.remove(&taken.id), Some(taken));
            }
            prop_assert!(model.is_empty());
            prop_assert!(line.lanes.is_empty() && line.ring.is_empty() && line.sleeping.is_empty());
        }
    }
}
