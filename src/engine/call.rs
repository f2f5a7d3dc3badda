//! What goes into one run of a guest and what comes out: plain values, no wasmtime.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::asks::Asks;
use crate::model::function::Version;
use crate::model::invocation::RequestHead;
use crate::model::names::Namespace;
use crate::model::outcome::Failure;
use crate::model::secret::Entrusted;
use crate::model::time::Timestamp;
use crate::model::usage::Usage;

/// One run: what the guest gets and what it may use.
#[derive(Clone, Debug)]
pub struct Call {
    /// What it brings.
    pub input: Input,
    /// Who the guest is told it is.
    pub identity: Arc<Identity>,
    /// What runs: its arguments, its environment, what it may use and what it may reach.
    pub version: Arc<Version>,
    /// The secrets it has in its environment. They are in no log and no message.
    pub secrets: Entrusted,
    /// Where it asks for what only the runtime can do.
    pub desk: Arc<dyn Asks>,
}

impl Call {
    /// Wall-clock time it may take, host calls included.
    pub fn timeout(&self) -> Duration {
        self.version.limits.timeout
    }

    /// How large its result may be.
    pub fn result_bytes(&self) -> usize {
        usize::try_from(self.version.limits.space.result_bytes).unwrap_or(usize::MAX)
    }
}

/// What a run brings.
#[derive(Clone, Debug)]
pub enum Input {
    /// A payload, which each kind of entrypoint receives in its way.
    Payload(Bytes),
    /// An HTTP request, for the `http` kind.
    Request(Box<Request>),
}

impl Input {
    /// The payload, or the body of the request.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Payload(payload) => payload,
            Self::Request(request) => &request.body,
        }
    }
}

/// An HTTP request as an `http` function sees it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Path and query, as under the function's own URL.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl Request {
    /// What of it is kept beside its body, when it waits in the queue.
    pub fn head(&self) -> RequestHead {
        let target = self.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let headers = self.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        RequestHead { method: self.method.as_str().to_owned(), target, headers: headers.collect() }
    }

    /// The request of which `head` was kept; `None` where it is no head of one.
    pub fn again(head: &RequestHead, body: Bytes) -> Option<Self> {
        let header = |(name, value): &(String, Vec<u8>)| {
            Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::from_bytes(value).ok()?))
        };
        let mut headers = HeaderMap::new();
        for kept in &head.headers {
            let (name, value) = header(kept)?;
            headers.append(name, value);
        }
        let (method, uri) = (head.method.parse().ok()?, head.target.parse().ok()?);
        Some(Self { method, uri, headers, body })
    }
}

/// What every kind of guest is told about the invocation it serves. Plain text: the engine makes nothing of it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The invocation's id.
    pub invocation: String,
    /// Whose function it is.
    pub namespace: Namespace,
    /// The function's name.
    pub function: String,
    /// The version's number.
    pub version: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Media type of the payload; empty when nobody said.
    pub content_type: String,
    /// When the invocation was accepted.
    pub accepted: Timestamp,
    /// When the run is cut off.
    pub deadline: Timestamp,
    /// Ids of the invocations that led here, the root first.
    pub chain: Vec<String>,
    /// Steps from the root of the chain.
    pub hop: u32,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Header-like pairs that came with the invocation.
    pub attributes: Vec<(String, String)>,
}

impl Identity {
    /// What an instance is told that serves several invocations at once: what is the same for all of them.
    pub(super) fn of_instance(&self) -> Self {
        Self {
            invocation: String::new(),
            namespace: self.namespace.clone(),
            function: self.function.clone(),
            version: self.version,
            attempt: 0,
            content_type: String::new(),
            accepted: Timestamp::default(),
            deadline: Timestamp::default(),
            chain: Vec::new(),
            hop: 0,
            traceparent: None,
            attributes: Vec::new(),
        }
    }

    /// Whether it is that of one invocation.
    pub(super) const fn is_of_one(&self) -> bool {
        !self.invocation.is_empty()
    }
}

/// What one run gave.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The result, or why there is none.
    pub end: Result<Reply, Failure>,
    /// An http function's answer that counts as a failure: what a waiting caller is shown all the same.
    pub answer: Option<Reply>,
    /// What it wrote to stdout (where that is not the result) and stderr, cut at its bound.
    pub log: Bytes,
    /// What it used, as far as the engine knows.
    pub usage: Usage,
    /// What it was when it trapped, where its version wants to know.
    pub core_dump: Option<Bytes>,
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Status and headers, where the function is an `http` one.
    pub head: Option<(StatusCode, HeaderMap)>,
    /// Media type of the body; empty when the function did not say.
    pub content_type: String,
    /// The bytes.
    pub body: Bytes,
}
