//! The one source of wall-clock time and of new ids; a paused tokio clock stops it in tests.

use uuid::Uuid;

use crate::model::names::{FunctionId, InvocationId};
use crate::model::time::Timestamp;

/// Tells the time: an instant read from the system once, moved on by tokio's monotonic clock.
///
/// So a clock that is set back while the process runs makes nothing due again or never, and a test that
/// pauses tokio's time has stopped this one too.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    started: tokio::time::Instant,
}

impl Clock {
    /// A clock that shows the system's time now.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is told to ask")]
        let now = std::time::SystemTime::now();
        let since_1970 = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(Timestamp::from_ms(0) + since_1970)
    }

    /// A clock that shows `start` now.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { start, started: tokio::time::Instant::now() }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.start + self.started.elapsed()
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

/// Random bytes; version 4 UUIDs come from the operating system's generator.
fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..6].copy_from_slice(&Uuid::new_v4().as_bytes()[..6]);
    bytes[6..].copy_from_slice(&Uuid::new_v4().as_bytes()[10..14]);
    bytes
}

/// A random number, for jitter.
pub fn spread() -> u16 {
    let bytes = random();
    u16::from_be_bytes([bytes[0], bytes[1]])
}
