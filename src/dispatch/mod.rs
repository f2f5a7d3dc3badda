//! The queue's hands: accepts invocations, takes what is due, has it run, and writes what follows.
//!
//! It alone decides and writes: `worker` returns what happened, [`crate::model::invocation::Invocation::apply`]
//! says what that means, and `settle` turns it into one commit. It works by looking at due times; a wake-up
//! is a hint. Nothing here is kept that the store does not have: dropped at any line, it is rebuilt at open.
//!
//! An invocation that does not rest is in somebody's hands (`held`): from before it is first written until it stands in
//! line, and whenever a step works on it. So nothing is worked on twice, whatever is read of it meanwhile.
//!
//! | file        | decides                                                                        |
//! | ----------- | ------------------------------------------------------------------------------ |
//! | `line`      | who is next                                                                    |
//! | `turn`      | the loop: what is taken, held and let go                                       |
//! | `refill`    | what is read of the rest of the queue, which is in the store alone             |
//! | `accept`    | the way in: keys, room, the commit                                             |
//! | `refused`   | why one was not accepted                                                       |
//! | `quota`     | how much may wait                                                              |
//! | `keys`      | turns for idempotency keys                                                     |
//! | `asked`     | what is asked of one that is there: cancel, run now, wait                      |
//! | `waiters`   | who waits for one to settle                                                    |
//! | `step`      | one step of one invocation                                                     |
//! | `write`     | the commit at its end                                                          |
//! | `settle`    | what follows from an outcome                                                   |
//! | `deliver`   | what is brought out of the runtime, and when it is tried again                 |
//! | `records`   | the records of what is not queued                                              |
//! | `retention` | what is removed, and when                                                      |
//! | `sound`     | whether the counts and the quota are true                                      |
//! | `figures`   | what is told about all this                                                    |

mod accept;
mod asked;
mod deliver;
mod figures;
mod keys;
mod line;
mod quota;
mod records;
mod refill;
mod refused;
mod retention;
mod settle;
mod sound;
mod step;
mod turn;
mod waiters;
mod write;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

pub use accept::Acceptance;
pub use asked::CancelAsked;
pub use deliver::{DeliveryFigures, DeliveryTarget, TargetFigures};
pub use figures::{Figures, FunctionFigures};
pub use keys::Keyed;
pub use refused::{Full, NotAccepted};

use crate::clock::Clock;
use crate::delivery::Carrier;
use crate::model::invocation::{Invocation, Lease};
use crate::model::names::{FunctionId, InvocationId};
use crate::model::queue::{Capacities, Keep};
use crate::registry::Registry;
use crate::store::{Live, Store};
use crate::tasks::{OnExit, Tasks};
use crate::worker::{Slots, Worker};
use deliver::Deliveries;
use figures::Tallies;
use keys::Keys;
use line::{Line, Windows};
use quota::Quota;
use records::Record;
use waiters::Waiters;

/// Invocations that grew too old and are being settled at once, outside the slots.
const MAX_EXPIRING: usize = 64;
/// Settlings after which whoever removes settled invocations looks whether they are too many.
const LOOK_AFTER_SETTLINGS: u64 = 500;

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
    /// Wakes the loop: a slot is free, something stands in line again, or settings have changed.
    pub wake: Arc<Notify>,
    /// The time.
    pub clock: Clock,
    /// Owner of what is started here.
    pub tasks: Tasks,
    /// How much is kept of settled invocations where their function says nothing.
    pub retention: Keep,
    /// How much may wait.
    pub capacities: Capacities,
    /// Brings outcomes out of the runtime.
    pub carrier: Carrier,
    /// How long a delivery is tried before it is given up.
    pub delivery_budget: Duration,
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
    /// Invocations in somebody's hands, with what cuts their attempt short. Locked before `line`, where both are.
    held: Mutex<Held>,
    waiters: Waiters,
    quota: Quota,
    keys: Keys,
    tallies: Tallies,
    deliveries: Deliveries,
    /// Invocations of which the last commit was answered `Unknown`: whether they are in the store, or still live there, is
    /// not known. With what the quota counts for each.
    unsure: Mutex<HashMap<InvocationId, (FunctionId, u64)>>,
    /// This process, as the owner of leases.
    lease: Lease,
    expiring: Arc<Semaphore>,
    /// The way to whoever writes the records of synchronous invocations.
    records: mpsc::Sender<Record>,
    /// Steps that have ended and wait for room to be written down.
    unwritten: AtomicUsize,
    /// How many have settled; every so many, whoever removes them is told.
    settlings: AtomicU64,
    many_settled: Notify,
    /// No more is taken.
    closed: AtomicBool,
    /// Attempts that still run are to be given back.
    give_back: CancellationToken,
}

impl Dispatch {
    /// Takes over what was live when the store was opened, and starts working.
    pub fn start(needs: Needs, live: &Live) -> Self {
        Self::with_windows(needs, live, Windows::default())
    }

    fn with_windows(needs: Needs, live: &Live, windows: Windows) -> Self {
        let tasks = needs.tasks.clone();
        let (records, to_write) = mpsc::channel(records::MAX_WAITING);
        let parts = Arc::new(Parts {
            line: Mutex::new(Line::of(windows, &live.lanes)),
            quota: Quota::new(needs.capacities),
            needs,
            held: Mutex::default(),
            waiters: Waiters::default(),
            keys: Keys::default(),
            tallies: Tallies::default(),
            deliveries: Deliveries::default(),
            unsure: Mutex::default(),
            lease: Lease { owner: uuid::Uuid::new_v4() },
            expiring: Arc::new(Semaphore::new(MAX_EXPIRING)),
            records,
            unwritten: AtomicUsize::new(0),
            settlings: AtomicU64::new(0),
            many_settled: Notify::new(),
            closed: AtomicBool::new(false),
            give_back: CancellationToken::new(),
        });
        parts.take_over(live);
        tasks.spawn("dispatch", OnExit::Shutdown, parts.clone().work());
        tasks.spawn("records", OnExit::Shutdown, records::write_all(parts.clone(), to_write));
        tasks.spawn("overdue", OnExit::Shutdown, parts.clone().settle_overdue());
        tasks.spawn("retention", OnExit::Shutdown, retention::sweep(parts.clone()));
        tasks.spawn("deliveries", OnExit::Shutdown, deliver::pump(parts.clone()));
        tasks.spawn("delivery count", OnExit::Shutdown, deliver::count(parts.clone()));
        tasks.spawn("soundness", OnExit::Shutdown, sound::watch(parts.clone()));
        Self { parts }
    }

    /// Keeps the record of a synchronous invocation that has ended. The write is not waited for, unless so many
    /// are waiting that this is what bounds them.
    pub async fn keep_record(&self, invocation: Invocation, log: Bytes) {
        match self.parts.records.reserve().await {
            Ok(place) => place.send(Record { invocation, log }),
            // The runtime is stopping.
            Err(_) => Box::pin(records::write(&self.parts, [Record { invocation, log }])).await,
        }
    }

    /// Keeps the record of a synchronous invocation whose caller has gone away, without being waited for.
    pub fn keep_record_of_abandoned(&self, invocation: Invocation) {
        let dispatch = self.clone();
        let kept = async move { dispatch.keep_record(invocation, Bytes::new()).await };
        self.parts.needs.tasks.spawn("record", OnExit::Ignore, kept);
    }

    /// Makes what waits for a function due now, because the function is gone and it can only be settled.
    pub fn function_removed(&self, function: FunctionId) {
        self.parts.line().function_removed(function);
        self.parts.tallies.forget(function);
        self.queue_changed(function);
    }

    /// Takes note of changed settings of a function's queue: they hold when this returns.
    pub fn queue_changed(&self, function: FunctionId) {
        self.parts.apply_settings(function);
        self.parts.needs.wake.notify_one();
    }

    /// Figures as they are now. Does not block.
    pub fn figures(&self) -> Figures {
        self.parts.figures()
    }

    /// Stops taking, lets what runs go on for `patience`, whoever waits for it, then has the rest given back.
    pub async fn drain(&self, patience: Duration) {
        self.parts.closed.store(true, Ordering::SeqCst);
        let until = tokio::time::Instant::now() + patience;
        let busy =
            || !self.parts.held().is_empty() || !self.parts.needs.slots.all_free() || !self.parts.deliveries.rest();
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
    /// Takes note of what was there when the store was opened.
    fn take_over(&self, live: &Live) {
        for lane in &live.lanes {
            let version = lane.version.and_then(|number| self.needs.registry.version(lane.function, number));
            if version.is_none() {
                self.line().lane_gone(*lane); // it has nothing to wait for
            }
        }
        for (function, counts) in self.needs.store.all_counts() {
            let known = self.needs.registry.read(|catalogue| catalogue.function(function).cloned());
            let namespace = known.as_ref().map(|known| &known.path.namespace);
            self.quota.found(function, namespace, counts.live, counts.live_bytes);
        }
        for (function, _) in &live.functions {
            self.apply_settings(function.id);
        }
    }

    /// Applies the settings of a function's queue as they are now; of one that is gone there are none.
    fn apply_settings(&self, function: FunctionId) {
        let mut line = self.line(); // over the look at them, so that of two changes the later one stays
        let found = self.needs.registry.function_by_id(function);
        let (paused, concurrency) =
            found.map_or((false, None), |it| (it.queue.paused || it.disabled, it.queue.concurrency));
        line.pause(function, paused);
        self.needs.slots.limit_function(function, concurrency);
    }

    fn one_more_settled(&self) {
        if self.settlings.fetch_add(1, Ordering::Relaxed) % LOOK_AFTER_SETTLINGS == LOOK_AFTER_SETTLINGS - 1 {
            self.many_settled.notify_one();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsure(&self) -> MutexGuard<'_, HashMap<InvocationId, (FunctionId, u64)>> {
        self.unsure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
