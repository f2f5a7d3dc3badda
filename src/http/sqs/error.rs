//! Errors of this dialect: what it calls each of the queues' errors, in both protocols.

use axum::http::StatusCode;

use crate::access::NotAllowed;
use crate::messaging::queues::QueueError;
use crate::store::StoreError;

/// An error on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqsError {
    /// What the JSON protocol calls it, and clients name their exceptions after.
    pub(super) shape: &'static str,
    /// What the Query protocol calls it.
    pub(super) code: &'static str,
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl SqsError {
    /// An error that has one name in both protocols, and status 400.
    pub(super) fn named(name: &'static str, message: impl Into<String>) -> Self {
        Self { shape: name, code: name, status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// One whose name in the Query protocol is longer.
    pub(super) fn of_sqs(shape: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { code, ..Self::named(shape, message) }
    }

    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::named("InvalidParameterValue", message)
    }

    pub(super) fn missing(name: &str) -> Self {
        Self::named("MissingParameter", format!("the request must have the parameter {name}"))
    }

    pub(super) fn unread(status: StatusCode, limit: usize) -> Self {
        let message =
            format!("the request could not be read: it has up to {limit} bytes and arrives without long pauses");
        Self { status, ..Self::named("RequestEntityTooLarge", message) }
    }

    /// Whoever asks is not who it says.
    pub(super) fn not_let_in(why: &str) -> Self {
        Self { status: StatusCode::FORBIDDEN, ..Self::named("InvalidClientTokenId", why) }
    }

    /// The same error where it is about an attribute of a queue.
    pub(super) fn of_attribute(self) -> Self {
        if self.shape == "InvalidParameterValue" {
            Self { shape: "InvalidAttributeValue", code: "InvalidAttributeValue", ..self }
        } else {
            self
        }
    }

    /// Whether whoever asked is at fault.
    pub(super) fn is_senders(&self) -> bool {
        self.status.is_client_error()
    }
}

impl From<NotAllowed> for SqsError {
    fn from(refused: NotAllowed) -> Self {
        let message = refused.to_string();
        let (shape, code) = match refused {
            NotAllowed::Denied(_) => ("AccessDeniedException", "AccessDenied"),
            NotAllowed::Unauthenticated => ("MissingAuthenticationToken", "MissingAuthenticationToken"),
        };
        Self { status: StatusCode::FORBIDDEN, ..Self::of_sqs(shape, code, message) }
    }
}

impl From<QueueError> for SqsError {
    fn from(error: QueueError) -> Self {
        let message = error.to_string();
        let of_sqs = |shape, code| Self::of_sqs(shape, code, message.clone());
        match &error {
            QueueError::Attribute { .. }
            | QueueError::Cycle(_)
            | QueueError::DeadLetters { .. }
            | QueueError::FifoOnly { .. }
            | QueueError::NotFifo { .. }
            | QueueError::Range(_)
            | QueueError::ReceiptExpired
            | QueueError::Tags
            | QueueError::Text { .. }
            | QueueError::TooLarge { .. } => Self::parameter(message),
            QueueError::Character(_) => Self::named("InvalidMessageContents", message),
            QueueError::Empty | QueueError::Lacks { .. } => Self::named("MissingParameter", message),
            QueueError::Exists { .. } => of_sqs("QueueNameExists", "QueueAlreadyExists"),
            QueueError::Full { .. } | QueueError::InFlight { .. } | QueueError::TooMany { .. } => {
                Self { status: StatusCode::FORBIDDEN, ..Self::named("OverLimit", message) }
            }
            QueueError::Interrupted | QueueError::Store(StoreError::Refused(_) | StoreError::Stopped(_)) => {
                Self { status: StatusCode::SERVICE_UNAVAILABLE, ..Self::named("ServiceUnavailable", message) }
            }
            QueueError::NotInFlight => of_sqs("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
            QueueError::Purging(_) => Self {
                status: StatusCode::FORBIDDEN,
                ..of_sqs("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress")
            },
            QueueError::Receipt(_) => Self::named("ReceiptHandleIsInvalid", message),
            QueueError::Store(_) => {
                tracing::error!(%error, "a request of a queue's client failed");
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, ..Self::named("InternalFailure", message) }
            }
            QueueError::Unknown(_) => of_sqs("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
        }
    }
}
