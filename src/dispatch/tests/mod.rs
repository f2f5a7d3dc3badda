//! The queue in paused time, on the memory store: hours pass in milliseconds. No guest runs here (guests live in
//! real time): what is settled is what is too old, gone, cancelled or interrupted.

use std::num::NonZeroU32;

mod damaged;
mod deliveries;
mod faulty;
mod keys;
mod limits;
mod lives;
mod retained;
mod windows;

use super::*;
use crate::access::Access;
use crate::core_dumps::CoreDumps;
use crate::delivery::{self, Builtin, Connections, Home, Objects, Services};
use crate::engine::asks::Nobody;
use crate::engine::{Engine, Settings};
use crate::messaging::queues::{Limits, Queues};
use crate::messaging::streams::Streams;
use crate::model::bounds;
use crate::model::destination::{Destination, Destinations, FunctionTarget};
use crate::model::function::AsyncConfig;
use crate::model::invocation::{Event, Lineage, Mode, PayloadInfo, Policy, Request, State, Target};
use crate::model::names::{FunctionPath, Qualifier};
use crate::model::outcome::Outcome;
use crate::model::place::Priority;
use crate::model::queue::QueueConfig;
use crate::model::samples;
use crate::model::time::Timestamp;
use crate::outbound::{Allowed, Outbound, Webhooks};
use crate::store::StoreError;
use crate::store::memory::MemoryStore;
use crate::store::{Change, Durability, Group, Part};
use crate::vault::{KeySource, Vault};
use crate::worker::Slot;

const HOUR: Duration = Duration::from_secs(3_600);

/// A queue and what it stands on.
struct World {
    store: Arc<dyn Store>,
    dispatch: Dispatch,
    registry: Registry,
    slots: Slots,
    clock: Clock,
}

/// What a world is like, where it is not as usual.
struct Setup {
    store: Arc<dyn Store>,
    capacities: Capacities,
    retention: Keep,
    windows: Windows,
}

impl Setup {
    fn on(store: Arc<dyn Store>) -> Self {
        let retention = Keep { age: Some(24 * HOUR), ..Keep::default() };
        Self { store, capacities: Capacities::default(), retention, windows: Windows::default() }
    }

    async fn world(self) -> World {
        let Self { store, capacities, retention, windows } = self;
        let (clock, tasks, wake) =
            (Clock::starting_at(Timestamp::from_ms(1_000_000)), Tasks::default(), Arc::new(Notify::new()));
        let engine = Engine::start(&Settings { concurrency: 1, ..Settings::default() }).unwrap();
        let live = store.scan().await.unwrap();
        let registry = Registry::open(store.clone(), engine.clone(), clock.clone(), tasks.clone(), &live);
        let vault = Vault::open(store.clone(), clock.clone(), KeySource::Fleeting).unwrap();
        let access = Access::open(store.clone(), clock.clone(), tasks.clone(), vault.clone()).await.unwrap();
        let (dumps, nobody) = (CoreDumps::open(None), Arc::new(Nobody));
        let worker = Worker::new(registry.clone(), engine, clock.clone(), vault.clone(), access, dumps, nobody);
        let outbound = Arc::new(Outbound::new(None).unwrap());
        let allowed = Allowed::of(&["127.0.0.0/8".to_owned()]).unwrap();
        let reach = delivery::Reach::new(allowed.clone(), None).unwrap();
        let connections = Connections::new(store.clone(), vault.clone(), clock.clone());
        let objects = Objects::new(Home::Fleeting, store.clone(), clock.clone());
        let services = Services::new(objects, &connections, &reach, clock.clone());
        let webhooks = Webhooks::new(outbound, allowed, store.clone(), vault, clock.clone());
        let slots = Slots::new(1, wake.clone());
        let queues = Queues::open(store.clone(), clock.clone(), tasks.clone(), Limits::default()).await.unwrap();
        let streams = Streams::open(store.clone(), clock.clone(), tasks.clone()).await.unwrap();
        let builtin = Builtin::new(queues, streams);
        let needs = Needs {
            store: store.clone(),
            registry: registry.clone(),
            worker,
            slots: slots.clone(),
            wake,
            clock: clock.clone(),
            tasks: tasks.clone(),
            retention,
            capacities,
            carrier: Carrier::new(webhooks, services, builtin),
            delivery_budget: bounds::DEFAULT_DELIVERY_BUDGET,
        };
        World { store, dispatch: Dispatch::with_windows(needs, &live, windows), registry, slots, clock }
    }
}

impl World {
    async fn on(store: Arc<dyn Store>) -> Self {
        Setup::on(store).world().await
    }

    async fn new() -> Self {
        Self::on(Arc::new(MemoryStore::default())).await
    }

    /// Changes the settings of the queue of the function that all invocations here are of.
    async fn set_queue(&self, change: impl FnOnce(&mut QueueConfig) + Send + 'static) {
        self.registry.set_queue(&path(), change).await.unwrap();
        self.dispatch.queue_changed(function(1));
    }

    /// One that is due now and has hours.
    async fn accept_one(&self) -> InvocationId {
        self.accept(self.invocation(Duration::ZERO, 10 * HOUR)).await
    }

    /// Takes the only slot there is, so that nothing runs.
    fn occupied(&self) -> Slot {
        self.slots.try_take(function(2), None).ok().unwrap()
    }

    /// How many are live.
    fn live(&self) -> u64 {
        self.store.counts(function(1)).live
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
            request: Request { payload: PayloadInfo::default(), traceparent: None, attributes: Vec::new(), head: None },
            lineage: Lineage::default(),
            policy: Policy {
                config: AsyncConfig { max_event_age, ..AsyncConfig::default() },
                hop_limit: 16,
                callback: None,
                invoker: None,
            },
            priority: Priority::default(),
            spread: 0,
            attempts: Vec::new(),
            state: State::Queued { due, attempt: NonZeroU32::MIN },
            result: None,
        }
    }

    async fn accept(&self, invocation: Invocation) -> InvocationId {
        let id = invocation.id;
        self.dispatch.accept(invocation, Bytes::new(), None).await.unwrap();
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

/// A store that knows the function that all invocations here are of, and no version of it.
async fn store_with_function() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    let it = samples::function(1, "f");
    store.commit(Group(vec![Change::PutFunction(Box::new(it))]), Durability::Synced).await.unwrap();
    store
}

fn path() -> FunctionPath {
    FunctionPath { namespace: "default".parse().unwrap(), name: "f".parse().unwrap() }
}

/// The same, with another function as its failure destination.
fn leading_on(mut invocation: Invocation) -> Invocation {
    let target = FunctionTarget { id: function(3), path: path(), qualifier: Qualifier::Latest };
    let on_failure = Some(Destination::Function(target));
    invocation.policy.config.destinations = Destinations { on_failure, ..Destinations::default() };
    invocation
}
