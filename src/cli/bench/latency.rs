//! How long answers took: every sample is kept, up to a limit, and sorted when asked. For many more, and for what goes on
//! for long, there is the histogram.

use std::time::Duration;

/// Samples that are kept: eight megabytes of them.
const MAX_SAMPLES: usize = 1_000_000;

/// Samples that are being taken.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<Duration>);

/// What the samples tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Latency {
    pub(super) count: usize,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) max: Duration,
}

impl Samples {
    pub(super) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Whether there is no room for another.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_SAMPLES
    }

    pub(super) fn latency(mut self) -> Latency {
        self.0.sort_unstable();
        let count = self.0.len();
        // The nearest rank: the smallest sample that so many in a hundred do not exceed.
        let rank = |percent: usize| self.0.get((count * percent).div_ceil(100).saturating_sub(1)).copied();
        let [p50, p99, max] = [50, 99, 100].map(|percent| rank(percent).unwrap_or_default());
        Latency { count, p50, p99, max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples: impl IntoIterator<Item = u64>, expected: [u64; 3]) {
        let latency = Samples(samples.into_iter().map(Duration::from_millis).collect()).latency();
        assert_eq!([latency.p50, latency.p99, latency.max], expected.map(Duration::from_millis));
    }

    #[test]
    fn a_percentile_is_the_sample_that_so_many_in_a_hundred_do_not_exceed() {
        check((1..=100).rev(), [50, 99, 100]);
        check([3, 1, 2], [2, 3, 3]);
        check([7], [7, 7, 7]);
        check([], [0, 0, 0]);
    }
}
