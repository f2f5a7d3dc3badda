//! Why a use case did not do what it was asked. Facts only: what they mean in HTTP is each dialect's business.

use std::time::Duration;

use bytes::Bytes;

use super::FileError;
use crate::access::{AccessError, Denied, NotAllowed};
use crate::delivery::{ConnectionError, ObjectError};
use crate::dispatch::NotAccepted;
use crate::engine::call::Reply;
use crate::engine::{LoadError, Misfit};
use crate::key_value::KeyValueError;
use crate::messaging::queues::QueueError;
use crate::messaging::streams::StreamError;
use crate::messaging::topics::TopicError;
use crate::model::entrypoint::Entrypoint;
use crate::model::names::{ConnectionName, FunctionPath, InvocationId, Namespace, SecretName, StoreName};
use crate::model::object::{BucketName, ObjectKey};
use crate::model::outcome::{Advice, Failure};
use crate::model::status::Status;
use crate::model::usage::Usage;
use crate::oci::PullError;
use crate::registry::RegistryError;
use crate::store::StoreError;
use crate::triggers::TriggerError;
use crate::vault::VaultError;
use crate::worker::Slots;

/// When somebody comes again whose message a full queue did not take: others have been received by then, or will not be.
const QUEUE_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Why a use case did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A service account could not be found or changed.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It has settled already, so it cannot be cancelled.
    #[error("the invocation {id} has {status} already: there is nothing left to cancel")]
    AlreadySettled {
        /// Which.
        id: InvocationId,
        /// How it ended.
        status: Status,
    },
    /// An account that is named lacks a role.
    #[error(transparent)]
    Denied(Denied),
    /// The function takes no invocations.
    #[error("the function `{0}` is disabled: enable it first")]
    Disabled(FunctionPath),
    /// A connection could not be set or read.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// There is no such connection.
    #[error("there is no connection `{name}` in the namespace `{namespace}`")]
    ConnectionUnknown {
        /// Where it was looked for.
        namespace: Namespace,
        /// Which.
        name: ConnectionName,
    },
    /// A file was not taken as a module.
    #[error(transparent)]
    File(#[from] FileError),
    /// The function ran and failed.
    #[error("{}: {}", failure.kind.as_str(), failure.message)]
    Function {
        /// The invocation.
        id: InvocationId,
        /// How it failed.
        failure: Failure,
        /// An http function's own answer, which the caller may want to see.
        answer: Option<Box<Reply>>,
        /// What that took.
        usage: Box<Usage>,
        /// What it wrote besides.
        log: Bytes,
    },
    /// The head of an HTTP request is over the limit for what waits in the queue.
    #[error(
        "method, path and headers have {bytes} bytes, and a request that waits may have {}: send less, or wait for the answer",
        crate::model::bounds::MAX_REQUEST_HEAD_BYTES
    )]
    HeadTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Its chain has as many steps as allowed.
    #[error(
        "this invocation would be step {hop} of its chain, and the limit is {limit}: functions seem to call each other in a circle"
    )]
    HopLimit {
        /// The step it would be.
        hop: u32,
        /// The limit.
        limit: u32,
        /// The invocations that led to it, the root first.
        chain: Vec<InvocationId>,
    },
    /// The idempotency key was used for another request.
    #[error(
        "this idempotency key was used for a different request, which became the invocation {id}: use a new key for a new request"
    )]
    IdempotencyConflict {
        /// The invocation that the key stands for.
        id: InvocationId,
    },
    /// The idempotency key is no text that can be one.
    #[error("an idempotency key has 1 to {} visible ASCII characters", crate::model::bounds::MAX_KEY_BYTES)]
    IdempotencyKey,
    /// An image could not be pulled.
    #[error(transparent)]
    Image(#[from] PullError),
    /// The process is shutting down, or a part of it failed.
    #[error("it was interrupted, and may or may not have been done: look, and repeat it if it was not")]
    Interrupted,
    /// There is no such invocation, or it is no longer kept.
    #[error("there is no invocation {0}: its record may have been removed, when its retention ended or by a redrive")]
    InvocationUnknown(InvocationId),
    /// Its module does not say what it takes and gives.
    #[error(
        "the function `{path}` has no schema, because its entrypoint is `{entrypoint}`: only typed functions have a \
         signature that says what their payload and their result are"
    )]
    NoSchema {
        /// The function.
        path: FunctionPath,
        /// Its entrypoint.
        entrypoint: Entrypoint,
    },
    /// It did not fail, or its failure was passed on, or it is being redriven already.
    #[error("the invocation {0} is no dead letter: redriven are those that failed with no destination for it")]
    NotADeadLetter(InvocationId),
    /// Whoever asks may not do this.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The queue did not take it.
    #[error(transparent)]
    NotAccepted(NotAccepted),
    /// Its module cannot be loaded now.
    #[error("the module could not be loaded: {0}")]
    NotLoaded(LoadError),
    /// It runs or has settled, so it cannot be made to run now.
    #[error("the invocation {id} is {status}: only one that waits can be run now")]
    NotQueued {
        /// Which.
        id: InvocationId,
        /// Where it stands.
        status: Status,
    },
    /// None of its deliveries was given up, or another is still on its way.
    #[error("the invocation {0} has no dead delivery that could be tried again now")]
    NothingToRedeliver(InvocationId),
    /// It is not settled, so it can be neither repeated nor removed.
    #[error("the invocation {0} has not ended: wait until it has, or cancel it")]
    NotSettled(InvocationId),
    /// The payload does not fit the function's signature.
    #[error(transparent)]
    PayloadMisfit(Misfit),
    /// A key-value store could not be read or changed.
    #[error(transparent)]
    KeyValue(#[from] KeyValueError),
    /// A message queue did not do what it was asked.
    #[error(transparent)]
    MessageQueue(#[from] QueueError),
    /// An object could not be read or deleted.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// There is no such object.
    #[error("the bucket `{bucket}` of the namespace `{namespace}` has no object `{key}` here")]
    ObjectUnknown {
        /// Whose bucket.
        namespace: Namespace,
        /// Where it was looked for.
        bucket: BucketName,
        /// Which.
        key: ObjectKey,
    },
    /// There is no such key.
    #[error("the key-value store `{store}` has no key `{}`", .key.chars().take(100).collect::<String>())]
    PairUnknown {
        /// Where it was looked for.
        store: StoreName,
        /// Which.
        key: String,
    },
    /// The payload of a synchronous invocation is not kept.
    #[error("the payload of {0} is not kept, because it was synchronous: invoke the function again")]
    PayloadNotKept(InvocationId),
    /// A payload is over its limit.
    #[error("the payload has {bytes} bytes, and the limit is {limit}")]
    PayloadTooLarge {
        /// Its size, or as much of it as was read.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// No slot came free in time.
    #[error("no slot came free for it in {} s: the runtime or the function's version is at its concurrency limit", .waited.as_secs())]
    Overloaded {
        /// How long it waited.
        waited: Duration,
    },
    /// A function could not be found or changed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// There is no such secret.
    #[error("there is no secret `{name}` in the namespace `{namespace}`")]
    SecretUnknown {
        /// Where it was looked for.
        namespace: Namespace,
        /// Which.
        name: SecretName,
    },
    /// A trigger could not be found, made or fired.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// A secret could not be set or removed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It is to run later than anything may.
    #[error("it is to run in {} s: use up to {} s (15 days)", .ahead.as_secs(), crate::model::bounds::MAX_AHEAD.as_secs())]
    TooFarAhead {
        /// How far ahead.
        ahead: Duration,
    },
    /// A stream could not be read or changed.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// A topic could not be read or changed.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// How long the caller should wait before trying again, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { .. } => Some(Slots::retry_after()),
            Self::NotAccepted(refused) => refused.retry_after(),
            Self::MessageQueue(QueueError::Full { .. } | QueueError::InFlight { .. } | QueueError::Purging(_)) => {
                Some(QUEUE_RETRY_AFTER)
            }
            Self::Function { failure, .. } => match failure.advice {
                Advice::Postpone(delay) | Advice::RetryAfter(delay) => Some(delay),
                Advice::GiveUp | Advice::Retry => None,
            },
            _ => None,
        }
    }
}
