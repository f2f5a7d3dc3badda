//! The one source of wall-clock time and of new ids; a paused tokio clock stops it in tests.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use uuid::Uuid;

use crate::model::names::{AccountId, FunctionId, InvocationId, TriggerId};
use crate::model::time::{Timestamp, whole_ms};

/// Tells the time: an instant read once, moved on by tokio's monotonic clock, so that a test that pauses tokio's
/// time has stopped this one too. Cheap to clone; all clones show the same time.
///
/// The system's clock moves it forward and never back: a machine that was asleep finds out how late it is, and a
/// clock that is set back while the process runs makes nothing wait for the same hour twice.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Timestamp,
    started: tokio::time::Instant,
    /// How far the system's clock has run ahead of the monotonic one, in milliseconds; `None` in tests.
    ahead_ms: Option<Arc<AtomicU64>>,
    /// How many times faster than real time it runs.
    scale: NonZeroU32,
}

impl Clock {
    /// A clock that shows the system's time.
    pub fn system() -> Self {
        Self { ahead_ms: Some(Arc::default()), ..Self::starting_at(system_time()) }
    }

    /// A clock that starts at the system's time and runs `scale` times faster: hours pass in seconds. For trying out
    /// what takes long; it does not go on where another left off, so it is for stores that are made anew.
    pub fn running(scale: NonZeroU32) -> Self {
        if scale == NonZeroU32::MIN { Self::system() } else { Self { scale, ..Self::starting_at(system_time()) } }
    }

    /// A clock that shows `start` now and knows of no other.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { start, started: tokio::time::Instant::now(), ahead_ms: None, scale: NonZeroU32::MIN }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let steady = self.start + self.started.elapsed().saturating_mul(self.scale.get());
        match &self.ahead_ms {
            None => steady,
            Some(ahead_ms) => moved_on(steady, system_time(), ahead_ms),
        }
    }

    /// Waits until so much time of this clock has passed; not less than a millisecond of real time.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.real(duration).max(Duration::from_millis(1))).await;
    }

    /// How much real time passes while so much time of this clock does.
    pub fn real(&self, duration: Duration) -> Duration {
        duration / self.scale.get()
    }

    /// A new id for an invocation.
    pub fn invocation_id(&self) -> InvocationId {
        Self::invocation_id_at(self.now())
    }

    /// A new id for an invocation that is accepted at `now`: it tells the time itself then.
    pub fn invocation_id_at(now: Timestamp) -> InvocationId {
        InvocationId::new(now, random())
    }

    /// A new id for a trigger.
    pub fn trigger_id(&self) -> TriggerId {
        TriggerId::new(self.now(), random())
    }

    /// A new id for a service account.
    pub fn account_id(&self) -> AccountId {
        AccountId::new(self.now(), random())
    }

    /// A place behind `last` in what is kept in order of time: that of `now`, unless the clock was set back.
    pub fn place_at(now: Timestamp, last: Option<Uuid>) -> Uuid {
        let place = uuid::Builder::from_unix_timestamp_millis(now.as_ms(), &random()).into_uuid();
        match last {
            Some(last) if last >= place => Uuid::from_u128(last.as_u128().wrapping_add(1)),
            _ => place,
        }
    }

    /// A new id for a function.
    pub fn function_id(&self) -> FunctionId {
        FunctionId::new(self.now(), random())
    }
}

/// `steady`, or as far ahead of it as `system` has ever been.
fn moved_on(steady: Timestamp, system: Timestamp, ahead_ms: &AtomicU64) -> Timestamp {
    let ahead = whole_ms(system.since(steady));
    let most = ahead_ms.fetch_max(ahead, Ordering::Relaxed).max(ahead);
    steady + Duration::from_millis(most)
}

fn system_time() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is told to ask")]
    let now = std::time::SystemTime::now();
    Timestamp::from_ms(0) + now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// Random bytes, from a generator that the operating system's seeds: those of a version 4 UUID that are random whole.
fn random() -> [u8; 10] {
    let drawn = *Uuid::new_v4().as_bytes();
    let mut bytes = [0; 10];
    bytes[..6].copy_from_slice(&drawn[..6]);
    bytes[6..].copy_from_slice(&drawn[12..]);
    bytes
}

/// A random number, for jitter.
pub fn spread() -> u16 {
    let bytes = random();
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// A random number from 0 to 99, evenly but for one in 655.
pub fn percent() -> u8 {
    u8::try_from(spread() % 100).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_systems_clock_moves_the_time_forward_and_never_back() {
        let (at, ahead_ms) = (Timestamp::from_ms, AtomicU64::new(0));
        assert_eq!(moved_on(at(1_000), at(1_000), &ahead_ms), at(1_000));
        assert_eq!(moved_on(at(1_001), at(9_000), &ahead_ms), at(9_000), "the machine was asleep");
        assert_eq!(moved_on(at(1_002), at(500), &ahead_ms), at(9_001), "the clock was set back");
    }

    proptest! {
        #[test]
        fn however_the_systems_clock_is_set_the_time_never_goes_back_nor_ahead_of_both(
            jumps in proptest::collection::vec((0u64..10_000, 0u64..1_000_000_000), 1..50),
        ) {
            let (ahead_ms, mut steady, mut last, mut most) = (AtomicU64::new(0), 1_000u64, 0, 0);
            for (passed, system) in jumps {
                steady += passed;
                most = (most + passed).max(system).max(steady);
                let now = moved_on(Timestamp::from_ms(steady), Timestamp::from_ms(system), &ahead_ms).as_ms();
                prop_assert!(now >= last + if last == 0 { 0 } else { passed }, "time stands still or goes back");
                prop_assert!(now >= system && now <= most, "{} is not between {} and {}", now, system, most);
                last = now;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_lets_hours_pass_in_seconds_and_its_waits_are_as_much_shorter() {
        let clock = Clock { ahead_ms: None, ..Clock::running(NonZeroU32::new(3_600).unwrap()) };
        let (start, started) = (clock.now(), tokio::time::Instant::now());
        clock.sleep(Duration::from_secs(6 * 3_600)).await;
        assert_eq!(started.elapsed(), Duration::from_secs(6));
        assert_eq!(clock.now().since(start), Duration::from_secs(6 * 3_600));
    }

    #[tokio::test(start_paused = true)]
    async fn a_test_that_pauses_time_has_stopped_the_clock() {
        let clock = Clock::starting_at(Timestamp::from_ms(5));
        assert_eq!(clock.now(), Timestamp::from_ms(5));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), Timestamp::from_ms(1_005));
    }
}
