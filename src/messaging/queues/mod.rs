//! Message queues with the meaning that SQS gives them: a message that was received is hidden for a while and comes back
//! unless it is deleted; after so many receives it goes to a dead-letter queue; FIFO queues keep the order of each message
//! group and take no message twice. Knows no HTTP and no invocation.
//!
//! A queue is as long as the disk has room: the store has its messages in order (`keys`), a receive reads the head of that
//! order, and memory holds counts and what was received and not deleted (`state`). A send is synced before it is
//! acknowledged, a delete too; a receive is written: after a crash of the process messages in flight are visible again
//! when they would have been, after a power cut perhaps at once.
//!
//! What another room must do in one commit of its own with a send or a delete, it asks for as changes
//! ([`Queues::changes_of_send`], [`Queues::removal_of`]) and tells when they are committed.

mod error;
mod fitting;
mod keys;
mod message;
mod state;

mod catalogue;
mod graph;
mod queue;

mod head;
mod line;
mod receive;
mod remove;
mod send;

mod upkeep;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock};

pub use catalogue::Described;
pub use error::QueueError;
pub use message::{Attribute, Outgoing, Receipt, Received, Sent, Value};
pub use queue::Figures;
pub use receive::Asked;
pub use remove::PendingRemoval;
pub use send::PendingSend;

use crate::clock::Clock;
use crate::model::bounds;
use crate::model::message_queue::QueuePath;
use crate::model::names::Namespace;
use crate::registry::Registry;
use crate::store::Store;
use crate::tasks::Tasks;

use queue::Queue;
use state::Total;

/// The message queues of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Queues {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    clock: Clock,
    tasks: Tasks,
    limits: Limits,
    catalogue: Mutex<BTreeMap<QueuePath, Arc<Queue>>>,
    /// Held over the look at what is there and the commit, when queues are made, changed and deleted.
    changing: tokio::sync::Mutex<()>,
    totals: Mutex<HashMap<Namespace, Arc<Total>>>,
    /// Which functions and queues lead where: dead letters are a way too. Without it nobody looks.
    graph: OnceLock<Registry>,
    /// Messages of all queues that were received and not deleted.
    flying: AtomicUsize,
}

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages of one queue.
    pub messages: u64,
    /// Bytes of one queue.
    pub bytes: u64,
    /// Messages of one namespace.
    pub namespace_messages: u64,
    /// Bytes of one namespace.
    pub namespace_bytes: u64,
    /// Messages of one queue that were received and not deleted.
    pub in_flight: usize,
    /// The same of a FIFO queue.
    pub fifo_in_flight: usize,
    /// The same of all queues.
    pub all_in_flight: usize,
    /// Queues of one namespace.
    pub queues: usize,
    /// Queues of all namespaces.
    pub all_queues: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages: bounds::MAX_QUEUE_MESSAGES,
            bytes: bounds::MAX_QUEUE_BYTES,
            namespace_messages: bounds::MAX_NAMESPACE_MESSAGES,
            namespace_bytes: bounds::MAX_NAMESPACE_QUEUE_BYTES,
            in_flight: bounds::MAX_IN_FLIGHT,
            fifo_in_flight: bounds::MAX_FIFO_IN_FLIGHT,
            all_in_flight: bounds::MAX_ALL_IN_FLIGHT,
            queues: bounds::MAX_MESSAGE_QUEUES,
            all_queues: bounds::MAX_ALL_MESSAGE_QUEUES,
        }
    }
}

#[cfg(test)]
mod tests;
