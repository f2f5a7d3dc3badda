//! What is kept of settled invocations, and whether the counts are true.

use super::faulty::{Fate, Faulty};
use super::*;
use crate::model::outcome::OutcomeKind;

async fn settle(world: &World, count: usize) -> Vec<InvocationId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        tokio::time::sleep(Duration::from_millis(1)).await; // they settle one after the other
        let id = world.accept_one().await;
        world.outcome(id).await;
        ids.push(id);
    }
    ids
}

fn kept(world: &World) -> u64 {
    world.store.counts(function(1)).kept(OutcomeKind::Failed).count
}

#[tokio::test(start_paused = true)]
async fn of_more_than_are_to_be_kept_the_latest_stay() {
    let retention = Keep { age: Some(24 * HOUR), count: Some(5), bytes: None };
    let world = Setup { retention, ..Setup::on(Arc::new(MemoryStore::default())) }.world().await;
    let ids = settle(&world, 20).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(kept(&world), 5);
    assert!(world.store.invocation(ids[14]).await.unwrap().is_none());
    assert!(world.store.invocation(ids[15]).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn when_many_settle_their_number_is_kept_down_without_waiting_for_the_next_round() {
    let retention = Keep { age: Some(24 * HOUR), count: Some(5), bytes: None };
    let world = Setup { retention, ..Setup::on(Arc::new(MemoryStore::default())) }.world().await;
    let start = tokio::time::Instant::now();
    settle(&world, 3_000).await;
    assert!(start.elapsed() < Duration::from_secs(9), "before the next round: {:?}", start.elapsed());
    assert!(kept(&world) < 1_500, "{}", kept(&world));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_says_what_it_keeps_is_asked_before_the_runtime() {
    let world = World::on(store_with_function().await).await;
    world.set_queue(|queue| queue.retention.failed.age = Some(HOUR)).await;
    settle(&world, 3).await;
    tokio::time::sleep(Duration::from_secs(59 * 60)).await;
    assert_eq!(kept(&world), 3);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(kept(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn counts_that_are_off_are_shown_once_that_is_sure() {
    let world = World::on(Arc::new(Faulty { miscounted: true, ..Faulty::new(|_| Fate::CarriedOut) })).await;
    let _only_slot = world.occupied();
    world.accept_one().await;
    let drift = || world.dispatch.figures().functions.get(&function(1)).map_or(0, |figures| figures.drift);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(drift(), 0, "looked at once");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(drift(), 1);
}
