//! The list of invocations, the newest first, page by page. A page shows one instant: what it says of an invocation
//! and what it says of those that it caused belong together.
//!
//! What is not in the index yet is taken under one lock; the index is read behind it. Where a window was sealed in the
//! meantime the index may know more than that, and the page is read again.

use std::cmp::Reverse;
use std::iter::Peekable;
use std::ops::Bound;
use std::time::Duration;

use super::entry::{Entry, take};
use super::rows::Unapplied;
use super::view::{View, unknown_row, unreadable};
use crate::model::invocation::Invocation;
use crate::model::names::{FunctionId, InvocationId};
use crate::model::time::Timestamp;
use crate::store::sled::Direction;
use crate::store::{Cursor, Listed, Query, StoreError, keys, record};

/// How often a page is read again before it is given as it is: windows are sealed about once a second.
const TRIES: usize = 4;

impl View {
    pub(super) fn list(&self, query: &Query) -> Result<Listed, StoreError> {
        let mut tries = 0;
        loop {
            let (unapplied, sealed) = {
                let state = self.shared.lock();
                (state.newest(oldest(query), query.after, query.limit + 1), state.sealed())
            };
            tries += 1;
            let is_last = tries == TRIES;
            let page = self.page(query, &unapplied, is_last)?;
            if let Some(page) = page
                && (is_last || self.shared.lock().sealed() == sealed)
            {
                return Ok(page);
            }
        }
    }

    /// `None` when something that it shows has gone elsewhere meanwhile; at the last try that is passed over, or, where
    /// it should be there, an error.
    fn page(&self, query: &Query, unapplied: &Unapplied, is_last: bool) -> Result<Option<Listed>, StoreError> {
        let mut listed = Listed { invocations: Vec::new(), next: query.after };
        for (looked, found) in self.merged(query, unapplied).enumerate() {
            let (cursor, entry) = found?;
            if looked == query.limit {
                return Ok(Some(listed));
            }
            listed.next = Some(cursor);
            let Some(entry) = entry else {
                if is_last {
                    continue;
                }
                return Ok(None);
            };
            if query.function.is_none_or(|wanted| wanted == entry.facts.function) {
                match self.recorded(cursor.1, &entry)? {
                    Some(invocation) => listed.invocations.push(invocation),
                    None if is_last => return Err(gone(cursor.1, &entry)),
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(Listed { next: None, ..listed }))
    }

    fn recorded(&self, id: InvocationId, entry: &Entry) -> Result<Option<Invocation>, StoreError> {
        let what = || format!("invocation {id}");
        let bytes = self.read(entry.record, what)?;
        bytes.map(|bytes| record::decode(&bytes, what)).transpose()
    }

    /// Everything that the query looks at, the newest first; without an entry where that is gone.
    fn merged<'a>(
        &'a self,
        query: &Query,
        unapplied: &'a Unapplied,
    ) -> impl Iterator<Item = Result<(Cursor, Option<Entry>), StoreError>> + 'a {
        let mut applied = self.applied(query).peekable();
        let mut unapplied = unapplied.iter().rev().peekable();
        std::iter::from_fn(move || {
            loop {
                let newer = match (unapplied.peek(), applied.peek()) {
                    (None, _) | (_, Some(Err(_))) => break,
                    (Some(_), None) => true,
                    (Some((cursor, _)), Some(Ok(found))) => **cursor >= found.cursor,
                };
                if !newer {
                    break;
                }
                let (cursor, entry) = unapplied.next()?;
                pass_over(&mut applied, *cursor);
                if entry.is_some() {
                    return Some(Ok((*cursor, *entry)));
                }
            }
            let found = applied.next()?;
            Some(found.and_then(|found| {
                pass_over(&mut applied, found.cursor);
                Ok((found.cursor, self.entry_of(&found)?))
            }))
        })
    }

    /// What the index knows.
    fn applied(&self, query: &Query) -> impl Iterator<Item = Result<Found, StoreError>> + '_ {
        let (oldest, after) = (oldest(query), query.after);
        let sources = [keys::LIVE, keys::DONE, keys::TIME].map(|tag| {
            let (from, to) = bounds_of(tag, oldest, after);
            let (from, to) = if from < to { (from, to) } else { (vec![tag], vec![tag]) };
            let rows = self.index.range(Bound::Included(&from), Bound::Excluded(&to), Direction::Down);
            let found =
                rows.filter_map(|row| row.map_err(unreadable).and_then(|(key, value)| found(&key, &value)).transpose());
            let wanted =
                move |found: &Found| after.is_none_or(|after| found.cursor < after) && found.cursor.0 >= oldest;
            found.filter(move |found| found.as_ref().map_or(true, wanted)).peekable()
        });
        Newest { sources }
    }

    /// The entry of what was found, if it is still there.
    fn entry_of(&self, found: &Found) -> Result<Option<Entry>, StoreError> {
        match found.entry {
            Some(entry) => Ok(Some(entry)),
            None => self.indexed(found.cursor.1),
        }
    }
}

/// The same invocation stands in two orders while it moves from one to the other.
fn pass_over(applied: &mut Peekable<impl Iterator<Item = Result<Found, StoreError>>>, cursor: Cursor) {
    while applied.next_if(|found| found.as_ref().is_ok_and(|found| found.cursor == cursor)).is_some() {}
}

fn gone(id: InvocationId, entry: &Entry) -> StoreError {
    let detail = format!("the journal does not have {} any more", entry.record);
    StoreError::Damaged { what: format!("invocation {id}"), detail }
}

fn oldest(query: &Query) -> Timestamp {
    query.since.unwrap_or(Timestamp::from_ms(0))
}

/// Between which keys of a tag the query looks.
fn bounds_of(tag: u8, oldest: Timestamp, after: Option<Cursor>) -> (Vec<u8>, Vec<u8>) {
    let by_time = tag == keys::TIME;
    let from = if by_time { keys::from_time(tag, oldest) } else { id_from(tag, oldest) };
    let to = match after {
        None => vec![tag + 1],
        Some(cursor) if by_time => keys::time(cursor),
        // Ids of that millisecond stand on both sides of the cursor.
        Some(Cursor(accepted, _)) => id_from(tag, accepted + Duration::from_millis(1)),
    };
    (from, to)
}

/// Before the ids that were made at `instant` or later.
fn id_from(tag: u8, instant: Timestamp) -> Vec<u8> {
    [&[tag][..], &instant.as_ms().to_be_bytes()[2..]].concat()
}

/// An invocation that was come across, with its entry where the row has it.
struct Found {
    cursor: Cursor,
    entry: Option<Entry>,
}

/// What a row says of an invocation. `None` where the order by id says nothing: it is found by its time.
fn found(key: &[u8], value: &[u8]) -> Result<Option<Found>, StoreError> {
    if key.first() == Some(&keys::TIME) {
        let cursor = keys::read_time(key).ok_or_else(|| unknown_row(key))?;
        take(&mut &value[..]).map(FunctionId::from_bytes).ok_or_else(|| unknown_row(key))?;
        return Ok(Some(Found { cursor, entry: None }));
    }
    let id = keys::read_invocation(key).ok_or_else(|| unknown_row(key))?;
    let entry = Entry::read(value).ok_or_else(|| unknown_row(key))?;
    let accepted = entry.facts.accepted;
    Ok((id.time() == Some(accepted)).then_some(Found { cursor: Cursor(accepted, id), entry: Some(entry) }))
}

/// Several orders as one, the newest first.
struct Newest<I: Iterator> {
    sources: [Peekable<I>; 3],
}

impl<I: Iterator<Item = Result<Found, StoreError>>> Iterator for Newest<I> {
    type Item = Result<Found, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut newest = None;
        for (n, source) in self.sources.iter_mut().enumerate() {
            let head = match source.peek() {
                None => continue,
                Some(Ok(found)) => (Reverse(Some(found.cursor)), n),
                Some(Err(_)) => return source.next(),
            };
            newest = newest.min(Some(head)).or(Some(head));
        }
        self.sources[newest?.1].next()
    }
}
