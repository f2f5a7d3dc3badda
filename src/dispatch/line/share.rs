//! What one function has in line: which of its lanes is next. Priorities by weight, versions in turn.

use std::collections::BTreeSet;

use super::turns::Turns;
use crate::model::place::{Lane, Priority};

/// What being served once costs a lane, or a function.
pub(super) const COST: u64 = 24;

/// What being served once costs a priority: of twelve turns, eight go to high, three to normal and one to low.
const fn cost(priority: Priority) -> u64 {
    match priority {
        Priority::High => COST / 8,
        Priority::Normal => COST / 3,
        Priority::Low => COST,
    }
}

/// One function's part of the line.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Its concurrency is used up: it is not asked until it is told that a slot came free.
    pub(super) full: bool,
    /// All its lanes.
    pub(super) lanes: BTreeSet<Lane>,
    /// Priorities with a lane that is ready.
    priorities: Turns<Priority>,
    /// Lanes that are ready, by priority.
    ready: [Turns<Lane>; 3],
}

impl Share {
    /// `lane` has something due and may have a slot.
    pub(super) fn enter(&mut self, lane: Lane) {
        self.ready[lane.priority as usize].enter(lane);
        self.priorities.enter(lane.priority);
    }

    /// `lane` has nothing to be taken now.
    pub(super) fn leave(&mut self, lane: Lane) {
        let ready = &mut self.ready[lane.priority as usize];
        ready.leave(lane);
        if ready.is_empty() {
            self.priorities.leave(lane.priority);
        }
    }

    /// The lane whose turn it is.
    pub(super) fn next(&self) -> Option<Lane> {
        self.ready[self.priorities.first()? as usize].first()
    }

    /// Something of `lane` was taken.
    pub(super) fn served(&mut self, lane: Lane) {
        self.ready[lane.priority as usize].served(lane, COST);
        self.priorities.served(lane.priority, cost(lane.priority));
    }
}
