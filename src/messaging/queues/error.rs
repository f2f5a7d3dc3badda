//! Why a queue did not do what it was asked. Facts only: what they are called in a dialect is the dialect's business.

use crate::model::bounds::{self, OutOfRange};
use crate::model::message_queue::QueuePath;
use crate::model::names::Namespace;
use crate::registry::RegistryError;
use crate::store::StoreError;

/// Why a queue did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// An attribute of a message that none can be.
    #[error("the message's attribute `{name}` {why}")]
    Attribute {
        /// Which.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A character that not every client could read.
    #[error("the message has the character {0:?}, which XML cannot carry: encode it, with base64 for example")]
    Character(char),
    /// Its dead letters would come back to it.
    #[error(transparent)]
    Cycle(Box<RegistryError>),
    /// A dead-letter queue that none can be.
    #[error("`{to}` cannot be the dead-letter queue of `{of}`: {why}")]
    DeadLetters {
        /// Of which queue.
        of: QueuePath,
        /// Which queue.
        to: String,
        /// Why not.
        why: &'static str,
    },
    /// No body.
    #[error("the message has no body: it has at least one character")]
    Empty,
    /// There is a queue of that name with other settings.
    #[error("the queue `{path}` exists, and its {differs} differs: change it, or choose another name")]
    Exists {
        /// Which.
        path: QueuePath,
        /// In what it differs.
        differs: &'static str,
    },
    /// It asks for what only a FIFO queue does.
    #[error("the queue `{path}` keeps no order: {what} is for queues whose names end in `.fifo`")]
    FifoOnly {
        /// Which.
        path: QueuePath,
        /// What was asked for.
        what: &'static str,
    },
    /// It or its namespace holds as much as it may.
    #[error("{of} holds {there} {what}, and the limit is {limit}: receive and delete some, or purge")]
    Full {
        /// The queue or the namespace.
        of: String,
        /// What is counted.
        what: &'static str,
        /// How much is there.
        there: u64,
        /// How much may be.
        limit: u64,
    },
    /// Too much was received and not deleted.
    #[error(
        "{there} messages of `{path}` were received and not deleted, which is the limit: delete some, or wait until they are visible again"
    )]
    InFlight {
        /// Which.
        path: QueuePath,
        /// How many.
        there: usize,
    },
    /// The process is shutting down, or a part of it failed.
    #[error("it was interrupted, and may or may not have been done: look, and repeat it if it was not")]
    Interrupted,
    /// A FIFO queue lacks what it needs.
    #[error("a message of the FIFO queue `{path}` needs {what}")]
    Lacks {
        /// Which.
        path: QueuePath,
        /// What.
        what: &'static str,
    },
    /// The message was not received, or is visible again.
    #[error("the message is not in flight: it was never received, is visible again, or was deleted")]
    NotInFlight,
    /// A standard queue's feature was asked of a FIFO queue.
    #[error("the queue `{path}` keeps order, so {what} is set for the whole queue and not for a message")]
    NotFifo {
        /// Which.
        path: QueuePath,
        /// What was asked for.
        what: &'static str,
    },
    /// It is being purged.
    #[error("the queue `{0}` is being purged: wait until that has ended")]
    Purging(QueuePath),
    /// A number out of its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
    /// No receipt of this queue.
    #[error("`{0}` is not a receipt of this queue")]
    Receipt(String),
    /// The receipt's time is over.
    #[error("the receipt has expired: the message is visible again, or was received again")]
    ReceiptExpired,
    /// The store behind it did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tag that none can be.
    #[error(
        "a queue has up to {} tags, with keys of 1 to 128 and values of up to 256 characters",
        bounds::MAX_QUEUE_TAGS
    )]
    Tags,
    /// A text that is too long or has wrong characters.
    #[error("the {what} `{text}` is none: use 1 to 128 letters, digits and punctuation")]
    Text {
        /// Of what.
        what: &'static str,
        /// What was given.
        text: String,
    },
    /// A message over its limit.
    #[error("the message has {bytes} bytes with its attributes, and the limit is {limit}")]
    TooLarge {
        /// How many.
        bytes: usize,
        /// How many may be.
        limit: usize,
    },
    /// There are as many queues as there may be.
    #[error("the namespace `{namespace}` has no room for another queue: the limit is {limit}; delete some first")]
    TooMany {
        /// Where.
        namespace: Namespace,
        /// How many may be.
        limit: usize,
    },
    /// There is no such queue.
    #[error("there is no queue `{0}`")]
    Unknown(QueuePath),
}
