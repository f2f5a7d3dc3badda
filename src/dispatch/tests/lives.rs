//! Lives of invocations, with and without a store that fails.

use super::faulty::{Fate, Faulty};
use super::turn::LOOK_AGAIN;
use super::*;
use crate::model::names::Edge;
use crate::model::outcome::{FailedFor, FailureKind};
use crate::store::{Query, Room};

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
        4 => Fate::Full,
        5 => Fate::CarriedOutAndUnknown,
        _ => Fate::CarriedOut,
    })))
    .await;
    let mut accepted = Vec::new();
    for _ in 0..100 {
        let invocation = leading_on(world.invocation(Duration::ZERO, 24 * HOUR));
        let id = invocation.id;
        if world.dispatch.accept(invocation, Bytes::new(), None).await.is_ok() {
            accepted.push(id);
        }
    }
    assert!(accepted.len() >= 40, "{}", accepted.len());
    for id in &accepted {
        assert_eq!(world.outcome(*id).await.0, Outcome::Failed(FailedFor::FunctionRemoved));
        let next = id.next(Edge::OnFailure);
        assert_eq!(world.outcome(next).await.0, Outcome::Failed(FailedFor::FunctionRemoved), "the chain went on");
    }
    let all = world.store.list(Query { limit: 1_000, ..Query::default() }).await.unwrap().invocations;
    let children = |id: InvocationId| all.iter().filter(|next| next.lineage.chain == [id]).count();
    assert!(accepted.iter().all(|id| children(*id) == 1), "each step once");
}

#[tokio::test(start_paused = true)]
async fn without_room_to_write_down_what_comes_of_it_no_attempt_starts_until_there_is() {
    let store = Arc::new(Faulty::new(|_| Fate::CarriedOut));
    let world = World::on(store.clone()).await;
    *store.room.lock().unwrap() = Room::None;
    let id = world.accept_one().await;
    tokio::time::sleep(HOUR).await;
    assert_eq!((world.live(), store.calls.load(Ordering::SeqCst)), (1, 1), "nothing but the acceptance was written");
    *store.room.lock().unwrap() = Room::ReserveOnly;
    let (outcome, after) = world.outcome(id).await;
    assert_eq!(outcome, Outcome::Failed(FailedFor::FunctionRemoved));
    assert!(after <= LOOK_AGAIN, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn in_the_reserve_no_attempt_is_added_to_those_that_could_not_be_written_and_each_settles_once() {
    let store = Arc::new(Faulty::new(|call| if (20..200).contains(&call) { Fate::Full } else { Fate::CarriedOut }));
    let world = World::on(store.clone()).await;
    world.slots.set_concurrency(64.try_into().unwrap());
    *store.room.lock().unwrap() = Room::ReserveOnly;
    let mut accepted = Vec::new();
    for _ in 0..20 {
        accepted.push(world.accept(world.invocation(HOUR, 24 * HOUR)).await);
    }
    tokio::time::sleep(HOUR + Duration::from_secs(30)).await;
    let in_hand = world.dispatch.parts.held().len();
    assert!((1..=crate::model::bounds::MAX_STEPS_IN_RESERVE).contains(&in_hand), "{in_hand}");
    for id in accepted {
        assert_eq!(world.outcome(id).await.0, Outcome::Failed(FailedFor::FunctionRemoved));
    }
    assert_eq!(world.store.counts(function(1)).settled.iter().sum::<u64>(), 20);
}
