//! Why an invocation was not accepted: which limit, what is there, and how long the oldest has been waiting.

use std::time::Duration;

use crate::model::names::InvocationId;
use crate::store::StoreError;

/// Why an invocation was not accepted. Unless it is [`NotAccepted::Stopping`] or a store's `Unknown`, nothing happened.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// As many invocations of the function wait as may.
    #[error("the function's queue holds {}", .0.said("invocations"))]
    FunctionFull(Full),
    /// As many bytes of the function's payloads wait as may.
    #[error("the function's queue holds {}", .0.said("bytes of payloads"))]
    FunctionBytesFull(Full),
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for a different request, which became the invocation {0}")]
    KeyConflict(InvocationId),
    /// As many invocations of the namespace wait as may.
    #[error("the queues of the namespace hold {}", .0.said("invocations"))]
    NamespaceFull(Full),
    /// As many bytes of the namespace's payloads wait as may.
    #[error("the queues of the namespace hold {}", .0.said("bytes of payloads"))]
    NamespaceBytesFull(Full),
    /// As many invocations wait as may, in all.
    #[error("the queues hold {}", .0.said("invocations"))]
    RuntimeFull(Full),
    /// As many bytes of payloads wait as may, in all.
    #[error("the queues hold {}", .0.said("bytes of payloads"))]
    RuntimeBytesFull(Full),
    /// The process is going down, or a part of it failed.
    #[error("the runtime is shutting down: the invocation may or may not have been accepted")]
    Stopping,
    /// The store did not keep it.
    #[error(transparent)]
    Store(StoreError),
}

/// A limit on what waits that one more would pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// The limit.
    pub limit: u64,
    /// What is there.
    pub there: u64,
    /// How long the oldest of those that are due has been waiting.
    pub oldest: Option<Duration>,
    /// When to come again, as far as can be told from the rate at which they settle.
    pub retry_after: Duration,
}

impl Full {
    fn said(&self, what: &str) -> String {
        let Self { limit, there, oldest, .. } = self;
        let oldest = oldest.map(|age| format!(", the oldest of which has been due for {} s", age.as_secs()));
        format!("{there} {what}{}, and the limit is {limit}: come again later", oldest.unwrap_or_default())
    }
}

impl NotAccepted {
    /// When to come again, where that makes sense.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::FunctionFull(full)
            | Self::FunctionBytesFull(full)
            | Self::NamespaceFull(full)
            | Self::NamespaceBytesFull(full)
            | Self::RuntimeFull(full)
            | Self::RuntimeBytesFull(full) => Some(full.retry_after),
            Self::KeyConflict(_) | Self::Stopping | Self::Store(_) => None,
        }
    }
}
