//! The queue in paused time, on the memory store: hours pass in milliseconds. No guest runs here (guests live in
//! real time): what is settled is what is too old, gone, cancelled or interrupted.

use std::num::NonZeroU32;
use std::sync::atomic::AtomicU32;

use super::*;
use crate::engine::{Engine, Settings};
use crate::model::destination::{Destination, Destinations, FunctionTarget};
use crate::model::function::AsyncConfig;
use crate::model::invocation::{Event, Lineage, Mode, PayloadInfo, Policy, Request, State, Target};
use crate::model::names::{Digest, Edge, FunctionPath, Qualifier};
use crate::model::outcome::{FailedFor, FailureKind, Outcome};
use crate::model::place::Priority;
use crate::model::place::{Lane, Turn};
use crate::store::memory::MemoryStore;
use crate::store::{Counts, IdempotencyKey, KeyUse, Listed, Query, Settled, SettledQuery, Stored, Vitals};

const HOUR: Duration = Duration::from_secs(3_600);

/// A queue and what it stands on.
struct World {
    store: Arc<dyn Store>,
    dispatch: Dispatch,
    slots: Slots,
    clock: Clock,
}

impl World {
    async fn on(store: Arc<dyn Store>) -> Self {
        let (clock, tasks, wake) =
            (Clock::starting_at(Timestamp::from_ms(1_000_000)), Tasks::default(), Arc::new(Notify::new()));
        let engine = Engine::start(&Settings { cache_dir: None, concurrency: 1, fault_injection: false }).unwrap();
        let live = store.scan().await.unwrap();
        let registry = Registry::open(store.clone(), engine.clone(), clock.clone(), tasks.clone(), &live);
        let worker = Worker::new(registry.clone(), engine, clock.clone());
        let slots = Slots::new(1, wake.clone());
        let retention = 24 * HOUR;
        let needs = Needs {
            store: store.clone(),
            registry,
            worker,
            slots: slots.clone(),
            wake,
            clock: clock.clone(),
            tasks,
            retention,
        };
        Self { store, dispatch: Dispatch::start(needs, &live).await.unwrap(), slots, clock }
    }

    /// An invocation of a function whose version is gone: whoever runs it finds that out and nothing else.
    fn invocation(&self, delay: Duration, max_event_age: Duration) -> Invocation {
        let due = self.clock.now() + delay;
        Invocation {
            id: self.clock.invocation_id(),
            target: Target { function: function(1), path: path(), version: None },
            mode: Mode::Async,
            accepted: self.clock.now(),
            first_due: due,
            request: Request { payload: PayloadInfo::default(), traceparent: None, attributes: Vec::new() },
            lineage: Lineage::default(),
            policy: Policy { config: AsyncConfig { max_event_age, ..AsyncConfig::default() }, hop_limit: 16 },
            priority: Priority::default(),
            spread: 0,
            attempts: Vec::new(),
            state: State::Queued { due, attempt: NonZeroU32::MIN },
            result: None,
        }
    }

    async fn accept(&self, invocation: Invocation) -> InvocationId {
        let id = invocation.id;
        self.dispatch.accept(invocation, Bytes::new()).await.unwrap();
        id
    }

    /// Leaves an invocation in the store whose attempt this process began and will not end.
    async fn cut_short(&self) -> InvocationId {
        let mut running = self.invocation(Duration::ZERO, HOUR);
        running.apply(&Event::Claimed(self.dispatch.parts.lease), self.clock.now()).unwrap();
        let id = running.id;
        let group = Group(vec![Change::PutInvocation(Box::new(running))]);
        self.store.commit(group, Durability::Synced).await.unwrap();
        id
    }

    /// How an invocation ended, and how long after now.
    async fn outcome(&self, id: InvocationId) -> (Outcome, Duration) {
        let started = self.clock.now();
        let settled = self.dispatch.wait(id, 100 * HOUR).await.unwrap().unwrap();
        let (outcome, at) = settled.outcome().unwrap();
        (outcome, at.since(started))
    }
}

fn function(n: u8) -> FunctionId {
    FunctionId::new(Timestamp::from_ms(0), [n; 10])
}

fn path() -> FunctionPath {
    FunctionPath { namespace: "default".parse().unwrap(), name: "f".parse().unwrap() }
}

#[tokio::test(start_paused = true)]
async fn one_that_never_gets_a_slot_expires_after_six_hours_without_having_run() {
    let world = World::on(Arc::new(MemoryStore::default())).await;
    let _only_slot = world.slots.try_take(function(2), None).ok().unwrap();
    let id = world.accept(world.invocation(Duration::ZERO, 6 * HOUR)).await;
    let (outcome, after) = world.outcome(id).await;
    assert_eq!(outcome, Outcome::Expired);
    assert!((6 * HOUR..6 * HOUR + LOOK_AGAIN).contains(&after), "{after:?}");
    assert!(world.store.invocation(id).await.unwrap().unwrap().attempts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_delayed_one_is_taken_when_it_is_due_and_no_earlier() {
    let world = World::on(Arc::new(MemoryStore::default())).await;
    let id = world.accept(world.invocation(10 * HOUR, HOUR)).await;
    let (outcome, after) = world.outcome(id).await;
    assert_eq!(outcome, Outcome::Failed(FailedFor::FunctionRemoved));
    assert!((10 * HOUR..10 * HOUR + Duration::from_millis(10)).contains(&after), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_is_cancelled_at_once() {
    let world = World::on(Arc::new(MemoryStore::default())).await;
    let id = world.accept(world.invocation(10 * HOUR, HOUR)).await;
    assert_eq!(world.dispatch.cancel(id).await.unwrap(), CancelAsked::Underway);
    let (outcome, after) = world.outcome(id).await;
    assert_eq!((outcome, after < LOOK_AGAIN), (Outcome::Cancelled, true));
    assert_eq!(world.dispatch.cancel(id).await.unwrap(), CancelAsked::NotLive);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_the_last_process_did_not_end_counts_and_is_followed_by_the_next() {
    let store = Arc::new(MemoryStore::default());
    let id = World::on(store.clone()).await.cut_short().await;

    let world = World::on(store).await;
    assert_eq!(world.outcome(id).await.0, Outcome::Failed(FailedFor::FunctionRemoved));
    let settled = world.store.invocation(id).await.unwrap().unwrap();
    let first = settled.attempts[0].end.as_ref().unwrap();
    assert_eq!(first.failure.as_ref().unwrap().kind, FailureKind::Interrupted);
    assert!(first.retry_at.is_some(), "a second attempt was due");
}

#[tokio::test(start_paused = true)]
async fn a_settled_one_is_kept_for_its_retention_and_then_gone() {
    let world = World::on(Arc::new(MemoryStore::default())).await;
    let id = world.accept(world.invocation(Duration::ZERO, HOUR)).await;
    world.outcome(id).await;
    tokio::time::sleep(23 * HOUR).await;
    assert!(world.store.invocation(id).await.unwrap().is_some());
    tokio::time::sleep(2 * HOUR).await;
    assert!(world.store.invocation(id).await.unwrap().is_none());
}

/// What becomes of a commit.
enum Fate {
    CarriedOut,
    CarriedOutAndUnknown,
    Refused,
    Unknown,
}

/// A store with faults: what becomes of each commit, by its number, and whether payloads can be read.
struct Faulty {
    kept: MemoryStore,
    fate: fn(u32) -> Fate,
    calls: AtomicU32,
    payloads_damaged: bool,
}

impl Faulty {
    fn new(fate: fn(u32) -> Fate) -> Self {
        Self { kept: MemoryStore::default(), fate, calls: AtomicU32::new(0), payloads_damaged: false }
    }
}

impl Store for Faulty {
    fn commit(&self, group: Group, when: Durability) -> Stored<'_, ()> {
        let why = || "on purpose".to_owned();
        match (self.fate)(self.calls.fetch_add(1, Ordering::SeqCst)) {
            Fate::CarriedOut => self.kept.commit(group, when),
            Fate::CarriedOutAndUnknown => {
                let carried_out = self.kept.commit(group, when);
                Box::pin(async move { carried_out.await.and(Err(StoreError::Unknown(why()))) })
            }
            Fate::Refused => Box::pin(async move { Err(StoreError::Refused(why())) }),
            Fate::Unknown => Box::pin(async move { Err(StoreError::Unknown(why())) }),
        }
    }

    fn blob(&self, id: InvocationId, part: Part) -> Stored<'_, Option<Bytes>> {
        if self.payloads_damaged && part == Part::Payload {
            let damaged = StoreError::Damaged { what: "a payload".to_owned(), detail: "on purpose".to_owned() };
            return Box::pin(async { Err(damaged) });
        }
        self.kept.blob(id, part)
    }

    fn invocation(&self, id: InvocationId) -> Stored<'_, Option<Invocation>> {
        self.kept.invocation(id)
    }

    fn list(&self, query: Query) -> Stored<'_, Listed> {
        self.kept.list(query)
    }

    fn settled(&self, query: SettledQuery) -> Stored<'_, Vec<Settled>> {
        self.kept.settled(query)
    }

    fn waiting(&self, lane: Lane, after: Option<Turn>, limit: usize) -> Stored<'_, Vec<Place>> {
        self.kept.waiting(lane, after, limit)
    }

    fn too_old(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<Place>> {
        self.kept.too_old(now, limit)
    }

    fn counts(&self, function: FunctionId) -> Counts {
        self.kept.counts(function)
    }

    fn all_counts(&self) -> BTreeMap<FunctionId, Counts> {
        self.kept.all_counts()
    }

    fn recount(&self) -> Stored<'_, BTreeMap<FunctionId, Counts>> {
        self.kept.recount()
    }

    fn key(&self, key: IdempotencyKey) -> Stored<'_, Option<KeyUse>> {
        self.kept.key(key)
    }

    fn keys_over(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<IdempotencyKey>> {
        self.kept.keys_over(now, limit)
    }

    fn vitals(&self) -> Vitals {
        self.kept.vitals()
    }

    fn scan(&self) -> Stored<'_, Live> {
        self.kept.scan()
    }

    fn put_module(&self, digest: Digest, module: Bytes) -> Stored<'_, ()> {
        self.kept.put_module(digest, module)
    }

    fn module(&self, digest: Digest) -> Stored<'_, Option<Bytes>> {
        self.kept.module(digest)
    }
}

/// The same, with another function as its failure destination.
fn leading_on(mut invocation: Invocation) -> Invocation {
    let target = FunctionTarget { id: function(3), path: path(), qualifier: Qualifier::Latest };
    let on_failure = Some(Destination::Function(target));
    invocation.policy.config.destinations = Destinations { on_success: None, on_failure };
    invocation
}

#[tokio::test(start_paused = true)]
async fn one_that_was_running_when_the_last_process_ended_can_be_cancelled_before_its_turn() {
    let store = Arc::new(MemoryStore::default());
    let id = World::on(store.clone()).await.cut_short().await;

    let world = World::on(store).await;
    let _only_slot = world.slots.try_take(function(2), None).ok().unwrap();
    assert_eq!(world.dispatch.cancel(id).await.unwrap(), CancelAsked::Underway);
    assert_eq!(world.outcome(id).await.0, Outcome::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_cannot_be_read_keeps_nothing_from_settling_and_the_chain_goes_on() {
    let store = Faulty { payloads_damaged: true, ..Faulty::new(|_| Fate::CarriedOut) };
    let world = World::on(Arc::new(store)).await;
    let id = world.accept(leading_on(world.invocation(Duration::ZERO, HOUR))).await;
    assert_eq!(world.outcome(id).await.0, Outcome::Failed(FailedFor::FunctionRemoved));
    assert!(world.store.invocation(id.next(Edge::OnFailure)).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_tried_again_at_intervals_also_when_it_is_too_old() {
    let store = Arc::new(Faulty::new(|call| if call == 0 { Fate::CarriedOut } else { Fate::Unknown }));
    let world = World::on(store.clone()).await;
    let _only_slot = world.slots.try_take(function(2), None).ok().unwrap();
    world.accept(world.invocation(Duration::ZERO, Duration::from_secs(1))).await;
    tokio::time::sleep(HOUR).await;
    let tries = store.calls.load(Ordering::SeqCst);
    assert!((300..1_000).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_now_and_then_loses_no_step_of_a_chain_and_doubles_none() {
    let world = World::on(Arc::new(Faulty::new(|call| match call % 6 {
        2 => Fate::Refused,
        5 => Fate::CarriedOutAndUnknown,
        _ => Fate::CarriedOut,
    })))
    .await;
    let mut accepted = Vec::new();
    for _ in 0..100 {
        let invocation = leading_on(world.invocation(Duration::ZERO, 24 * HOUR));
        let id = invocation.id;
        if world.dispatch.accept(invocation, Bytes::new()).await.is_ok() {
            accepted.push(id);
        }
    }
    assert!(accepted.len() >= 60, "{}", accepted.len());
    for id in &accepted {
        assert_eq!(world.outcome(*id).await.0, Outcome::Failed(FailedFor::FunctionRemoved));
        let next = id.next(Edge::OnFailure);
        assert_eq!(world.outcome(next).await.0, Outcome::Failed(FailedFor::FunctionRemoved), "the chain went on");
    }
    let all = world.store.list(Query { limit: 1_000, ..Query::default() }).await.unwrap().invocations;
    let children = |id: InvocationId| all.iter().filter(|next| next.lineage.chain == [id]).count();
    assert!(accepted.iter().all(|id| children(*id) == 1), "each step once");
}
