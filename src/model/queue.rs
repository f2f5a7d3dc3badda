//! How one function's queue is kept: paused or not, how much may wait, and how long what has settled stays.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::{self, OutOfRange, within};
use super::outcome::OutcomeKind;

/// The settings of a function's queue. They can be changed at any time and hold from then on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueConfig {
    /// Nothing is taken from it while this is set; what is accepted waits, and grows too old as usual.
    pub paused: bool,
    /// Attempts that run at once, over all versions; `None` leaves it to the versions' and the runtime's limits.
    pub concurrency: Option<NonZeroU32>,
    /// Invocations that may wait; `None` leaves it to the runtime's limit.
    pub max_queued: Option<u64>,
    /// Bytes of payloads that may wait; `None` leaves it to the runtime's limit.
    pub max_queued_bytes: Option<u64>,
    /// How long settled invocations are kept, by how they ended.
    pub retention: Retention,
}

/// How long settled invocations are kept, by how they ended. What is not said here is the runtime's own setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Of those that succeeded.
    pub succeeded: Keep,
    /// Of those that failed.
    pub failed: Keep,
    /// Of those that grew too old.
    pub expired: Keep,
    /// Of those that were cancelled.
    pub cancelled: Keep,
}

/// How much of one kind is kept. The oldest go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Keep {
    /// How long since it was settled.
    pub age: Option<Duration>,
    /// How many.
    pub count: Option<u64>,
    /// Bytes of their records, payloads, results and logs.
    pub bytes: Option<u64>,
}

/// How much may wait: invocations and the bytes of their payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Invocations.
    pub count: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
}

/// How much may wait, of one function, of one namespace and in all. What follows from an outcome is never refused and
/// may go beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Of each function that has no limits of its own.
    pub function: Capacity,
    /// Of each namespace.
    pub namespace: Capacity,
    /// In all.
    pub all: Capacity,
}

impl Default for Capacities {
    fn default() -> Self {
        let all = Capacity { count: bounds::DEFAULT_MAX_QUEUED, bytes: bounds::DEFAULT_MAX_QUEUED_BYTES };
        Self { function: all, namespace: all, all }
    }
}

impl QueueConfig {
    /// How much may wait here, where the runtime says `otherwise`.
    #[must_use]
    pub fn capacity(&self, otherwise: Capacity) -> Capacity {
        Capacity {
            count: self.max_queued.unwrap_or(otherwise.count),
            bytes: self.max_queued_bytes.unwrap_or(otherwise.bytes),
        }
    }
}

/// The settings of one [`Keep`] as the API names them: age, count, bytes.
type KeepFields = [&'static str; 3];

impl QueueConfig {
    /// Checks that every number is in its range.
    ///
    /// # Errors
    /// [`OutOfRange`] with the first that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let concurrency = self.concurrency.map_or(1, NonZeroU32::get);
        within("concurrency", concurrency, &bounds::CONCURRENCY)?;
        within("max_queued", self.max_queued.unwrap_or(1), &bounds::MAX_QUEUED)?;
        within("max_queued_bytes", self.max_queued_bytes.unwrap_or(1), &bounds::MAX_QUEUED_BYTES)?;
        OutcomeKind::ALL.into_iter().try_for_each(|kind| self.retention.of(kind).check(keep_fields(kind)))
    }
}

const fn keep_fields(kind: OutcomeKind) -> KeepFields {
    match kind {
        OutcomeKind::Succeeded => {
            ["retention.succeeded.age_s", "retention.succeeded.count", "retention.succeeded.bytes"]
        }
        OutcomeKind::Failed => ["retention.failed.age_s", "retention.failed.count", "retention.failed.bytes"],
        OutcomeKind::Expired => ["retention.expired.age_s", "retention.expired.count", "retention.expired.bytes"],
        OutcomeKind::Cancelled => {
            ["retention.cancelled.age_s", "retention.cancelled.count", "retention.cancelled.bytes"]
        }
    }
}

impl Retention {
    /// What holds for invocations that ended like this.
    #[must_use]
    pub const fn of(&self, kind: OutcomeKind) -> Keep {
        match kind {
            OutcomeKind::Succeeded => self.succeeded,
            OutcomeKind::Failed => self.failed,
            OutcomeKind::Expired => self.expired,
            OutcomeKind::Cancelled => self.cancelled,
        }
    }
}

impl Keep {
    fn check(&self, [age, count, bytes]: KeepFields) -> Result<(), OutOfRange> {
        within(age, self.age.unwrap_or_default().as_secs(), &bounds::RETENTION_S)?;
        within(count, self.count.unwrap_or_default(), &bounds::KEPT_COUNT)?;
        within(bytes, self.bytes.unwrap_or_default(), &bounds::KEPT_BYTES)
    }

    /// This, and where it says nothing, `otherwise`.
    #[must_use]
    pub fn or(self, otherwise: Self) -> Self {
        Self {
            age: self.age.or(otherwise.age),
            count: self.count.or(otherwise.count),
            bytes: self.bytes.or(otherwise.bytes),
        }
    }
}
