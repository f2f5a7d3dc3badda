//! What was committed and is not in the index yet: the net of many groups, by invocation. Holds places in the
//! journal, never the bytes there. Pure.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Bound;

use super::entry::{Entry, Row};
use super::op::{Net, Op};
use super::rows::{Changed, FirstRows, NewestEntries};
use crate::model::bounds;
use crate::model::names::{FunctionId, InvocationId};
use crate::model::time::Timestamp;
use crate::store::journal::{Position, Span};
use crate::store::sled::Changes;
use crate::store::{Cursor, keys};

/// Finds invocations by their ids, which are random in their last half: nobody chooses them, so nothing is hashed.
pub(super) type ById = BuildHasherDefault<LastBytes>;

/// What is known of something that may not be there; the outer `None` when nothing is.
pub(super) type Known<T> = Option<Option<T>>;

/// The last eight bytes of what is looked for.
#[derive(Debug, Default)]
pub(super) struct LastBytes(u64);

impl Hasher for LastBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 = u64::from_ne_bytes(*last);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The net of the groups between two places of the journal.
#[derive(Debug)]
pub(super) struct Window {
    /// How each invocation is now, `None` when it is gone.
    now: HashMap<InvocationId, Option<Entry>, ById>,
    /// How those were that the index knows: most are new, so this is apart.
    before: HashMap<InvocationId, Entry, ById>,
    /// The rows of those that are settled, in order: retention asks for the oldest all the time, and would go through
    /// everything otherwise.
    settled: BTreeSet<keys::SettledKey>,
    records: BTreeMap<Vec<u8>, Net<Span>>,
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The place behind its last group.
    pub(super) end: Position,
    /// Segments of the journal that were begun in it.
    segments: usize,
    /// When the newest id in it was made, of those that say so.
    pub(super) newest: Option<Timestamp>,
    /// Whose counts it changed: also of what came and went.
    functions: HashSet<FunctionId, ById>,
}

impl Window {
    pub(super) fn starting_at(end: Position) -> Self {
        Self {
            now: HashMap::default(),
            before: HashMap::default(),
            settled: BTreeSet::new(),
            records: BTreeMap::new(),
            rows: BTreeMap::new(),
            end,
            segments: 0,
            newest: None,
            functions: HashSet::default(),
        }
    }

    /// The same memory with nothing in it: a window that has as much room as another need not grow while others wait,
    /// and memory that is used again need not be asked for. `None` where it has grown out of bounds.
    pub(super) fn emptied(mut self) -> Option<Self> {
        if self.now.capacity() > 2 * bounds::MAX_WINDOW_ENTRIES {
            return None;
        }
        self.now.clear();
        self.before.clear();
        Some(Self { now: self.now, before: self.before, ..Self::starting_at(self.end) })
    }

    /// An empty one that starts where this one ends, in the memory of `spare`.
    pub(super) fn next(&self, spare: Option<Self>) -> Self {
        spare.map_or_else(|| Self::starting_at(self.end), |spare| Self { end: self.end, ..spare })
    }

    /// How many things it says something about.
    pub(super) fn len(&self) -> usize {
        self.now.len() + self.records.len() + self.rows.len()
    }

    /// Whether nothing would be gained by writing it into the index.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && self.segments == 0
    }

    /// Segments of the journal that were begun in it.
    pub(super) fn segments(&self) -> usize {
        self.segments
    }

    /// Whether it is so many times as much as is written into the index together.
    pub(super) fn fills(&self, times: usize) -> bool {
        let segments =
            if self.is_worth_keeping() { bounds::MAX_LONG_WINDOW_SEGMENTS } else { bounds::MAX_WINDOW_SEGMENTS };
        self.len() - self.settled.len() >= times * bounds::MAX_WINDOW_CHANGES
            || self.len() >= times * bounds::MAX_WINDOW_ENTRIES
            || self.segments >= segments + (times - 1) * bounds::MAX_WINDOW_SEGMENTS
    }

    /// Whether it is as much as is written together where the journal has little room, which windows take.
    pub(super) fn fills_little_room(&self) -> bool {
        self.fills(1) || self.segments >= bounds::MAX_WINDOW_SEGMENTS
    }

    /// Whether much of it is likely to go before long, and then need not be written at all.
    pub(super) fn is_worth_keeping(&self) -> bool {
        self.settled.len() >= bounds::MANY_SETTLED
    }

    /// What was taken in ends here.
    pub(super) fn reach(&mut self, end: Position) {
        self.segments += usize::from(end.segment != self.end.segment);
        self.end = end;
    }

    /// Takes in one change. What came and went within the window leaves nothing.
    pub(super) fn take_in(&mut self, op: Op) {
        match op {
            Op::Invocation { id, net } => {
                self.newest = self.newest.max(id.time());
                self.functions.extend(net.now.or(net.before).map(|entry| entry.facts.function));
                self.take_in_invocation(id, net);
            }
            Op::Record { key, net } => {
                self.records.entry(key).or_insert(net).now = net.now;
            }
            Op::Row { key, value } => drop(self.rows.insert(key, value)),
        }
    }

    fn take_in_invocation(&mut self, id: InvocationId, net: Net<Entry>) {
        let settled = |entry: Option<Entry>| entry.and_then(|entry| entry.settled_key(id));
        match self.now.entry(id) {
            MapEntry::Occupied(mut known) => {
                if let Some(key) = settled(known.insert(net.now)) {
                    self.settled.remove(&key);
                }
                if net.now.is_none() && !self.before.contains_key(&id) {
                    known.remove();
                }
            }
            MapEntry::Vacant(place) => {
                self.before.extend(net.before.map(|before| (id, before)));
                place.insert(net.now);
            }
        }
        self.settled.extend(settled(net.now));
    }

    /// The entry of an invocation; the outer `None` when the window does not know it.
    ///
    /// One that came and went is not known; whoever looks finds it nowhere else either.
    pub(super) fn entry(&self, id: InvocationId) -> Known<Entry> {
        // Most of what is looked for is new: then a look at the time in its id is all that older windows cost.
        if id.time() > self.newest {
            return None;
        }
        self.now.get(&id).copied()
    }

    /// Where a record stands; the outer `None` when the window does not know it.
    pub(super) fn record(&self, key: &[u8]) -> Known<Span> {
        self.records.get(key).map(|net| net.now)
    }

    /// The value of a row that belongs to no invocation and no record.
    pub(super) fn row(&self, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.rows.get(key)
    }

    /// Adds its invocations, those that `wanted` says, to the newest of the list.
    pub(super) fn add_newest(&self, wanted: impl Fn(InvocationId) -> bool, newest: &mut NewestEntries) {
        for (id, now) in &self.now {
            if let Some(Entry { facts, .. }) = now.as_ref().or_else(|| self.before.get(id))
                && wanted(*id)
            {
                newest.add(Cursor(facts.accepted, *id), *now);
            }
        }
    }

    /// Whether it says something about an invocation.
    pub(super) fn knows(&self, id: InvocationId) -> bool {
        self.now.contains_key(&id)
    }

    /// Adds the rows of invocations under a tag to `first`, those that `wanted` says.
    pub(super) fn add_rows(&self, tag: u8, wanted: impl Fn(InvocationId) -> bool, first: &mut FirstRows<'_>) {
        for (id, now) in &self.now {
            if let Some(entry) = now
                && wanted(*id)
            {
                first.add(*id, entry, tag);
            }
        }
    }

    /// The first settled row of a function and a kind before `end`.
    pub(super) fn first_settled(&self, of: &keys::SettledOf, end: &keys::SettledKey) -> Option<keys::SettledKey> {
        self.settled.range::<[u8], _>((Bound::Included(&of[..]), Bound::Excluded(&end[..]))).next().copied()
    }

    /// Adds the first `limit` rows under [`keys::SETTLED`] between two keys, in order, of those that `wanted` says.
    pub(super) fn add_settled(
        &self,
        (from, to): (&[u8], &[u8]),
        limit: usize,
        wanted: impl Fn(InvocationId) -> bool,
        rows: &mut Vec<Row>,
    ) {
        let keys = self.settled.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        let wanted = keys.filter(|key| wanted(keys::settled_id(key))).take(limit);
        rows.extend(wanted.filter_map(|key| {
            let entry = self.now.get(&keys::settled_id(key)).copied().flatten()?;
            let mut value = Vec::new();
            entry.value(keys::SETTLED, &mut value);
            Some((key.to_vec(), value))
        }));
    }

    /// What it changes between two keys of one tag in rows that belong to no invocation, in order: `None` for those that
    /// are gone.
    pub(super) fn other_rows(&self, from: &[u8], to: &[u8]) -> impl Iterator<Item = (&[u8], Option<Vec<u8>>)> {
        // Of one tag there are either these or those.
        let between = || (Bound::Included(from), Bound::Excluded(to));
        let records = self.records.range::<[u8], _>(between());
        let records = records.map(|(key, net)| (key.as_slice(), net.now.map(|span| span.to_bytes().to_vec())));
        let rows = self.rows.range::<[u8], _>(between()).map(|(key, value)| (key.as_slice(), value.clone()));
        records.chain(rows)
    }

    /// The functions whose counts it changed.
    pub(super) fn functions(&self) -> impl Iterator<Item = FunctionId> {
        self.functions.iter().copied()
    }

    /// How many bytes came to be needed in each segment, and how many ceased to be.
    pub(super) fn needed(&self) -> BTreeMap<u32, i64> {
        let mut needed = BTreeMap::new();
        let mut add = |span: Span, sign: i64| *needed.entry(span.segment).or_default() += sign * i64::from(span.bytes);
        self.before.values().flat_map(Entry::spans).for_each(|span| add(span, -1));
        self.now.values().flatten().flat_map(Entry::spans).for_each(|span| add(span, 1));
        for net in self.records.values() {
            net.before.into_iter().for_each(|span| add(span, -1));
            net.now.into_iter().for_each(|span| add(span, 1));
        }
        needed
    }

    /// Adds to `changes` what is to be written into the index, sorted, each key once.
    pub(super) fn add_changes(&self, changes: &mut Changes) {
        // By id, so that the rows of each tag come nearly in order: ids and due times grow together. Sorting then
        // has little to do. The ids are copied: a look at the map for each comparison would be what all this costs.
        let known = |(id, now): (&InvocationId, _)| (*id, Option::as_ref(now), self.before.get(id));
        let mut invocations: Vec<_> = self.now.iter().map(known).collect();
        invocations.sort_unstable_by_key(|(id, ..)| *id);
        let mut rows = Changed::default();
        for tag in Entry::TAGS {
            for (id, now, before) in &invocations {
                rows.add_changes(*id, tag, *before, *now, changes);
            }
        }
        for (key, net) in &self.records {
            changes.push(key, net.now.map(Span::to_bytes).as_ref().map(<[u8; _]>::as_slice));
        }
        for (key, value) in &self.rows {
            changes.push(key, value.as_deref());
        }
        changes.sort();
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Facts, Standing};
    use super::*;
    use crate::model::invocation::Mode;
    use crate::model::outcome::OutcomeKind;
    use crate::model::place::Priority;

    const FUNCTION: FunctionId = FunctionId::from_bytes([7; 16]);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn id(number: usize) -> InvocationId {
        let mut drawn = [0; 10];
        drawn[2..].copy_from_slice(&(number as u64).to_be_bytes());
        InvocationId::new(at(1_000 + number as u64 / 100), drawn)
    }

    fn entry(standing: Standing) -> Entry {
        let record = Span { segment: 1, offset: 2, bytes: 3 };
        let facts = Facts { function: FUNCTION, accepted: at(5), mode: Mode::Async, standing };
        Entry { record, parts: [None; 3], facts }
    }

    fn waiting() -> Entry {
        let (priority, due, expires) = (Priority::default(), at(6), at(7));
        entry(Standing::Waiting { version: None, priority, due, expires, payload_bytes: 8 })
    }

    fn done() -> Entry {
        entry(Standing::Done { kind: OutcomeKind::Succeeded, at: at(9) })
    }

    fn op(number: usize, before: Option<Entry>, now: Option<Entry>) -> Op {
        Op::Invocation { id: id(number), net: Net { before, now } }
    }

    fn changes(window: &Window) -> usize {
        let mut changes = Changes::default();
        window.add_changes(&mut changes);
        changes.len()
    }

    #[test]
    fn what_waits_fills_a_window_and_what_has_settled_may_stay_longer() {
        let mut window = Window::starting_at(Position::START);
        let most = bounds::MAX_WINDOW_CHANGES;
        (1..most).for_each(|number| window.take_in(op(number, None, Some(waiting()))));
        assert!(!window.fills(1) && !window.is_worth_keeping());
        window.take_in(op(0, None, Some(waiting())));
        assert!(window.fills(1) && !window.fills(2));
        (0..most).for_each(|number| window.take_in(op(number, Some(waiting()), Some(done()))));
        assert!(!window.fills(1) && window.is_worth_keeping());
        (most..bounds::MAX_WINDOW_ENTRIES).for_each(|number| window.take_in(op(number, None, Some(done()))));
        assert!(window.fills(1) && !window.fills(2));
    }

    #[test]
    fn segments_fill_a_window_the_later_the_more_in_it_has_settled_unless_there_is_little_room() {
        let begin = |window: &mut Window, segments| {
            for _ in 0..segments {
                window.reach(Position { segment: window.end.segment + 1, offset: 512 });
            }
        };
        let mut few = Window::starting_at(Position::START);
        begin(&mut few, bounds::MAX_WINDOW_SEGMENTS);
        assert!(few.fills(1));
        let mut many = Window::starting_at(Position::START);
        (0..bounds::MANY_SETTLED).for_each(|number| many.take_in(op(number, None, Some(done()))));
        begin(&mut many, bounds::MAX_WINDOW_SEGMENTS);
        assert!(!many.fills(1) && many.fills_little_room());
        begin(&mut many, bounds::MAX_LONG_WINDOW_SEGMENTS - bounds::MAX_WINDOW_SEGMENTS);
        assert!(many.fills(1) && !many.fills(2));
    }

    #[test]
    fn what_came_and_went_is_not_written_and_what_was_there_before_is_removed() {
        let mut window = Window::starting_at(Position::START);
        for number in 0..100 {
            window.take_in(op(number, None, Some(waiting())));
            window.take_in(op(number, Some(waiting()), Some(done())));
        }
        assert_eq!(changes(&window), 300, "each stands among those that are done, in order, and in the list by time");
        (0..100).for_each(|number| window.take_in(op(number, Some(done()), None)));
        assert_eq!((changes(&window), window.len()), (0, 0));
        window.take_in(op(1, Some(done()), None));
        assert_eq!((changes(&window), window.entry(id(1))), (3, Some(None)));
    }

    #[test]
    fn an_id_that_is_newer_than_all_in_a_window_is_not_known_to_it() {
        let mut window = Window::starting_at(Position::START);
        window.take_in(op(500, None, Some(waiting())));
        assert_eq!(window.entry(id(500)), Some(Some(waiting())));
        assert_eq!((window.entry(id(501)), window.entry(id(900))), (None, None));
        let derived = InvocationId::from_bytes([3; 16]);
        window.take_in(Op::Invocation { id: derived, net: Net { before: None, now: Some(done()) } });
        assert_eq!(window.entry(derived), Some(Some(done())), "its id tells no time");
    }

    #[test]
    fn memory_that_is_used_again_holds_nothing() {
        let mut window = Window::starting_at(Position::START);
        (0..100).for_each(|number| window.take_in(op(number, None, Some(done()))));
        window.take_in(op(200, Some(waiting()), Some(done())));
        window.reach(Position { segment: 3, offset: 512 });
        let next = Window::starting_at(Position { segment: 9, offset: 512 }).next(window.emptied());
        assert!(next.is_empty() && next.newest.is_none() && next.functions().next().is_none());
        assert_eq!((next.end, changes(&next)), (Position { segment: 9, offset: 512 }, 0));
        assert_eq!(next.entry(id(1)), None);
    }
}
