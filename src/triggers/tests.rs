//! Timers in paused time, on a store in memory; what they start is noted, or refused.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::engine::{Engine, Settings};
use crate::messaging::queues::Limits;
use crate::model::destination::FunctionTarget;
use crate::model::names::{FunctionId, FunctionPath, Qualifier, TriggerId};
use crate::model::schedule::Schedule;
use crate::model::time::Timestamp;
use crate::model::trigger::{CatchUp, Progress, Timer};
use crate::store::memory::MemoryStore;
use crate::store::{Durability, Group};

/// A runtime in which the function of a trigger is there, or not.
struct World {
    is_there: bool,
    store: Arc<MemoryStore>,
    started: Mutex<Vec<Timestamp>>,
}

impl Starts for World {
    fn start(&self, order: Order) -> Starting<'_> {
        Box::pin(async move {
            if !self.is_there {
                return Err(NotStarted::Gone("the function is gone".to_owned()));
            }
            self.started.lock().unwrap().push(order.due);
            self.store.commit(Group(order.also), Durability::Synced).await.unwrap();
            Ok(())
        })
    }
}

/// What a process that lives from then on for so long starts.
async fn started(store: &Arc<MemoryStore>, is_there: bool, from: Timestamp, for_so_long: Duration) -> Vec<Timestamp> {
    let (clock, tasks) = (Clock::starting_at(from), Tasks::default());
    let engine = Engine::start(&Settings { concurrency: 1, ..Settings::default() }).unwrap();
    let live = store.scan().await.unwrap();
    let registry = Registry::open(store.clone(), engine, clock.clone(), tasks.clone(), &live);
    let queues = Queues::open(store.clone(), clock.clone(), tasks.clone(), Limits::default()).await.unwrap();
    let world = Arc::new(World { is_there, store: store.clone(), started: Mutex::default() });
    let needs = Needs { store: store.clone(), registry, clock, tasks: tasks.clone(), queues, starts: world.clone() };
    Triggers::open(needs).await.unwrap().begin();
    tokio::time::sleep(for_so_long).await;
    tasks.stop();
    assert!(tasks.ended(Duration::from_secs(10)).await);
    let started = world.started.lock().unwrap();
    started.clone()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-21T{text}Z")).unwrap()
}

fn every_ten_minutes() -> Trigger {
    let path = FunctionPath { namespace: Namespace::default(), name: "f".parse().unwrap() };
    let schedule = Schedule::new("*/10 * * * *", "UTC").unwrap();
    Trigger {
        id: TriggerId::from_bytes([2; 16]),
        namespace: Namespace::default(),
        name: "often".parse().unwrap(),
        kind: Kind::Timer(Timer { schedule, catch_up: CatchUp::All, payload: None, time_member: None }),
        target: FunctionTarget { id: FunctionId::from_bytes([1; 16]), path, qualifier: Qualifier::Latest },
        enabled: true,
        created: at("08:30:00"),
        updated: at("08:30:00"),
        service_account: None,
    }
}

#[tokio::test(start_paused = true)]
async fn times_that_passed_while_the_function_was_gone_are_not_fired_late_by_the_next_process() {
    let (store, trigger) = (Arc::new(MemoryStore::default()), every_ten_minutes());
    let progress = Progress::beginning(trigger.created);
    let group = Group(vec![kept::put(&trigger), kept::put_progress(trigger.id, &progress)]);
    store.commit(group, Durability::Synced).await.unwrap();
    let minute = Duration::from_secs(60);
    assert_eq!(started(&store, false, at("08:30:00"), 35 * minute).await, []);
    assert_eq!(started(&store, true, at("09:15:00"), minute).await, [at("09:10:00")], "nobody let that pass");
}
