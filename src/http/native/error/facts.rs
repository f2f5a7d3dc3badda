//! Status, code, effect and fault of each error of the runtime, one line each: the tables of the native dialect.

use axum::http::StatusCode as S;

use crate::access::{AccessError, NotAllowed};
use crate::delivery::{ConnectionError, ObjectError};
use crate::dispatch::NotAccepted;
use crate::engine::{Refused, RefusedDirectory};
use crate::http::problem::{Effect, Fault};
use crate::key_value::KeyValueError;
use crate::messaging::queues::QueueError;
use crate::messaging::streams::StreamError;
use crate::messaging::topics::TopicError;
use crate::model::outcome::FailureKind;
use crate::model::target::InvalidTarget;
use crate::oci::PullError;
use crate::registry::{RegistryError, TargetRefused};
use crate::runtime::{Error, FileError};
use crate::store::StoreError;
use crate::triggers::TriggerError;
use crate::vault::VaultError;

/// Status, code, whether anything happened, and whose doing it is.
pub(super) type Facts = (S, &'static str, Effect, Fault);

/// The change goes on, or did not: nobody is left to say.
const INTERRUPTED: Facts = (S::SERVICE_UNAVAILABLE, "interrupted", Effect::Unknown, Fault::Platform);
const DISK_FULL: Facts = (S::INSUFFICIENT_STORAGE, "disk_full", Effect::None, Fault::Platform);
const KEY_REUSED: Facts = caller(S::CONFLICT, "idempotency_key_reused");

const fn caller(status: S, code: &'static str) -> Facts {
    (status, code, Effect::None, Fault::Caller)
}

/// What is told of an error besides its sentence.
pub(super) fn facts(error: &Error) -> Facts {
    match error {
        Error::Access(error) => access(error),
        Error::AlreadySettled { .. } => caller(S::CONFLICT, "already_settled"),
        Error::Denied(_) | Error::NotAllowed(NotAllowed::Denied(_)) => caller(S::FORBIDDEN, "access_denied"),
        Error::NotAllowed(NotAllowed::Unauthenticated) => caller(S::UNAUTHORIZED, "unauthenticated"),
        Error::Connection(error) => connection(error),
        Error::Disabled(_) => caller(S::TOO_MANY_REQUESTS, "function_disabled"),
        Error::ConnectionUnknown { .. } => caller(S::NOT_FOUND, "connection_not_found"),
        Error::File(error) => file(error),
        Error::Function { failure, .. } => {
            (function_status(failure.kind), "function_failed", Effect::Unknown, Fault::Function)
        }
        Error::HeadTooLarge { .. } => caller(S::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large"),
        // A circle of functions is the functions' doing; the request itself was turned away.
        Error::HopLimit { .. } => (S::LOOP_DETECTED, "hop_limit_exceeded", Effect::None, Fault::Function),
        Error::InvocationUnknown(_) => caller(S::NOT_FOUND, "invocation_not_found"),
        Error::IdempotencyConflict { .. } => KEY_REUSED,
        Error::IdempotencyKey => caller(S::BAD_REQUEST, "bad_idempotency_key"),
        Error::Image(error) => image(error),
        Error::Interrupted => INTERRUPTED,
        Error::NoSchema { .. } => caller(S::NOT_FOUND, "no_schema"),
        Error::NotADeadLetter(_) => caller(S::CONFLICT, "not_a_dead_letter"),
        Error::NotAccepted(error) => not_accepted(error),
        Error::Store(error) => store(error),
        Error::NotLoaded(_) => (S::SERVICE_UNAVAILABLE, "module_not_loaded", Effect::None, Fault::Platform),
        Error::NotQueued { .. } => caller(S::CONFLICT, "not_queued"),
        Error::NothingToRedeliver(_) => caller(S::CONFLICT, "nothing_to_redeliver"),
        Error::NotSettled(_) => caller(S::CONFLICT, "not_settled"),
        Error::Overloaded { .. } => caller(S::TOO_MANY_REQUESTS, "overloaded"),
        Error::PayloadMisfit(_) => caller(S::BAD_REQUEST, "payload_misfit"),
        Error::PayloadNotKept(_) => caller(S::CONFLICT, "payload_not_kept"),
        Error::PayloadTooLarge { .. } => caller(S::PAYLOAD_TOO_LARGE, "body_too_large"),
        Error::Registry(error) => registry(error),
        Error::Stream(error) => stream(error),
        Error::Topic(error) => topic(error),
        Error::KeyValue(error) => key_value(error),
        Error::MessageQueue(error) => message_queue(error),
        Error::Object(error) => object(error),
        Error::ObjectUnknown { .. } => caller(S::NOT_FOUND, "object_not_found"),
        Error::PairUnknown { .. } => caller(S::NOT_FOUND, "key_not_found"),
        Error::SecretUnknown { .. } => caller(S::NOT_FOUND, "secret_not_found"),
        Error::Vault(error) => vault(error),
        Error::Trigger(error) => trigger(error),
        Error::TooFarAhead { .. } => caller(S::BAD_REQUEST, "bad_range"),
    }
}

/// A guest's failure as a gateway tells it: it answered wrongly, too late, or asked for patience.
fn function_status(kind: FailureKind) -> S {
    match kind {
        FailureKind::Timeout => S::GATEWAY_TIMEOUT,
        FailureKind::Throttled => S::TOO_MANY_REQUESTS,
        FailureKind::HttpStatus(status) => S::from_u16(status).unwrap_or(S::BAD_GATEWAY),
        FailureKind::Load => S::SERVICE_UNAVAILABLE,
        FailureKind::AccessDenied => S::FORBIDDEN,
        FailureKind::ExitCode(_)
        | FailureKind::Interrupted
        | FailureKind::OutOfFuel
        | FailureKind::OutOfMemory
        | FailureKind::Permanent
        | FailureKind::ResponseTooLarge
        | FailureKind::Retryable
        | FailureKind::StackOverflow
        | FailureKind::TableTooLarge
        | FailureKind::TooManyHandles
        | FailureKind::TooManyInstances
        | FailureKind::Trap => S::BAD_GATEWAY,
    }
}

fn not_accepted(error: &NotAccepted) -> Facts {
    match error {
        NotAccepted::FunctionFull(_) => caller(S::TOO_MANY_REQUESTS, "queue_full_function"),
        NotAccepted::FunctionBytesFull(_) => caller(S::TOO_MANY_REQUESTS, "queue_full_function_bytes"),
        NotAccepted::NamespaceFull(_) => caller(S::TOO_MANY_REQUESTS, "queue_full_namespace"),
        NotAccepted::NamespaceBytesFull(_) => caller(S::TOO_MANY_REQUESTS, "queue_full_namespace_bytes"),
        NotAccepted::RuntimeFull(_) => caller(S::TOO_MANY_REQUESTS, "queue_full_runtime"),
        NotAccepted::RuntimeBytesFull(_) => caller(S::TOO_MANY_REQUESTS, "queue_full_runtime_bytes"),
        NotAccepted::Stopping => (S::SERVICE_UNAVAILABLE, "shutting_down", Effect::Unknown, Fault::Platform),
        NotAccepted::KeyConflict(_) => KEY_REUSED,
        NotAccepted::Store(error) => store(error),
    }
}

fn file(error: &FileError) -> Facts {
    match error {
        FileError::NotAllowed(_) => caller(S::FORBIDDEN, "file_not_allowed"),
        FileError::TooLarge(_) | FileError::Unreadable { .. } => caller(S::UNPROCESSABLE_ENTITY, "file_unreadable"),
    }
}

fn registry(error: &RegistryError) -> Facts {
    match error {
        RegistryError::CannotReuse => caller(S::BAD_REQUEST, "reuse_not_supported"),
        RegistryError::CannotShare(_) => caller(S::BAD_REQUEST, "instance_concurrency_not_supported"),
        RegistryError::NoCgi(_) => caller(S::BAD_REQUEST, "cgi_not_supported"),
        RegistryError::Range(_) | RegistryError::Retry(_) | RegistryError::Target(InvalidTarget::Range(_)) => {
            caller(S::BAD_REQUEST, "bad_range")
        }
        RegistryError::Cycle(_) => caller(S::CONFLICT, "cycle"),
        RegistryError::Destination(_) | RegistryError::Target(_) => caller(S::BAD_REQUEST, "bad_destination"),
        RegistryError::DestinationUnknown { .. } | RegistryError::TargetRefused(TargetRefused::Missing(_)) => {
            caller(S::BAD_REQUEST, "destination_not_found")
        }
        RegistryError::Directory(RefusedDirectory::Missing { .. }) => {
            caller(S::UNPROCESSABLE_ENTITY, "directory_not_found")
        }
        RegistryError::Directory(RefusedDirectory::Outside { .. }) => caller(S::FORBIDDEN, "directory_not_allowed"),
        RegistryError::Directory(RefusedDirectory::Twice { .. }) => caller(S::BAD_REQUEST, "bad_grant"),
        RegistryError::Environment(_) => caller(S::BAD_REQUEST, "bad_environment"),
        RegistryError::FunctionExists(_) => caller(S::CONFLICT, "function_exists"),
        RegistryError::LatestVersion { .. } | RegistryError::VersionAliased { .. } => {
            caller(S::CONFLICT, "version_in_use")
        }
        RegistryError::FunctionUnknown(_) => caller(S::NOT_FOUND, "function_not_found"),
        RegistryError::InUse { .. } | RegistryError::QualifierInUse { .. } => caller(S::CONFLICT, "function_in_use"),
        RegistryError::Interrupted => INTERRUPTED,
        RegistryError::Overtaken { .. } => caller(S::CONFLICT, "changed_meanwhile"),
        RegistryError::Module(Refused::Failed { .. }) => {
            (S::SERVICE_UNAVAILABLE, "compiler_failed", Effect::None, Fault::Platform)
        }
        RegistryError::Module(Refused::NoRoom { .. }) => DISK_FULL,
        RegistryError::Module(_) => caller(S::UNPROCESSABLE_ENTITY, "module_refused"),
        RegistryError::SecretUnknown(_) => caller(S::UNPROCESSABLE_ENTITY, "secret_not_found"),
        RegistryError::Store(error) | RegistryError::TargetRefused(TargetRefused::Store(error)) => store(error),
        RegistryError::TargetRefused(TargetRefused::NotAllowed(_)) => caller(S::FORBIDDEN, "destination_not_allowed"),
        RegistryError::TooMany { .. } => caller(S::CONFLICT, "limit_exceeded"),
        RegistryError::VersionUnknown { .. } => caller(S::NOT_FOUND, "version_not_found"),
    }
}

fn access(error: &AccessError) -> Facts {
    match error {
        AccessError::AccountExists { .. } => caller(S::CONFLICT, "account_exists"),
        AccessError::AccountUnknown { .. } => caller(S::NOT_FOUND, "account_not_found"),
        AccessError::CredentialUnknown(_) => caller(S::NOT_FOUND, "credential_not_found"),
        AccessError::Everyone => caller(S::BAD_REQUEST, "everyone"),
        AccessError::Interrupted => INTERRUPTED,
        AccessError::LastAdmin => caller(S::CONFLICT, "last_admin"),
        AccessError::Lifetime => caller(S::BAD_REQUEST, "bad_range"),
        AccessError::NotGranted { .. } => caller(S::NOT_FOUND, "role_not_granted"),
        AccessError::Pointless(_) => caller(S::BAD_REQUEST, "bad_role"),
        AccessError::Store(error) => store(error),
        AccessError::TooMany { .. } => caller(S::CONFLICT, "limit_exceeded"),
        AccessError::Vault(error) => vault(error),
    }
}

fn key_value(error: &KeyValueError) -> Facts {
    match error {
        KeyValueError::Batch | KeyValueError::Key(_) => caller(S::BAD_REQUEST, "bad_range"),
        KeyValueError::Dots => caller(S::BAD_REQUEST, "bad_name"),
        KeyValueError::Full { .. } => caller(S::CONFLICT, "limit_exceeded"),
        KeyValueError::Interrupted => INTERRUPTED,
        KeyValueError::NoNumber | KeyValueError::Overflow => caller(S::CONFLICT, "not_a_number"),
        KeyValueError::Store(error) => store(error),
        KeyValueError::Value(_) => caller(S::PAYLOAD_TOO_LARGE, "body_too_large"),
    }
}

fn message_queue(error: &QueueError) -> Facts {
    match error {
        QueueError::Attribute { .. } | QueueError::Character(_) | QueueError::Empty | QueueError::Text { .. } => {
            caller(S::BAD_REQUEST, "bad_message")
        }
        QueueError::Cycle(error) => registry(error),
        QueueError::DeadLetters { .. } => caller(S::BAD_REQUEST, "bad_redrive"),
        QueueError::Exists { .. } => caller(S::CONFLICT, "queue_exists"),
        QueueError::FifoOnly { .. } | QueueError::Lacks { .. } | QueueError::NotFifo { .. } => {
            caller(S::BAD_REQUEST, "wrong_kind_of_queue")
        }
        QueueError::Full { .. } | QueueError::InFlight { .. } => caller(S::TOO_MANY_REQUESTS, "message_queue_full"),
        QueueError::Interrupted => INTERRUPTED,
        QueueError::NotInFlight => caller(S::CONFLICT, "message_not_in_flight"),
        QueueError::Purging(_) => caller(S::CONFLICT, "purging"),
        QueueError::Range(_) => caller(S::BAD_REQUEST, "bad_range"),
        QueueError::Receipt(_) => caller(S::BAD_REQUEST, "bad_receipt"),
        QueueError::ReceiptExpired => caller(S::CONFLICT, "receipt_expired"),
        QueueError::Store(error) => store(error),
        QueueError::Tags => caller(S::BAD_REQUEST, "bad_tags"),
        QueueError::TooLarge { .. } => caller(S::PAYLOAD_TOO_LARGE, "body_too_large"),
        QueueError::TooMany { .. } => caller(S::CONFLICT, "limit_exceeded"),
        QueueError::Unknown(_) => caller(S::NOT_FOUND, "queue_not_found"),
    }
}

fn stream(error: &StreamError) -> Facts {
    match error {
        StreamError::Ahead { .. }
        | StreamError::Attributes { .. }
        | StreamError::Batch { .. }
        | StreamError::Key(_)
        | StreamError::Range(_) => caller(S::BAD_REQUEST, "bad_range"),
        StreamError::Busy(_) => caller(S::TOO_MANY_REQUESTS, "overloaded"),
        StreamError::Data(_) => caller(S::PAYLOAD_TOO_LARGE, "body_too_large"),
        StreamError::Interrupted => INTERRUPTED,
        StreamError::Store(error) => store(error),
        StreamError::TooMany { .. } => caller(S::CONFLICT, "limit_exceeded"),
        StreamError::Unknown(_) => caller(S::NOT_FOUND, "stream_not_found"),
    }
}

fn connection(error: &ConnectionError) -> Facts {
    match error {
        ConnectionError::Invalid(_) => caller(S::BAD_REQUEST, "bad_connection"),
        ConnectionError::SecretUnknown(_) => caller(S::UNPROCESSABLE_ENTITY, "secret_not_found"),
        ConnectionError::Store(error) => store(error),
        ConnectionError::TooMany(_) => caller(S::CONFLICT, "limit_exceeded"),
        ConnectionError::Vault(error) => vault(error),
    }
}

fn object(error: &ObjectError) -> Facts {
    match error {
        ObjectError::Full { .. } => DISK_FULL,
        ObjectError::Io { .. } => (S::INTERNAL_SERVER_ERROR, "objects_unusable", Effect::Unknown, Fault::Platform),
        ObjectError::Store(error) => store(error),
    }
}

/// What a registry does is not the caller's fault, nor the platform's to be woken for: it is told and not logged.
fn image(error: &PullError) -> Facts {
    match error {
        PullError::Busy(_) => caller(S::TOO_MANY_REQUESTS, "overloaded"),
        PullError::Denied { .. } => caller(S::UNPROCESSABLE_ENTITY, "image_denied"),
        PullError::NotAllowed { .. } => caller(S::FORBIDDEN, "image_not_allowed"),
        PullError::NotFound(_) => caller(S::UNPROCESSABLE_ENTITY, "image_not_found"),
        PullError::Digest { .. } | PullError::TooLarge { .. } | PullError::Unusable { .. } => {
            caller(S::UNPROCESSABLE_ENTITY, "image_refused")
        }
        PullError::Unavailable { .. } => caller(S::BAD_GATEWAY, "image_unavailable"),
    }
}

fn topic(error: &TopicError) -> Facts {
    match error {
        TopicError::Attributes { .. } | TopicError::Filter | TopicError::Range(_) => {
            caller(S::BAD_REQUEST, "bad_range")
        }
        TopicError::Busy(_) => caller(S::CONFLICT, "being_published"),
        TopicError::Data(_) => caller(S::PAYLOAD_TOO_LARGE, "body_too_large"),
        TopicError::Endpoint(_) => caller(S::BAD_REQUEST, "bad_endpoint"),
        TopicError::Full { .. } => caller(S::TOO_MANY_REQUESTS, "subscription_full"),
        TopicError::Interrupted => INTERRUPTED,
        TopicError::Refused(_) => caller(S::UNPROCESSABLE_ENTITY, "endpoint_refused"),
        TopicError::Store(error) => store(error),
        TopicError::SubscriptionUnknown { .. } => caller(S::NOT_FOUND, "subscription_not_found"),
        TopicError::Token(_) => caller(S::FORBIDDEN, "wrong_token"),
        TopicError::TooMany { .. } | TopicError::TooManySubscriptions { .. } => caller(S::CONFLICT, "limit_exceeded"),
        TopicError::Unknown(_) => caller(S::NOT_FOUND, "topic_not_found"),
    }
}

fn vault(error: &VaultError) -> Facts {
    match error {
        VaultError::Key(_) | VaultError::Random(_) => {
            (S::INTERNAL_SERVER_ERROR, "secret_key_unusable", Effect::None, Fault::Platform)
        }
        VaultError::OtherKey { .. } | VaultError::Unopened { .. } => {
            (S::INTERNAL_SERVER_ERROR, "secret_key_differs", Effect::None, Fault::Platform)
        }
        VaultError::Store(error) => store(error),
        VaultError::TooMany { .. } => caller(S::CONFLICT, "limit_exceeded"),
    }
}

fn trigger(error: &TriggerError) -> Facts {
    match error {
        TriggerError::Interrupted => INTERRUPTED,
        TriggerError::Exists { .. } => caller(S::CONFLICT, "trigger_exists"),
        TriggerError::NotATimer { .. } => caller(S::CONFLICT, "not_a_timer"),
        TriggerError::Payload(_) => caller(S::PAYLOAD_TOO_LARGE, "body_too_large"),
        TriggerError::Queue(error) => message_queue(error),
        TriggerError::Source(_) => caller(S::BAD_REQUEST, "bad_range"),
        TriggerError::Registry(error) => registry(error),
        TriggerError::Store(error) => store(error),
        TriggerError::TooMany => caller(S::CONFLICT, "limit_exceeded"),
        TriggerError::Unknown { .. } => caller(S::NOT_FOUND, "trigger_not_found"),
    }
}

fn store(error: &StoreError) -> Facts {
    match error {
        StoreError::Damaged { .. } | StoreError::Open { .. } | StoreError::Unreadable(_) => {
            (S::INTERNAL_SERVER_ERROR, "store_damaged", Effect::None, Fault::Platform)
        }
        StoreError::Full(_) => (S::INSUFFICIENT_STORAGE, "store_full", Effect::None, Fault::Platform),
        StoreError::Refused(_) => (S::SERVICE_UNAVAILABLE, "store_busy", Effect::None, Fault::Platform),
        StoreError::Stopped(_) => (S::SERVICE_UNAVAILABLE, "store_stopped", Effect::None, Fault::Platform),
        StoreError::Unknown(_) => (S::SERVICE_UNAVAILABLE, "store_unknown", Effect::Unknown, Fault::Platform),
    }
}
