//! What a guest asks of the runtime: the trait that the runtime implements, and what goes over it as plain values.
//!
//! Whether a guest may ask is decided on this side (`host`), before anything goes over; what comes of it on the other.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::call::{Identity, Reply};
use crate::model::names::{FunctionPath, Qualifier, StoreName};
use crate::model::place::Priority;

/// An answer that arrives later. Dropped before, what was asked is stopped where it can be.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, NotDone>> + Send + 'a>>;

/// What the runtime does for a guest.
pub trait Asks: Send + Sync + 'static {
    /// Runs a function, once, and waits for what it gives. Dropping the answer stops the function.
    fn invoke(&self, order: Order) -> Asked<'_, Invoked>;

    /// Leaves an invocation to the queue. Answers with its id once it would survive a power cut.
    fn enqueue(&self, order: Order, queueing: Queueing) -> Asked<'_, String>;

    /// The values under some keys of a key-value store, in their order.
    fn get_pairs(&self, of: Pairs, keys: Vec<String>) -> Asked<'_, Vec<Option<Bytes>>>;

    /// Whether a key-value store has such a key.
    fn has_pair(&self, of: Pairs, key: String) -> Asked<'_, bool>;

    /// Keys of a key-value store from behind a place, at most `limit`, and the place to go on from.
    fn list_pairs(&self, of: Pairs, after: Option<u64>, limit: usize) -> Asked<'_, (Vec<String>, Option<u64>)>;

    /// Sets and removes pairs, all or none. Answers once it would survive a power cut; is done also when the answer is
    /// dropped.
    fn change_pairs(&self, of: Pairs, changes: Vec<(String, Option<Bytes>)>) -> Asked<'_, ()>;

    /// Adds to the number under a key and answers with the sum, like that.
    fn increment(&self, of: Pairs, key: String, delta: u64) -> Asked<'_, u64>;
}

impl fmt::Debug for dyn Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asks")
    }
}

/// A function that is to be run on a guest's behalf.
#[derive(Clone, Debug)]
pub struct Order {
    /// Who asks: its chain and its trace go on.
    pub caller: Arc<Identity>,
    /// The function.
    pub path: FunctionPath,
    /// Which of its versions.
    pub qualifier: Qualifier,
    /// What it brings.
    pub payload: Bytes,
    /// Its media type; empty when the guest did not say.
    pub content_type: String,
}

/// How an invocation is to be queued.
#[derive(Clone, Debug)]
pub struct Queueing {
    /// How long it waits at least.
    pub delay: Duration,
    /// How urgent it is.
    pub priority: Priority,
    /// The guest's name for the request.
    pub idempotency_key: Option<String>,
}

/// A key-value store as a guest names it.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Who asks: the store is one of its namespace.
    pub caller: Arc<Identity>,
    /// The store.
    pub store: StoreName,
}

/// What a function gave that was waited for.
#[derive(Clone, Debug)]
pub struct Invoked {
    /// The invocation's id.
    pub id: String,
    /// What it gave.
    pub reply: Reply,
}

/// Why the runtime did not do what a guest asked. Each has a text for people.
#[derive(Clone, Debug)]
pub enum NotDone {
    /// What was asked makes no sense.
    BadRequest(String),
    /// It was not granted. Said on this side, before the runtime is asked.
    Denied(String),
    /// The function ran, and failed.
    Failed {
        /// The invocation's id.
        id: String,
        /// The kind of failure.
        kind: &'static str,
        /// What happened.
        message: String,
        /// What an http function answered with a failing status.
        answer: Option<Box<Reply>>,
    },
    /// The chain would be longer than allowed.
    HopLimit(String),
    /// There is no such thing.
    NotFound(String),
    /// There is no room now.
    Overloaded {
        /// In what.
        message: String,
        /// When to come again.
        retry_after: Duration,
    },
    /// A payload is over its limit.
    TooLarge(String),
    /// It cannot be done now, or nobody can tell whether it was.
    Unavailable(String),
}

impl NotDone {
    /// What is wrong, for people.
    pub fn message(self) -> String {
        match self {
            Self::BadRequest(message)
            | Self::Denied(message)
            | Self::Failed { message, .. }
            | Self::HopLimit(message)
            | Self::NotFound(message)
            | Self::Overloaded { message, .. }
            | Self::TooLarge(message)
            | Self::Unavailable(message) => message,
        }
    }
}

/// Nobody to ask, for runs without a runtime around them.
#[cfg(test)]
pub(crate) struct Nobody;

#[cfg(test)]
impl Asks for Nobody {
    fn invoke(&self, _: Order) -> Asked<'_, Invoked> {
        nobody()
    }

    fn enqueue(&self, _: Order, _: Queueing) -> Asked<'_, String> {
        nobody()
    }

    fn get_pairs(&self, _: Pairs, _: Vec<String>) -> Asked<'_, Vec<Option<Bytes>>> {
        nobody()
    }

    fn has_pair(&self, _: Pairs, _: String) -> Asked<'_, bool> {
        nobody()
    }

    fn list_pairs(&self, _: Pairs, _: Option<u64>, _: usize) -> Asked<'_, (Vec<String>, Option<u64>)> {
        nobody()
    }

    fn change_pairs(&self, _: Pairs, _: Vec<(String, Option<Bytes>)>) -> Asked<'_, ()> {
        nobody()
    }

    fn increment(&self, _: Pairs, _: String, _: u64) -> Asked<'_, u64> {
        nobody()
    }
}

#[cfg(test)]
fn nobody<T: Send + 'static>() -> Asked<'static, T> {
    Box::pin(async { Err(NotDone::Unavailable("there is no runtime here".to_owned())) })
}
