//! A backlog of which only the nearest due are in memory.

use super::*;
use crate::model::outcome::FailedFor;

const SMALL: Windows = Windows { total: 64, least: 4, most: 16 };

async fn small(store: Arc<dyn Store>) -> World {
    Setup { windows: SMALL, ..Setup::on(store) }.world().await
}

/// Accepts so many, each due a second after the one before.
async fn backlog(world: &World, count: u64) -> Vec<InvocationId> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(world.accept(world.invocation(Duration::from_secs(n), 10 * HOUR)).await);
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn a_long_queue_is_worked_off_with_a_short_part_of_it_in_memory_and_after_a_restart_too() {
    let store = Arc::new(MemoryStore::default());
    let world = small(store.clone()).await;
    let slot = world.occupied();
    let ids = backlog(&world, 500).await;
    tokio::time::sleep(HOUR).await;
    assert!(world.dispatch.figures().in_memory <= 16 + 16, "{}", world.dispatch.figures().in_memory);
    drop(slot);
    for id in &ids[..100] {
        assert_eq!(world.outcome(*id).await.0, Outcome::Failed(FailedFor::FunctionRemoved));
    }
    world.dispatch.drain(Duration::ZERO).await;
    drop(world);

    let world = small(store).await;
    assert!(world.dispatch.figures().in_memory <= 16 + 16);
    for id in ids {
        assert_eq!(world.outcome(id).await.0, Outcome::Failed(FailedFor::FunctionRemoved));
    }
    let counts = world.store.counts(function(1));
    assert_eq!((counts.accepted, counts.live, counts.is_sound()), (500, 0, true));
}

#[tokio::test(start_paused = true)]
async fn one_behind_the_horizon_can_be_cancelled() {
    let world = small(Arc::new(MemoryStore::default())).await;
    let _only_slot = world.occupied();
    let ids = backlog(&world, 100).await;
    assert_eq!(world.dispatch.cancel(ids[90]).await.unwrap(), CancelAsked::Underway);
    assert_eq!(world.outcome(ids[90]).await.0, Outcome::Cancelled);
    assert_eq!((world.dispatch.cancel(ids[90]).await.unwrap(), world.live()), (CancelAsked::NotLive, 99));
}

#[tokio::test(start_paused = true)]
async fn one_behind_the_horizon_can_be_run_now() {
    let world = small(Arc::new(MemoryStore::default())).await;
    let slot = world.occupied();
    for _ in 0..100 {
        world.accept(world.invocation(5 * HOUR, HOUR)).await;
    }
    let last = world.accept(world.invocation(9 * HOUR, HOUR)).await;
    let due_now = world.dispatch.run_now(last).await.unwrap().unwrap();
    assert_eq!(due_now.state, State::Queued { due: world.clock.now(), attempt: NonZeroU32::MIN });
    assert_eq!(world.store.invocation(last).await.unwrap(), Some(due_now), "durably");
    drop(slot);
    let (outcome, after) = world.outcome(last).await;
    assert_eq!((outcome, after < Duration::from_secs(1)), (Outcome::Failed(FailedFor::FunctionRemoved), true));
    assert_eq!(world.live(), 100);
    assert_eq!(world.dispatch.run_now(last).await.unwrap(), None, "it has settled");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_while_it_is_in_hand_is_cancelled_also_when_nothing_came_of_what_held_it() {
    let world = World::new().await;
    let id = world.accept(world.invocation(5 * HOUR, HOUR)).await;
    let parts = &world.dispatch.parts;
    let hold = {
        let (mut held, place) = (parts.held(), parts.line().remove(id).unwrap());
        turn::Hold::of(parts, &mut held, place)
    };
    assert_eq!(world.dispatch.cancel(id).await.unwrap(), CancelAsked::Underway);
    drop(hold); // as when a commit was refused
    assert_eq!(world.outcome(id).await, (Outcome::Cancelled, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn run_now_does_not_change_when_it_is_too_old() {
    let world = World::new().await;
    let _only_slot = world.occupied();
    let id = world.accept(world.invocation(5 * HOUR, HOUR)).await;
    world.dispatch.run_now(id).await.unwrap().unwrap();
    let (outcome, after) = world.outcome(id).await;
    assert_eq!((outcome, after >= 6 * HOUR), (Outcome::Expired, true));
}

#[tokio::test(start_paused = true)]
async fn what_grows_too_old_behind_the_horizon_is_settled_within_seconds() {
    let world = small(Arc::new(MemoryStore::default())).await;
    let _only_slot = world.occupied();
    backlog(&world, 100).await;
    let short = world.accept(world.invocation(Duration::from_secs(500), Duration::from_secs(1))).await;
    let (outcome, after) = world.outcome(short).await;
    assert_eq!(outcome, Outcome::Expired);
    assert!((501..505).contains(&after.as_secs()), "{after:?}");
    assert_eq!(world.dispatch.figures().functions[&function(1)].expired, 1);
}

#[tokio::test(start_paused = true)]
async fn a_whole_backlog_that_is_too_old_expires_though_nothing_can_run() {
    let world = small(Arc::new(MemoryStore::default())).await;
    let _only_slot = world.occupied();
    for _ in 0..1_000 {
        world.accept(world.invocation(Duration::ZERO, HOUR)).await;
    }
    tokio::time::sleep(HOUR + Duration::from_secs(60)).await;
    assert_eq!((world.live(), world.dispatch.figures().functions[&function(1)].expired), (0, 1_000));
}
