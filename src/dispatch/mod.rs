//! The queue's hands: accepts invocations, takes what is due, has it run, and writes what follows.
//!
//! It alone decides and writes: `worker` returns what happened, [`crate::model::invocation::Invocation::apply`]
//! says what that means, and `settle` turns it into one commit. It works by looking at due times; a wake-up
//! is a hint. Nothing here is kept that the store does not have: dropped at any line, it is rebuilt at open.

mod line;
mod retention;
mod settle;
mod step;
mod waiters;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::invocation::{Invocation, Lease};
use crate::model::names::{FunctionId, InvocationId};
use crate::model::place::Place;
use crate::model::time::Timestamp;
use crate::registry::Registry;
use crate::store::{Change, Durability, Group, Live, Part, Store, StoreError};
use crate::tasks::{OnExit, Tasks};
use crate::worker::{Slots, Worker};
use line::Line;
use waiters::Waiters;

/// The longest pause between two looks at what is due: a lost wake-up, or a machine that was asleep, costs this and
/// never an invocation.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Invocations that grew too old and are being settled at once, outside the slots.
const MAX_EXPIRING: usize = 64;
/// Records of synchronous invocations that are being written at once.
const MAX_RECORDING: usize = 1_024;

/// What dispatch works with.
pub struct Needs {
    /// Where invocations are kept.
    pub store: Arc<dyn Store>,
    /// Which functions there are.
    pub registry: Registry,
    /// Runs attempts.
    pub worker: Worker,
    /// The places to run them in.
    pub slots: Slots,
    /// Told when a slot is free again.
    pub wake: Arc<Notify>,
    /// The time.
    pub clock: Clock,
    /// Owner of what is started here.
    pub tasks: Tasks,
    /// How long settled invocations are kept.
    pub retention: Duration,
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Dispatch {
    parts: Arc<Parts>,
}

type Held = HashMap<InvocationId, CancellationToken>;

struct Parts {
    needs: Needs,
    line: Mutex<Line>,
    /// Invocations in the hands of a step, with what cuts their attempt short.
    held: Mutex<Held>,
    waiters: Waiters,
    /// This process, as the owner of leases.
    lease: Lease,
    expiring: Arc<Semaphore>,
    recording: Arc<Semaphore>,
    /// No more is taken.
    closed: AtomicBool,
    /// Attempts that still run are to be given back.
    give_back: CancellationToken,
}

/// Why an invocation was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// As many invocations of the function wait as may.
    #[error("the function's queue holds {}", .0.said("invocations"))]
    FunctionFull(Full),
    /// As many bytes of the function's payloads wait as may.
    #[error("the function's queue holds {}", .0.said("bytes of payloads"))]
    FunctionBytesFull(Full),
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for a different request, which became the invocation {0}")]
    KeyConflict(InvocationId),
    /// As many invocations of the namespace wait as may.
    #[error("the queues of the namespace hold {}", .0.said("invocations"))]
    NamespaceFull(Full),
    /// As many bytes of the namespace's payloads wait as may.
    #[error("the queues of the namespace hold {}", .0.said("bytes of payloads"))]
    NamespaceBytesFull(Full),
    /// As many invocations wait as may, in all.
    #[error("the queues hold {}", .0.said("invocations"))]
    RuntimeFull(Full),
    /// As many bytes of payloads wait as may, in all.
    #[error("the queues hold {}", .0.said("bytes of payloads"))]
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
    fn said(&self, what: &str) -> String {
        let Self { limit, there, oldest, .. } = self;
        let oldest = oldest.map(|age| format!(", the oldest of which has been due for {} s", age.as_secs()));
        format!("{there} {what}{}, and the limit is {limit}: come again later", oldest.unwrap_or_default())
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

/// Figures of the queue's work, since the start.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Those of each function.
    pub functions: BTreeMap<FunctionId, FunctionFigures>,
    /// Invocations whose place is held in memory; the rest stands in the store alone.
    pub in_memory: usize,
}

/// Figures of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionFigures {
    /// Attempts that run now, synchronous ones included.
    pub running: u64,
    /// How long the oldest of those that are due has been waiting.
    pub oldest_due_age: Option<Duration>,
    /// Attempts started from the queue.
    pub attempts: u64,
    /// Those of them that were not the first.
    pub retries: u64,
    /// Invocations that grew too old.
    pub expired: u64,
    /// Attempts that were put off without being counted.
    pub throttled: u64,
    /// By how much the counts are off what was found by counting again; 0 when all is well.
    pub drift: u64,
}

/// What cancelling did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelAsked {
    /// It waits for a step to settle it as cancelled; look again.
    Underway,
    /// Nothing of that id waits or runs here.
    NotLive,
}

impl Dispatch {
    /// Takes over what was live when the store was opened, and starts working.
    pub async fn start(needs: Needs, live: &Live) -> Result<Self, StoreError> {
        let tasks = needs.tasks.clone();
        let parts = Arc::new(Parts {
            needs,
            line: Mutex::default(),
            held: Mutex::default(),
            waiters: Waiters::default(),
            lease: Lease { owner: uuid::Uuid::new_v4() },
            expiring: Arc::new(Semaphore::new(MAX_EXPIRING)),
            recording: Arc::new(Semaphore::new(MAX_RECORDING)),
            closed: AtomicBool::new(false),
            give_back: CancellationToken::new(),
        });
        for lane in &live.lanes {
            let places = parts.needs.store.waiting(*lane, None, usize::MAX).await?;
            places.into_iter().map(|place| parts.place_at_start(place)).for_each(|place| parts.line().insert(place));
        }
        tasks.spawn("dispatch", OnExit::Shutdown, parts.clone().work());
        tasks.spawn("retention", OnExit::Shutdown, retention::sweep(parts.clone()));
        Ok(Self { parts })
    }

    /// Accepts an asynchronous invocation. Returns once it would survive a power cut; only then may a client
    /// be told so. A caller that goes away meanwhile changes nothing.
    pub async fn accept(&self, invocation: Invocation, payload: Bytes) -> Result<(), NotAccepted> {
        let parts = self.parts.clone();
        let accepted = async move {
            let place = invocation.place();
            let id = invocation.id;
            let group = vec![Change::PutInvocation(Box::new(invocation)), Change::PutBlob(id, Part::Payload, payload)];
            let kept = parts.needs.store.commit(Group(group), Durability::Synced).await;
            if matches!(kept, Err(StoreError::Stopped(_))) {
                parts.needs.tasks.stop(); // it takes nothing any more: the next start takes up what is kept
            }
            // What may have been kept has to be looked for in the store, or it would lie there until the next start.
            if matches!(kept, Ok(()) | Err(StoreError::Unknown(_))) {
                place.into_iter().for_each(|place| parts.line().insert(place));
                parts.needs.wake.notify_one();
            }
            kept
        };
        let accepted = self.parts.needs.tasks.see_through("accept", accepted).await;
        accepted.ok_or(NotAccepted::Stopping)?.map_err(NotAccepted::Store)
    }

    /// Keeps the record of a synchronous invocation that has ended. The write is not waited for, unless so many
    /// are under way that waiting is what bounds them.
    pub async fn keep_record(&self, invocation: Invocation, log: Bytes) {
        let parts = self.parts.clone();
        let Ok(permit) = parts.recording.clone().acquire_owned().await else { return }; // it is never closed
        let id = invocation.id;
        let mut group = vec![Change::PutInvocation(Box::new(invocation))];
        if !log.is_empty() {
            group.push(Change::PutBlob(id, Part::Log, log));
        }
        self.parts.needs.tasks.spawn("record", OnExit::Ignore, async move {
            if let Err(error) = parts.needs.store.commit(Group(group), Durability::Written).await {
                tracing::warn!(invocation = %id, %error, "the record of a synchronous invocation was not kept");
            }
            drop(permit);
        });
    }

    /// Keeps the record of a synchronous invocation whose caller has gone away, without being waited for.
    pub fn keep_record_of_abandoned(&self, invocation: Invocation) {
        let dispatch = self.clone();
        let kept = async move { dispatch.keep_record(invocation, Bytes::new()).await };
        self.parts.needs.tasks.spawn("record", OnExit::Ignore, kept);
    }

    /// Asks for an invocation to be cancelled: what waits is taken out of the line, what runs is cut short.
    #[expect(clippy::unused_async, reason = "what lies beyond memory is to be read")]
    pub async fn cancel(&self, id: InvocationId) -> Result<CancelAsked, StoreError> {
        let mut held = self.parts.held();
        if let Some(cut) = held.get(&id) {
            cut.cancel();
            return Ok(CancelAsked::Underway);
        }
        let Some(place) = self.parts.line().remove(id) else { return Ok(CancelAsked::NotLive) };
        self.parts.begin(&mut held, place, step::Task::Cancel);
        Ok(CancelAsked::Underway)
    }

    /// Takes note of changed settings of a function's queue.
    pub fn queue_changed(&self, _function: FunctionId) {
        self.parts.needs.wake.notify_one();
    }

    /// Figures as they are now. Does not block.
    pub fn figures(&self) -> Figures {
        Figures { in_memory: self.parts.line().len(), ..Figures::default() }
    }

    /// Waits until an invocation has settled, at most `patience`, and returns it as it then is. `None` when
    /// there is none of that id.
    pub async fn wait(&self, id: InvocationId, patience: Duration) -> Result<Option<Invocation>, StoreError> {
        let store = &self.parts.needs.store;
        let Some(waiter) = self.parts.waiters.register(id) else { return store.invocation(id).await };
        let until = tokio::time::Instant::now() + patience;
        loop {
            let settled = waiter.settled();
            let found = store.invocation(id).await?;
            let pending = found.as_ref().is_some_and(|invocation| invocation.outcome().is_none());
            if !pending || tokio::time::timeout_at(until, settled).await.is_err() {
                return Ok(found);
            }
        }
    }

    /// Makes what waits for a function due now, because the function is gone and it can only be settled.
    pub fn function_removed(&self, function: FunctionId) {
        self.parts.line().function_removed(function);
        self.parts.needs.wake.notify_one();
    }

    /// Stops taking, lets what runs go on for `patience`, whoever waits for it, then has the rest given back.
    pub async fn drain(&self, patience: Duration) {
        self.parts.closed.store(true, Ordering::SeqCst);
        let until = tokio::time::Instant::now() + patience;
        let busy = || !self.parts.held().is_empty() || !self.parts.needs.slots.all_free();
        while busy() && tokio::time::Instant::now() < until {
            tokio::select! {
                () = self.parts.needs.wake.notified() => (),
                () = tokio::time::sleep(Duration::from_millis(50)) => (),
            }
        }
        self.parts.give_back.cancel();
    }
}

impl Parts {
    /// Where an invocation stands at the start: one whose function is gone has nothing to wait for.
    fn place_at_start(&self, place: Place) -> Place {
        let version = place.lane.version.and_then(|number| self.needs.registry.version(place.lane.function, number));
        let due = if version.is_some() { place.due } else { place.due.min(self.needs.clock.now()) };
        Place { due, ..place }
    }

    async fn work(self: Arc<Self>) {
        let stopping = self.needs.tasks.stopping().clone();
        loop {
            let pause = self.turn();
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.needs.wake.notified() => (),
                () = tokio::time::sleep(pause) => (),
            }
        }
    }

    /// Starts everything that is due and fits; returns how long to wait before looking again.
    fn turn(self: &Arc<Self>) -> Duration {
        let now = self.needs.clock.now();
        let mut more = true;
        while more {
            more = !self.closed.load(Ordering::SeqCst) && self.start_one(now);
        }
        let next = self.line().next_look(now).map_or(LOOK_AGAIN, |at| at.since(now));
        next.clamp(Duration::from_millis(1), LOOK_AGAIN)
    }

    /// Starts a step for one that is too old or due and fits; returns whether there was one.
    fn start_one(self: &Arc<Self>, now: Timestamp) -> bool {
        // Both locks over the move, always in this order: whoever cancels finds it in one place or the other.
        let mut held = self.held();
        let mut line = self.line();
        if let Ok(permit) = self.expiring.clone().try_acquire_owned()
            && let Some(place) = line.take_expired(now)
        {
            self.begin(&mut held, place, step::Task::Expire(permit));
            return true;
        }
        if !self.needs.slots.any_free() {
            return false;
        }
        let Some((place, slot)) = line.take(now, |place| self.slot_for(place)) else { return false };
        self.begin(&mut held, place, step::Task::Run(slot));
        true
    }

    fn slot_for(&self, place: &Place) -> Result<crate::worker::Slot, crate::worker::NoSlot> {
        let version = place.lane.version.and_then(|number| self.needs.registry.version(place.lane.function, number));
        self.needs.slots.try_take(place.lane.function, version.as_deref())
    }

    /// Puts an invocation that has left the line into the hands of a step.
    fn begin(self: &Arc<Self>, held: &mut Held, place: Place, task: step::Task) {
        let cut = CancellationToken::new();
        held.insert(place.id, cut.clone());
        self.needs.tasks.spawn("step", OnExit::Ignore, step::run(self.clone(), place, task, cut));
    }

    /// Takes an invocation out of the hands of a step, back into the line if it stands there again. Whoever
    /// asked for it to be cancelled too late for the step has not asked in vain.
    fn finish(self: &Arc<Self>, id: InvocationId, back: Option<Place>) {
        let mut held = self.held();
        let cancelled = held.remove(&id).is_some_and(|cut| cut.is_cancelled());
        match back {
            Some(place) if cancelled && !self.closed.load(Ordering::SeqCst) => {
                self.begin(&mut held, place, step::Task::Cancel);
            }
            back => back.into_iter().for_each(|place| self.line().insert(place)),
        }
        drop(held);
        self.needs.wake.notify_one();
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
