//! Errors of this dialect: what it calls each of the queues' errors, in both protocols.

use std::time::Duration;

use axum::http::StatusCode;

use crate::access::NotAllowed;
use crate::http::problem::{Problem, Unproven};
use crate::messaging::queues::QueueError;
use crate::model::bounds::OutOfRange;
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
    /// How long to wait before trying again, where that is known.
    pub(super) retry_after: Option<Duration>,
}

impl SqsError {
    /// An error that has one name in both protocols, and status 400.
    pub(super) fn named(name: &'static str, message: impl Into<String>) -> Self {
        let (status, message) = (StatusCode::BAD_REQUEST, message.into());
        Self { shape: name, code: name, status, message, retry_after: None }
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

    /// The error where the settings of a queue are what was asked for.
    pub(super) fn of_settings(error: QueueError) -> Self {
        Self::from(renamed(error, Subject::Queue)).of_attribute()
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

/// What is refused before it is one of this dialect's requests, by the names that its clients know.
impl From<Problem> for SqsError {
    fn from(problem: Problem) -> Self {
        let (name, status) = match (problem.unproven(), problem.status().as_u16()) {
            (Some(Unproven::Incomplete), _) => ("IncompleteSignature", 400),
            (Some(Unproven::Unknown), _) => ("InvalidClientTokenId", 403),
            (Some(Unproven::Untimely), _) => ("RequestExpired", 400),
            (Some(Unproven::Wrong), _) => ("SignatureDoesNotMatch", 403),
            (None, 401) => ("MissingAuthenticationToken", 403),
            (None, 408) => ("RequestTimeoutException", 408),
            (None, 413) => ("RequestEntityTooLarge", 413),
            (None, 429) => ("RequestThrottled", 429),
            (None, 503 | 507) => ("ServiceUnavailable", 503),
            (None, 500..) => ("InternalFailure", 500),
            (None, _) => ("MalformedHttpRequestException", 400),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, retry_after: problem.wait(), ..Self::named(name, problem.detail()) }
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

/// What a request is about.
#[derive(Clone, Copy)]
enum Subject {
    Queue,
    Messages,
}

/// The error with SQS's names for the members that the queues' own names stand for; names of SQS stay as they are.
fn renamed(error: QueueError, of: Subject) -> QueueError {
    match error {
        QueueError::Range(range) => QueueError::Range(OutOfRange { field: member(range.field, of), ..range }),
        QueueError::Exists { path, differs } => QueueError::Exists { path, differs: member(differs, of) },
        error => error,
    }
}

fn member(own: &'static str, of: Subject) -> &'static str {
    match (own, of) {
        ("deduplication", _) => "ContentBasedDeduplication",
        ("delay" | "delay_s", _) => "DelaySeconds",
        ("max_message_bytes" | "message size", _) => "MaximumMessageSize",
        ("max_receives", _) => "maxReceiveCount",
        ("redrive policy", _) => "RedrivePolicy",
        ("retention" | "retention_s", _) => "MessageRetentionPeriod",
        ("visibility" | "visibility_s", _) => "VisibilityTimeout",
        ("receive wait" | "wait_s", Subject::Queue) => "ReceiveMessageWaitTimeSeconds",
        ("wait_s", Subject::Messages) => "WaitTimeSeconds",
        (other, _) => other,
    }
}

impl From<QueueError> for SqsError {
    fn from(error: QueueError) -> Self {
        let error = renamed(error, Subject::Messages);
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
            QueueError::Interrupted
            | QueueError::Store(StoreError::Full(_) | StoreError::Refused(_) | StoreError::Stopped(_)) => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::message_queue::{QueuePath, QueueSettings, Redrive};

    #[track_caller]
    fn check(problem: Problem, name: &str, status: u16) {
        let error = SqsError::from(problem);
        assert_eq!((error.code, error.status.as_u16()), (name, status));
    }

    #[test]
    fn a_refusal_at_the_door_has_the_name_that_tells_a_client_what_to_do() {
        for (what, name, status) in [
            (Unproven::Incomplete, "IncompleteSignature", 400),
            (Unproven::Unknown, "InvalidClientTokenId", 403),
            (Unproven::Untimely, "RequestExpired", 400),
            (Unproven::Wrong, "SignatureDoesNotMatch", 403),
        ] {
            check(Problem::unauthenticated(what, String::new()), name, status);
        }
        let problem = |status| Problem::new(StatusCode::from_u16(status).unwrap(), "some", String::new());
        check(problem(408), "RequestTimeoutException", 408);
        check(problem(413), "RequestEntityTooLarge", 413);
        check(problem(500), "InternalFailure", 500);
        check(problem(400), "MalformedHttpRequestException", 400);
        let busy = problem(429).retry_after(Some(Duration::from_secs(2)));
        assert_eq!(SqsError::from(busy).retry_after, Some(Duration::from_secs(2)));
    }

    #[test]
    fn what_is_out_of_range_or_differs_is_called_what_sqs_calls_it() {
        let range = |field| QueueError::Range(OutOfRange { field, value: 901, min: 0, max: 900 });
        let path = QueuePath { namespace: "default".parse().unwrap(), name: "q".parse().unwrap() };
        let exists = QueueError::Exists { path, differs: "receive wait" };
        let sent = SqsError::from(range("delay_s"));
        assert_eq!((sent.code, &*sent.message), ("InvalidParameterValue", "DelaySeconds is 901: use 0 to 900"));
        assert_eq!(SqsError::from(range("wait_s")).message, "WaitTimeSeconds is 901: use 0 to 900");
        let attribute = SqsError::of_settings(range("wait_s"));
        let told = "ReceiveMessageWaitTimeSeconds is 901: use 0 to 900";
        assert_eq!((attribute.code, &*attribute.message), ("InvalidAttributeValue", told));
        assert!(SqsError::of_settings(exists).message.contains("its ReceiveMessageWaitTimeSeconds differs"));
    }

    #[test]
    fn the_bounds_of_every_setting_have_a_name_in_sqs() {
        let most = QueueSettings {
            visibility_s: u32::MAX,
            delay_s: u32::MAX,
            retention_s: u32::MAX,
            wait_s: u32::MAX,
            max_message_bytes: u32::MAX,
            redrive: Some(Redrive { to: "dead".parse().unwrap(), max_receives: u32::MAX }),
            content_deduplication: false,
        };
        let usual = QueueSettings::default();
        for settings in [
            QueueSettings { visibility_s: most.visibility_s, ..usual.clone() },
            QueueSettings { delay_s: most.delay_s, ..usual.clone() },
            QueueSettings { retention_s: most.retention_s, ..usual.clone() },
            QueueSettings { wait_s: most.wait_s, ..usual.clone() },
            QueueSettings { max_message_bytes: most.max_message_bytes, ..usual.clone() },
            QueueSettings { redrive: most.redrive, ..usual },
        ] {
            let refused = SqsError::of_settings(settings.check().unwrap_err().into());
            assert!(!refused.message.contains('_'), "{}", refused.message);
        }
    }

    #[test]
    fn a_full_store_is_no_fault_of_the_request_and_may_be_asked_again() {
        let full = SqsError::from(QueueError::Store(StoreError::Full("the disk is full".to_owned())));
        assert_eq!((full.code, full.status), ("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE));
    }
}
