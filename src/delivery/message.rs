//! What a delivery brings, and how bringing it may fail: the same for every kind of destination.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::model::names::{FunctionName, InvocationId, Namespace};
use crate::model::outcome::OutcomeKind;
use crate::model::time::Timestamp;

/// What is brought to a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What a receiver knows it by: the same at every try.
    pub id: Uuid,
    /// What it says, in the form that the destination's terms ask for; the same bytes at every try.
    pub body: Bytes,
    /// The media type of `body`; empty where nobody said.
    pub content_type: String,
    /// What goes with it: headers of an HTTP request, attributes elsewhere. Names are lower case.
    pub headers: Vec<(String, String)>,
    /// Whose function has settled: the targets of its destinations are in this namespace.
    pub namespace: Namespace,
    /// The function.
    pub function: FunctionName,
    /// The invocation that has settled.
    pub invocation: InvocationId,
    /// When it settled.
    pub settled: Timestamp,
    /// How it ended.
    pub outcome: OutcomeKind,
}

/// Why a try brought nothing. What it says is shown to people: it has no secret in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// Another try may do.
    #[error("{why}")]
    Retry {
        /// What happened.
        why: String,
        /// Not before this has passed, where the other side said so.
        after: Option<Duration>,
    },
    /// No other try will do: the target is gone, or does not take this.
    #[error("{why}")]
    Never {
        /// What happened, and what to do.
        why: String,
    },
}

impl NotSent {
    /// Another try may do.
    pub fn retry(why: impl Into<String>) -> Self {
        Self::Retry { why: why.into(), after: None }
    }

    /// No other try will do.
    pub fn never(why: impl Into<String>) -> Self {
        Self::Never { why: why.into() }
    }
}
