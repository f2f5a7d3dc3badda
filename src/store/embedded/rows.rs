//! Rows of invocations, laid out from their entries: the first of many, the newest of many, and what becomes of each in a
//! window. Pure.

use std::collections::{BTreeMap, BinaryHeap};

use super::entry::{Entry, Row};
use crate::model::names::InvocationId;
use crate::model::time::Timestamp;
use crate::store::Cursor;
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

/// What is not in the index yet: entries by their place in the list, `None` for those that are gone.
pub(super) type Unapplied = BTreeMap<Cursor, Option<Entry>>;

/// The newest so many of the list, of all that are added, and what is gone among them. Whoever wants no more needs nothing
/// behind them.
#[derive(Debug)]
pub(super) struct NewestEntries {
    oldest: Timestamp,
    after: Option<Cursor>,
    most: usize,
    entries: Unapplied,
    /// How many of them are there.
    present: usize,
}

impl NewestEntries {
    /// The `most` newest from `oldest` on, up to the cursor.
    pub(super) fn new(oldest: Timestamp, after: Option<Cursor>, most: usize) -> Self {
        Self { oldest, after, most, entries: Unapplied::new(), present: 0 }
    }

    /// Adds an invocation that is not among them yet: how it is now, `None` when it is gone.
    pub(super) fn add(&mut self, cursor: Cursor, now: Option<Entry>) {
        let is_between = cursor.0 >= self.oldest && self.after.is_none_or(|after| cursor < after);
        let is_behind =
            || self.present >= self.most && self.entries.first_key_value().is_some_and(|(last, _)| cursor < *last);
        if !is_between || is_behind() {
            return;
        }
        self.entries.insert(cursor, now);
        self.present += usize::from(now.is_some());
        while self.present > self.most {
            let Some((_, gone)) = self.entries.pop_first() else { break };
            self.present -= usize::from(gone.is_some());
        }
    }

    pub(super) fn into_entries(self) -> Unapplied {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Facts, Standing};
    use super::*;
    use crate::model::invocation::Mode;
    use crate::model::names::FunctionId;
    use crate::model::outcome::OutcomeKind;
    use crate::store::journal::Span;

    fn cursor(at: u64) -> Cursor {
        Cursor(Timestamp::from_ms(at), InvocationId::from_bytes([1; 16]))
    }

    fn entry(at: u64) -> Entry {
        let at = Timestamp::from_ms(at);
        let standing = Standing::Done { kind: OutcomeKind::Failed, at };
        let facts = Facts { function: FunctionId::from_bytes([7; 16]), accepted: at, mode: Mode::Async, standing };
        Entry { record: Span { segment: 1, offset: 2, bytes: 3 }, parts: [None; 3], facts }
    }

    #[test]
    fn the_newest_are_kept_with_what_is_gone_among_them_in_whatever_order_they_are_added() {
        let gone = [3, 6, 9];
        for step in [1, 3, 7] {
            let mut newest = NewestEntries::new(Timestamp::from_ms(2), Some(cursor(10)), 3);
            for n in 0..11 {
                let at = n * step % 11;
                newest.add(cursor(at), (!gone.contains(&at)).then(|| entry(at)));
            }
            let kept: Vec<_> =
                newest.into_entries().into_iter().map(|(at, now)| (at.0.as_ms(), now.is_some())).collect();
            assert_eq!(kept, [(5, true), (6, false), (7, true), (8, true), (9, false)], "{step}");
        }
        let mut few = NewestEntries::new(Timestamp::from_ms(2), Some(cursor(10)), 30);
        (0..11).for_each(|at| few.add(cursor(at), Some(entry(at))));
        assert_eq!(few.into_entries().len(), 8);
    }
}
