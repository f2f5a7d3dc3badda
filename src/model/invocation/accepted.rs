//! What an invocation is accepted with, and what never changes afterwards: its target, what it brings, where it comes from and
//! how it is treated.

use serde::{Deserialize, Serialize};

use crate::model::bounds;
use crate::model::destination::{Destinations, Outside};
use crate::model::function::AsyncConfig;
use crate::model::names::{AccountName, FunctionId, FunctionPath, InvocationId, Namespace, VersionNumber};
use crate::model::retry::RetryPolicy;

/// Which version of which function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The function.
    pub function: FunctionId,
    /// What it was called on acceptance, for people.
    pub path: FunctionPath,
    /// The version. `None` when a destination names a version that is gone: it can only fail.
    pub version: Option<VersionNumber>,
}

/// Whether somebody waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Kept in the queue until it settles.
    Async,
    /// Run at once, once; a record of it is kept.
    Sync,
}

/// What an invocation brings besides its payload, which the store keeps apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The payload's size and type.
    pub payload: PayloadInfo,
    /// W3C trace context of the caller.
    pub traceparent: Option<String>,
    /// Header-like pairs that the function is told.
    pub attributes: Vec<(String, String)>,
    /// The head of the HTTP request that it is, where it is one; the payload is its body. A function that answers
    /// requests gets all of it at each attempt.
    #[serde(default)]
    pub head: Option<RequestHead>,
}

/// The head of an HTTP request. Up to [`crate::model::bounds::MAX_REQUEST_HEAD_BYTES`], for the record is written at every step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHead {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its headers, each value as the bytes that were sent.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl RequestHead {
    /// How much of it there is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        self.method.len() + self.target.len() + headers.sum::<usize>()
    }
}

/// Facts about a payload or a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadInfo {
    /// Its size.
    pub bytes: u64,
    /// Its media type; empty when nobody said.
    pub content_type: String,
}

impl PayloadInfo {
    /// Whether a text can be the media type of a payload: a header has to hold it. An empty one can.
    #[must_use]
    pub fn takes(content_type: &str) -> bool {
        let is_shown = |byte| byte == b' ' || u8::is_ascii_graphic(&byte);
        content_type.len() <= bounds::MAX_CONTENT_TYPE_BYTES && content_type.bytes().all(is_shown)
    }
}

/// Where an invocation comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The invocations that led here, the root first, this one not included.
    pub chain: Vec<InvocationId>,
    /// The settled invocation that this one repeats.
    pub retry_of: Option<InvocationId>,
}

impl Lineage {
    /// Steps from the root; 0 for a root.
    #[must_use]
    pub fn hop(&self) -> u32 {
        u32::try_from(self.chain.len()).unwrap_or(u32::MAX)
    }
}

/// How an invocation is treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Retries, age limit and destinations.
    pub config: AsyncConfig,
    /// Steps its chain may have.
    pub hop_limit: u32,
    /// Where its caller wants to be told of the outcome, whatever it is, besides.
    #[serde(default)]
    pub callback: Option<Outside>,
    /// The service account for which the destination that led to it invokes the function, if it is for one: it must be
    /// allowed to when it runs.
    #[serde(default)]
    pub invoker: Option<(Namespace, AccountName)>,
}

impl Policy {
    /// That of a synchronous invocation: one attempt, and nothing follows.
    #[must_use]
    pub fn once(hop_limit: u32) -> Self {
        let config =
            AsyncConfig { retry: RetryPolicy::NEVER, destinations: Destinations::default(), ..AsyncConfig::default() };
        Self { config, hop_limit, callback: None, invoker: None }
    }
}
