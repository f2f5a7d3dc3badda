//! What the audit finds, one offence at a time.

use super::super::records::{Attempt, Next};
use super::*;
use crate::cli::bench::instant::Instant;

fn id(n: u8) -> InvocationId {
    InvocationId::from_bytes([n; 16])
}

fn record(n: u8, function: &str, status: Status) -> Record {
    Record {
        id: id(n),
        function: function.to_owned(),
        status,
        accepted_at: "2026-01-01T00:00:00.000Z".to_owned(),
        settled_at: status.is_settled().then(|| "2026-01-01T00:00:01.000Z".to_owned()),
        attempts: vec![Attempt { number: 1 }],
        chain: Vec::new(),
        next: None,
    }
}

fn leading(record: Record, n: u8, function: &str) -> Record {
    Record { next: Some(Next { id: id(n), function: function.to_owned() }), ..record }
}

fn following(record: Record, n: u8) -> Record {
    Record { chain: vec![id(n)], ..record }
}

/// Two invocations as they should be: 1, of `b`, led to 2, of `c`. The server was killed between its attempts.
fn sound() -> Driven {
    let mut driven = Driven {
        acknowledged: vec![id(1)],
        deaths: vec![Death::Killed, Death::Stopped, Death::Aborted],
        ..Driven::default()
    };
    driven.records.see(leading(record(1, "b", Status::Succeeded), 2, "c"));
    driven.records.see(following(record(2, "c", Status::Succeeded), 1));
    did(&mut driven, 1, &[(0, Deed::Started(1)), (1, Deed::Started(2)), (2, Deed::Started(2)), (2, Deed::Settled)]);
    did(&mut driven, 2, &[(2, Deed::Started(1)), (2, Deed::Settled)]);
    driven
}

fn did(driven: &mut Driven, n: u8, deeds: &[(usize, Deed)]) {
    for (life, deed) in deeds {
        driven.ledger.enter(id(n), Entry { life: *life, deed: *deed, at: Instant::now() });
    }
}

/// What the audit finds once `spoil` has changed what is sound: ids of the lost, the settled twice, those over the
/// limit, and the partial.
#[track_caller]
fn check(spoil: impl FnOnce(&mut Driven), expected: [&[u8]; 4]) {
    let mut driven = sound();
    spoil(&mut driven);
    let findings = audit(&driven);
    let found = findings.kinds().map(|(_, offences)| offences.keys().copied().collect::<Vec<_>>());
    assert_eq!(found, expected.map(|ids| ids.iter().map(|n| id(*n)).collect::<Vec<_>>()), "{findings:#?}");
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    check(|_| (), [&[], &[], &[], &[]]);
    assert!(audit(&sound()).is_empty());
}

#[test]
fn an_acknowledged_invocation_without_a_record_is_lost() {
    check(|driven| driven.acknowledged.push(id(9)), [&[9], &[], &[], &[]]);
}

#[test]
fn an_invocation_that_was_worked_on_and_has_no_record_is_lost() {
    check(|driven| did(driven, 9, &[(0, Deed::Started(1))]), [&[9], &[], &[], &[]]);
}

#[test]
fn an_invocation_that_never_settles_is_lost() {
    check(|driven| driven.records.see(record(9, "c", Status::Queued)), [&[9], &[], &[], &[]]);
}

#[test]
fn a_hop_that_is_missing_is_partial_at_the_one_before() {
    check(|driven| driven.records.see(leading(record(9, "a", Status::Succeeded), 8, "b")), [&[], &[], &[], &[9]]);
    check(|driven| driven.records.see(record(9, "a", Status::Succeeded)), [&[], &[], &[], &[9]]);
    check(|driven| driven.records.see(record(9, "doomed", Status::Failed)), [&[], &[], &[], &[9]]);
    check(|driven| driven.records.see(record(9, "doomed", Status::Cancelled)), [&[], &[], &[], &[9]]);
    check(|driven| driven.records.see(record(9, "a", Status::Failed)), [&[], &[], &[], &[]]);
}

#[test]
fn two_commits_of_an_outcome_are_found() {
    check(|driven| did(driven, 2, &[(2, Deed::Settled)]), [&[], &[2], &[], &[]]);
}

#[test]
fn an_attempt_behind_the_outcome_is_found() {
    check(|driven| did(driven, 2, &[(2, Deed::Started(2))]), [&[], &[2], &[], &[]]);
}

#[test]
fn an_outcome_that_changes_is_found() {
    check(|driven| driven.records.see(following(record(2, "c", Status::Failed), 1)), [&[], &[2], &[], &[]]);
    let later = Some("2026-01-01T00:00:02.000Z".to_owned());
    let again = Record { settled_at: later, ..following(record(2, "c", Status::Succeeded), 1) };
    check(|driven| driven.records.see(again), [&[], &[2], &[], &[]]);
}

#[test]
fn a_hop_that_is_taken_twice_is_found() {
    check(|driven| driven.records.see(following(record(9, "c", Status::Succeeded), 1)), [&[], &[1], &[], &[9]]);
}

#[test]
fn an_invocation_that_nothing_led_to_is_found() {
    check(|driven| driven.records.see(following(record(9, "c", Status::Succeeded), 8)), [&[], &[], &[], &[9]]);
    let spoil = |driven: &mut Driven| {
        driven.records.see(leading(record(8, "b", Status::Running), 9, "c"));
        driven.records.see(following(record(9, "c", Status::Succeeded), 8));
    };
    check(spoil, [&[8], &[], &[], &[9]]);
}

#[test]
fn an_attempt_beyond_the_limit_is_found_in_the_record_and_in_the_ledger() {
    let attempts = vec![Attempt { number: 4 }];
    let poison = Record { attempts, ..record(9, "poison", Status::Failed) };
    check(|driven| driven.records.see(poison), [&[], &[], &[9], &[]]);
    let spoil = |driven: &mut Driven| {
        driven.records.see(record(9, "poison", Status::Failed));
        did(driven, 9, &[(2, Deed::Started(4))]);
    };
    check(spoil, [&[], &[], &[9], &[]]);
}

#[test]
fn an_attempt_that_a_crash_cut_short_and_that_was_not_counted_is_found() {
    let spoil = |driven: &mut Driven| {
        driven.records.see(record(9, "poison", Status::Failed));
        did(driven, 9, &[(0, Deed::Started(1)), (1, Deed::Started(1))]);
    };
    check(spoil, [&[], &[], &[9], &[]]);
}

#[test]
fn a_key_that_led_to_two_invocations_is_found() {
    check(|driven| driven.broken_keys.push((id(1), "another".to_owned())), [&[], &[1], &[], &[]]);
}
