//! Idempotency keys.

use sha2::Digest as _;

use super::*;
use crate::model::names::Digest;
use crate::store::IdempotencyKey;

fn keyed(key: &str, request: &str) -> Keyed {
    let digest = |text: &str| Digest::from_bytes(sha2::Sha256::digest(text).into());
    Keyed { key: IdempotencyKey { function: function(1), digest: digest(key) }, request: digest(request) }
}

async fn ask(world: &World, key: &str, request: &str) -> Result<InvocationId, NotAccepted> {
    let invocation = world.invocation(Duration::ZERO, HOUR);
    let id = invocation.id;
    match world.dispatch.accept(invocation, Bytes::new(), Some(keyed(key, request))).await? {
        Acceptance::New => Ok(id),
        Acceptance::Replayed(first) => Ok(first),
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_requests_with_one_key_at_once_one_is_accepted_and_all_get_its_id() {
    let world = World::new().await;
    let all: Vec<_> = futures::future::join_all((0..50).map(|_| ask(&world, "k", "a"))).await;
    let ids: std::collections::BTreeSet<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!((ids.len(), world.store.counts(function(1)).accepted), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_same_key_means_the_same_invocation_whatever_has_become_of_it() {
    let setup = Setup {
        retention: Keep { age: Some(Duration::ZERO), ..Keep::default() },
        ..Setup::on(Arc::new(MemoryStore::default()))
    };
    let world = setup.world().await;
    let id = ask(&world, "k", "a").await.unwrap();
    world.outcome(id).await;
    assert_eq!(ask(&world, "k", "a").await.unwrap(), id, "it has failed");
    tokio::time::sleep(HOUR).await;
    assert!(world.store.invocation(id).await.unwrap().is_none());
    assert_eq!(ask(&world, "k", "a").await.unwrap(), id, "its record is gone");
    assert_ne!(ask(&world, "other", "a").await.unwrap(), id);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_with_another_request_is_refused_with_the_id_it_stands_for() {
    let world = World::new().await;
    let id = ask(&world, "k", "a").await.unwrap();
    assert!(matches!(ask(&world, "k", "b").await, Err(NotAccepted::KeyConflict(first)) if first == id));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new().await;
    let id = ask(&world, "k", "a").await.unwrap();
    tokio::time::sleep(23 * HOUR).await;
    assert_eq!(ask(&world, "k", "a").await.unwrap(), id);
    tokio::time::sleep(2 * HOUR).await;
    assert!(world.store.key(keyed("k", "a").key).await.unwrap().is_none());
    assert_ne!(ask(&world, "k", "b").await.unwrap(), id);
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_request_was_refused_is_free() {
    let world = World::on(store_with_function().await).await;
    world.set_queue(|queue| (queue.paused, queue.max_queued) = (true, Some(1))).await;
    world.accept_one().await;
    assert!(matches!(ask(&world, "k", "a").await, Err(NotAccepted::FunctionFull(_))));
    world.set_queue(|queue| queue.max_queued = None).await;
    ask(&world, "k", "b").await.unwrap();
}
