//! Where in the queue an invocation stands: whose lane, how urgent, when due, when too old. Pure values; who is
//! next is decided in [`crate::dispatch`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::{FunctionId, InvocationId, VersionNumber};
use super::time::Timestamp;

/// How urgent an invocation is among those of its function. In order: what sorts first goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before the others.
    High,
    /// Unless told.
    #[default]
    Normal,
    /// After the others, but never starved by them.
    Low,
}

/// The text names no priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no priority: use high, normal or low")]
pub struct InvalidPriority(String);

/// Invocations that stand in one row: of one version, equally urgent. They share slots and are taken by due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// Whose.
    pub function: FunctionId,
    /// The version that they need a slot of; `None` once it is gone.
    pub version: Option<VersionNumber>,
    /// How urgent.
    pub priority: Priority,
}

/// A place within a lane: what is due first goes first, and of those due together the smaller id.
pub type Turn = (Timestamp, InvocationId);

/// What waits, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The invocation.
    pub id: InvocationId,
    /// The row it stands in.
    pub lane: Lane,
    /// When it may be taken.
    pub due: Timestamp,
    /// When it is too old.
    pub expires: Timestamp,
}

impl Place {
    /// Where in its lane.
    #[must_use]
    pub const fn turn(&self) -> Turn {
        (self.due, self.id)
    }
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

impl FromStr for Priority {
    type Err = InvalidPriority;

    fn from_str(text: &str) -> Result<Self, InvalidPriority> {
        let named = Self::ALL.into_iter().find(|priority| priority.as_str() == text);
        named.ok_or_else(|| InvalidPriority(text.chars().take(100).collect()))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
