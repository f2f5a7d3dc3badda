//! What broke a promise. Pure: what the server acknowledged, did and says goes in, the offences come out.
//!
//! Lost: an acknowledged invocation that has no record or did not settle.
//! Settled twice: two commits of an outcome, an outcome that changed, an attempt after the outcome, a hop that
//! was taken twice, a key that led to two invocations.
//! Partial: a settled one that did not lead to what its function leads to, and a hop that nothing led to.
//! Over the limit: an attempt beyond one more than the retries; and an attempt that was started again although
//! a crash had cut it short, because such attempts count. Only a server that was asked to stop may give attempts
//! back, and only one that lost power may forget some: they then start again with the same number.

use std::collections::{BTreeMap, HashMap};

use super::driver::Driven;
use super::ledger::{Deed, Entry};
use super::life::Death;
use super::load;
use super::records::Record;
use crate::model::names::InvocationId;
use crate::model::status::Status;

/// Offences, the first of each invocation.
pub(in crate::cli::bench) type Offences = BTreeMap<InvocationId, String>;

/// What broke a promise.
#[derive(Debug, Default)]
pub(in crate::cli::bench) struct Findings {
    pub(in crate::cli::bench) lost: Offences,
    pub(in crate::cli::bench) settled_twice: Offences,
    pub(in crate::cli::bench) over_the_limit: Offences,
    pub(in crate::cli::bench) partial: Offences,
}

impl Findings {
    pub(in crate::cli::bench) fn is_empty(&self) -> bool {
        self.kinds().iter().all(|(_, offences)| offences.is_empty())
    }

    /// Every kind by its name.
    pub(in crate::cli::bench) fn kinds(&self) -> [(&'static str, &Offences); 4] {
        [
            ("lost", &self.lost),
            ("settled twice", &self.settled_twice),
            ("over the limit", &self.over_the_limit),
            ("partial", &self.partial),
        ]
    }
}

pub(in crate::cli::bench) fn audit(driven: &Driven) -> Findings {
    Findings {
        lost: lost(driven),
        settled_twice: settled_twice(driven),
        over_the_limit: over_the_limit(driven),
        partial: partial(driven),
    }
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
    for record in driven.records.iter().filter(|record| !record.status.is_settled()) {
        let Record { function, status, accepted_at, .. } = record;
        offend(
            &mut offences,
            record.id,
            format!("it did not settle: {function}, accepted at {accepted_at}, is {status}"),
        );
    }
    offences
}

fn partial(driven: &Driven) -> Offences {
    let mut offences = Offences::new();
    for record in driven.records.iter() {
        let broken = if record.status.is_settled() { broken_chain(driven, record) } else { None };
        if let Some(what) = broken.or_else(|| unfounded(driven, *record.chain.last()?, record)) {
            offend(&mut offences, record.id, what);
        }
    }
    for id in driven.records.unfounded() {
        offend(&mut offences, *id, "it stood there before what it follows from had settled");
    }
    offences
}

/// Why the chain does not go on behind this invocation, where it should.
fn broken_chain(driven: &Driven, record: &Record) -> Option<String> {
    let Record { function, status, .. } = record;
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
    for (id, change) in driven.records.changed().iter().chain(&driven.broken_keys) {
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
    for Entry { life, deed, .. } in entries {
        let Deed::Started(number) = *deed else { continue };
        if number > limit {
            return Some(format!("attempt {number} of {limit} started in life {life}"));
        }
        let before = lives.insert(number, *life);
        if let Some(before) =
            before.filter(|before| !matches!(deaths.get(*before), Some(Death::Stopped | Death::PowerCut)))
        {
            return Some(format!("attempt {number} started in life {before}, which crashed, and again in life {life}"));
        }
    }
    None
}

fn offend(offences: &mut Offences, id: InvocationId, what: impl Into<String>) {
    offences.entry(id).or_insert_with(|| what.into());
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
