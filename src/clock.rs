//! The one source of wall-clock time and of new ids; a paused tokio clock stops it in tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use uuid::Uuid;

use crate::model::names::{FunctionId, InvocationId};
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
}

impl Clock {
    /// A clock that shows the system's time.
    pub fn system() -> Self {
        Self { ahead_ms: Some(Arc::default()), ..Self::starting_at(system_time()) }
    }

    /// A clock that shows `start` now and knows of no other.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { start, started: tokio::time::Instant::now(), ahead_ms: None }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let steady = self.start + self.started.elapsed();
        match &self.ahead_ms {
            None => steady,
            Some(ahead_ms) => moved_on(steady, system_time(), ahead_ms),
        }
    }

    /// A new id for an invocation.
    pub fn invocation_id(&self) -> InvocationId {
        InvocationId::new(self.now(), random())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_clock_moves_the_time_forward_and_never_back() {
        let (at, ahead_ms) = (Timestamp::from_ms, AtomicU64::new(0));
        assert_eq!(moved_on(at(1_000), at(1_000), &ahead_ms), at(1_000));
        assert_eq!(moved_on(at(1_001), at(9_000), &ahead_ms), at(9_000), "the machine was asleep");
        assert_eq!(moved_on(at(1_002), at(500), &ahead_ms), at(9_001), "the clock was set back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_test_that_pauses_time_has_stopped_the_clock() {
        let clock = Clock::starting_at(Timestamp::from_ms(5));
        assert_eq!(clock.now(), Timestamp::from_ms(5));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), Timestamp::from_ms(1_005));
    }
}
