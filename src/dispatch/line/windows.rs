//! How much of each lane is in memory: its share, filled from the store when it runs low and cut when it is over.

use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::model::place::{Lane, Place, Turn};

use super::Line;
use super::row::{Merged, Note};

/// How much stands in memory.
#[derive(Clone, Copy, Debug)]
pub(in crate::dispatch) struct Windows {
    /// Of all lanes together, about.
    pub(in crate::dispatch) total: usize,
    /// Of one lane, at least.
    pub(in crate::dispatch) least: usize,
    /// Of one lane, at most.
    pub(in crate::dispatch) most: usize,
}

impl Default for Windows {
    fn default() -> Self {
        Self { total: bounds::MAX_PLACES, least: *bounds::LANE_PLACES.start(), most: *bounds::LANE_PLACES.end() }
    }
}

/// A request for more of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dispatch) struct Refill {
    /// Which.
    pub(in crate::dispatch) lane: Lane,
    /// What stands behind this.
    pub(in crate::dispatch) after: Turn,
    /// At most so many.
    pub(in crate::dispatch) limit: usize,
}

impl Line {
    /// A lane that runs low, while not too many are being filled. Each is followed by [`Line::finish_refill`].
    pub(in crate::dispatch) fn begin_refill(&mut self) -> Option<Refill> {
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
    pub(in crate::dispatch) fn finish_refill(
        &mut self,
        lane: Lane,
        read: Option<Vec<Place>>,
        held: impl Fn(InvocationId) -> bool,
    ) {
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

    /// What one lane may have in memory.
    pub(super) fn share(&self) -> usize {
        (self.windows.total / self.rows.len().max(1)).clamp(self.windows.least, self.windows.most)
    }

    /// Takes out of memory what is over a lane's share, the latest first.
    pub(super) fn trim(&mut self, lane: Lane) {
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
    pub(super) fn trim_all(&mut self) {
        if self.rows.len() < self.trimmed_at.saturating_mul(2).max(16) {
            self.trimmed_at = self.trimmed_at.min(self.rows.len());
            return;
        }
        self.trimmed_at = self.rows.len();
        let lanes: Vec<Lane> = self.rows.keys().copied().collect();
        for lane in lanes {
            self.trim(lane);
        }
    }
}
