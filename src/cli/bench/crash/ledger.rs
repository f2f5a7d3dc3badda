//! What the server did, from its log: each line is in the kernel's hands before the server goes on, so that the
//! lines of a killed server are all there is to know, and they are known.

use std::collections::HashMap;

use serde::Deserialize;

use crate::cli::bench::instant::Instant;
use crate::model::names::InvocationId;

/// Where the server writes what it did.
const TARGET: &str = "tidemill::ledger";
/// Other lines that are kept, to be told.
const MAX_OTHER_LINES: usize = 100;

/// Something that the server did to an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::bench) enum Deed {
    /// It started the attempt of that number.
    Started(u32),
    /// It committed the outcome.
    Settled,
}

/// A deed, and in which life of the server it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::bench) struct Entry {
    pub(in crate::cli::bench) life: usize,
    pub(in crate::cli::bench) deed: Deed,
    /// When it was read here: later than it was done.
    pub(in crate::cli::bench) at: Instant,
}

/// All that the server did, in all its lives.
#[derive(Debug, Default)]
pub(in crate::cli::bench) struct Ledger {
    entries: HashMap<InvocationId, Vec<Entry>>,
    other: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    target: String,
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    message: String,
    invocation: Option<InvocationId>,
    attempt: Option<u32>,
}

impl Ledger {
    /// Takes up a line that the server wrote in its life number `life`.
    pub(in crate::cli::bench) fn read(&mut self, life: usize, text: &str) {
        match deed(text) {
            Some((id, deed)) => self.enter(id, Entry { life, deed, at: Instant::now() }),
            None if self.other.len() < MAX_OTHER_LINES => self.other.push(text.to_owned()),
            None => (),
        }
    }

    pub(in crate::cli::bench) fn enter(&mut self, id: InvocationId, entry: Entry) {
        self.entries.entry(id).or_default().push(entry);
    }

    /// What was done to each invocation, in order.
    pub(in crate::cli::bench) fn entries(&self) -> impl Iterator<Item = (InvocationId, &[Entry])> {
        self.entries.iter().map(|(id, entries)| (*id, entries.as_slice()))
    }

    /// As it was at an instant.
    pub(in crate::cli::bench) fn before(&self, instant: Instant) -> Self {
        let earlier = |entries: &[Entry]| entries.iter().take_while(|entry| entry.at < instant).copied().collect();
        let known = self.entries().map(|(id, entries)| (id, earlier(entries)));
        let entries = known.filter(|(_, entries): &(_, Vec<_>)| !entries.is_empty()).collect();
        Self { entries, other: Vec::new() }
    }

    /// Lines that are not about invocations: errors. They are given out once.
    pub(in crate::cli::bench) fn take_other(&mut self) -> Vec<String> {
        std::mem::take(&mut self.other)
    }
}

fn deed(line: &str) -> Option<(InvocationId, Deed)> {
    let Line { target, fields } = serde_json::from_str(line).ok()?;
    let id = fields.invocation.filter(|_| target == TARGET)?;
    match (fields.message.as_str(), fields.attempt) {
        ("attempt started", Some(number)) => Some((id, Deed::Started(number))),
        ("settled", None) => Some((id, Deed::Settled)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77";

    #[track_caller]
    fn check(line: &str, expected: Option<Deed>) {
        let expected = expected.map(|deed| (ID.parse().unwrap(), deed));
        assert_eq!(deed(&line.replace("ID", ID)), expected, "{line}");
    }

    #[test]
    fn lines_about_attempts_and_outcomes_are_understood_and_others_are_not() {
        let started = r#"{"timestamp":"t","level":"DEBUG","fields":{"message":"attempt started","invocation":"ID","attempt":2},"target":"tidemill::ledger"}"#;
        let settled = r#"{"timestamp":"t","level":"DEBUG","fields":{"message":"settled","invocation":"ID","outcome":"Succeeded"},"target":"tidemill::ledger"}"#;
        check(started, Some(Deed::Started(2)));
        check(settled, Some(Deed::Settled));
        check(&settled.replace("tidemill::ledger", "tidemill::dispatch"), None);
        check("thread 'main' panicked", None);
        check("{}", None);
    }

    #[test]
    fn lines_that_are_not_understood_are_kept_to_be_told_but_not_without_end() {
        let mut ledger = Ledger::default();
        (0..2 * MAX_OTHER_LINES).for_each(|n| ledger.read(0, &format!("line {n}")));
        assert_eq!(ledger.take_other().len(), MAX_OTHER_LINES);
        assert_eq!((ledger.take_other().len(), ledger.entries().count()), (0, 0));
    }
}
