//! The use cases: what can be asked of Tidemill, one method each. A dialect parses its requests into these
//! calls and renders what they return; it may call nothing else.

mod accept;
mod access;
mod bulk;
mod connections;
mod deliveries;
mod desk;
mod error;
mod functions;
mod identity;
mod images;
mod invocations;
mod key_value;
mod listing;
mod message_queues;
mod metrics;
mod objects;
mod queues;
mod secrets;
mod signatures;
mod streams;
mod topics;
mod triggers;
mod ways;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use access::{AccountPath, CredentialKind};
pub use bulk::{Action, Bulk, BulkDone, Selection, Turns};
pub use deliveries::{DeliveryFilter, DeliveryPage, DeliveryState, Redriven, Undone, Wanted};
pub use desk::Desk;
pub use error::Error;
pub use functions::{Described, FunctionPage, GraphView};
pub use images::{Fetched, FileError, ModuleSource, Source};
pub use invocations::{Accepted, Answered, Ask};
pub use listing::{Filter, InvocationPage};
pub use metrics::{FunctionMetrics, Metrics};
pub use queues::{Overview, QueueView};
pub use signatures::Signatures;
pub use ways::RuntimeWays;

use crate::access::Access;
use crate::clock::Clock;
use crate::core_dumps::CoreDumps;
use crate::delivery::{Connections, Objects};
use crate::dispatch::Dispatch;
use crate::key_value::KeyValue;
use crate::messaging::queues::Queues;
use crate::messaging::streams::Streams;
use crate::messaging::topics::Topics;
use crate::model::time::Timestamp;
use crate::oci::Images;
use crate::operations::Operations;
use crate::outbound::Webhooks;
use crate::registry::Registry;
use crate::store::Store;
use crate::tasks::Tasks;
use crate::triggers::Triggers;
use crate::vault::Vault;
use crate::worker::{Slots, Worker};

/// A running Tidemill. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Runtime {
    parts: Arc<Parts>,
}

/// What a runtime is made of.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Which functions there are.
    pub registry: Registry,
    /// The queue's hands.
    pub dispatch: Dispatch,
    /// Runs attempts.
    pub worker: Worker,
    /// The secrets.
    pub vault: Vault,
    /// The service accounts.
    pub access: Access,
    /// Changes that are asked about until they are done.
    pub operations: Operations,
    /// Whether requests have to say who sends them.
    pub authenticates: bool,
    /// Sends webhooks, and has the keys that they are signed with.
    pub webhooks: Webhooks,
    /// Pulls images.
    pub images: Images,
    /// Directories below which modules may be read, and functions be granted any.
    pub directories: Vec<std::path::PathBuf>,
    /// The key-value stores.
    pub key_value: KeyValue,
    /// Core dumps of attempts.
    pub core_dumps: CoreDumps,
    /// The message queues.
    pub message_queues: Queues,
    /// The streams.
    pub streams: Streams,
    /// The ways to services outside.
    pub connections: Connections,
    /// The objects on this machine.
    pub objects: Objects,
    /// The topics.
    pub topics: Topics,
    /// What invokes functions by itself.
    pub triggers: Triggers,
    /// The places to run them in.
    pub slots: Slots,
    /// The time.
    pub clock: Clock,
    /// Owner of what is started here.
    pub tasks: Tasks,
    /// Steps a chain may have.
    pub hop_limit: u32,
    /// The most attempts that the engine has room for at once.
    pub max_concurrency: u32,
    /// When the process started.
    pub started: Timestamp,
    /// Whose turn it is to change many.
    pub turns: Turns,
    /// Whether it takes requests: false until it is open, and again once it shuts down.
    pub ready: AtomicBool,
}

impl Runtime {
    /// A runtime made of these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Whether requests should be sent here.
    pub fn is_ready(&self) -> bool {
        self.parts.ready.load(Ordering::SeqCst)
    }

    /// Changes that are asked about until they are done.
    pub fn operations(&self) -> &Operations {
        &self.parts.operations
    }

    /// Carries several calls to their end, also when whoever asked for them goes away between two.
    pub async fn see_through<T: Send + 'static>(
        &self,
        name: &'static str,
        calls: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        self.parts.tasks.see_through(name, calls).await.ok_or(Error::Interrupted)
    }

    /// The time, as it is written into records.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Says that requests should not be sent here any more.
    pub fn retire(&self) {
        self.parts.ready.store(false, Ordering::SeqCst);
    }
}
