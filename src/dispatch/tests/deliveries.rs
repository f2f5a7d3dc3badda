//! Deliveries over hours: what is tried again, how long, and what is kept of what was given up.

use super::*;
use crate::dispatch::deliver::Stand;
use crate::model::destination::{Outside, OutsideKind};
use crate::model::outcome::OutcomeKind;
use crate::store::{DocumentRange, Table};

/// Where nothing listens.
const NOBODY: &str = "http://127.0.0.1:1/";

/// One that is cancelled, and whose caller wants to be told of that at `url`.
async fn settled(world: &World, url: &str) -> InvocationId {
    let mut invocation = world.invocation(HOUR, 10 * HOUR);
    invocation.policy.callback = Some(Outside { kind: OutsideKind::Webhook, target: url.to_owned() });
    let id = world.accept(invocation).await;
    world.dispatch.cancel(id).await.unwrap();
    world.outcome(id).await;
    id
}

async fn state(world: &World, id: InvocationId) -> State {
    world.store.invocation(id).await.unwrap().unwrap().state
}

async fn documents(world: &World) -> usize {
    world.store.document_keys(DocumentRange::of(Table::Delivery, b""), 100).await.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_tried_for_a_day_and_then_kept_for_as_long_as_a_failure_from_then_on() {
    let world = World::new().await;
    let id = settled(&world, NOBODY).await;
    tokio::time::sleep(23 * HOUR).await;
    let State::Delivering { deliveries, .. } = state(&world, id).await else { panic!("it was given up early") };
    assert!((100..400).contains(&deliveries[0].tries), "{deliveries:?}");
    assert!(deliveries[0].error.is_some() && documents(&world).await == 1);
    tokio::time::sleep(2 * HOUR).await;
    let State::Done { outcome, undelivered, .. } = state(&world, id).await else { panic!("it is still tried") };
    assert_eq!((outcome, undelivered.len(), documents(&world).await), (Outcome::Cancelled, 1, 0));
    let kept = |kind| world.store.counts(function(1)).kept(kind).count;
    assert_eq!((kept(OutcomeKind::Failed), kept(OutcomeKind::Cancelled)), (1, 0));
    assert_eq!(world.store.counts(function(1)).settled[OutcomeKind::Cancelled as usize], 1);
    assert!(world.store.counts(function(1)).is_sound());
    tokio::time::sleep(25 * HOUR).await;
    assert!(world.store.invocation(id).await.unwrap().is_none(), "retention has ended");
    let figures = world.dispatch.figures().deliveries;
    assert_eq!((figures.given_up, figures.delivered, figures.pending), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_gets_its_whole_time_again_when_somebody_asks() {
    let world = World::new().await;
    let id = settled(&world, NOBODY).await;
    assert!(world.dispatch.redeliver(id).await.unwrap().is_none(), "it is still tried");
    tokio::time::sleep(25 * HOUR).await;
    let again = world.dispatch.redeliver(id).await.unwrap().unwrap();
    let State::Delivering { deliveries, undelivered, .. } = &again.state else { panic!("{again:?}") };
    assert_eq!((deliveries[0].tries, undelivered.len(), documents(&world).await), (0, 0, 1));
    tokio::time::sleep(23 * HOUR).await;
    assert!(matches!(state(&world, id).await, State::Delivering { .. }));
    tokio::time::sleep(2 * HOUR).await;
    assert!(matches!(state(&world, id).await, State::Done { .. }));
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_when_the_process_ended_is_taken_up() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let first = World::on(store.clone()).await;
    let id = settled(&first, NOBODY).await;
    tokio::time::sleep(HOUR).await;
    let State::Delivering { deliveries: before, .. } = state(&first, id).await else { panic!("it was given up") };
    first.dispatch.drain(Duration::ZERO).await;
    first.dispatch.parts.needs.tasks.stop();
    let second = World::on(store).await;
    assert_eq!(second.clock.now().as_ms(), 1_000_000, "its clock begins anew, and so the delivery is due later");
    tokio::time::sleep(3 * HOUR).await;
    let State::Delivering { deliveries: after, .. } = state(&second, id).await else { panic!("it was given up") };
    assert!(after[0].tries > before[0].tries, "{after:?}");
    assert_eq!(second.dispatch.figures().deliveries.pending, 1);
}

#[tokio::test(start_paused = true)]
async fn a_document_whose_invocation_was_removed_goes_with_its_next_try() {
    let world = World::new().await;
    let id = settled(&world, NOBODY).await;
    let gone = Invocation { id: world.clock.invocation_id(), ..world.store.invocation(id).await.unwrap().unwrap() };
    let stands = Stand::all_of(&gone);
    world.store.commit(Group(stands.iter().map(Stand::put).collect()), Durability::Synced).await.unwrap();
    world.dispatch.parts.deliveries.note(&stands);
    assert_eq!(documents(&world).await, 2);
    tokio::time::sleep(HOUR).await;
    assert_eq!(documents(&world).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_begun_from_where_it_stood_before_it_failed_is_not_tried_twice_from_then_on() {
    let world = World::new().await;
    let id = settled(&world, NOBODY).await;
    let before = Stand::all_of(&world.store.invocation(id).await.unwrap().unwrap());
    tokio::time::sleep(HOUR).await;
    let State::Delivering { deliveries, .. } = state(&world, id).await else { panic!("it was given up") };
    let stale: Vec<_> = before.iter().map(Stand::put).collect();
    world.store.commit(Group(stale), Durability::Synced).await.unwrap();
    world.dispatch.parts.deliveries.note(&before);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let State::Delivering { deliveries: after, .. } = state(&world, id).await else { panic!("it was given up") };
    assert_eq!(after[0].tries, deliveries[0].tries, "it is due later");
    tokio::time::sleep(HOUR).await;
    assert_eq!((documents(&world).await, world.dispatch.figures().deliveries.pending), (1, 1));
}
