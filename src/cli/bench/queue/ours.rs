//! The queue as its own parts use it: commits and reads of the store, in the order in which an invocation makes them.
//! No guest runs and nothing is spoken over a network.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use super::super::load::{Client, Work};
use super::super::plain_log::OUTCOME_BYTES;
use crate::cli::error::Error;
use crate::clock::Clock;
use crate::model::bounds;
use crate::model::function::AsyncConfig;
use crate::model::invocation::{Event, Invocation, Lease, Lineage, Mode, PayloadInfo, Policy, Request, State, Target};
use crate::model::names::{FunctionId, FunctionPath, InvocationId, Namespace, VersionNumber};
use crate::model::outcome::OutcomeKind;
use crate::model::place::Priority;
use crate::model::time::Timestamp;
use crate::store::embedded::EmbeddedStore;
use crate::store::{Change, Counts, Durability, Group, Part, SettledQuery, Store};
use crate::tasks::{OnExit, Tasks};

/// How many settled invocations are removed together.
const REMOVED_TOGETHER: usize = 1_024;
/// How long the removal may take to end after the load.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(60);
/// The type of payloads and results.
const CONTENT_TYPE: &str = "application/octet-stream";
const FUNCTION: FunctionId = FunctionId::from_bytes([1; 16]);

/// A store that is open, with what removes settled invocations from it.
pub(super) struct Ours {
    queue: Queue,
    tasks: Tasks,
}

/// What a client needs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Queue {
    store: Arc<dyn Store>,
    clock: Clock,
    /// What every invocation is a copy of.
    model: Arc<Invocation>,
    payload: Bytes,
    delay: Duration,
    lease: Lease,
    kept: Arc<Kept>,
}

/// How many settled invocations there are, and how many there may be.
struct Kept {
    most: u64,
    count: AtomicU64,
    more: Notify,
}

impl Ours {
    /// Opens the store in `folder`. Of what settles, the last `kept` stay.
    pub(super) async fn open(folder: &Path, payload: Bytes, kept: u64) -> Result<Self, Error> {
        let folder = folder.to_owned();
        let opened = blocking(move || EmbeddedStore::open(&folder)).await?;
        let store: Arc<dyn Store> = Arc::new(opened.map_err(|error| failed(&error))?);
        let settled = store.counts(FUNCTION).kept(OutcomeKind::Succeeded).count;
        let (clock, tasks) = (Clock::system(), Tasks::default());
        let queue = Queue {
            store,
            model: Arc::new(model(payload.len() as u64, clock.now())),
            clock,
            payload,
            delay: Duration::ZERO,
            lease: Lease { owner: uuid::Uuid::new_v4() },
            kept: Arc::new(Kept { most: kept, count: AtomicU64::new(settled), more: Notify::new() }),
        };
        tasks.spawn("retention", OnExit::Ignore, queue.clone().retain(tasks.clone()));
        Ok(Self { queue, tasks })
    }

    /// A client.
    pub(super) fn client(&self) -> Queue {
        self.queue.clone()
    }

    /// Clients that enqueue for later.
    pub(super) fn delayed(mut self, delay: Duration) -> Self {
        self.queue.delay = delay;
        self
    }

    /// Removes what is left to remove and closes the store, which writes and syncs what it still holds. Every client
    /// has been dropped by now.
    pub(super) async fn close(self) -> Result<(), Error> {
        self.tasks.stop();
        if !self.tasks.ended(REMOVAL_PATIENCE).await {
            return Err(Error::Bench("the removal of settled invocations did not end".to_owned()));
        }
        blocking(move || drop(self.queue)).await
    }
}

impl Client for Queue {
    async fn work(&mut self, work: Work) -> Result<(), Error> {
        let id = self.enqueue().await?;
        if work == Work::Cycle { self.take(id).await } else { Ok(()) }
    }
}

impl Queue {
    /// The store, for what only some benches ask of it.
    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// What the store counts.
    pub(super) fn counts(&self) -> Counts {
        self.store.counts(FUNCTION)
    }

    /// Accepts one, and returns when it is durable.
    pub(super) async fn enqueue(&self) -> Result<InvocationId, Error> {
        let now = self.clock.now();
        let (id, due) = (Clock::invocation_id_at(now), now + self.delay);
        let state = State::Queued { due, attempt: NonZeroU32::MIN };
        let invocation = Invocation { id, accepted: now, first_due: due, state, ..(*self.model).clone() };
        let payload = Change::PutBlob(id, Part::Payload, self.payload.clone());
        self.commit(vec![put(invocation), payload], Durability::Synced).await?;
        Ok(id)
    }

    /// Claims one, reads its payload, and settles it as succeeded with a result. One that is not due yet is taken as
    /// if its time had come.
    pub(super) async fn take(&self, id: InvocationId) -> Result<(), Error> {
        let missing = || Error::Bench(format!("{id} was enqueued and is not there"));
        let read = self.store.invocation(id).await.map_err(|error| failed(&error))?;
        let mut invocation = read.ok_or_else(missing)?;
        let payload = self.store.blob(id, Part::Payload).await.map_err(|error| failed(&error))?;
        if payload.ok_or_else(missing)?.len() as u64 != invocation.request.payload.bytes {
            return Err(Error::Bench(format!("{id} has another payload than was enqueued")));
        }
        let now = self.clock.now().max(invocation.first_due);
        invocation.apply(&Event::Claimed(self.lease), now).map_err(|error| failed(&error))?;
        self.commit(vec![put(invocation.clone())], Durability::Written).await?;

        invocation.apply(&Event::Ended(Ok(())), self.clock.now().max(now)).map_err(|error| failed(&error))?;
        let result = Bytes::from_static(&[2; OUTCOME_BYTES]);
        invocation.result = Some(info(OUTCOME_BYTES as u64));
        let result = Change::PutBlob(id, Part::Result, result);
        self.commit(vec![result, put(invocation)], Durability::Synced).await?;
        self.kept.one_more();
        Ok(())
    }

    async fn commit(&self, changes: Vec<Change>, when: Durability) -> Result<(), Error> {
        self.store.commit(Group(changes), when).await.map_err(|error| failed(&error))
    }

    /// Removes the oldest settled invocations whenever there are more than may be, many together.
    async fn retain(self, tasks: Tasks) {
        loop {
            tokio::select! {
                () = self.kept.more.notified() => (),
                () = tasks.stopping().cancelled() => return,
            }
            while self.kept.too_many() {
                match self.remove_oldest().await {
                    Ok(0) => break,
                    Ok(removed) => drop(self.kept.count.fetch_sub(removed, Ordering::Relaxed)),
                    Err(error) => return tracing::error!(%error, "settled invocations were not removed"),
                }
            }
        }
    }

    async fn remove_oldest(&self) -> Result<u64, Error> {
        let before = self.clock.now() + Duration::from_secs(86_400);
        let query = SettledQuery { function: FUNCTION, kind: OutcomeKind::Succeeded, before, limit: REMOVED_TOGETHER };
        let oldest = self.store.settled(query).await.map_err(|error| failed(&error))?;
        let removals: Vec<_> = oldest.iter().map(|settled| Change::RemoveInvocation(settled.id)).collect();
        let removed = removals.len() as u64;
        self.commit(removals, Durability::Written).await?;
        Ok(removed)
    }
}

impl Kept {
    fn one_more(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if self.too_many() {
            self.more.notify_one();
        }
    }

    /// Whether there are so many that some are removed. At least a tenth of what may be kept is removed together.
    fn too_many(&self) -> bool {
        let slack = (self.most / 10).clamp(1, REMOVED_TOGETHER as u64);
        self.count.load(Ordering::Relaxed) >= self.most + slack
    }
}

fn put(invocation: Invocation) -> Change {
    Change::PutInvocation(Box::new(invocation))
}

fn info(bytes: u64) -> PayloadInfo {
    PayloadInfo { bytes, content_type: CONTENT_TYPE.to_owned() }
}

/// An invocation as an acceptance over HTTP makes it, of a function without destinations.
fn model(payload_bytes: u64, now: Timestamp) -> Invocation {
    let path = FunctionPath { namespace: Namespace::default(), name: "bench".parse().expect("it is a name") };
    let config = AsyncConfig { max_event_age: Duration::from_secs(86_400), ..AsyncConfig::default() };
    Invocation {
        id: InvocationId::from_bytes([0; 16]),
        target: Target { function: FUNCTION, path, version: Some(VersionNumber::MIN) },
        mode: Mode::Async,
        accepted: now,
        first_due: now,
        request: Request { payload: info(payload_bytes), traceparent: None, attributes: Vec::new(), head: None },
        lineage: Lineage::default(),
        policy: Policy { config, hop_limit: bounds::DEFAULT_HOP_LIMIT, callback: None, invoker: None },
        priority: Priority::default(),
        spread: 0,
        attempts: Vec::new(),
        state: State::Queued { due: now, attempt: NonZeroU32::MIN },
        result: None,
    }
}

/// Runs what may block on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Bench("it panicked".to_owned()))
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::Bench(format!("the queue failed: {error}"))
}
