//! Whose turn it is among the targets, and how many deliveries are under way. Pure; what stands in a lane is in the
//! store alone.
//!
//! Lanes that have something due take turns, so a target with a million deliveries delays another one's next by those
//! that are under way. One whose last try failed has one under way at a time: it is asked whether it is back, and takes
//! no more of what there is for all.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::stand::{Stand, Target};
use crate::model::bounds;
use crate::model::invocation::Way;
use crate::model::names::InvocationId;
use crate::model::time::Timestamp;

/// The targets that something is to be brought to.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    targets: HashMap<Target, Lane>,
    /// Those that may have something due, in their turn.
    ready: VecDeque<Target>,
    /// Those that have something due later.
    later: BTreeSet<(Timestamp, Target)>,
    under_way: usize,
    /// Some had no room here, and are in the store alone.
    more: bool,
}

#[derive(Debug, Default)]
struct Lane {
    place: Place,
    under_way: HashSet<(InvocationId, Way)>,
    failing: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// It has nothing, or is full and looked at when one has ended.
    #[default]
    Nowhere,
    Ready,
    Later(Timestamp),
}

/// A lane whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) target: Target,
    /// How many may begin.
    pub(super) free: usize,
    /// How many are under way, and are found in the store among the others.
    pub(super) under_way: usize,
}

impl Lane {
    fn free(&self) -> usize {
        let most = if self.failing { 1 } else { bounds::MAX_DELIVERIES_PER_TARGET };
        most.saturating_sub(self.under_way.len())
    }
}

impl Lanes {
    /// How many are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Whether there is room for targets again that had none, which are to be looked up. Says so once.
    pub(super) fn look_up_more(&mut self) -> bool {
        let again = self.more && self.targets.len() < bounds::MAX_DELIVERY_TARGETS / 2;
        self.more &= !again;
        again
    }

    /// Something stands in the lane of `target`, due then.
    pub(super) fn note(&mut self, target: Target, due: Timestamp) {
        if self.targets.len() >= bounds::MAX_DELIVERY_TARGETS && !self.targets.contains_key(&target) {
            self.more = true;
            return;
        }
        let lane = self.targets.entry(target).or_default();
        match lane.place {
            Place::Ready => return,
            Place::Later(known) if known <= due => return,
            Place::Later(known) => drop(self.later.remove(&(known, target))),
            Place::Nowhere if lane.free() == 0 => return,
            Place::Nowhere => (),
        }
        lane.place = Place::Later(due);
        self.later.insert((due, target));
    }

    /// The next lane in turn that may have something due, unless enough is under way.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Turn> {
        while let Some((due, target)) = self.later.first().copied().filter(|(due, _)| *due <= now) {
            self.later.remove(&(due, target));
            self.make_ready(target);
        }
        if self.under_way >= bounds::MAX_DELIVERIES {
            return None;
        }
        let target = self.ready.pop_front()?;
        let lane = self.targets.get_mut(&target)?;
        lane.place = Place::Nowhere;
        let free = lane.free().min(bounds::MAX_DELIVERIES - self.under_way);
        Some(Turn { target, free, under_way: lane.under_way.len() })
    }

    /// Takes one under way; returns false where it is already.
    pub(super) fn begin(&mut self, stand: &Stand) -> bool {
        let begun = self.targets.entry(stand.target).or_default().under_way.insert((stand.id, stand.way));
        self.under_way += usize::from(begun);
        begun
    }

    /// What stands in a lane has been read: `next` is the first that is not under way.
    pub(super) fn read(&mut self, target: Target, next: Option<Timestamp>) {
        if let Some(due) = next {
            self.note(target, due);
        }
        if self.targets.get(&target).is_some_and(|lane| lane.place == Place::Nowhere && lane.under_way.is_empty()) {
            self.targets.remove(&target);
        }
    }

    /// One is not under way any more. Its lane is looked at again, `later` where nothing is known of what has happened.
    pub(super) fn ended(&mut self, stand: &Stand, failing: Option<bool>, later: Option<Timestamp>) {
        let Some(lane) = self.targets.get_mut(&stand.target) else { return };
        self.under_way -= usize::from(lane.under_way.remove(&(stand.id, stand.way)));
        lane.failing = failing.unwrap_or(lane.failing);
        match (lane.place, later) {
            (Place::Nowhere, Some(due)) => self.note(stand.target, due),
            (Place::Nowhere, None) => self.make_ready(stand.target),
            (Place::Ready | Place::Later(_), _) => (), // it is looked at anyway
        }
    }

    /// When something is due that is not now.
    pub(super) fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        if self.under_way >= bounds::MAX_DELIVERIES {
            return None; // one that ends says so
        }
        if self.ready.is_empty() { self.later.first().map(|(due, _)| *due) } else { Some(now) }
    }

    fn make_ready(&mut self, target: Target) {
        if let Some(lane) = self.targets.get_mut(&target)
            && lane.place != Place::Ready
        {
            lane.place = Place::Ready;
            self.ready.push_back(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn stand(target: u8, id: u8) -> Stand {
        let id = InvocationId::from_bytes([id; 16]);
        Stand { target: [target; 16], due: at(0), id, way: Way::Destination }
    }

    #[test]
    fn targets_take_turns_and_each_has_so_many_under_way() {
        let mut lanes = Lanes::default();
        lanes.note([1; 16], at(1));
        lanes.note([2; 16], at(2));
        assert_eq!(lanes.next_look(at(0)), Some(at(1)));
        assert_eq!(lanes.take(at(0)), None);
        let turn = lanes.take(at(5)).unwrap();
        assert_eq!((turn.target, turn.free), ([1; 16], bounds::MAX_DELIVERIES_PER_TARGET));
        for id in 0..8 {
            assert!(lanes.begin(&stand(1, id)));
        }
        assert!(!lanes.begin(&stand(1, 0)));
        lanes.read([1; 16], Some(at(3)));
        assert_eq!(lanes.take(at(5)).unwrap().target, [2; 16]);
        lanes.read([2; 16], None);
        assert_eq!(lanes.take(at(5)), None, "the first is full, the other has nothing");
        lanes.ended(&stand(1, 0), Some(false), None);
        assert_eq!(lanes.take(at(5)).map(|turn| (turn.free, turn.under_way)), Some((1, 7)));
    }

    #[test]
    fn a_target_that_fails_has_one_under_way_until_it_does_not() {
        let mut lanes = Lanes::default();
        lanes.note([1; 16], at(0));
        lanes.take(at(0)).unwrap();
        lanes.begin(&stand(1, 0));
        lanes.ended(&stand(1, 0), Some(true), None);
        assert_eq!(lanes.take(at(0)).unwrap().free, 1);
        lanes.begin(&stand(1, 1));
        lanes.ended(&stand(1, 1), Some(false), None);
        assert_eq!(lanes.take(at(0)).unwrap().free, bounds::MAX_DELIVERIES_PER_TARGET);
    }

    #[test]
    fn what_comes_while_a_lane_is_read_is_not_forgotten() {
        let mut lanes = Lanes::default();
        lanes.note([1; 16], at(0));
        lanes.take(at(0)).unwrap();
        lanes.note([1; 16], at(7)); // it is being read, and that may not be in what is read
        lanes.read([1; 16], None);
        assert_eq!(lanes.take(at(7)).unwrap().target, [1; 16]);
    }

    #[test]
    fn in_all_no_more_are_under_way_than_may_be() {
        let mut lanes = Lanes::default();
        for target in 0..=u8::MAX {
            lanes.note([target; 16], at(0));
        }
        let mut begun = 0;
        while let Some(turn) = lanes.take(at(0)) {
            for id in 0..turn.free {
                begun += usize::from(lanes.begin(&stand(turn.target[0], u8::try_from(id).unwrap())));
            }
        }
        assert_eq!((begun, lanes.under_way()), (bounds::MAX_DELIVERIES, bounds::MAX_DELIVERIES));
    }
}
