//! Why something was not sent, or not answered.

use std::time::Duration;

/// Why a request was not sent, or not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unsent {
    /// What kind of failure it is, for programs.
    pub cause: Cause,
    /// What happened, for people.
    pub why: String,
}

/// What kept a request from being sent or answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The other side broke off in the middle.
    BrokenOff,
    /// Its certificate is not to be trusted.
    Certificate,
    /// Nothing listens there.
    ConnectionRefused,
    /// There was no connection in time.
    ConnectionTimeout,
    /// The address is no address.
    InvalidUri,
    /// The system's resolver was too slow.
    LookupTimeout,
    /// There was no answer in time.
    NotAnswered,
    /// It may not be reached.
    PrivateAddress,
    /// The other side ended the greeting.
    Terminated,
    /// The other side ended the greeting, and said why.
    TlsAlert {
        /// Its number.
        id: u8,
        /// Its name.
        name: String,
    },
    /// The greeting went wrong.
    TlsProtocol,
    /// It cannot be connected to.
    Unavailable,
    /// The name has no address.
    UnknownName,
    /// No way leads there.
    Unroutable,
    /// The scheme is none that requests are sent by.
    WrongScheme,
}

impl Unsent {
    /// That it failed, and why.
    pub fn new(cause: Cause, why: impl Into<String>) -> Self {
        Self { cause, why: why.into() }
    }
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

/// Of what is sent again and again: what is down comes back, and what may not be reached is for somebody to change.
impl From<Unsent> for NotSent {
    fn from(unsent: Unsent) -> Self {
        match unsent.cause {
            Cause::InvalidUri | Cause::PrivateAddress | Cause::WrongScheme => Self::never(unsent.why),
            _ => Self::retry(unsent.why),
        }
    }
}
