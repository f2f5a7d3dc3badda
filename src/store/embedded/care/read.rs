//! Every item of a store, one after the other: modules, functions and versions, invocations, keys, secrets, pairs,
//! documents, numbers. What cannot be read is told and passed over.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::entry::{Entry, Row};
use super::super::reads::part_name;
use super::super::stage::{Before as _, read_key_use};
use super::super::view::unknown_row;
use super::item::Item;
use super::offline::Offline;
use super::rows::read_key;
use crate::model::function::{Function, Version};
use crate::model::invocation::Invocation;
use crate::model::names::{FunctionId, InvocationId};
use crate::model::secret::Secret;
use crate::store::journal::Span;
use crate::store::{Pair, Part, StoreError, keys, record};

/// Who takes the items.
pub(super) type Take<'a> = dyn FnMut(Item) -> Result<(), StoreError> + 'a;
/// Who is told what was passed over.
pub(super) type Skipped<'a> = dyn FnMut(StoreError) + 'a;

/// Which invocations and versions are passed over without being damaged.
pub(super) trait Judge {
    /// Why an invocation is left out.
    fn leaves_out(&self, id: InvocationId, entry: &Entry) -> Option<StoreError>;
    /// Why the record of a function or version is left out.
    fn leaves_out_record(&self, span: Span, is_module_there: bool) -> Option<StoreError>;
}

/// Nothing is left out.
pub(super) struct Everything;

impl Judge for Everything {
    fn leaves_out(&self, _: InvocationId, _: &Entry) -> Option<StoreError> {
        None
    }

    fn leaves_out_record(&self, _: Span, _: bool) -> Option<StoreError> {
        None
    }
}

/// Hands every item to `take`. Stops at its first error, and at none of a read.
pub(super) fn each(
    store: &Offline,
    judge: &dyn Judge,
    take: &mut Take<'_>,
    skipped: &mut Skipped<'_>,
) -> Result<(), StoreError> {
    functions(store, judge, take, skipped)?;
    for tag in [keys::LIVE, keys::DONE] {
        for row in store.view.rows(&[tag], &[tag + 1]) {
            match row.and_then(|(key, value)| invocation(store, judge, &key, &value)) {
                Ok(item) => take(item)?,
                Err(error) => skipped(error),
            }
        }
    }
    for row in store.view.rows(&[keys::KEY], &[keys::KEY + 1]) {
        let read =
            row.and_then(|(key, value)| read_key(&key).zip(read_key_use(&value)).ok_or_else(|| unknown_row(&key)));
        match read {
            Ok((key, used)) => take(Item::Key(key, used))?,
            Err(error) => skipped(error),
        }
    }
    owned(store, take, skipped)?;
    let counts: BTreeMap<_, _> = store.view.shared.lock().counts.iter().map(|(id, counts)| (*id, *counts)).collect();
    let settled = counts.into_iter().filter(|(_, counts)| counts.settled != [0; 4]);
    settled.into_iter().try_for_each(|(id, counts)| take(Item::Settled(id, counts.settled)))
}

/// Functions, then their versions, each behind its module.
fn functions(
    store: &Offline,
    judge: &dyn Judge,
    take: &mut Take<'_>,
    skipped: &mut Skipped<'_>,
) -> Result<(), StoreError> {
    let (mut known, mut modules) = (BTreeSet::new(), BTreeSet::new());
    for row in store.view.rows(&[keys::FUNCTION], &[keys::FUNCTION + 1]) {
        match row.and_then(|row| function(store, &row)) {
            Ok(function) => {
                known.insert(function.id);
                take(Item::Function(Box::new(function)))?;
            }
            Err(error) => skipped(error),
        }
    }
    for row in store.view.rows(&[keys::VERSION], &[keys::VERSION + 1]) {
        match row.and_then(|row| version(store, judge, &known, &row)) {
            Ok((id, version, module)) => {
                if modules.insert(version.digest) {
                    match module {
                        Ok(bytes) => take(Item::Module(version.digest, bytes))?,
                        Err(error) => skipped(error),
                    }
                }
                take(Item::Version(id, Box::new(version)))?;
            }
            Err(error) => skipped(error),
        }
    }
    Ok(())
}

/// What belongs to a namespace and to no function.
fn owned(store: &Offline, take: &mut Take<'_>, skipped: &mut Skipped<'_>) -> Result<(), StoreError> {
    type Read = fn(&Offline, &Row) -> Result<Item, StoreError>;
    let tags: [(u8, Read); 3] = [(keys::SECRET, secret), (keys::PAIR, pair), (keys::DOCUMENT, document)];
    for (tag, read) in tags {
        for row in store.view.rows(&[tag], &[tag + 1]) {
            match row.and_then(|row| read(store, &row)) {
                Ok(item) => take(item)?,
                Err(error) => skipped(error),
            }
        }
    }
    Ok(())
}

fn secret(store: &Offline, (key, value): &Row) -> Result<Item, StoreError> {
    Ok(Item::Secret(Box::new(decoded::<Secret>(store, key, value, "a secret".to_owned())?.0)))
}

fn pair(store: &Offline, (key, value): &Row) -> Result<Item, StoreError> {
    let what = || "a pair of a key-value store".to_owned();
    let (pair, _) = decoded::<Pair>(store, key, value, what())?;
    let span = store.view.record(&keys::other_of_pair(key))?;
    let span = span.ok_or_else(|| StoreError::Damaged { what: what(), detail: "its value is not there".to_owned() })?;
    Ok(Item::Pair(Box::new(pair), read(store, span, what)?))
}

fn document(store: &Offline, (key, value): &Row) -> Result<Item, StoreError> {
    let document = keys::read_document(key).ok_or_else(|| unknown_row(key))?;
    let what = || format!("a document of the table {:?}", document.table);
    let bytes = read(store, super::super::view::read_span(key, value)?, what)?;
    Ok(Item::Document(document, bytes))
}

fn function(store: &Offline, (key, value): &Row) -> Result<Function, StoreError> {
    let id = keys::read_function(key).ok_or_else(|| unknown_row(key))?;
    Ok(decoded::<Function>(store, key, value, format!("function {id}"))?.0)
}

/// A version, unless its function is gone, and its module or what is wrong with that.
fn version(
    store: &Offline,
    judge: &dyn Judge,
    functions: &BTreeSet<FunctionId>,
    (key, value): &Row,
) -> Result<(FunctionId, Version, Result<Bytes, StoreError>), StoreError> {
    let (id, number) = keys::read_version(key).ok_or_else(|| unknown_row(key))?;
    let what = format!("version {number} of function {id}");
    let (version, span) = decoded::<Version>(store, key, value, what.clone())?;
    if !functions.contains(&id) {
        return Err(StoreError::Damaged { what, detail: "its function is not there".to_owned() });
    }
    let missing = || StoreError::Damaged {
        what: format!("module {}", version.digest),
        detail: "it is missing: deploy it again".to_owned(),
    };
    let module = store.modules.read(version.digest).and_then(|bytes| bytes.map(Bytes::from).ok_or_else(missing));
    match judge.leaves_out_record(span, module.is_ok()) {
        Some(why) => Err(why),
        None => Ok((id, version, module)),
    }
}

fn invocation(store: &Offline, judge: &dyn Judge, key: &[u8], value: &[u8]) -> Result<Item, StoreError> {
    let (id, entry) = keys::read_invocation(key).zip(Entry::read(value)).ok_or_else(|| unknown_row(key))?;
    if let Some(why) = judge.leaves_out(id, &entry) {
        return Err(why);
    }
    let what = || format!("invocation {id}");
    let invocation: Invocation = record::decode(&read(store, entry.record, what)?, what)?;
    let mut parts = [None, None, None];
    for ((part, span), read_part) in Part::ALL.into_iter().zip(entry.parts).zip(&mut parts) {
        let what = || format!("the {} of invocation {id}", part_name(part));
        *read_part = span.map(|span| read(store, span, what)).transpose()?;
    }
    Ok(Item::Invocation(Box::new(invocation), parts))
}

fn decoded<T: serde::de::DeserializeOwned>(
    store: &Offline,
    key: &[u8],
    value: &[u8],
    what: String,
) -> Result<(T, Span), StoreError> {
    let span = super::super::view::read_span(key, value)?;
    let bytes = read(store, span, || what.clone())?;
    Ok((record::decode(&bytes, || what)?, span))
}

fn read(store: &Offline, span: Span, what: impl Fn() -> String) -> Result<Bytes, StoreError> {
    let damaged = |detail: String| StoreError::Damaged { what: what(), detail };
    match store.view.reader.read(span) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(damaged(format!("it is {span}, and that segment is missing"))),
        Err(error) => Err(damaged(error.to_string())),
    }
}
