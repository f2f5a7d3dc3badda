//! Random numbers from a seed: the same seed draws the same numbers.

use std::ops::RangeInclusive;

/// A generator: `SplitMix64`, which passes for random and fits in five lines.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A generator that starts at `seed`.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for a part of the work, so that parts side by side do not disturb one another.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.number())
    }

    /// Any number.
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `range`.
    pub(super) fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        range.start() + self.number() % (range.end() - range.start() + 1)
    }

    /// Yes, once in `n` times.
    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.number().is_multiple_of(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_another_seed_does_not() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [random.number(), random.fork().number(), random.number()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn every_number_of_a_range_is_drawn_and_none_outside() {
        let mut random = Random::new(1);
        let mut drawn: Vec<_> = (0..200).map(|_| random.within(&(3..=6))).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn, [3, 4, 5, 6]);
    }
}
