//! How often something took how long, in bounded memory: each doubling of the time has 64 steps, so that what is told
//! is at most 1.6 % too long.

use std::time::Duration;

/// Steps of each doubling, as a power of two.
const STEP_BITS: u32 = 6;
const STEPS: u64 = 1 << STEP_BITS;

/// Counts of times, to the microsecond.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// Grows to the longest time that was added: at most 3,776 entries.
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(super) fn add(&mut self, took: Duration) {
        let bucket = bucket(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
    }

    /// Takes in all that `other` counted.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// The microseconds that so many in a thousand did not exceed; 0 where there is nothing.
    pub(super) fn per_mille_us(&self, per_mille: u64) -> u64 {
        let rank = u128::from(self.total) * u128::from(per_mille);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count) * 1_000;
            if seen >= rank && *count > 0 {
                return longest(bucket as u64);
            }
        }
        0
    }
}

fn bucket(us: u64) -> usize {
    let shift = us.checked_ilog2().unwrap_or(0).saturating_sub(STEP_BITS);
    let bucket = if us < STEPS { us } else { (u64::from(shift) << STEP_BITS) + (us >> shift) };
    usize::try_from(bucket).expect("it is at most 3,775")
}

/// The longest time in microseconds that is counted in `bucket`.
const fn longest(bucket: u64) -> u64 {
    if bucket < 2 * STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    ((bucket % STEPS + STEPS) << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_percentile_is_the_time_that_so_many_in_a_thousand_do_not_exceed() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.per_mille_us(500), 0);
        (1..=100).for_each(|us| histogram.add(Duration::from_micros(us)));
        assert_eq!([500, 990, 1_000].map(|rank| histogram.per_mille_us(rank)), [50, 99, 100]);
        let mut other = Histogram::default();
        (0..900).for_each(|_| other.add(Duration::from_secs(1)));
        histogram.merge(&other);
        assert_eq!(histogram.per_mille_us(100), 100);
        assert!((1_000_000..=1_016_000).contains(&histogram.per_mille_us(101)));
    }

    proptest! {
        #[test]
        fn a_time_is_told_as_at_most_a_64th_longer(us: u64) {
            let told = longest(bucket(us) as u64);
            prop_assert!(told >= us && told - us <= us / 64, "{us} is told as {told}");
        }
    }
}
