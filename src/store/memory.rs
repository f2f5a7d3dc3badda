//! A store in memory: the same promises but one, for it ends with the process. For tests and for trying things
//! out. Has no bound of its own: whoever accepts work bounds it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::model::function::{Function, Version};
use crate::model::invocation::{Invocation, State};
use crate::model::names::{Digest, FunctionId, InvocationId, Namespace, SecretName, VersionNumber};
use crate::model::outcome::OutcomeKind;
use crate::model::place::{Lane, Place, Turn};
use crate::model::secret::Secret;
use crate::model::time::Timestamp;

use super::{
    Change, Counted, Counts, Cursor, DocumentKey, DocumentRange, Durability, Group, IdempotencyKey, KeyUse, Listed,
    Live, Pair, PairStore, Part, Query, Room, Settled, SettledQuery, Store, Stored, Vitals, pairs,
};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: Mutex<Kept>,
}

/// All of it. Under one lock, so a group is seen whole.
#[derive(Debug, Default)]
struct Kept {
    invocations: BTreeMap<InvocationId, Invocation>,
    blobs: BTreeMap<(InvocationId, Part), Bytes>,
    functions: BTreeMap<FunctionId, Function>,
    versions: BTreeMap<(FunctionId, VersionNumber), Version>,
    modules: BTreeMap<Digest, Bytes>,
    keys: BTreeMap<IdempotencyKey, KeyUse>,
    secrets: BTreeMap<(Namespace, SecretName), Secret>,
    pairs: BTreeMap<(PairStore, u64, String), (Pair, Bytes)>,
    documents: BTreeMap<DocumentKey, Bytes>,
    counts: BTreeMap<FunctionId, Counts>,
    // Orders of the invocations, kept up with each change.
    times: BTreeSet<Cursor>,
    lanes: BTreeSet<(Lane, Turn)>,
    ages: BTreeSet<(Timestamp, InvocationId)>,
    settled: BTreeSet<(FunctionId, OutcomeKind, Settled)>,
}

impl MemoryStore {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(&self, group: Group, _: Durability) -> Stored<'_, ()> {
        let mut kept = self.kept();
        group.0.into_iter().for_each(|change| kept.apply(change));
        answer(())
    }

    fn invocation(&self, id: InvocationId) -> Stored<'_, Option<Invocation>> {
        answer(self.kept().invocations.get(&id).cloned())
    }

    fn blob(&self, id: InvocationId, part: Part) -> Stored<'_, Option<Bytes>> {
        answer(self.kept().blobs.get(&(id, part)).cloned())
    }

    fn list(&self, query: Query) -> Stored<'_, Listed> {
        answer(self.kept().list(&query))
    }

    fn settled(&self, query: SettledQuery) -> Stored<'_, Vec<Settled>> {
        let kept = self.kept();
        let least = Settled { at: Timestamp::from_ms(0), id: InvocationId::from_bytes([0; 16]), bytes: 0 };
        let of_it = kept.settled.range((query.function, query.kind, least)..);
        let of_it = of_it.take_while(|(function, kind, settled)| {
            (*function, *kind) == (query.function, query.kind) && settled.at < query.before
        });
        answer(of_it.map(|(_, _, settled)| *settled).take(query.limit).collect())
    }

    fn scan(&self) -> Stored<'_, Live> {
        answer(self.kept().live())
    }

    fn waiting(&self, lane: Lane, after: Option<Turn>, limit: usize) -> Stored<'_, Vec<Place>> {
        let kept = self.kept();
        let start = match after {
            Some(turn) => Bound::Excluded((lane, turn)),
            None => Bound::Included((lane, (Timestamp::from_ms(0), InvocationId::from_bytes([0; 16])))),
        };
        let turns = kept.lanes.range((start, Bound::Unbounded)).take_while(|(of, _)| *of == lane);
        answer(turns.filter_map(|(_, (_, id))| kept.place(id)).take(limit).collect())
    }

    fn too_old(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<Place>> {
        let kept = self.kept();
        let old = kept.ages.iter().take_while(|(expires, _)| *expires < now);
        answer(old.filter_map(|(_, id)| kept.place(id)).take(limit).collect())
    }

    fn counts(&self, function: FunctionId) -> Counts {
        self.kept().counts.get(&function).copied().unwrap_or_default()
    }

    fn all_counts(&self) -> BTreeMap<FunctionId, Counts> {
        self.kept().counts.clone()
    }

    fn recount(&self) -> Stored<'_, BTreeMap<FunctionId, Counts>> {
        answer(self.kept().recount())
    }

    fn key(&self, key: IdempotencyKey) -> Stored<'_, Option<KeyUse>> {
        answer(self.kept().keys.get(&key).copied())
    }

    fn keys_over(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<IdempotencyKey>> {
        let kept = self.kept();
        let over = kept.keys.iter().filter(|(_, used)| used.until < now);
        answer(over.map(|(key, _)| *key).take(limit).collect())
    }

    fn secret(&self, namespace: Namespace, name: SecretName) -> Stored<'_, Option<Secret>> {
        answer(self.kept().secrets.get(&(namespace, name)).cloned())
    }

    fn secrets(&self, namespace: Namespace, after: Option<SecretName>, limit: usize) -> Stored<'_, Vec<Secret>> {
        let kept = self.kept();
        let of_it = kept.secrets.iter().filter(|((of, _), _)| *of == namespace);
        let behind = of_it.filter(|((_, name), _)| after.as_ref().is_none_or(|after| name > after));
        answer(behind.map(|(_, secret)| secret.clone()).take(limit).collect())
    }

    fn pair_value(&self, store: PairStore, key: String) -> Stored<'_, Option<Bytes>> {
        answer(self.kept().pairs.get(&(store, pairs::place(&key), key)).map(|(_, value)| value.clone()))
    }

    fn pair(&self, store: PairStore, key: String) -> Stored<'_, Option<Pair>> {
        answer(self.kept().pairs.get(&(store, pairs::place(&key), key)).map(|(pair, _)| pair.clone()))
    }

    fn pairs(&self, store: PairStore, after: Option<u64>, limit: usize) -> Stored<'_, Vec<Pair>> {
        let Some(from) = after.map_or(Some(0), |after| after.checked_add(1)) else { return answer(Vec::new()) };
        let kept = self.kept();
        let from = (store.clone(), from, String::new());
        let of_it = kept.pairs.range(from..).take_while(|((of, ..), _)| *of == store);
        answer(of_it.map(|(_, (pair, _))| pair.clone()).take(limit).collect())
    }

    fn document(&self, key: DocumentKey) -> Stored<'_, Option<Bytes>> {
        answer(self.kept().documents.get(&key).cloned())
    }

    fn documents(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<(DocumentKey, Bytes)>> {
        let kept = self.kept();
        answer(kept.documents(&range).take(limit).map(|(key, bytes)| (key.clone(), bytes.clone())).collect())
    }

    fn document_keys(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<DocumentKey>> {
        answer(self.kept().documents(&range).take(limit).map(|(key, _)| key.clone()).collect())
    }

    fn pair_stores(&self, after: Option<PairStore>, limit: usize) -> Stored<'_, Vec<PairStore>> {
        let kept = self.kept();
        let stores: BTreeSet<&PairStore> = kept.pairs.keys().map(|(store, ..)| store).collect();
        let behind = stores.into_iter().filter(|store| after.as_ref().is_none_or(|after| *store > after));
        answer(behind.take(limit).cloned().collect())
    }

    fn room(&self) -> Room {
        Room::Plenty
    }

    fn vitals(&self) -> Vitals {
        Vitals::default()
    }

    fn put_module(&self, digest: Digest, module: Bytes) -> Stored<'_, ()> {
        self.kept().modules.entry(digest).or_insert(module);
        answer(())
    }

    fn module(&self, digest: Digest) -> Stored<'_, Option<Bytes>> {
        answer(self.kept().modules.get(&digest).cloned())
    }
}

impl Kept {
    fn apply(&mut self, change: Change) {
        match change {
            Change::PutInvocation(invocation) => {
                let id = invocation.id;
                self.change(id, |kept| drop(kept.invocations.insert(id, *invocation)));
            }
            Change::ReplaceInvocation(invocation) => {
                if self.invocations.contains_key(&invocation.id) {
                    self.apply(Change::PutInvocation(invocation));
                }
            }
            Change::PutBlob(id, part, bytes) => {
                self.change(id, |kept| drop(kept.blobs.insert((id, part), bytes)));
            }
            Change::RemoveInvocation(id) => {
                if self.invocations.get(&id).is_none_or(|it| matches!(it.state, State::Done { .. })) {
                    self.change(id, |kept| kept.remove(id));
                }
            }
            Change::PutFunction(function) => drop(self.functions.insert(function.id, *function)),
            Change::PutVersion(id, version) => drop(self.versions.insert((id, version.number), *version)),
            Change::RemoveVersion(id, number) => drop(self.versions.remove(&(id, number))),
            Change::RemoveFunction(id) => {
                self.functions.remove(&id);
                self.versions.retain(|(of, _), _| *of != id);
            }
            Change::PutKey(key, used) => drop(self.keys.insert(key, used)),
            Change::RemoveKey(key) => drop(self.keys.remove(&key)),
            Change::PutSecret(secret) => {
                drop(self.secrets.insert((secret.namespace.clone(), secret.name.clone()), *secret));
            }
            Change::RemoveSecret(namespace, name) => drop(self.secrets.remove(&(namespace, name))),
            Change::PutPair(pair, value) => {
                drop(self.pairs.insert((pair.store.clone(), pair.place(), pair.key.clone()), (*pair, value)));
            }
            Change::PutDocument(key, bytes) => drop(self.documents.insert(key, bytes)),
            Change::RemoveDocument(key) => drop(self.documents.remove(&key)),
            Change::RemovePair(store, key) => drop(self.pairs.remove(&(store, pairs::place(&key), key))),
        }
    }

    fn remove(&mut self, id: InvocationId) {
        self.invocations.remove(&id);
        for part in Part::ALL {
            self.blobs.remove(&(id, part));
        }
    }

    /// Carries out a change of one invocation and keeps counts and orders true.
    fn change(&mut self, id: InvocationId, change: impl FnOnce(&mut Self)) {
        let before = self.forget(id);
        change(self);
        let now = self.note(id);
        if let Some((function, _)) = now.or(before) {
            let counts = self.counts.entry(function).or_default();
            counts.change(before.and_then(|(_, counted)| counted), now.and_then(|(_, counted)| counted));
        }
    }

    /// Takes an invocation out of every order; returns what it counted as.
    fn forget(&mut self, id: InvocationId) -> Option<(FunctionId, Option<Counted>)> {
        let invocation = self.invocations.get(&id)?;
        let (function, counted) = (invocation.target.function, self.counted(invocation));
        self.times.remove(&Cursor(invocation.accepted, id));
        if let Some(place) = invocation.place() {
            self.lanes.remove(&(place.lane, place.turn()));
            self.ages.remove(&(place.expires, id));
        }
        if let Some(settled) = self.as_settled(invocation) {
            self.settled.remove(&settled);
        }
        Some((function, counted))
    }

    /// Puts an invocation into every order it belongs to; returns what it counts as.
    fn note(&mut self, id: InvocationId) -> Option<(FunctionId, Option<Counted>)> {
        let invocation = self.invocations.get(&id)?;
        let (function, counted) = (invocation.target.function, self.counted(invocation));
        let settled = self.as_settled(invocation);
        self.times.insert(Cursor(invocation.accepted, id));
        if let Some(place) = invocation.place() {
            self.lanes.insert((place.lane, place.turn()));
            self.ages.insert((place.expires, id));
        }
        self.settled.extend(settled);
        Some((function, counted))
    }

    fn counted(&self, invocation: &Invocation) -> Option<Counted> {
        Counted::of(invocation, self.bytes(invocation.id))
    }

    fn as_settled(&self, invocation: &Invocation) -> Option<(FunctionId, OutcomeKind, Settled)> {
        let State::Done { .. } = invocation.state else { return None };
        let (kind, at) = invocation.kept_as()?;
        let settled = Settled { at, id: invocation.id, bytes: self.bytes(invocation.id) };
        Some((invocation.target.function, kind, settled))
    }

    /// Bytes of what belongs to an invocation; that of the record itself is nothing worth in memory.
    fn bytes(&self, id: InvocationId) -> u64 {
        Part::ALL.iter().filter_map(|part| self.blobs.get(&(id, *part))).map(|bytes| bytes.len() as u64).sum()
    }

    fn place(&self, id: &InvocationId) -> Option<Place> {
        self.invocations.get(id)?.place()
    }

    fn documents(&self, range: &DocumentRange) -> impl Iterator<Item = (&DocumentKey, &Bytes)> {
        let from = DocumentKey::bound(range.table, range.from.clone());
        let until = |key: &DocumentKey| match &range.to {
            Some(to) => key.key() < &to[..],
            None => true,
        };
        let (table, from_on) = (range.table, self.documents.range(from..));
        from_on.take_while(move |(key, _)| key.table == table && until(key))
    }

    fn list(&self, query: &Query) -> Listed {
        let end = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let since = |at: &&Cursor| query.since.is_none_or(|since| at.0 >= since);
        let mut entries = self.times.range((Bound::Unbounded, end)).rev().take_while(since).peekable();
        let seen: Vec<Cursor> = entries.by_ref().take(query.limit).copied().collect();
        let next = entries.peek().and_then(|_| seen.last().copied().or(query.after));
        let wanted = |invocation: &&Invocation| query.function.is_none_or(|id| invocation.target.function == id);
        let invocations = seen.iter().filter_map(|Cursor(_, id)| self.invocations.get(id));
        Listed { invocations: invocations.filter(wanted).cloned().collect(), next }
    }

    fn live(&self) -> Live {
        let versions_of = |id: FunctionId| {
            let all = (id, VersionNumber::MIN)..=(id, VersionNumber::MAX);
            self.versions.range(all).map(|((_, number), version)| (*number, version.clone())).collect()
        };
        let lanes: BTreeSet<Lane> = self.lanes.iter().map(|(lane, _)| *lane).collect();
        Live {
            lanes: lanes.into_iter().collect(),
            functions: self.functions.values().map(|f| (f.clone(), versions_of(f.id))).collect(),
        }
    }

    fn recount(&self) -> BTreeMap<FunctionId, Counts> {
        let mut counts: BTreeMap<FunctionId, Counts> = BTreeMap::new();
        for invocation in self.invocations.values() {
            counts.entry(invocation.target.function).or_default().change(None, self.counted(invocation));
        }
        for (function, known) in &self.counts {
            let counted = counts.entry(*function).or_default();
            (counted.accepted, counted.settled) = (known.accepted, known.settled);
        }
        counts
    }
}

fn answer<T: Send + 'static>(value: T) -> Stored<'static, T> {
    Box::pin(ready(Ok(value)))
}
