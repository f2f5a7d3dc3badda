//! The state of an invocation as people name it, in every list, filter and answer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::invocation::{Invocation, State};
use super::outcome::Outcome;

/// Where an invocation stands, in order of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waits for its first attempt.
    Queued,
    /// Waits for a later attempt.
    Retrying,
    /// Runs.
    Running,
    /// Gave a result.
    Succeeded,
    /// Will give none.
    Failed,
    /// Grew too old.
    Expired,
    /// Was stopped.
    Cancelled,
}

/// The text names no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no status: use queued, retrying, running, succeeded, failed, expired or cancelled")]
pub struct InvalidStatus(String);

impl Status {
    /// Every status, in order of life.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Retrying, Self::Running, Self::Succeeded, Self::Failed, Self::Expired, Self::Cancelled];

    /// The status of an invocation. One that is settled has that of its outcome, also while its record is still
    /// on its way out.
    #[must_use]
    pub fn of(invocation: &Invocation) -> Self {
        match &invocation.state {
            State::Queued { attempt, .. } if attempt.get() == 1 => Self::Queued,
            State::Queued { .. } => Self::Retrying,
            State::Running { .. } => Self::Running,
            State::Delivering { outcome, .. } | State::Done { outcome, .. } => match outcome {
                Outcome::Succeeded => Self::Succeeded,
                Outcome::Failed(_) => Self::Failed,
                Outcome::Expired => Self::Expired,
                Outcome::Cancelled => Self::Cancelled,
            },
        }
    }

    /// The status as the API and the command line write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Retrying => "retrying",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the outcome is known.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Queued | Self::Retrying | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Expired | Self::Cancelled => true,
        }
    }
}

impl FromStr for Status {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        let named = Self::ALL.into_iter().find(|status| status.as_str() == text);
        named.ok_or_else(|| InvalidStatus(text.chars().take(50).collect()))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_as_it_is_written() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("done".parse::<Status>().unwrap_err().to_string().contains("`done`"));
    }
}
