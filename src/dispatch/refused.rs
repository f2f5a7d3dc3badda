//! Why an invocation was not accepted: which limit, what is there, and how long the oldest has been waiting.

use std::time::Duration;

use crate::model::names::InvocationId;
use crate::store::StoreError;

/// Why an invocation was not accepted. Unless it is [`NotAccepted::Stopping`] or a store's `Unknown`, nothing happened.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// As many invocations of the function wait as may.
    #[error("the function's queue holds {}", .0.said("invocations", "`max_queued` of the function, else `--max-queued-per-function`"))]
    FunctionFull(Full),
    /// As many bytes of the function's payloads wait as may.
    #[error("the function's queue holds {}", .0.said("bytes of payloads", "`max_queued_bytes` of the function, else `--max-queued-bytes-per-function`"))]
    FunctionBytesFull(Full),
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for a different request, which became the invocation {0}")]
    KeyConflict(InvocationId),
    /// As many invocations of the namespace wait as may.
    #[error("the queues of the namespace hold {}", .0.said("invocations", "`--max-queued-per-namespace`"))]
    NamespaceFull(Full),
    /// As many bytes of the namespace's payloads wait as may.
    #[error("the queues of the namespace hold {}", .0.said("bytes of payloads", "`--max-queued-bytes-per-namespace`"))]
    NamespaceBytesFull(Full),
    /// As many invocations wait as may, in all.
    #[error("the queues of all functions hold {}", .0.said("invocations", "`--max-queued`"))]
    RuntimeFull(Full),
    /// As many bytes of payloads wait as may, in all.
    #[error("the queues of all functions hold {}", .0.said("bytes of payloads", "`--max-queued-bytes`"))]
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
    /// `setting` is where the limit comes from.
    fn said(&self, what: &str, setting: &str) -> String {
        let Self { limit, there, oldest, .. } = self;
        let oldest = oldest.map(|age| format!(", the oldest of which has been due for {} s", age.as_secs()));
        let oldest = oldest.unwrap_or_default();
        format!("{there} {what}{oldest}, and the limit is {limit} ({setting}): come again later")
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
