//! Invocations: whether what an entry points to is there, and is what the entry says of it.

use std::collections::BTreeMap;

use super::super::entry::{Entry, Facts};
use super::super::view::unknown_row;
use super::offline::Offline;
use super::report::{Finding, Kind, Tell, finding, of_error};
use crate::model::invocation::Invocation;
use crate::model::names::InvocationId;
use crate::store::journal::{JournalError, Span};
use crate::store::{Part, StoreError, keys, record};

/// Values as they are read, and what they need of each segment.
pub(super) struct Values<'a> {
    pub(super) store: &'a Offline,
    pub(super) needed: BTreeMap<u32, u64>,
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl<'a> Values<'a> {
    pub(super) fn new(store: &'a Offline) -> Self {
        Self { store, needed: BTreeMap::new(), count: 0, bytes: 0 }
    }

    /// Reads a value, which checks it.
    pub(super) fn read(&mut self, what: &str, span: Span) -> Result<bytes::Bytes, Finding> {
        *self.needed.entry(span.segment).or_default() += u64::from(span.bytes);
        self.count += 1;
        self.bytes += u64::from(span.bytes);
        match self.store.view.reader.read(span) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(finding(Kind::Value, what, format!("it is {span}, and that segment is missing"))),
            Err(error @ JournalError::Damaged { .. }) => Err(finding(Kind::Value, what, error.to_string())),
            Err(error) => Err(finding(Kind::Value, what, format!("{span}: {error}"))),
        }
    }
}

/// Checks every invocation; returns how many there are.
pub(super) fn check(values: &mut Values<'_>, tell: &mut Tell<'_>) -> u64 {
    let mut count = 0;
    for tag in [keys::LIVE, keys::DONE] {
        for row in values.store.view.rows(&[tag], &[tag + 1]) {
            let (key, value) = match row {
                Ok(row) => row,
                Err(error) => {
                    tell(of_error(Kind::Index, error));
                    break;
                }
            };
            let Some((id, entry)) = keys::read_invocation(&key).zip(Entry::read(&value)) else {
                tell(of_error(Kind::Row, unknown_row(&key)));
                continue;
            };
            count += 1;
            check_entry(values, id, tag, &entry, tell);
        }
    }
    count
}

fn check_entry(values: &mut Values<'_>, id: InvocationId, tag: u8, entry: &Entry, tell: &mut Tell<'_>) {
    let what = format!("invocation {id}");
    let wrong = |detail: &str| finding(Kind::Row, what.clone(), detail);
    if entry.row(id, tag).is_none() {
        tell(wrong("it stands among the settled ones and is not, or the other way round"));
    }
    if tag == keys::DONE && has_row(values.store, id, &keys::live(id), None) == Ok(true) {
        tell(wrong("it stands among the live ones and the settled ones"));
    }
    for tag in [keys::TIME, keys::WAITING, keys::EXPIRY, keys::SETTLED] {
        let Some((key, value)) = entry.row(id, tag) else { continue };
        match has_row(values.store, id, &key, Some(&value)) {
            Ok(true) => (),
            Ok(false) => tell(wrong(&format!("its row under `{}` is missing or says something else", char::from(tag)))),
            Err(error) => tell(finding(Kind::Index, what.clone(), error)),
        }
    }
    if let Err(found) = check_record(values, id, entry) {
        tell(found);
    }
    for (part, span) in Part::ALL.into_iter().zip(entry.parts) {
        let what = format!("the {} of invocation {id}", super::super::reads::part_name(part));
        if let Some(Err(found)) = span.map(|span| values.read(&what, span)) {
            tell(found);
        }
    }
}

fn check_record(values: &mut Values<'_>, id: InvocationId, entry: &Entry) -> Result<(), Finding> {
    let what = format!("invocation {id}");
    let bytes = values.read(&format!("the record of {what}"), entry.record)?;
    let invocation: Result<Invocation, StoreError> = record::decode(&bytes, || what.clone());
    let invocation = invocation.map_err(|error| of_error(Kind::Record, error))?;
    if invocation.id != id {
        return Err(finding(Kind::Record, what, format!("its record is that of {}", invocation.id)));
    }
    if Facts::of(&invocation) != entry.facts {
        return Err(finding(Kind::Record, what, "its record does not say what the index says of it"));
    }
    Ok(())
}

/// Whether the index has a row of this invocation, with this value if one is given. What the index has not seen has
/// its rows by what it is made of.
fn has_row(store: &Offline, id: InvocationId, key: &[u8], value: Option<&[u8]>) -> Result<bool, String> {
    if store.view.shared.lock().entry(id).is_some() {
        return Ok(value.is_some());
    }
    let found = store.view.index.get(key).map_err(|error| error.to_string())?;
    Ok(found.is_some_and(|found| value.is_none_or(|value| value == found)))
}
