//! How much may wait, and what a pause does.

use super::faulty::{Fate, Faulty};
use super::*;
use crate::model::names::Edge;
use crate::model::outcome::FailedFor;
use crate::model::queue::Capacity;

fn capacities(all: u64) -> Capacities {
    let of = |count| Capacity { count, bytes: 1_000_000 };
    Capacities { function: of(1_000), namespace: of(1_000), all: of(all) }
}

async fn refused(world: &World) -> NotAccepted {
    let invocation = world.invocation(Duration::ZERO, HOUR);
    world.dispatch.accept(invocation, Bytes::new(), None).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_as_many_are_accepted_as_there_is_room_for_and_each_refusal_says_why() {
    let setup = Setup { capacities: capacities(7), ..Setup::on(Arc::new(MemoryStore::default())) };
    let world = setup.world().await;
    let _only_slot = world.occupied();
    let all = (0..50).map(|_| world.dispatch.accept(world.invocation(Duration::ZERO, 10 * HOUR), Bytes::new(), None));
    let (accepted, refused): (Vec<_>, Vec<_>) =
        futures::future::join_all(all).await.into_iter().partition(Result::is_ok);
    assert_eq!((accepted.len(), refused.len(), world.live()), (7, 43, 7));
    let whole =
        |refused: &Result<_, _>| matches!(refused, Err(NotAccepted::RuntimeFull(Full { limit: 7, there: 7, .. })));
    assert!(refused.iter().all(whole));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_the_limit_what_is_there_and_how_long_the_oldest_has_been_due() {
    let world = World::on(store_with_function().await).await;
    world.set_queue(|queue| (queue.paused, queue.max_queued) = (true, Some(2))).await;
    world.accept_one().await;
    tokio::time::sleep(90 * Duration::from_secs(1)).await;
    world.accept_one().await;
    let error = refused(&world).await;
    let NotAccepted::FunctionFull(full) = &error else { panic!("{error}") };
    assert_eq!((full.limit, full.there, full.oldest.map(|age| age.as_secs())), (2, 2, Some(90)));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)), "nothing settles");
    assert!(error.to_string().contains("holds 2 invocations, the oldest of which has been due for 90 s"), "{error}");
    world.set_queue(|queue| queue.max_queued = Some(3)).await;
    world.accept_one().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_kept_takes_up_no_room() {
    let store = Faulty::new(|call| if call < 3 { Fate::Refused } else { Fate::CarriedOut });
    let world = Setup { capacities: capacities(1), ..Setup::on(Arc::new(store)) }.world().await;
    for _ in 0..3 {
        assert!(matches!(refused(&world).await, NotAccepted::Store(_)));
    }
    world.accept_one().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_may_have_been_kept_takes_up_room_until_it_is_known_that_it_was_not() {
    let store = Faulty::new(|call| if call == 0 { Fate::Unknown } else { Fate::CarriedOut });
    let world = Setup { capacities: capacities(1), ..Setup::on(Arc::new(store)) }.world().await;
    let slot = world.occupied();
    assert!(matches!(refused(&world).await, NotAccepted::Store(_)));
    assert!(matches!(refused(&world).await, NotAccepted::RuntimeFull(_)));
    drop(slot);
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.accept_one().await;
}

#[tokio::test(start_paused = true)]
async fn what_follows_from_an_outcome_is_never_refused() {
    let setup = Setup { capacities: capacities(1), ..Setup::on(Arc::new(MemoryStore::default())) };
    let world = setup.world().await;
    for _ in 0..3 {
        let id = world.accept(leading_on(world.invocation(Duration::ZERO, HOUR))).await;
        let next = id.next(Edge::OnFailure);
        for id in [id, next] {
            assert_eq!(world.outcome(id).await.0, Outcome::Failed(FailedFor::FunctionRemoved));
        }
        tokio::time::sleep(Duration::from_millis(1)).await; // until it is let go
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_counts_what_waits() {
    let store = store_with_function().await;
    let world = World::on(store.clone()).await;
    world.set_queue(|queue| queue.paused = true).await;
    world.accept_one().await;
    let world = Setup { capacities: capacities(1), ..Setup::on(store) }.world().await;
    assert!(matches!(refused(&world).await, NotAccepted::RuntimeFull(_)));
}

#[tokio::test(start_paused = true)]
async fn a_paused_queue_starts_nothing_and_still_accepts_cancels_and_lets_grow_too_old() {
    let world = World::on(store_with_function().await).await;
    world.set_queue(|queue| queue.paused = true).await;
    let (waits, cancelled) = (world.accept_one().await, world.accept_one().await);
    let too_old = world.accept(world.invocation(Duration::ZERO, HOUR)).await;
    assert_eq!(world.dispatch.cancel(cancelled).await.unwrap(), CancelAsked::Underway);
    assert_eq!(world.outcome(cancelled).await.0, Outcome::Cancelled);
    assert_eq!(world.outcome(too_old).await.0, Outcome::Expired);
    assert_eq!(world.live(), 1);
    world.set_queue(|queue| queue.paused = false).await;
    let (outcome, after) = world.outcome(waits).await;
    assert_eq!((outcome, after < Duration::from_secs(1)), (Outcome::Failed(FailedFor::FunctionRemoved), true));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_was_paused_is_paused_after_a_restart() {
    let store = store_with_function().await;
    World::on(store.clone()).await.set_queue(|queue| queue.paused = true).await;
    let world = World::on(store).await;
    world.accept_one().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.live(), 1);
    assert_eq!(world.dispatch.figures().functions[&function(1)].oldest_due_age, Some(Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn a_function_at_its_own_limit_starts_nothing_more_and_goes_on_when_the_limit_is_raised() {
    let world = World::on(store_with_function().await).await;
    world.slots.set_concurrency(NonZeroU32::new(4).unwrap());
    world.set_queue(|queue| queue.concurrency = NonZeroU32::new(1)).await;
    let _running = world.slots.try_take(function(1), None).ok().unwrap();
    let id = world.accept_one().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((world.live(), world.dispatch.figures().functions[&function(1)].running), (1, 1));
    world.set_queue(|queue| queue.concurrency = NonZeroU32::new(2)).await;
    let (_, after) = world.outcome(id).await;
    assert!(after < Duration::from_secs(1), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn raising_the_concurrency_of_the_runtime_starts_what_waits() {
    let world = World::new().await;
    let _only_slot = world.occupied();
    let id = world.accept_one().await;
    world.slots.set_concurrency(NonZeroU32::new(2).unwrap());
    let (_, after) = world.outcome(id).await;
    assert!(after < Duration::from_secs(1), "{after:?}");
}
