//! What the threads of the store share: the windows that are not in the index yet, the counts, how far the journal
//! is durable. One lock, held for as long as it takes to look or to put something in.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::entry::{Entry, Row};
use super::op::{Net, Op};
use super::rows::{FirstRows, NewestEntries, Unapplied};
use super::window::{ById, Known, Window};
use crate::model::names::{FunctionId, InvocationId};
use crate::model::time::Timestamp;
use crate::store::counts::Counts;
use crate::store::journal::{Position, Span};
use crate::store::keys::{SettledKey, SettledOf};
use crate::store::sled::Change;
use crate::store::{Cursor, keys};

/// Floors that are remembered.
const MAX_FLOORS: usize = 10_000;

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
    /// What was written into it last. Kept because what settled lately is asked for when it is removed: a look here is
    /// cheaper than one at the index.
    pub(super) applied: Option<Arc<Sealed>>,
    /// The memory of one before it.
    pub(super) spare: Option<Window>,
    /// Claims that were answered and become part of the current window with the next sync. The same claims, once they
    /// are part of it, say the same.
    pub(super) claimed: HashMap<InvocationId, Entry, ById>,
    pub(super) counts: HashMap<FunctionId, Counts, ById>,
    /// By what a function and a kind are in a key under `SETTLED`: every row of the index before this one is none any
    /// more. Removals stand in memory first, and whoever asks for the oldest would go through all of them each time.
    floors: HashMap<SettledOf, SettledKey>,
    /// Windows that were sealed since the store was opened.
    sealed: u64,
    /// When the newest id was made that the index may know, of those that say so.
    newest: Option<Timestamp>,
    /// Up to where the journal is durable.
    pub(super) synced: Position,
    /// Up to where somebody waits for it to be.
    pub(super) awaited: Option<Position>,
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
        let state = State {
            current,
            applying: None,
            applied: None,
            spare: None,
            claimed: HashMap::default(),
            counts,
            floors: HashMap::new(),
            sealed: 0,
            newest,
            synced: applied,
            awaited: None,
            stuck: None,
            closing: false,
        };
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
        self.current.reach(end);
    }

    fn count(&mut self, net: &Net<Entry>) {
        let Some(Entry { facts, .. }) = net.now.or(net.before) else { return };
        let [before, now] = [net.before, net.now].map(|entry| entry.and_then(|entry| entry.counted()));
        self.counts.entry(facts.function).or_default().change(before, now);
    }

    /// The entry of an invocation; the outer `None` when only the index can know: it cannot where the id was made
    /// after all that it has seen, which spares the committer a look for each that is new.
    pub(super) fn entry(&self, id: InvocationId) -> Known<Entry> {
        let claimed = self.claimed.get(&id).map(|entry| Some(*entry));
        let known = claimed.or_else(|| self.remembered().find_map(|window| window.entry(id)));
        known.or_else(|| id.time().is_some_and(|made| self.newest.is_none_or(|newest| made > newest)).then_some(None))
    }

    /// Takes the current window, to be written into the index.
    pub(super) fn seal(&mut self) -> Sealed {
        let next = self.current.next(self.spare.take());
        let window = std::mem::replace(&mut self.current, next);
        self.newest = self.newest.max(window.newest);
        self.sealed += 1;
        let counts = window.functions().filter_map(|id| Some((id, *self.counts.get(&id)?))).collect();
        self.lower_floors(&window);
        Sealed { window, counts, newest: self.newest }
    }

    /// Before which row of the index nothing is settled any more, of a function and a kind.
    pub(super) fn floor(&self, of: &SettledOf) -> Option<SettledKey> {
        self.floors.get(of).copied()
    }

    /// Somebody found no row of the index before `floor` to be one, and no window was sealed meanwhile.
    pub(super) fn raise_floor(&mut self, of: SettledOf, floor: SettledKey) {
        if self.floors.len() >= MAX_FLOORS {
            self.floors.clear();
        }
        self.floors.insert(of, floor);
    }

    /// What a window brings into the index may lie lower.
    fn lower_floors(&mut self, window: &Window) {
        for of in window.functions().flat_map(keys::settled_of_all) {
            if let Some(floor) = self.floors.get_mut(&of)
                && let Some(lower) = window.first_settled(&of, floor)
            {
                *floor = lower;
            }
        }
    }

    /// Where a record stands; the outer `None` when only the index can know.
    pub(super) fn record(&self, key: &[u8]) -> Known<Span> {
        self.windows().find_map(|window| window.record(key))
    }

    /// The value of a row that belongs to no invocation; the outer `None` when only the index can know.
    pub(super) fn row(&self, key: &[u8]) -> Known<Vec<u8>> {
        self.windows().find_map(|window| window.row(key)).cloned()
    }

    /// Whether a row that the index has of an invocation is none any more: what is not in the index yet says so, or was
    /// not when the row was read.
    pub(super) fn is_over(&self, id: InvocationId, tag: u8, key: &[u8]) -> bool {
        let known = self.remembered().find_map(|window| window.entry(id));
        let mut now = Vec::new();
        known.is_some_and(|entry| !entry.is_some_and(|entry| entry.key(id, tag, &mut now) && now == key))
    }

    /// The first `limit` rows of invocations that are not in the index yet, between two keys of a tag.
    pub(super) fn rows_between(&self, tag: u8, from: &[u8], to: &[u8], limit: usize) -> Vec<Row> {
        if tag == keys::SETTLED {
            return self.settled_between(from, to, limit);
        }
        let mut first = FirstRows::new(from, to, limit);
        self.current.add_rows(tag, |_| true, &mut first);
        if let Some(sealed) = &self.applying {
            sealed.window.add_rows(tag, |id| !self.current.knows(id), &mut first);
        }
        first.into_sorted()
    }

    /// Windows have the rows of what is settled in order, and retention asks for the first of them all the time.
    fn settled_between(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        if from < to {
            self.current.add_settled((from, to), limit, |_| true, &mut rows);
            if let Some(sealed) = &self.applying {
                sealed.window.add_settled((from, to), limit, |id| !self.current.knows(id), &mut rows);
            }
        }
        rows.sort(); // two pieces, each of which is
        rows.truncate(limit);
        rows
    }

    /// What is not in the index yet between two keys of rows of one tag that belong to no invocation: as far as the
    /// first `limit` that are there. Whoever wants no more than so many needs nothing behind them.
    pub(super) fn other_rows_between(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<Change> {
        let mut newer = self.current.other_rows(from, to).peekable();
        let mut older = self.applying.iter().flat_map(|sealed| sealed.window.other_rows(from, to)).peekable();
        let (mut rows, mut left) = (Vec::new(), limit);
        while left > 0 {
            let first = match (newer.peek(), older.peek()) {
                (Some((key, _)), Some((other, _))) => key.cmp(other),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            if first.is_eq() {
                older.next();
            }
            let Some((key, value)) = (if first.is_le() { newer.next() } else { older.next() }) else { break };
            left -= usize::from(value.is_some());
            rows.push((key.to_vec(), value));
        }
        rows
    }

    /// How many windows were sealed: while this stays the same, the index learns of nothing that is not in memory too.
    pub(super) fn sealed(&self) -> u64 {
        self.sealed
    }

    /// What is not in the index yet of the `most` newest of the list from `oldest` on, up to the cursor.
    pub(super) fn newest(&self, oldest: Timestamp, after: Option<Cursor>, most: usize) -> Unapplied {
        let mut newest = NewestEntries::new(oldest, after, most);
        self.current.add_newest(|_| true, &mut newest);
        if let Some(sealed) = &self.applying {
            sealed.window.add_newest(|id| !self.current.knows(id), &mut newest);
        }
        newest.into_entries()
    }

    /// How many changes stand in memory.
    pub(super) fn unapplied(&self) -> usize {
        self.windows().map(Window::len).sum()
    }

    /// The windows, and the one that was written into the index last.
    fn remembered(&self) -> impl Iterator<Item = &Window> {
        self.windows().chain(self.applied.as_ref().map(|sealed| &sealed.window))
    }

    /// What is not in the index yet, the newest first.
    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        std::iter::once(&self.current).chain(self.applying.as_ref().map(|sealed| &sealed.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::invocation::Mode;
    use crate::model::outcome::OutcomeKind;
    use crate::store::embedded::entry::{Facts, Standing};

    const FUNCTION: FunctionId = FunctionId::from_bytes([7; 16]);

    fn settled(id: u8, at: u64) -> Op {
        let at = Timestamp::from_ms(at);
        let standing = Standing::Done { kind: OutcomeKind::Failed, at };
        let facts = Facts { function: FUNCTION, accepted: at, mode: Mode::Async, standing };
        let record = Span { segment: 1, offset: 2, bytes: 3 };
        let now = Some(Entry { record, parts: [None; 3], facts });
        Op::Invocation { id: InvocationId::from_bytes([id; 16]), net: Net { before: None, now } }
    }

    #[test]
    fn rows_that_are_not_in_the_index_are_told_as_far_as_they_are_wanted_the_newest_of_each() {
        let shared = Shared::new(Position::START, None, HashMap::default());
        let mut state = shared.lock();
        let key = |number: u8| vec![keys::KEY_END, number];
        let row = |number: u8, value: Option<u8>| Op::Row { key: key(number), value: value.map(|it| vec![it]) };
        state.take_in([row(1, Some(1)), row(2, Some(1)), row(4, Some(1)), row(6, None)], Position::START);
        state.applying = Some(Arc::new(state.seal()));
        state.take_in([row(2, None), row(3, None), row(4, Some(2)), row(5, Some(2)), row(7, Some(2))], Position::START);
        let told = |from, to, limit| {
            let rows = state.other_rows_between(&key(from), &key(to), limit);
            rows.into_iter().map(|(key, value)| (key[1], value.map(|it| it[0]))).collect::<Vec<_>>()
        };
        let all = [(1, Some(1)), (2, None), (3, None), (4, Some(2)), (5, Some(2)), (6, None), (7, Some(2))];
        assert_eq!(told(0, 9, usize::MAX), all);
        assert_eq!(told(0, 9, 2), all[..4]);
        assert_eq!(told(0, 9, 1), all[..1]);
        assert_eq!(told(2, 5, 2), all[1..4], "what is gone does not count");
        assert_eq!(told(0, 9, 0), []);
    }

    #[test]
    fn what_settled_earlier_than_the_oldest_known_lowers_the_floor_when_the_index_learns_of_it() {
        let shared = Shared::new(Position::START, None, HashMap::default());
        let mut state = shared.lock();
        let key = |id: u8, at| {
            let id = InvocationId::from_bytes([id; 16]);
            keys::settled(FUNCTION, OutcomeKind::Failed, Timestamp::from_ms(at), id)
        };
        let of = keys::settled_of(FUNCTION, OutcomeKind::Failed);
        state.raise_floor(of, key(1, 50));
        state.take_in([settled(2, 60), settled(3, 40), settled(4, 45)], Position::START);
        assert_eq!(state.floor(&of), Some(key(1, 50)), "the windows are looked through in any case");
        state.seal();
        assert_eq!(state.floor(&of), Some(key(3, 40)));
        assert_eq!(state.floor(&keys::settled_of(FUNCTION, OutcomeKind::Succeeded)), None);
    }
}
