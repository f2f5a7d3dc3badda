//! What broke a promise. Pure: what the server acknowledged, did and says goes in, the offences come out.
//!
//! Lost: an acknowledged invocation that has no record or did not settle, and a settled one that did not lead to
//! what its function leads to.
//! Settled twice: two commits of an outcome, an outcome that changed, an attempt after the outcome, a hop that
//! was taken twice or that nothing led to.
//! Over the limit: an attempt beyond one more than the retries; and an attempt that was started again although
//! a crash had cut it short, because such attempts count. Only a server that was asked to stop may give attempts
//! back, which then start again with the same number.

use std::collections::{BTreeMap, HashMap};

use super::driver::Driven;
use super::ledger::{Deed, Entry};
use super::life::Death;
use super::load;
use super::records::Record;
use crate::model::names::InvocationId;
use crate::model::status::Status;

/// Offences, the first of each invocation.
pub(super) type Offences = BTreeMap<InvocationId, String>;

/// What broke a promise.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) lost: Offences,
    pub(super) settled_twice: Offences,
    pub(super) over_the_limit: Offences,
}

impl Findings {
    pub(super) fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.settled_twice.is_empty() && self.over_the_limit.is_empty()
    }
}

pub(super) fn audit(driven: &Driven) -> Findings {
    Findings { lost: lost(driven), settled_twice: settled_twice(driven), over_the_limit: over_the_limit(driven) }
}

fn lost(driven: &Driven) -> Offences {
    let mut offences = Offences::new();
    let missing = |id: &&InvocationId| driven.records.get(**id).is_none();
    for id in driven.acknowledged.iter().filter(missing) {
        offend(&mut offences, *id, "it was acknowledged, and there is no record of it");
    }
    for (id, entries) in driven.ledger.entries().filter(|(id, _)| missing(&id)) {
        let last = entries.last().map_or(0, |entry| entry.life);
        offend(&mut offences, id, format!("it was worked on, last in life {last}, and there is no record of it"));
    }
    for record in driven.records.iter() {
        if let Some(what) = broken_chain(driven, record) {
            offend(&mut offences, record.id, what);
        }
    }
    offences
}

/// Why the chain does not go on behind this invocation, where it should.
fn broken_chain(driven: &Driven, record: &Record) -> Option<String> {
    let Record { function, status, .. } = record;
    if !status.is_settled() {
        return Some(format!("it did not settle: {function}, accepted at {}, is {status}", record.accepted_at));
    }
    let leads_to = load::function(function).map(|function| match status {
        Status::Succeeded => function.on_success,
        _ => function.on_failure,
    });
    let next = record.next.as_ref();
    if let Some(to) = leads_to
        && to != next.map(|next| next.function.as_str())
    {
        let (to, found) = (to.unwrap_or("nothing"), next.map_or("nothing", |next| &next.function));
        return Some(format!("{function} {status}: that leads to {to}, but it led to {found}"));
    }
    let next = next.filter(|next| driven.records.get(next.id).is_none())?;
    Some(format!("{function} {status}: its next invocation, {} of {}, is missing", next.id, next.function))
}

fn settled_twice(driven: &Driven) -> Offences {
    let mut offences = Offences::new();
    for (id, change) in driven.records.changed() {
        offend(&mut offences, *id, change);
    }
    for (id, entries) in driven.ledger.entries() {
        let settled = |entry: &&Entry| entry.deed == Deed::Settled;
        let behind = entries.iter().skip_while(|entry| !settled(entry)).skip(1);
        if let Some(entry) = behind.clone().find(settled) {
            offend(&mut offences, id, format!("it settled again in life {}", entry.life));
        } else if let Some(entry) = behind.clone().next() {
            offend(&mut offences, id, format!("an attempt started in life {} after it had settled", entry.life));
        }
    }
    let mut children: HashMap<InvocationId, InvocationId> = HashMap::new();
    for child in driven.records.iter() {
        let Some(parent) = child.chain.last() else { continue };
        if let Some(other) = children.insert(*parent, child.id) {
            offend(&mut offences, *parent, format!("it led to two invocations: {other} and {}", child.id));
        }
        if let Some(what) = unfounded(driven, *parent, child) {
            offend(&mut offences, child.id, what);
        }
    }
    offences
}

/// Why nothing led to an invocation that says that `parent` did.
fn unfounded(driven: &Driven, parent: InvocationId, child: &Record) -> Option<String> {
    match driven.records.get(parent) {
        None => Some(format!("it follows from {parent}, of which there is no record")),
        Some(record) if !record.status.is_settled() => Some(format!("it follows from {parent}, which has not settled")),
        Some(record) if record.next.as_ref().map(|next| next.id) != Some(child.id) => {
            Some(format!("it follows from {parent}, which did not lead to it"))
        }
        Some(_) => None,
    }
}

fn over_the_limit(driven: &Driven) -> Offences {
    let mut offences = Offences::new();
    let limit =
        |record: &Record| load::function(&record.function).map_or(u32::MAX, |function| function.max_retries + 1);
    for record in driven.records.iter() {
        let limit = limit(record);
        if let Some(attempt) = record.attempts.iter().find(|attempt| attempt.number > limit) {
            offend(&mut offences, record.id, format!("its record has attempt {} of {limit}", attempt.number));
        }
    }
    for (id, entries) in driven.ledger.entries() {
        let limit = driven.records.get(id).map_or(u32::MAX, limit);
        if let Some(what) = uncounted(entries, limit, &driven.deaths) {
            offend(&mut offences, id, what);
        }
    }
    offences
}

/// The first start of an attempt that there should not have been.
fn uncounted(entries: &[Entry], limit: u32, deaths: &[Death]) -> Option<String> {
    let mut lives: HashMap<u32, usize> = HashMap::new();
    for Entry { life, deed } in entries {
        let Deed::Started(number) = *deed else { continue };
        if number > limit {
            return Some(format!("attempt {number} of {limit} started in life {life}"));
        }
        let before = lives.insert(number, *life);
        if let Some(before) = before.filter(|before| deaths.get(*before) != Some(&Death::Stopped)) {
            return Some(format!("attempt {number} started in life {before}, which crashed, and again in life {life}"));
        }
    }
    None
}

fn offend(offences: &mut Offences, id: InvocationId, what: impl Into<String>) {
    offences.entry(id).or_insert_with(|| what.into());
}

#[cfg(test)]
mod tests {
    use super::super::records::{Attempt, Next};
    use super::*;

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
            driven.ledger.enter(id(n), Entry { life: *life, deed: *deed });
        }
    }

    /// What the audit finds once `spoil` has changed what is sound: ids of the lost, the settled twice, and those
    /// over the limit.
    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Driven), expected: [&[u8]; 3]) {
        let mut driven = sound();
        spoil(&mut driven);
        let findings = audit(&driven);
        let found = [&findings.lost, &findings.settled_twice, &findings.over_the_limit];
        let found = found.map(|offences| offences.keys().copied().collect::<Vec<_>>());
        assert_eq!(found, expected.map(|ids| ids.iter().map(|n| id(*n)).collect::<Vec<_>>()), "{findings:#?}");
    }

    #[test]
    fn nothing_is_found_where_nothing_is_wrong() {
        check(|_| (), [&[], &[], &[]]);
        assert!(audit(&sound()).is_empty());
    }

    #[test]
    fn an_acknowledged_invocation_without_a_record_is_lost() {
        check(|driven| driven.acknowledged.push(id(9)), [&[9], &[], &[]]);
    }

    #[test]
    fn an_invocation_that_was_worked_on_and_has_no_record_is_lost() {
        check(|driven| did(driven, 9, &[(0, Deed::Started(1))]), [&[9], &[], &[]]);
    }

    #[test]
    fn an_invocation_that_never_settles_is_lost() {
        check(|driven| driven.records.see(record(9, "c", Status::Queued)), [&[9], &[], &[]]);
    }

    #[test]
    fn a_hop_that_is_missing_is_lost_at_the_one_before() {
        check(|driven| driven.records.see(leading(record(9, "a", Status::Succeeded), 8, "b")), [&[9], &[], &[]]);
        check(|driven| driven.records.see(record(9, "a", Status::Succeeded)), [&[9], &[], &[]]);
        check(|driven| driven.records.see(record(9, "doomed", Status::Failed)), [&[9], &[], &[]]);
        check(|driven| driven.records.see(record(9, "doomed", Status::Cancelled)), [&[9], &[], &[]]);
        check(|driven| driven.records.see(record(9, "a", Status::Failed)), [&[], &[], &[]]);
    }

    #[test]
    fn two_commits_of_an_outcome_are_found() {
        check(|driven| did(driven, 2, &[(2, Deed::Settled)]), [&[], &[2], &[]]);
    }

    #[test]
    fn an_attempt_behind_the_outcome_is_found() {
        check(|driven| did(driven, 2, &[(2, Deed::Started(2))]), [&[], &[2], &[]]);
    }

    #[test]
    fn an_outcome_that_changes_is_found() {
        check(|driven| driven.records.see(following(record(2, "c", Status::Failed), 1)), [&[], &[2], &[]]);
        let later = Some("2026-01-01T00:00:02.000Z".to_owned());
        let again = Record { settled_at: later, ..following(record(2, "c", Status::Succeeded), 1) };
        check(|driven| driven.records.see(again), [&[], &[2], &[]]);
    }

    #[test]
    fn a_hop_that_is_taken_twice_is_found() {
        check(|driven| driven.records.see(following(record(9, "c", Status::Succeeded), 1)), [&[], &[1, 9], &[]]);
    }

    #[test]
    fn an_invocation_that_nothing_led_to_is_found() {
        check(|driven| driven.records.see(following(record(9, "c", Status::Succeeded), 8)), [&[], &[9], &[]]);
        let spoil = |driven: &mut Driven| {
            driven.records.see(leading(record(8, "b", Status::Running), 9, "c"));
            driven.records.see(following(record(9, "c", Status::Succeeded), 8));
        };
        check(spoil, [&[8], &[9], &[]]);
    }

    #[test]
    fn an_attempt_beyond_the_limit_is_found_in_the_record_and_in_the_ledger() {
        let attempts = vec![Attempt { number: 4 }];
        let poison = Record { attempts, ..record(9, "poison", Status::Failed) };
        check(|driven| driven.records.see(poison), [&[], &[], &[9]]);
        let spoil = |driven: &mut Driven| {
            driven.records.see(record(9, "poison", Status::Failed));
            did(driven, 9, &[(2, Deed::Started(4))]);
        };
        check(spoil, [&[], &[], &[9]]);
    }

    #[test]
    fn an_attempt_that_a_crash_cut_short_and_that_was_not_counted_is_found() {
        let spoil = |driven: &mut Driven| {
            driven.records.see(record(9, "poison", Status::Failed));
            did(driven, 9, &[(0, Deed::Started(1)), (1, Deed::Started(1))]);
        };
        check(spoil, [&[], &[], &[9]]);
    }
}
