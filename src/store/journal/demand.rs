//! How many segments to keep prepared: always the reserve, and more while they are used up quickly. Quickly is told
//! without a clock: each time the writer takes a segment when no longer as many are there as should be, there
//! should be one more; after [`EASY`] times in a row that all were there, one less.

use crate::model::bounds;

/// How often all must have been there before fewer are kept.
const EASY: u32 = 16;

/// How many should be prepared.
#[derive(Debug)]
pub(super) struct Demand {
    reserve: usize,
    /// Besides the reserve.
    extra: usize,
    easy: u32,
    /// Whether as many were there as should be, at some time since that number grew.
    caught_up: bool,
}

impl Demand {
    pub(super) fn new(reserve: usize) -> Self {
        Self { reserve, extra: 1, easy: 0, caught_up: false }
    }

    pub(super) fn target(&self) -> usize {
        self.reserve + self.extra
    }

    /// There is nothing left to prepare.
    pub(super) fn caught_up(&mut self) {
        self.caught_up = true;
    }

    /// One is taken while so many are prepared.
    pub(super) fn take(&mut self, prepared: usize) {
        if prepared >= self.target() {
            self.easy += 1;
        } else if std::mem::take(&mut self.caught_up) {
            self.easy = 0;
            self.extra = (self.extra + 1).min(bounds::MAX_SPARE_SEGMENTS.saturating_sub(self.reserve).max(1));
        } else {
            self.easy = 0; // behind already: a larger number would not make it faster
        }
        if self.easy > EASY {
            self.easy = 0;
            self.extra = (self.extra - 1).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_are_kept_while_they_are_used_up_and_fewer_after() {
        let mut demand = Demand::new(2);
        assert_eq!(demand.target(), 3);
        demand.take(0);
        assert_eq!(demand.target(), 3, "nothing was prepared yet");
        for _ in 0..20 {
            demand.caught_up();
            demand.take(0);
        }
        assert_eq!(demand.target(), bounds::MAX_SPARE_SEGMENTS);
        for _ in 0..200 {
            demand.take(demand.target());
        }
        assert_eq!(demand.target(), 3);
    }

    #[test]
    fn a_reserve_larger_than_the_most_is_kept_with_one_more() {
        let mut demand = Demand::new(20);
        demand.caught_up();
        demand.take(0);
        assert_eq!(demand.target(), 21);
    }
}
