//! Rows of invocations, laid out from their entries: the first of many, and what becomes of each in a window. Pure.

use std::collections::BinaryHeap;

use super::entry::{Entry, Row};
use crate::model::names::InvocationId;
use crate::store::sled::Changes;

/// A row as it was and as it is, where they are laid out.
#[derive(Default)]
pub(super) struct Changed {
    before: Row,
    now: Row,
}

impl Changed {
    /// Adds what becomes of the row of an invocation under a tag.
    pub(super) fn add_changes(
        &mut self,
        id: InvocationId,
        tag: u8,
        before: Option<&Entry>,
        now: Option<&Entry>,
        changes: &mut Changes,
    ) {
        let lay = |entry: Option<&Entry>, (key, value): &mut Row| {
            let entry = entry.filter(|entry| entry.key(id, tag, key))?;
            entry.value(tag, value);
            Some(())
        };
        let (was, is) = (lay(before, &mut self.before), lay(now, &mut self.now));
        if was == is && (was.is_none() || self.before == self.now) {
            return;
        }
        if was.is_some() && (is.is_none() || self.before.0 != self.now.0) {
            changes.push(&self.before.0, None);
        }
        if is.is_some() {
            changes.push(&self.now.0, Some(&self.now.1));
        }
    }
}

/// The first so many rows between two keys, of all that are added.
#[derive(Debug)]
pub(super) struct FirstRows<'a> {
    from: &'a [u8],
    to: &'a [u8],
    limit: usize,
    rows: BinaryHeap<Row>,
    /// Where keys are laid out before they are known to be wanted.
    key: Vec<u8>,
}

impl<'a> FirstRows<'a> {
    pub(super) fn new(from: &'a [u8], to: &'a [u8], limit: usize) -> Self {
        Self { from, to, limit, rows: BinaryHeap::new(), key: Vec::new() }
    }

    /// Adds the row of an invocation under a tag, where it is between the two.
    pub(super) fn add(&mut self, id: InvocationId, entry: &Entry, tag: u8) {
        if !entry.key(id, tag, &mut self.key) || self.key.as_slice() < self.from || self.key.as_slice() >= self.to {
            return;
        }
        if self.rows.len() >= self.limit {
            if self.rows.peek().is_none_or(|(last, _)| *last <= self.key) {
                return;
            }
            self.rows.pop();
        }
        let mut value = Vec::new();
        entry.value(tag, &mut value);
        self.rows.push((self.key.clone(), value));
    }

    pub(super) fn into_sorted(self) -> Vec<Row> {
        self.rows.into_sorted_vec()
    }
}
