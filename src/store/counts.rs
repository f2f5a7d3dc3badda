//! What is counted of a function's invocations, and how each change moves the counts. Pure: the stores keep the
//! numbers and count again to check them.

use std::ops::AddAssign;

use crate::model::invocation::{Invocation, Mode};
use crate::model::outcome::OutcomeKind;

/// The counts of one function. What was accepted is live or has settled: [`Counts::is_sound`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Asynchronous invocations ever accepted.
    pub accepted: u64,
    /// Those of them that have not settled.
    pub live: u64,
    /// Bytes of their payloads.
    pub live_bytes: u64,
    /// Those of them that have settled, in the order of [`OutcomeKind::ALL`].
    pub settled: [u64; 4],
    /// What is kept of settled invocations, synchronous ones included, in the same order.
    pub kept: [Kept; 4],
}

/// Settled invocations that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// How many.
    pub count: u64,
    /// Bytes of their records, payloads, results and logs.
    pub bytes: u64,
}

/// What an invocation counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It has not settled.
    Live {
        /// Bytes of its payload.
        payload_bytes: u64,
    },
    /// It has, and is kept.
    Settled {
        /// Among which it is kept; when it settles, how it ended.
        kind: OutcomeKind,
        /// Bytes of all that is kept of it.
        bytes: u64,
    },
}

impl Counted {
    /// What `invocation` counts as, with `bytes` kept of it. `None` for a synchronous one that runs: it is not queued.
    pub fn of(invocation: &Invocation, bytes: u64) -> Option<Self> {
        match (invocation.kept_as(), invocation.mode) {
            (Some((kind, _)), _) => Some(Self::Settled { kind, bytes }),
            (None, Mode::Async) => Some(Self::Live { payload_bytes: invocation.request.payload.bytes }),
            (None, Mode::Sync) => None,
        }
    }
}

impl Counts {
    /// Whether nothing was lost or doubled: what was accepted is live or has settled.
    pub fn is_sound(&self) -> bool {
        self.accepted == self.live + self.settled.iter().sum::<u64>()
    }

    /// Whether nothing of the function is live or kept.
    pub fn is_at_rest(&self) -> bool {
        self.live == 0 && self.kept.iter().all(|kept| kept.count == 0)
    }

    /// Settled invocations that ended like this and are kept.
    pub fn kept(&self, kind: OutcomeKind) -> Kept {
        self.kept[kind as usize]
    }

    /// Counts the change of one invocation.
    pub fn change(&mut self, before: Option<Counted>, now: Option<Counted>) {
        match (before, now) {
            (Some(Counted::Live { .. }), Some(Counted::Live { .. })) => (),
            (_, Some(Counted::Live { .. })) => self.accepted += 1,
            (Some(Counted::Live { .. }), Some(Counted::Settled { kind, .. })) => self.settled[kind as usize] += 1,
            // Nobody removes what has not settled; if somebody did, it would count as never accepted.
            (Some(Counted::Live { .. }), None) => self.accepted -= 1,
            (_, Some(Counted::Settled { .. }) | None) => (),
        }
        self.add(now, u64::wrapping_add);
        self.add(before, u64::wrapping_sub);
    }

    fn add(&mut self, counted: Option<Counted>, sum: fn(u64, u64) -> u64) {
        match counted {
            Some(Counted::Live { payload_bytes }) => {
                self.live = sum(self.live, 1);
                self.live_bytes = sum(self.live_bytes, payload_bytes);
            }
            Some(Counted::Settled { kind, bytes }) => {
                let kept = &mut self.kept[kind as usize];
                *kept = Kept { count: sum(kept.count, 1), bytes: sum(kept.bytes, bytes) };
            }
            None => (),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.live += other.live;
        self.live_bytes += other.live_bytes;
        for kind in OutcomeKind::ALL.map(|kind| kind as usize) {
            self.settled[kind] += other.settled[kind];
            self.kept[kind].count += other.kept[kind].count;
            self.kept[kind].bytes += other.kept[kind].bytes;
        }
    }
}
