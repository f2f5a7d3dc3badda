//! What the threads of the store share: the windows that are not in the index yet, the counts, how far the journal
//! is durable. One lock, held for as long as it takes to look or to put something in.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::entry::{Entry, Row};
use super::list::Unapplied;
use super::op::{Net, Op};
use super::window::{ById, FirstRows, Known, Window};
use crate::model::names::{FunctionId, InvocationId};
use crate::model::time::Timestamp;
use crate::store::Cursor;
use crate::store::counts::Counts;
use crate::store::journal::{Position, Span};

/// The state and who waits for it to change.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    /// What came last.
    pub(super) current: Window,
    /// What is being written into the index.
    pub(super) applying: Option<Arc<Sealed>>,
    pub(super) counts: HashMap<FunctionId, Counts, ById>,
    /// Windows that were sealed since the store was opened.
    sealed: u64,
    /// When the newest id was made that the index may know, of those that say so.
    newest: Option<Timestamp>,
    /// Up to where the journal is durable.
    pub(super) synced: Position,
    /// Why the index takes nothing at the moment.
    pub(super) stuck: Option<String>,
    /// No more is committed: apply what is there, and end.
    pub(super) closing: bool,
}

/// A window that nothing is added to any more, and what held at its end.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) window: Window,
    /// The counts of the functions in it.
    pub(super) counts: HashMap<FunctionId, Counts, ById>,
    /// When the newest id was made that the index will know.
    pub(super) newest: Option<Timestamp>,
}

impl Shared {
    pub(super) fn new(applied: Position, newest: Option<Timestamp>, counts: HashMap<FunctionId, Counts, ById>) -> Self {
        let current = Window::starting_at(applied);
        let state =
            State { current, applying: None, counts, sealed: 0, newest, synced: applied, stuck: None, closing: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who waits to look again.
    pub(super) fn tell(&self) {
        self.changed.notify_all();
    }

    /// Waits to be told, at most so long.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>, patience: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    /// Takes in the changes of groups that end at `end`.
    pub(super) fn take_in(&mut self, ops: impl IntoIterator<Item = Op>, end: Position) {
        for op in ops {
            if let Op::Invocation { net, .. } = &op {
                self.count(net);
            }
            self.current.take_in(op);
        }
        self.current.end = end;
    }

    fn count(&mut self, net: &Net<Entry>) {
        let Some(Entry { facts, .. }) = net.now.or(net.before) else { return };
        let [before, now] = [net.before, net.now].map(|entry| entry.and_then(|entry| entry.counted()));
        self.counts.entry(facts.function).or_default().change(before, now);
    }

    /// The entry of an invocation; the outer `None` when only the index can know: it cannot where the id was made
    /// after all that it has seen, which spares the committer a look for each that is new.
    pub(super) fn entry(&self, id: InvocationId) -> Known<Entry> {
        let known = self.windows().find_map(|window| window.entry(id));
        known.or_else(|| id.time().is_some_and(|made| self.newest.is_none_or(|newest| made > newest)).then_some(None))
    }

    /// Takes the current window, to be written into the index.
    pub(super) fn seal(&mut self) -> Sealed {
        let end = self.current.end;
        let window = std::mem::replace(&mut self.current, Window::starting_at(end));
        self.newest = self.newest.max(window.newest);
        self.sealed += 1;
        let counts = window.functions().filter_map(|id| Some((id, *self.counts.get(&id)?))).collect();
        Sealed { window, counts, newest: self.newest }
    }

    /// Where a record stands; the outer `None` when only the index can know.
    pub(super) fn record(&self, key: &[u8]) -> Known<Span> {
        self.windows().find_map(|window| window.record(key))
    }

    /// The value of a row that belongs to no invocation; the outer `None` when only the index can know.
    pub(super) fn row(&self, key: &[u8]) -> Known<Vec<u8>> {
        self.windows().find_map(|window| window.row(key)).cloned()
    }

    /// Whether a row that the index has of an invocation is none any more: what is not in the index yet says so.
    pub(super) fn is_over(&self, id: InvocationId, tag: u8, key: &[u8]) -> bool {
        let known = self.windows().find_map(|window| window.entry(id));
        let mut now = Vec::new();
        known.is_some_and(|entry| !entry.is_some_and(|entry| entry.key(id, tag, &mut now) && now == key))
    }

    /// The first `limit` rows of invocations that are not in the index yet, between two keys of a tag.
    pub(super) fn rows_between(&self, tag: u8, from: &[u8], to: &[u8], limit: usize) -> Vec<Row> {
        let mut first = FirstRows::new(from, to, limit);
        self.current.add_rows(tag, |_| true, &mut first);
        if let Some(sealed) = &self.applying {
            sealed.window.add_rows(tag, |id| !self.current.knows(id), &mut first);
        }
        first.into_sorted()
    }

    /// What is not in the index yet between two keys of rows that belong to no invocation.
    pub(super) fn other_rows_between(&self, from: &[u8], to: &[u8]) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        let mut rows = BTreeMap::new();
        for window in self.applying.iter().map(|sealed| &sealed.window).chain([&self.current]) {
            window.add_other_rows(from, to, &mut rows);
        }
        rows
    }

    /// How many windows were sealed: while this stays the same, the index learns of nothing that is not in memory too.
    pub(super) fn sealed(&self) -> u64 {
        self.sealed
    }

    /// What is not in the index yet of the list from `oldest` on, up to the cursor.
    pub(super) fn entries_between(&self, oldest: Timestamp, after: Option<Cursor>) -> Unapplied {
        let mut entries = Unapplied::new();
        for window in self.applying.iter().map(|sealed| &sealed.window).chain([&self.current]) {
            window.entries_between(oldest, after, &mut entries);
        }
        entries
    }

    /// How many changes stand in memory.
    pub(super) fn unapplied(&self) -> usize {
        self.windows().map(Window::len).sum()
    }

    /// The newest first.
    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        std::iter::once(&self.current).chain(self.applying.as_ref().map(|sealed| &sealed.window))
    }
}
