//! An instant on the one clock that all processes of a machine share, to tell what was seen before what.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(pub(super) u64);

impl Instant {
    /// After all others.
    pub(super) const LAST: Self = Self(u64::MAX);

    pub(super) fn now() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        Self(now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned())
    }
}
