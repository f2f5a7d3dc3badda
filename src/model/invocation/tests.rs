//! The promises of the heart, over random lives.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::destination::{Destinations, OutsideKind};
use crate::model::function::AsyncConfig;
use crate::model::names::{FunctionId, FunctionPath, VersionNumber};
use crate::model::retry::RetryPolicy;

const OWNER: Lease = Lease { owner: uuid::Uuid::nil() };

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_000_000 + ms)
}

fn invocation(max_retries: u32, max_age_s: u64, outside: bool) -> Invocation {
    let to = Outside { kind: OutsideKind::Queue, target: "q".to_owned() };
    let destination = outside.then_some(Destination::Outside(to));
    let retry = RetryPolicy::new(max_retries, Duration::from_secs(1), Duration::from_secs(60)).unwrap();
    Invocation {
        id: InvocationId::new(at(0), [1; 10]),
        target: Target {
            function: FunctionId::new(at(0), [2; 10]),
            path: FunctionPath { namespace: "default".parse().unwrap(), name: "f".parse().unwrap() },
            version: VersionNumber::new(1),
        },
        mode: Mode::Async,
        accepted: at(0),
        first_due: at(0),
        request: Request { payload: PayloadInfo::default(), traceparent: None, attributes: Vec::new(), head: None },
        lineage: Lineage::default(),
        policy: Policy {
            config: AsyncConfig {
                retry,
                max_event_age: Duration::from_secs(max_age_s),
                destinations: Destinations {
                    on_success: destination.clone(),
                    on_failure: destination,
                    ..Destinations::default()
                },
                service_account: None,
            },
            hop_limit: bounds::DEFAULT_HOP_LIMIT,
            callback: None,
            invoker: None,
        },
        priority: Priority::default(),
        spread: 0,
        attempts: Vec::new(),
        state: State::Queued { due: at(0), attempt: NonZeroU32::MIN },
        result: None,
    }
}

fn failure(advice: Advice) -> Failure {
    Failure::new(FailureKind::Retryable, "no", advice)
}

fn any_event() -> impl Strategy<Value = Event> {
    let advice = prop_oneof![
        4 => Just(Advice::Retry),
        1 => (0u64..100).prop_map(|s| Advice::RetryAfter(Duration::from_secs(s))),
        2 => (0u64..100).prop_map(|s| Advice::Postpone(Duration::from_secs(s))),
        1 => Just(Advice::GiveUp),
    ];
    let tried = prop_oneof![
        Just(Ok(())),
        (0u64..1_000).prop_map(|ms| Err(undelivered(Some(at(ms))))),
        Just(Err(undelivered(None))),
    ];
    let way = prop_oneof![3 => Just(Way::Destination), 1 => Just(Way::Callback)];
    prop_oneof![
        10 => Just(Event::Claimed(OWNER)),
        1 => Just(Event::Ended(Ok(()))),
        6 => advice.prop_map(|advice| Event::Ended(Err(failure(advice)))),
        2 => Just(Event::GivenBack),
        2 => Just(Event::Expedited),
        2 => Just(Event::Interrupted),
        1 => Just(Event::Aged),
        1 => Just(Event::Cancelled),
        1 => Just(Event::FunctionRemoved),
        3 => (way, tried).prop_map(|(way, end)| Event::Delivered(way, end)),
        2 => Just(Event::Redeliver),
    ]
}

fn undelivered(retry_at: Option<Timestamp>) -> Undelivered {
    Undelivered { retry_at, error: "nobody answers".to_owned() }
}

/// What a life consists of: an event and how much time passes before it.
fn any_life() -> impl Strategy<Value = Vec<(Event, u64)>> {
    prop::collection::vec((any_event(), 0u64..20_000), 0..200)
}

proptest! {
    #[test]
    fn whatever_happens_the_promises_hold(
        life in any_life(), max_retries in 0u32..5, max_age_s in 1u64..600, outside: bool,
    ) {
        let mut invocation = invocation(max_retries, max_age_s, outside);
        let mut now = 0;
        let mut outcomes = Vec::new();
        for (event, pause) in life {
            now += pause;
            let before = invocation.clone();
            if invocation.apply(&event, at(now)).is_err() {
                prop_assert_eq!(&before, &invocation, "a refused event changes nothing");
                continue;
            }
            prop_assert!(invocation.attempts_used() <= 1 + max_retries, "never more attempts than allowed");
            if matches!(invocation.state, State::Running { .. }) {
                prop_assert!(at(now) <= invocation.expires(), "no attempt after the age limit");
            }
            if matches!(before.state, State::Done { .. }) {
                prop_assert_eq!(&event, &Event::Redeliver, "nothing else leaves Done");
            }
            if before.outcome().is_some() {
                prop_assert_eq!(before.outcome(), invocation.outcome(), "one outcome, at one instant");
            } else {
                outcomes.extend(invocation.outcome());
            }
            prop_assert!(invocation.attempts.len() <= bounds::MAX_ATTEMPTS_KEPT);
        }
        prop_assert!(outcomes.len() <= 1, "settled once");
    }

    #[test]
    fn an_invocation_that_is_worked_whenever_it_is_due_ends(
        ends in prop::collection::vec(any_event(), 400), max_retries in 0u32..100, outside: bool,
    ) {
        let mut invocation = invocation(max_retries, 600, outside);
        let mut now = at(0);
        for event in ends {
            match invocation.state.clone() {
                State::Queued { due, .. } => {
                    now = now.max(due);
                    invocation.apply(&Event::Claimed(OWNER), now).unwrap();
                }
                State::Running { .. } => {
                    // Every end takes some time; what cannot happen now is an ordinary failure.
                    now = now + Duration::from_millis(1_600);
                    if invocation.apply(&event, now).is_err() {
                        invocation.apply(&Event::Ended(Err(failure(Advice::Retry))), now).unwrap();
                    }
                }
                State::Delivering { deliveries, .. } => {
                    invocation.apply(&Event::Delivered(deliveries[0].way, Ok(())), now).unwrap();
                }
                State::Done { .. } => return Ok(()),
            }
        }
        prop_assert!(matches!(invocation.state, State::Done { .. }), "still {:?}", invocation.state);
    }
}

fn run(invocation: &mut Invocation, now: Timestamp, end: &Event) {
    invocation.apply(&Event::Claimed(OWNER), now).unwrap();
    invocation.apply(end, now).unwrap();
}

#[test]
fn a_failed_attempt_makes_it_due_later_and_the_record_says_when() {
    let mut invocation = invocation(2, 3_600, false);
    run(&mut invocation, at(0), &Event::Ended(Err(failure(Advice::Retry))));
    assert_eq!(invocation.state, State::Queued { due: at(500), attempt: NonZeroU32::new(2).unwrap() });
    assert_eq!(invocation.attempts[0].end.as_ref().unwrap().retry_at, Some(at(500)));
    assert!(invocation.apply(&Event::Claimed(OWNER), at(499)).is_err());
}

#[test]
fn the_last_failure_settles_it_with_retries_exhausted() {
    let mut invocation = invocation(0, 3_600, false);
    run(&mut invocation, at(0), &Event::Ended(Err(failure(Advice::Retry))));
    assert_eq!(invocation.outcome(), Some((Outcome::Failed(FailedFor::RetriesExhausted), at(0))));
    assert!(invocation.is_dead_letter());
}

#[test]
fn an_attempt_cut_short_by_a_crash_counts_and_one_given_back_does_not() {
    let mut interrupted = invocation(0, 3_600, false);
    run(&mut interrupted, at(0), &Event::Interrupted);
    assert_eq!(interrupted.outcome(), Some((Outcome::Failed(FailedFor::RetriesExhausted), at(0))));

    let mut given_back = invocation(0, 3_600, false);
    run(&mut given_back, at(0), &Event::GivenBack);
    assert_eq!(given_back.state, State::Queued { due: at(0), attempt: NonZeroU32::MIN });
}

#[test]
fn one_that_would_be_too_old_for_its_next_attempt_expires_at_once() {
    let mut invocation = invocation(5, 10, false);
    let throttled = Event::Ended(Err(failure(Advice::Postpone(Duration::from_secs(11)))));
    run(&mut invocation, at(0), &throttled);
    assert_eq!(invocation.outcome(), Some((Outcome::Expired, at(0))));
}

#[test]
fn one_that_waits_can_be_made_due_now_and_grows_too_old_as_before() {
    let mut invocation = invocation(1, 10, false);
    invocation.first_due = at(5_000);
    invocation.state = State::Queued { due: at(5_000), attempt: NonZeroU32::MIN };
    let expires = invocation.expires();
    invocation.apply(&Event::Expedited, at(1_000)).unwrap();
    assert_eq!(invocation.place().map(|place| (place.due, place.expires)), Some((at(1_000), expires)));
    invocation.apply(&Event::Claimed(OWNER), at(1_001)).unwrap();
    assert!(invocation.clone().apply(&Event::Expedited, at(1_002)).is_err(), "it runs");
    assert_eq!(invocation.place().map(|place| place.due), Some(at(1_001)), "after a crash it is found at once");
    invocation.apply(&Event::Ended(Err(failure(Advice::Retry))), at(1_100)).unwrap();
    invocation.apply(&Event::Expedited, at(1_200)).unwrap();
    assert_eq!(invocation.state, State::Queued { due: at(1_200), attempt: NonZeroU32::new(2).unwrap() });
}

#[test]
fn one_that_is_due_already_is_not_made_to_wait_by_being_hurried() {
    let mut invocation = invocation(1, 10, false);
    invocation.apply(&Event::Expedited, at(700)).unwrap();
    assert_eq!(invocation.state, State::Queued { due: at(0), attempt: NonZeroU32::MIN });
}

#[test]
fn one_that_is_too_old_when_its_turn_comes_expires_without_running() {
    let mut invocation = invocation(5, 10, false);
    invocation.apply(&Event::Claimed(OWNER), at(10_001)).unwrap();
    assert_eq!(invocation.outcome(), Some((Outcome::Expired, at(10_001))));
    assert!(invocation.attempts.is_empty());
}

#[test]
fn a_chain_with_too_many_steps_is_cut_and_nobody_is_told_further() {
    let mut invocation = invocation(5, 10, true);
    invocation.policy.hop_limit = 1;
    invocation.lineage.chain = vec![invocation.id; 2];
    invocation.apply(&Event::Claimed(OWNER), at(0)).unwrap();
    let outcome = Outcome::Failed(FailedFor::HopLimitExceeded);
    assert_eq!(invocation.state, State::Done { outcome, at: at(0), undelivered: Vec::new() });
    assert!(invocation.is_dead_letter());
}

#[test]
fn redelivery_changes_neither_the_outcome_nor_its_time() {
    let mut invocation = invocation(0, 3_600, true);
    run(&mut invocation, at(0), &Event::Ended(Ok(())));
    invocation.apply(&Event::Delivered(Way::Destination, Err(undelivered(None))), at(1)).unwrap();
    assert!(matches!(&invocation.state, State::Done { undelivered, .. } if undelivered.len() == 1));
    invocation.apply(&Event::Redeliver, at(9)).unwrap();
    assert_eq!(invocation.outcome(), Some((Outcome::Succeeded, at(0))));
    invocation.apply(&Event::Delivered(Way::Destination, Ok(())), at(10)).unwrap();
    assert!(invocation.apply(&Event::Redeliver, at(11)).is_err(), "nothing is left to bring");
}
