//! What was committed and is not in the index yet: the net of many groups, by invocation. Holds places in the
//! journal, never the bytes there. Pure.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Bound;

use super::entry::{Entry, Row};
use super::op::{Net, Op};
use crate::model::bounds;
use crate::model::names::{FunctionId, InvocationId};
use crate::model::time::Timestamp;
use crate::store::journal::{Position, Span};
use crate::store::sled::Change as IndexChange;
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

    /// An empty one behind this one, with room for as much: it need not grow while others wait.
    pub(super) fn next(&self) -> Self {
        let now = HashMap::with_capacity_and_hasher(self.now.len().min(bounds::MAX_WINDOW_CHANGES), ById::default());
        Self { now, ..Self::starting_at(self.end) }
    }

    /// How many things it says something about.
    pub(super) fn len(&self) -> usize {
        self.now.len() + self.records.len() + self.rows.len()
    }

    /// Whether nothing would be gained by writing it into the index.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && self.segments == 0
    }

    /// Whether it is so many times as much as is written into the index together.
    pub(super) fn fills(&self, times: usize) -> bool {
        self.len() >= times * bounds::MAX_WINDOW_CHANGES || self.segments >= times * bounds::MAX_WINDOW_SEGMENTS
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

    /// The entries whose places in the list are from `oldest` on, up to the cursor; `None` for those that are gone.
    pub(super) fn entries_between(
        &self,
        oldest: Timestamp,
        after: Option<Cursor>,
        entries: &mut BTreeMap<Cursor, Option<Entry>>,
    ) {
        for (id, now) in &self.now {
            let Some(Entry { facts, .. }) = now.as_ref().or_else(|| self.before.get(id)) else { continue };
            let cursor = Cursor(facts.accepted, *id);
            if facts.accepted >= oldest && after.is_none_or(|after| cursor < after) {
                entries.insert(cursor, *now);
            }
        }
    }

    /// Whether it says something about an invocation.
    pub(super) fn knows(&self, id: InvocationId) -> bool {
        self.now.contains_key(&id)
    }

    /// Adds the rows of invocations under a tag to `first`, those that `wanted` says.
    pub(super) fn add_rows(&self, tag: u8, wanted: impl Fn(InvocationId) -> bool, first: &mut FirstRows<'_>) {
        if tag == keys::SETTLED {
            return self.add_settled(wanted, first);
        }
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

    fn add_settled(&self, wanted: impl Fn(InvocationId) -> bool, first: &mut FirstRows<'_>) {
        let between = (Bound::Included(first.from), Bound::Excluded(first.to));
        let ids = self.settled.range::<[u8], _>(between).map(keys::settled_id).filter(|id| wanted(*id));
        for id in ids.take(first.limit) {
            if let Some(entry) = self.now.get(&id).copied().flatten() {
                first.add(id, &entry, keys::SETTLED);
            }
        }
    }

    /// What it changes between two keys in rows that belong to no invocation: `None` for those that are gone.
    pub(super) fn add_other_rows(&self, from: &[u8], to: &[u8], rows: &mut BTreeMap<Vec<u8>, Option<Vec<u8>>>) {
        let between = || (Bound::Included(from), Bound::Excluded(to));
        for (key, net) in self.records.range::<[u8], _>(between()) {
            rows.insert(key.clone(), net.now.map(|span| span.to_bytes().to_vec()));
        }
        for (key, value) in self.rows.range::<[u8], _>(between()) {
            rows.insert(key.clone(), value.clone());
        }
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

    /// What is to be written into the index, sorted, each key once.
    pub(super) fn changes(&self) -> Vec<IndexChange> {
        // By id, so that the rows of each tag come nearly in order: ids and due times grow together. Sorting then
        // has little to do. The ids are copied: a look at the map for each comparison would be what all this costs.
        let mut invocations: Vec<_> = self.now.iter().map(|(id, now)| (*id, now)).collect();
        invocations.sort_unstable_by_key(|(id, _)| *id);
        let mut of_tags = Entry::TAGS.map(|tag| (tag, Vec::new()));
        for (id, now) in invocations {
            let before = self.before.get(&id);
            for (tag, changes) in &mut of_tags {
                let row = |entry: Option<&Entry>| entry.and_then(|entry| entry.row(id, *tag));
                changes_of(row(before), row(now.as_ref()), changes);
            }
        }
        let mut changes = Vec::with_capacity(of_tags.iter().map(|(_, changes)| changes.len()).sum());
        for (_, of_tag) in of_tags {
            changes.extend(of_tag);
        }
        changes
            .extend(self.records.iter().map(|(key, net)| (key.clone(), net.now.map(|span| span.to_bytes().to_vec()))));
        changes.extend(self.rows.iter().map(|(key, value)| (key.clone(), value.clone())));
        changes.sort_by(|a, b| a.0.cmp(&b.0));
        debug_assert!(changes.windows(2).all(|pair| pair[0].0 < pair[1].0), "a key belongs to one thing");
        changes
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

    fn add(&mut self, id: InvocationId, entry: &Entry, tag: u8) {
        if !entry.key(id, tag, &mut self.key) || self.key.as_slice() < self.from || self.key.as_slice() >= self.to {
            return;
        }
        if self.rows.len() >= self.limit {
            if self.rows.peek().is_none_or(|(last, _)| *last <= self.key) {
                return;
            }
            self.rows.pop();
        }
        self.rows.push((self.key.clone(), entry.value(tag)));
    }

    pub(super) fn into_sorted(self) -> Vec<Row> {
        self.rows.into_sorted_vec()
    }
}

fn changes_of(before: Option<Row>, now: Option<Row>, changes: &mut Vec<IndexChange>) {
    if before == now {
        return;
    }
    if let Some((key, _)) = before
        && now.as_ref().is_none_or(|(new, _)| *new != key)
    {
        changes.push((key, None));
    }
    changes.extend(now.map(|(key, value)| (key, Some(value))));
}
