//! Timers in paused time, on a real runtime and the memory store, which outlives it: days pass in milliseconds, and
//! a runtime is closed and opened again. The function is paused, so what is accepted stays as it was accepted.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::ground::Ground;
use super::inside::Inside;
use crate::access::Caller;
use crate::clock::Clock;
use crate::config::{self, Authentication, Code, Config, Disk};
use crate::engine::Settings;
use crate::model::bounds;
use crate::model::function::{AsyncConfig, Function};
use crate::model::invocation::Invocation;
use crate::model::names::{FunctionPath, Namespace, TriggerName};
use crate::model::queue::{Capacities, Keep, QueueConfig};
use crate::model::samples;
use crate::model::schedule::Schedule;
use crate::model::time::Timestamp;
use crate::model::trigger::{CatchUp, Kind, Timer};
use crate::runtime::Runtime;
use crate::store::memory::MemoryStore;
use crate::store::{Change, Durability, Group, Part, Query, Store};
use crate::tasks::Tasks;
use crate::triggers::Wanted;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// A runtime that is open.
struct World {
    runtime: Runtime,
    clock: Clock,
    tasks: Tasks,
}

/// The settings of a server that is reached by nobody.
fn settings() -> Config {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    Config {
        listen: nowhere,
        grpc_listen: None,
        authentication: Authentication::None,
        without: Vec::new(),
        public_hosts: Vec::new(),
        public_url: None,
        tls: None,
        keep: config::Keep::Memory,
        secret_key_file: None,
        concurrency: NonZeroU32::MIN,
        hop_limit: 16,
        retention: Keep::default(),
        capacities: Capacities::default(),
        time_scale: NonZeroU32::MIN,
        disk: Disk::default(),
        drain: config::DEFAULT_DRAIN,
        examples: false,
        directories: Vec::new(),
        outbound_ca: None,
        private_targets: Vec::new(),
        delivery_budget: bounds::DEFAULT_DELIVERY_BUDGET,
        fault_injection: false,
        bench_endpoints: false,
        code: Code {
            program: "tidemill".into(),
            compile_cpu: Duration::from_secs(1),
            compile_memory: *bounds::COMPILE_MEMORY.start(),
            loaded_bytes: bounds::DEFAULT_LOADED_CODE_BYTES,
            wasi_0_3: false,
        },
    }
}

impl World {
    /// Opens a runtime on `store` when the clock shows `at`.
    async fn open(store: &Arc<MemoryStore>, at: Timestamp) -> Self {
        let (config, clock) = (settings(), Clock::starting_at(at));
        let engine = Settings { concurrency: 1, ..Settings::default() };
        let ground = Ground::on(store.clone(), clock.clone(), &engine, &config).await.unwrap();
        let own_url = format!("http://{}", config.listen);
        let Inside { runtime, tasks, .. } = Inside::open(ground, &config, own_url).await.unwrap();
        Self { runtime, clock, tasks }
    }

    async fn timer(&self, cron: &str, zone: &str, catch_up: CatchUp) {
        let schedule = Schedule::new(cron, zone).unwrap();
        let kind = Kind::Timer(Timer { schedule, catch_up, payload: None, time_member: None });
        let wanted = Wanted { kind, function: "f".parse().unwrap(), enabled: true, service_account: None };
        self.runtime.put_trigger(&Caller::Trusted, Namespace::default(), name(), wanted).await.unwrap();
    }

    async fn passes(&self, time: Duration) {
        self.clock.sleep(time).await;
        self.clock.sleep(Duration::from_secs(1)).await; // what is due at the end has its turn
    }

    /// As kill -9 would end it, as far as the store can tell; returns when that was.
    async fn closed(self) -> Timestamp {
        self.tasks.stop();
        assert!(self.tasks.ended(HOUR).await);
        self.clock.now()
    }

    fn error(&self) -> Option<String> {
        self.runtime.trigger(&Namespace::default(), &name()).unwrap().progress.error.map(|error| error.message)
    }
}

fn name() -> TriggerName {
    "nightly".parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A store with a paused function that allows an age of `max_age`.
async fn store(max_age: Duration) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    let function = Function {
        async_config: Some(AsyncConfig { max_event_age: max_age, ..AsyncConfig::default() }),
        queue: QueueConfig { paused: true, ..QueueConfig::default() },
        ..samples::function(1, "f")
    };
    let version = Change::PutVersion(function.id, Box::new(samples::version()));
    let changes = vec![Change::PutFunction(Box::new(function)), version];
    store.commit(Group(changes), Durability::Synced).await.unwrap();
    store
}

/// Everything that was accepted, in the order of the times that it is for.
async fn accepted(store: &MemoryStore) -> Vec<Invocation> {
    let listed = store.list(Query { limit: 100_000, ..Query::default() }).await.unwrap();
    let mut all = listed.invocations;
    all.sort_by_key(|invocation| invocation.first_due);
    all
}

/// The times that what was accepted is for, as the function is told.
async fn times(store: &MemoryStore) -> Vec<String> {
    let told = |invocation: &Invocation| {
        let attributes = invocation.request.attributes.iter();
        let found = attributes.filter(|(name, _)| name == "tidemill-scheduled-for");
        found.map(|(_, value)| value.clone()).collect::<String>()
    };
    accepted(store).await.iter().map(told).collect()
}

#[tokio::test(start_paused = true)]
async fn a_nightly_timer_fires_once_a_night_when_the_clock_goes_forth_and_when_it_goes_back() {
    // In Berlin half past two is skipped on 2026-03-29, and comes twice on 2026-10-25.
    for (from, expected) in [("2026-03-28T22:00:00Z", "2026-03-29T01:00"), ("2026-10-24T22:00:00Z", "2026-10-25T00:30")]
    {
        let store = store(HOUR).await;
        let world = World::open(&store, at(from)).await;
        world.timer("30 2 * * *", "Europe/Berlin", CatchUp::Latest).await;
        world.passes(6 * HOUR).await;
        assert_eq!(times(&store).await, [format!("{expected}:00.000Z")]);
        for invocation in accepted(&store).await {
            let late = invocation.accepted.since(invocation.first_due);
            assert!(late < Duration::from_secs(1), "{late:?} late");
        }
        assert_eq!(world.error(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_hourly_timer_fires_each_hour_of_a_day_that_has_23_or_25() {
    for (from, hours) in [("2026-03-28T22:59:00Z", 4), ("2026-10-24T21:59:00Z", 4)] {
        let store = store(HOUR).await;
        let world = World::open(&store, at(from)).await;
        world.timer("0 * * * *", "Europe/Berlin", CatchUp::Latest).await;
        world.passes(hours * HOUR).await;
        let expected: Vec<_> = (0..hours).map(|hour| at(from) + Duration::from_secs(60) + hour * HOUR).collect();
        assert_eq!(times(&store).await, expected.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn of_the_times_that_passed_while_the_runtime_was_off_those_are_fired_that_the_rule_says() {
    let nine = "2026-11-21T09:00:00Z";
    for (rule, off, expected) in [
        (CatchUp::None, 5 * HOUR, vec!["10", "16"]),
        (CatchUp::Latest, 5 * HOUR, vec!["10", "15", "16"]),
        (CatchUp::All, 5 * HOUR, vec!["10", "12", "13", "14", "15", "16"]),
    ] {
        // Those of eleven and before are older than the function allows at half past three.
        let store = store(4 * HOUR).await;
        let world = World::open(&store, at(nine)).await;
        world.timer("0 * * * *", "UTC", rule).await;
        world.passes(HOUR + HOUR / 2).await;
        let closed = world.closed().await;
        let world = World::open(&store, closed + off).await;
        world.passes(HOUR / 2).await;
        let expected: Vec<_> = expected.iter().map(|hour| format!("2026-11-21T{hour}:00:00.000Z")).collect();
        assert_eq!(times(&store).await, expected, "{rule:?}");
        drop(world);
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_that_was_fired_is_not_fired_again_however_often_the_runtime_is_opened() {
    let store = store(DAY).await;
    let mut now = at("2026-11-21T09:00:00Z");
    let world = World::open(&store, now).await;
    world.timer("*/10 * * * *", "UTC", CatchUp::All).await;
    now = world.closed().await;
    for _ in 0..40 {
        let world = World::open(&store, now).await;
        world.passes(Duration::from_secs(171)).await;
        now = world.closed().await;
    }
    let times = times(&store).await;
    let mut once = times.clone();
    once.dedup();
    assert_eq!(times, once);
    let expected = now.since(at("2026-11-21T09:00:00Z")).as_secs() / 600;
    assert_eq!(times.len() as u64, expected, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_timer_whose_function_can_take_no_more_says_so_and_goes_on_when_it_can() {
    let store = store(DAY).await;
    let world = World::open(&store, at("2026-11-21T09:00:30Z")).await;
    let path = FunctionPath { namespace: Namespace::default(), name: "f".parse().unwrap() };
    let most = |most| QueueConfig { max_queued: Some(most), paused: true, ..QueueConfig::default() };
    world.runtime.set_queue(&path, most(2), None).await.unwrap();
    world.timer("* * * * *", "UTC", CatchUp::Latest).await;
    world.passes(10 * Duration::from_secs(60)).await;
    assert_eq!(times(&store).await, ["2026-11-21T09:01:00.000Z", "2026-11-21T09:02:00.000Z"]);
    assert!(world.error().unwrap().contains("the limit is 2"), "{:?}", world.error());
    world.runtime.set_queue(&path, most(100), None).await.unwrap();
    world.passes(Duration::from_secs(65)).await;
    assert_eq!(times(&store).await[2..], ["2026-11-21T09:11:00.000Z"], "it stands for those that were missed");
    assert_eq!(world.error(), None);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_was_switched_off_misses_nothing_and_begins_with_the_next_time() {
    let store = store(DAY).await;
    let world = World::open(&store, at("2026-11-21T09:30:00Z")).await;
    world.timer("0 * * * *", "UTC", CatchUp::All).await;
    world.passes(HOUR).await;
    let off = world.runtime.enable_trigger(&Caller::Trusted, Namespace::default(), name(), false).await.unwrap();
    assert_eq!(off.next, None);
    world.passes(5 * HOUR).await;
    let on = world.runtime.enable_trigger(&Caller::Trusted, Namespace::default(), name(), true).await.unwrap();
    assert_eq!(on.next, Some(at("2026-11-21T16:00:00Z")));
    world.passes(HOUR).await;
    assert_eq!(times(&store).await, ["2026-11-21T10:00:00.000Z", "2026-11-21T16:00:00.000Z"]);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_is_fired_by_hand_fires_once_more_and_its_schedule_stays() {
    let store = store(DAY).await;
    let world = World::open(&store, at("2026-11-21T09:30:00Z")).await;
    world.timer("0 * * * *", "UTC", CatchUp::Latest).await;
    let fired = world.runtime.fire_trigger(&Caller::Trusted, Namespace::default(), name()).await.unwrap();
    let payload = store.blob(fired.id, Part::Payload).await.unwrap().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&said["trigger"], &said["scheduled_for"]), (&"nightly".into(), &"2026-11-21T09:30:00.000Z".into()));
    world.passes(HOUR).await;
    assert_eq!(times(&store).await, ["2026-11-21T09:30:00.000Z", "2026-11-21T10:00:00.000Z"]);
    let shown = world.runtime.trigger(&Namespace::default(), &name()).unwrap();
    assert_eq!((shown.progress.fired, shown.next), (2, Some(at("2026-11-21T11:00:00Z"))));
}
