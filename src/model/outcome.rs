//! How attempts and invocations end. A guest's misbehaviour is a value here, never an error of the program.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds;
use super::names::Edge;

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// An attempt gave a result.
    Succeeded,
    /// It will give none.
    Failed(FailedFor),
    /// It grew too old before an attempt succeeded.
    Expired,
    /// Somebody asked for it to stop.
    Cancelled,
}

/// Why no attempt is going to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailedFor {
    /// The function was deleted.
    FunctionRemoved,
    /// Its chain has more steps than allowed.
    HopLimitExceeded,
    /// The function said that trying again is of no use.
    PermanentFailure,
    /// Every allowed attempt failed.
    RetriesExhausted,
}

/// How an invocation ended, without the reason: what is counted and kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OutcomeKind {
    /// An attempt gave a result.
    Succeeded,
    /// It will give none.
    Failed,
    /// It grew too old.
    Expired,
    /// It was stopped.
    Cancelled,
}

impl OutcomeKind {
    /// Every kind, in the order of their numbers in tables.
    pub const ALL: [Self; 4] = [Self::Succeeded, Self::Failed, Self::Expired, Self::Cancelled];

    /// As the API and the metrics write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Outcome {
    /// Which kind it is of.
    #[must_use]
    pub const fn kind(self) -> OutcomeKind {
        match self {
            Self::Succeeded => OutcomeKind::Succeeded,
            Self::Failed(_) => OutcomeKind::Failed,
            Self::Expired => OutcomeKind::Expired,
            Self::Cancelled => OutcomeKind::Cancelled,
        }
    }

    /// Which destination the record of this outcome goes to.
    #[must_use]
    pub const fn edge(self) -> Edge {
        match self {
            Self::Succeeded => Edge::OnSuccess,
            Self::Failed(_) | Self::Expired | Self::Cancelled => Edge::OnFailure,
        }
    }

    /// Whether a destination learns of it. A chain that is cut for its length must not grow by the cut.
    #[must_use]
    pub const fn is_passed_on(self) -> bool {
        !matches!(self, Self::Failed(FailedFor::HopLimitExceeded))
    }

    /// `condition` of the record (seed: FunctionGraph asynchronous configuration): empty on success.
    #[must_use]
    pub const fn condition(self) -> &'static str {
        match self {
            Self::Succeeded => "",
            Self::Failed(FailedFor::FunctionRemoved) => "FunctionRemoved",
            Self::Failed(FailedFor::HopLimitExceeded) => "HopLimitExceeded",
            Self::Failed(FailedFor::PermanentFailure) => "PermanentFailure",
            Self::Failed(FailedFor::RetriesExhausted) => "RetriesExhausted",
            Self::Expired => "EventAgeExceeded",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// Why one attempt gave no result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// The kind, for programs.
    pub kind: FailureKind,
    /// What happened, for people; cut at [`bounds::MAX_MESSAGE_BYTES`].
    pub message: String,
    /// Whether and when another attempt makes sense.
    pub advice: Advice,
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailureKind {
    /// The service account that it was to run for lacks a role.
    AccessDenied,
    /// A command ended with this exit code.
    ExitCode(i32),
    /// An http function answered with this status.
    HttpStatus(u16),
    /// The process ended while the attempt ran.
    Interrupted,
    /// The module could not be loaded or instantiated.
    Load,
    /// It asked for more memory than its version allows, and then failed.
    OutOfMemory,
    /// A handler said `permanent`.
    Permanent,
    /// The result is larger than [`bounds::MAX_RESULT_BYTES`].
    ResponseTooLarge,
    /// A handler said `retryable`.
    Retryable,
    /// Calls nested too deep.
    StackOverflow,
    /// A handler said `throttled`.
    Throttled,
    /// It ran longer than its version allows.
    Timeout,
    /// It executed an instruction that traps.
    Trap,
    /// It was refused more elements of a table than its version allows, and then failed.
    TableTooLarge,
    /// It is linked from more core instances than its version allows.
    TooManyInstances,
    /// It holds more open resources than its version allows.
    TooManyHandles,
    /// It used up the fuel that its version allows.
    OutOfFuel,
}

impl FailureKind {
    /// The kind as the API and the logs name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ExitCode(_) => "exit_code",
            Self::HttpStatus(_) => "http_status",
            Self::Interrupted => "interrupted",
            Self::Load => "load",
            Self::OutOfFuel => "out_of_fuel",
            Self::OutOfMemory => "out_of_memory",
            Self::Permanent => "permanent",
            Self::ResponseTooLarge => "response_too_large",
            Self::Retryable => "retryable",
            Self::StackOverflow => "stack_overflow",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Trap => "trap",
            Self::TableTooLarge => "table_too_large",
            Self::TooManyInstances => "too_many_instances",
            Self::TooManyHandles => "too_many_handles",
        }
    }
}

/// What a failure says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Advice {
    /// Try again after the usual pause, if attempts are left.
    Retry,
    /// Try again, if attempts are left, and not before this.
    RetryAfter(Duration),
    /// Come again after this; the attempt does not count.
    Postpone(Duration),
    /// Do not try again.
    GiveUp,
}

/// Stands at the end of a message that was cut.
const CUT: &str = " … (cut)";

impl Failure {
    /// A failure; the message is cut to its bound.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>, advice: Advice) -> Self {
        let mut failure = Self { kind, message: message.into(), advice };
        failure.shorten(bounds::MAX_MESSAGE_BYTES);
        failure
    }

    /// Cuts the message to about `limit` bytes.
    pub fn shorten(&mut self, limit: usize) {
        if self.message.len() > limit + CUT.len() {
            self.message.truncate(self.message.floor_char_boundary(limit));
            self.message.push_str(CUT);
        }
    }

    /// The same failure with another message: `other` makes it of this one, and is told whether the end of it is missing.
    #[must_use]
    pub fn with_message(self, other: impl FnOnce(String, bool) -> String) -> Self {
        let Self { kind, message, advice } = self;
        let message = match message.strip_suffix(CUT) {
            Some(rest) => other(rest.to_owned(), true) + CUT,
            None => other(message, false),
        };
        Self { kind, message, advice }
    }

    /// A failure that is worth another attempt.
    #[must_use]
    pub fn retry(kind: FailureKind, message: impl Into<String>) -> Self {
        Self::new(kind, message, Advice::Retry)
    }
}
