//! Limits of the runtime, of functions and of versions together.

use super::*;
use crate::model::function::Limits;
use crate::model::samples;
use crate::model::time::Timestamp;

fn version(concurrency: Option<u32>) -> Version {
    let defaults = Limits::default();
    let limits = Limits::new(defaults.memory_bytes, defaults.timeout, concurrency).unwrap();
    Version { limits, ..samples::version() }
}

fn function(n: u8) -> FunctionId {
    FunctionId::new(Timestamp::from_ms(0), [n; 10])
}

#[tokio::test]
async fn a_version_gets_no_more_slots_than_its_own_limit_and_others_still_get_theirs() {
    let slots = Slots::new(3, Arc::default());
    let one = slots.try_take(function(1), Some(&version(Some(1)))).ok().unwrap();
    assert!(slots.try_take(function(1), Some(&version(Some(1)))).err() == Some(NoSlot::Version));
    assert!(slots.try_take(function(2), Some(&version(Some(1)))).is_ok());
    drop(one);
    assert!(slots.try_take(function(1), Some(&version(Some(1)))).is_ok());
}

#[tokio::test]
async fn a_function_has_a_limit_over_all_its_versions_which_counts_what_ran_before_it_was_set() {
    let slots = Slots::new(9, Arc::default());
    let other = Version { number: NonZeroU32::new(2).unwrap(), ..version(None) };
    let one = slots.try_take(function(1), Some(&version(None))).ok().unwrap();
    let two = slots.try_take(function(1), Some(&other)).ok().unwrap();
    slots.limit_function(function(1), NonZeroU32::new(2));
    assert_eq!(slots.try_take(function(1), Some(&version(None))).err(), Some(NoSlot::Function));
    assert_eq!(slots.running(), [(function(1), 2)].into());
    slots.limit_function(function(1), NonZeroU32::new(1));
    drop(one);
    assert_eq!(slots.try_take(function(1), Some(&version(None))).err(), Some(NoSlot::Function));
    drop(two);
    assert!(slots.try_take(function(1), Some(&other)).is_ok());
}

#[tokio::test]
async fn whoever_looked_for_a_slot_in_vain_is_told_once_when_there_is_one() {
    let slots = Slots::new(9, Arc::default());
    let limited = version(Some(1));
    let one = slots.try_take(function(1), Some(&limited)).ok().unwrap();
    let other = slots.try_take(function(2), None).ok().unwrap();
    assert!(slots.try_take(function(1), Some(&limited)).is_err() && slots.freed().is_empty());
    drop(other);
    assert!(slots.freed().is_empty(), "nobody looked for that one");
    drop(one);
    assert_eq!(slots.freed(), [Freed { function: function(1), version: Some(limited.number) }]);
    assert!(slots.freed().is_empty());
}

#[tokio::test]
async fn a_refusal_by_the_functions_limit_tells_nobody_of_the_versions_slot_that_was_taken_before() {
    let freed = Arc::new(Notify::new());
    let slots = Slots::new(9, freed.clone());
    slots.limit_function(function(1), NonZeroU32::new(1));
    let limited = version(Some(4));
    let one = slots.try_take(function(1), Some(&limited)).ok().unwrap();
    // Each look would wake whoever looks, who would look again, without an end.
    for _ in 0..3 {
        assert_eq!(slots.try_take(function(1), Some(&limited)).err(), Some(NoSlot::Function));
        assert_eq!(slots.freed(), []);
        assert!(tokio::time::timeout(Duration::ZERO, freed.notified()).await.is_err());
    }
    drop(one);
    assert_eq!(slots.freed(), [Freed { function: function(1), version: None }]);
}

#[tokio::test]
async fn lowering_the_runtimes_concurrency_stops_nothing_and_holds_from_then_on() {
    let slots = Slots::new(3, Arc::default());
    let mut held: Vec<_> = (0..3).map(|_| slots.try_take(function(1), None).ok().unwrap()).collect();
    slots.set_concurrency(NonZeroU32::MIN);
    held.truncate(1);
    assert_eq!((slots.concurrency().get(), slots.any_free(), slots.all_free()), (1, false, false));
    held.clear();
    assert!(slots.any_free() && slots.all_free());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slot_gets_it_before_the_queue_does_and_gives_up_in_the_end() {
    let slots = Slots::new(1, Arc::default());
    let held = slots.try_take(function(1), None).ok().unwrap();
    let caller = version(None);
    let mut waiting = std::pin::pin!(slots.take(function(2), &caller));
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(held);
    assert!(slots.try_take(function(1), None).is_err(), "the freed slot belongs to the caller who waits");
    let slot = waiting.await.unwrap();
    assert!(slots.take(function(1), &caller).await.is_none(), "after the longest wait there is no slot");
    drop(slot);
}

#[tokio::test(start_paused = true)]
async fn however_many_wait_for_one_version_a_caller_of_another_gets_a_free_slot() {
    let slots = Slots::new(2, Arc::default());
    let (full, free) = (version(Some(1)), version(None));
    let _held = slots.try_take(function(1), Some(&full)).ok().unwrap();
    let waiting = (0..bounds::MAX_WAITING_FOR_SLOT).map(|_| slots.take(function(1), &full));
    let mut waiting = std::pin::pin!(futures::future::join_all(waiting));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert!(slots.take(function(2), &free).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn however_many_wait_for_one_function_a_caller_of_another_waits_too() {
    let slots = Slots::new(1, Arc::default());
    let held = slots.try_take(function(1), None).ok().unwrap();
    let caller = version(None);
    let crowd = (0..=bounds::MAX_WAITING_FOR_SLOT).map(|_| slots.take(function(1), &caller));
    let mut crowd = Box::pin(futures::future::join_all(crowd));
    assert!(futures::poll!(&mut crowd).is_pending());
    let mut other = std::pin::pin!(slots.take(function(2), &caller));
    assert!(futures::poll!(&mut other).is_pending());
    drop((crowd, held));
    assert!(other.await.is_some());
}

#[tokio::test]
async fn who_was_refused_for_somebody_who_waited_and_went_away_is_told() {
    let slots = Slots::new(9, Arc::default());
    let limited = version(Some(1));
    let held = slots.try_take(function(1), Some(&limited)).ok().unwrap();
    let mut waiting = Box::pin(slots.take(function(1), &limited));
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(held);
    drop(slots.freed());
    assert!(slots.try_take(function(1), Some(&limited)).is_err(), "it is kept for whoever waits");
    drop(waiting);
    assert_eq!(slots.freed(), [Freed { function: function(1), version: Some(limited.number) }]);
    assert!(slots.try_take(function(1), Some(&limited)).is_ok());
}
