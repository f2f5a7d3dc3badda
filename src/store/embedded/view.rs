//! What is there now: the windows in memory laid over the index, and the bytes in the journal. Reads only.
//!
//! A change goes one way: into the current window, with it into the one that is being applied, into the index. Who
//! looks does so in the same order, so nothing is missed on the way.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::entry::{Entry, Row};
use super::stage::{Before, read_key_use};
use super::state::Shared;
use crate::model::names::{FunctionId, InvocationId};
use crate::store::journal::{JournalError, Reader, Span};
use crate::store::sled::{Change, Direction, Index, IndexError, Range};
use crate::store::{IdempotencyKey, KeyUse, StoreError, keys, record};

/// What is there now. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) shared: Arc<Shared>,
    pub(super) index: Arc<Index>,
    pub(super) reader: Reader,
}

impl View {
    pub(super) fn entry(&self, id: InvocationId) -> Result<Option<Entry>, StoreError> {
        if let Some(known) = self.shared.lock().entry(id) {
            return Ok(known);
        }
        self.indexed(id)
    }

    /// The entry of an invocation as the index has it.
    pub(super) fn indexed(&self, id: InvocationId) -> Result<Option<Entry>, StoreError> {
        // It may move between two looks: to `done`, or back when it is redelivered. The third look finds the one
        // that moved back behind the first.
        for key in [keys::live(id), keys::done(id), keys::live(id)] {
            if let Some(bytes) = self.index.get(&key).map_err(unreadable)? {
                return Entry::read(&bytes).map(Some).ok_or_else(|| no_entry(id));
            }
        }
        Ok(None)
    }

    /// Rows of one tag between two keys, in order.
    pub(super) fn rows(&self, from: &[u8], to: &[u8]) -> Rows<'_> {
        self.first_rows(from, to, usize::MAX)
    }

    /// The first `limit` rows of one tag between two keys, in order.
    pub(super) fn first_rows(&self, from: &[u8], to: &[u8], limit: usize) -> Rows<'_> {
        self.rows_above(from, from, to, limit)
    }

    /// The same, where no row of the index before `floor` is one any more.
    pub(super) fn rows_above(&self, floor: &[u8], from: &[u8], to: &[u8], limit: usize) -> Rows<'_> {
        let tag = from.first().copied().unwrap_or_default();
        let of_invocations = Entry::TAGS.contains(&tag);
        let state = self.shared.lock();
        let unapplied: Vec<_> = if of_invocations {
            state.rows_between(tag, from, to, limit).into_iter().map(|(key, value)| (key, Some(value))).collect()
        } else {
            state.other_rows_between(from, to, limit)
        };
        drop(state);
        let index = self.index.range(Bound::Included(floor.max(from)), Bound::Excluded(to), Direction::Up);
        let unapplied = unapplied.into_iter().peekable();
        Rows { view: self, of_invocations, unapplied, index: index.peekable(), left: limit }
    }

    /// Whether a row of the index, of an invocation, is none any more: its key ends with the id.
    fn is_over(&self, key: &[u8]) -> bool {
        let id = key.last_chunk().map(|id| InvocationId::from_bytes(*id));
        let tag = key.first().copied();
        id.zip(tag).is_some_and(|(id, tag)| self.shared.lock().is_over(id, tag, key))
    }

    /// The value of a span that was found by `look`, which is asked again when the value has gone elsewhere
    /// meanwhile. `None` when it is gone.
    pub(super) fn value(
        &self,
        what: impl Fn() -> String,
        look: impl Fn() -> Result<Option<Span>, StoreError>,
    ) -> Result<Option<Bytes>, StoreError> {
        let mut last = None;
        loop {
            let Some(span) = look()? else { return Ok(None) };
            if let Some(value) = self.read(span, &what)? {
                return Ok(Some(value));
            }
            if last == Some(span) {
                let detail = format!("the journal does not have {span} any more");
                return Err(StoreError::Damaged { what: what(), detail });
            }
            last = Some(span);
        }
    }

    /// The value of a span; `None` when it has gone elsewhere.
    pub(super) fn read(&self, span: Span, what: impl Fn() -> String) -> Result<Option<Bytes>, StoreError> {
        self.reader.read(span).map_err(|error| unread(what(), &error))
    }

    /// The record of a function or a version.
    pub(super) fn decoded<T: DeserializeOwned>(
        &self,
        key: &[u8],
        what: impl Fn() -> String,
    ) -> Result<Option<T>, StoreError> {
        let bytes = self.value(&what, || self.record(key))?;
        bytes.map(|bytes| record::decode(&bytes, what)).transpose()
    }

    /// The value of a row that belongs to no invocation and no record.
    pub(super) fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let known = self.shared.lock().row(key);
        match known {
            Some(value) => Ok(value),
            None => self.index.get(key).map_err(unreadable),
        }
    }
}

impl Before for View {
    fn entry(&self, id: InvocationId) -> Result<Option<Entry>, StoreError> {
        self.entry(id)
    }

    fn record(&self, key: &[u8]) -> Result<Option<Span>, StoreError> {
        let known = self.shared.lock().record(key);
        match known {
            Some(span) => Ok(span),
            None => self.index.get(key).map_err(unreadable)?.map(|bytes| read_span(key, &bytes)).transpose(),
        }
    }

    fn versions(&self, function: FunctionId) -> Result<Vec<Vec<u8>>, StoreError> {
        let prefix = keys::versions_of(function);
        self.rows(&prefix, &behind(&prefix)).map(|row| row.map(|(key, _)| key)).collect()
    }

    fn key(&self, key: IdempotencyKey) -> Result<Option<KeyUse>, StoreError> {
        let value = self.row(&keys::idempotency(key))?;
        let damaged = || StoreError::Damaged {
            what: "an idempotency key".to_owned(),
            detail: "its row is none that this program writes".to_owned(),
        };
        value.map(|bytes| read_key_use(&bytes).ok_or_else(damaged)).transpose()
    }
}

/// Rows in order, of the windows and of the index.
pub(super) struct Rows<'a> {
    view: &'a View,
    /// A row of the index is none where the windows know the invocation to stand elsewhere by now.
    of_invocations: bool,
    unapplied: Peekable<vec::IntoIter<Change>>,
    index: Peekable<Range<'a>>,
    left: usize,
}

impl Rows<'_> {
    /// Whether the next row is one of the windows', and takes out of the way what the index has in its place.
    fn is_unapplied_next(&mut self) -> bool {
        loop {
            let order = match (self.unapplied.peek(), self.index.peek()) {
                (_, Some(Ok((key, _)))) if self.of_invocations && self.view.is_over(key) => None,
                (None, _) | (_, Some(Err(_))) => return false,
                (Some(_), None) => return true,
                (Some((key, _)), Some(Ok((other, _)))) => Some(key.cmp(other)),
            };
            match order {
                None => drop(self.index.next()),
                Some(order) => {
                    if order.is_eq() {
                        self.index.next();
                    }
                    return order.is_le();
                }
            }
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        while self.is_unapplied_next() {
            if let (key, Some(value)) = self.unapplied.next()? {
                return Some(Ok((key, value)));
            }
        }
        self.index.next().map(|row| row.map_err(unreadable))
    }
}

/// The first key that does not start with `prefix` behind those that do.
pub(super) fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    vec![u8::MAX; 129] // longer than any key
}

pub(super) fn read_span(key: &[u8], bytes: &[u8]) -> Result<Span, StoreError> {
    bytes.try_into().map(Span::from_bytes).map_err(|_| unknown_row(key))
}

pub(super) fn unknown_row(key: &[u8]) -> StoreError {
    StoreError::Damaged {
        what: format!("the row {key:02x?}"),
        detail: "it is none that this program writes".to_owned(),
    }
}

fn no_entry(id: InvocationId) -> StoreError {
    StoreError::Damaged { what: format!("invocation {id}"), detail: "its entry in the index cannot be read".to_owned() }
}

pub(super) fn unreadable(error: IndexError) -> StoreError {
    match error {
        IndexError::Damaged { detail } => StoreError::Damaged { what: "the index".to_owned(), detail },
        other => StoreError::Unreadable(other.to_string()),
    }
}

pub(super) fn unread(what: String, error: &JournalError) -> StoreError {
    match error {
        JournalError::Damaged { .. } => StoreError::Damaged { what, detail: error.to_string() },
        _ => StoreError::Unreadable(format!("{what}: {error}")),
    }
}
