//! Which lanes and functions can be served: what is due, not paused, not without a slot. Kept true after each change, so
//! that nobody has to be passed over when something is taken.

use crate::model::names::{FunctionId, VersionNumber};
use crate::model::place::{Lane, Priority};
use crate::model::time::Timestamp;

use super::Line;
use super::row::Standing;

impl Line {
    /// Everything of a function is due now, whatever its time: the function is gone.
    pub(in crate::dispatch) fn function_removed(&mut self, function: FunctionId) {
        let lanes = self.functions.get(&function).map(|share| share.lanes.clone()).unwrap_or_default();
        for lane in lanes {
            self.lane_gone(lane);
        }
    }

    /// Everything in a lane is due now, whatever its time: its version is gone.
    pub(in crate::dispatch) fn lane_gone(&mut self, lane: Lane) {
        if let Some(row) = self.rows.get_mut(&lane) {
            row.gone = true;
            self.settle(lane);
        }
    }

    /// Nothing of a function is taken while it is paused.
    pub(in crate::dispatch) fn pause(&mut self, function: FunctionId, paused: bool) {
        if paused {
            self.paused.insert(function)
        } else {
            self.paused.remove(&function)
        };
        self.settle_function(function);
    }

    /// A slot of a function, or of one of its versions, may be free again.
    pub(in crate::dispatch) fn freed(&mut self, function: FunctionId, version: Option<VersionNumber>) {
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

    /// Lets in what was put aside until now, and lanes whose first has become due.
    pub(super) fn wake(&mut self, now: Timestamp) {
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
    pub(super) fn settle(&mut self, lane: Lane) {
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

    pub(super) fn stand(&mut self, lane: Lane, standing: Standing) {
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

    pub(super) fn settle_function(&mut self, function: FunctionId) {
        let paused = self.paused.contains(&function);
        match self.functions.get(&function) {
            Some(share) if !paused && !share.full && share.next().is_some() => self.order.enter(function),
            _ => self.order.leave(function),
        }
    }
}
