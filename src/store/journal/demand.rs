//! How many segments to keep prepared: always the reserve, and more while they are used up quickly. Quickly is told
//! without a clock: each time the writer takes a segment when no longer as many are there as should be, there
//! should be one more; after [`EASY`] times in a row that all were there, one less.
//!
//! Segments come free many at a time, whenever the index has taken in a window. Those are worth keeping, up to what is used
//! up until the next do: else they are removed, and as many written anew.

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
    /// Taken since some came free last.
    taken: usize,
    /// Taken between the last two times that some did, or a little less than once before.
    between: usize,
}

impl Demand {
    pub(super) fn new(reserve: usize) -> Self {
        Self { reserve, extra: 1, easy: 0, caught_up: false, taken: 0, between: 0 }
    }

    /// How many should be there: what is missing is written.
    pub(super) fn target(&self) -> usize {
        self.reserve + self.extra
    }

    /// How many may be there: what is more is removed. A quarter more than are taken meanwhile, since no two times are alike.
    pub(super) fn most(&self) -> usize {
        let meanwhile = self.between + self.between.div_ceil(4);
        self.target().max(bounds::MAX_KEPT_SEGMENTS.min(self.target() + meanwhile))
    }

    /// One has come free.
    pub(super) fn came_free(&mut self) {
        if self.taken > 0 {
            self.between = self.taken.max(self.between - self.between.div_ceil(4));
            self.taken = 0;
        }
    }

    /// Nothing was used up for a while.
    pub(super) fn rested(&mut self) {
        self.between = 0;
    }

    /// There is nothing left to prepare.
    pub(super) fn caught_up(&mut self) {
        self.caught_up = true;
    }

    /// One is taken while so many are prepared.
    pub(super) fn take(&mut self, prepared: usize) {
        self.taken += 1;
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
    fn what_comes_free_is_kept_as_far_as_it_is_used_up_until_more_does() {
        let mut demand = Demand::new(3);
        let burst = |demand: &mut Demand, taken| {
            (0..taken).for_each(|_| demand.take(4));
            (0..taken).for_each(|_| demand.came_free());
            demand.most()
        };
        assert_eq!(demand.most(), 4);
        assert_eq!(burst(&mut demand, 7), 4 + 7 + 2);
        assert_eq!(burst(&mut demand, 6), 4 + 6 + 2);
        assert_eq!(burst(&mut demand, 1), 4 + 4 + 1, "it may have been a pause");
        assert_eq!(burst(&mut demand, 100), bounds::MAX_KEPT_SEGMENTS);
        demand.rested();
        assert_eq!(demand.most(), 4);
    }

    #[test]
    fn a_reserve_larger_than_the_most_is_kept_with_one_more() {
        let mut demand = Demand::new(20);
        demand.caught_up();
        demand.take(0);
        assert_eq!(demand.target(), 21);
    }
}
