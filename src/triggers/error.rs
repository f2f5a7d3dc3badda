//! Why a trigger was not found, made or fired. Knows no status codes.

use crate::messaging::queues::QueueError;
use crate::model::bounds;
use crate::model::names::{Namespace, TriggerName};
use crate::model::trigger::InvalidSource;
use crate::registry::RegistryError;
use crate::store::StoreError;

/// Why a trigger was not found, made or fired. Unless it is a store's `Unknown`, nothing has changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TriggerError {
    /// There is one of this name already.
    #[error("there is a trigger `{name}` in the namespace `{namespace}` already: use another name")]
    Exists {
        /// Whose it is.
        namespace: Namespace,
        /// Which.
        name: TriggerName,
    },
    /// The process is shutting down, or the change panicked.
    #[error("the change was interrupted; it may or may not have taken effect: look, and repeat it if it did not")]
    Interrupted,
    /// Only timers can be fired by hand.
    #[error("the trigger `{name}` is a {kind} trigger: only a timer can be fired by hand")]
    NotATimer {
        /// Which.
        name: TriggerName,
        /// What it is.
        kind: &'static str,
    },
    /// What a timer gives its function is too much.
    #[error(
        "the payload of a timer has up to {most} bytes, and this one has {0}",
        most = bounds::MAX_TIMER_PAYLOAD_BYTES
    )]
    Payload(usize),
    /// The queue is not there.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The function is not there, or a cycle would be closed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It cannot take from a queue like that.
    #[error(transparent)]
    Source(#[from] InvalidSource),
    /// The store did not answer as hoped.
    #[error("the change could not be kept: {0}")]
    Store(#[from] StoreError),
    /// There are as many as there may be.
    #[error("there would be more than {} triggers: delete some first", bounds::MAX_TRIGGERS)]
    TooMany,
    /// There is no such trigger.
    #[error("there is no trigger `{name}` in the namespace `{namespace}`")]
    Unknown {
        /// Where it was looked for.
        namespace: Namespace,
        /// Which.
        name: TriggerName,
    },
}
