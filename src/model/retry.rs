//! When a failed attempt is tried again: exponential backoff with equal jitter, and how often.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::{self, OutOfRange, within};
use super::time::whole_ms;

/// How often and how far apart an invocation is tried again. Checked when made: its parts are in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    max_retries: u32,
    delay: Duration,
    delay_max: Duration,
}

/// Which part of a retry policy is wrong, with the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetry {
    /// The first delay is longer than the longest.
    #[error(
        "retry_delay_ms is {delay} and retry_delay_max_ms is {delay_max}: the first delay cannot be longer than the longest"
    )]
    Order {
        /// The first delay, in milliseconds.
        delay: u64,
        /// The longest delay, in milliseconds.
        delay_max: u64,
    },
    /// A number is out of its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: bounds::DEFAULT_MAX_RETRIES,
            delay: bounds::DEFAULT_RETRY_DELAY,
            delay_max: bounds::DEFAULT_RETRY_DELAY_MAX,
        }
    }
}

impl RetryPolicy {
    /// One attempt and no more: what a synchronous invocation gets.
    pub const NEVER: Self =
        Self { max_retries: 0, delay: bounds::DEFAULT_RETRY_DELAY, delay_max: bounds::DEFAULT_RETRY_DELAY_MAX };

    /// # Errors
    /// [`InvalidRetry`] when a part is out of range.
    pub fn new(max_retries: u32, delay: Duration, delay_max: Duration) -> Result<Self, InvalidRetry> {
        within("max_retries", max_retries, &bounds::MAX_RETRIES)?;
        within("retry_delay_ms", whole_ms(delay), &bounds::RETRY_DELAY_MS)?;
        within("retry_delay_max_ms", whole_ms(delay_max), &bounds::RETRY_DELAY_MS)?;
        if delay > delay_max {
            return Err(InvalidRetry::Order { delay: whole_ms(delay), delay_max: whole_ms(delay_max) });
        }
        Ok(Self { max_retries, delay, delay_max })
    }

    /// Attempts after the first.
    #[must_use]
    pub const fn max_retries(&self) -> u32 {
        self.max_retries
    }

    /// The pause after the first attempt, before jitter.
    #[must_use]
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// The pause at which doubling stops, before jitter.
    #[must_use]
    pub const fn delay_max(&self) -> Duration {
        self.delay_max
    }

    /// Whether another attempt is allowed once `attempt` has been used up.
    #[must_use]
    pub const fn allows_after(&self, attempt: NonZeroU32) -> bool {
        attempt.get() <= self.max_retries
    }

    /// The pause after `attempt`: half of the doubled delay is fixed, of the other half `spread` decides.
    ///
    /// `spread` is drawn once for an invocation, not once for an attempt. So invocations that failed together
    /// come back apart, and still no pause of one invocation is shorter than the one before it, also where
    /// the doubling has stopped.
    #[must_use]
    pub fn pause_after(&self, attempt: NonZeroU32, spread: u16) -> Duration {
        let doublings = (attempt.get() - 1).min(31);
        let full = self.delay.saturating_mul(1 << doublings).min(self.delay_max);
        full / 2 + full / 2 * u32::from(spread) / u32::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_pause_is_shorter_than_the_one_before_nor_longer_than_the_longest(
            delay in 1u64..100_000, factor in 1u64..1_000, spread: u16,
        ) {
            let delay_max = Duration::from_millis((delay * factor).min(*bounds::RETRY_DELAY_MS.end()));
            let policy = RetryPolicy::new(100, Duration::from_millis(delay), delay_max).unwrap();
            let pauses: Vec<_> =
                (1..=100).map(|n| policy.pause_after(NonZeroU32::new(n).unwrap(), spread)).collect();
            prop_assert!(pauses.is_sorted());
            prop_assert!(pauses[0] >= Duration::from_millis(delay) / 2);
            prop_assert!(pauses[99] <= delay_max);
        }
    }

    #[test]
    fn a_policy_out_of_range_is_refused_with_the_value() {
        let second = Duration::from_secs(1);
        let refusal = |retries, delay| RetryPolicy::new(retries, delay, second).unwrap_err().to_string();
        assert_eq!(refusal(101, second), "max_retries is 101: use 0 to 100");
        assert_eq!(refusal(1, Duration::ZERO), "retry_delay_ms is 0: use 1 to 86400000");
        assert!(matches!(RetryPolicy::new(1, second * 2, second), Err(InvalidRetry::Order { .. })));
    }

    #[test]
    fn attempts_are_the_first_and_max_retries_more() {
        let policy = RetryPolicy::new(2, Duration::from_secs(1), Duration::from_secs(1)).unwrap();
        let allowed: Vec<_> = (1..5).map(|n| policy.allows_after(NonZeroU32::new(n).unwrap())).collect();
        assert_eq!(allowed, [true, true, false, false]);
    }
}
