//! A store that does not do all it is told: the sequences must find that out, or they would prove nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidemill::model::invocation::Invocation;
use tidemill::model::names::{Digest, FunctionId, InvocationId, Namespace, SecretName};
use tidemill::model::place::{Lane, Place, Turn};
use tidemill::model::secret::Secret;
use tidemill::model::time::Timestamp;
use tidemill::store::memory::MemoryStore;
use tidemill::store::{
    Change, Counts, DocumentKey, DocumentRange, Durability, Group, IdempotencyKey, KeyUse, Listed, Live, Pair,
    PairStore, Part, Query, Room, Settled, SettledQuery, Store, Stored, Vitals,
};

/// One in memory that carries out only what is wanted.
pub(super) struct Broken {
    store: MemoryStore,
    wanted: fn(&Change) -> bool,
}

impl Broken {
    pub(super) fn new(wanted: fn(&Change) -> bool) -> Self {
        Self { store: MemoryStore::default(), wanted }
    }
}

impl Store for Broken {
    fn commit(&self, group: Group, when: Durability) -> Stored<'_, ()> {
        self.store.commit(Group(group.0.into_iter().filter(self.wanted).collect()), when)
    }
    fn invocation(&self, id: InvocationId) -> Stored<'_, Option<Invocation>> {
        self.store.invocation(id)
    }
    fn blob(&self, id: InvocationId, part: Part) -> Stored<'_, Option<Bytes>> {
        self.store.blob(id, part)
    }
    fn list(&self, query: Query) -> Stored<'_, Listed> {
        self.store.list(query)
    }
    fn settled(&self, query: SettledQuery) -> Stored<'_, Vec<Settled>> {
        self.store.settled(query)
    }
    fn scan(&self) -> Stored<'_, Live> {
        self.store.scan()
    }
    fn waiting(&self, lane: Lane, after: Option<Turn>, limit: usize) -> Stored<'_, Vec<Place>> {
        self.store.waiting(lane, after, limit)
    }
    fn too_old(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<Place>> {
        self.store.too_old(now, limit)
    }
    fn counts(&self, function: FunctionId) -> Counts {
        self.store.counts(function)
    }
    fn all_counts(&self) -> BTreeMap<FunctionId, Counts> {
        self.store.all_counts()
    }
    fn recount(&self) -> Stored<'_, BTreeMap<FunctionId, Counts>> {
        self.store.recount()
    }
    fn key(&self, key: IdempotencyKey) -> Stored<'_, Option<KeyUse>> {
        self.store.key(key)
    }
    fn keys_over(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<IdempotencyKey>> {
        self.store.keys_over(now, limit)
    }
    fn secret(&self, namespace: Namespace, name: SecretName) -> Stored<'_, Option<Secret>> {
        self.store.secret(namespace, name)
    }
    fn secrets(&self, namespace: Namespace, after: Option<SecretName>, limit: usize) -> Stored<'_, Vec<Secret>> {
        self.store.secrets(namespace, after, limit)
    }
    fn pair_value(&self, store: PairStore, key: String) -> Stored<'_, Option<Bytes>> {
        self.store.pair_value(store, key)
    }
    fn pair(&self, store: PairStore, key: String) -> Stored<'_, Option<Pair>> {
        self.store.pair(store, key)
    }
    fn pairs(&self, store: PairStore, after: Option<u64>, limit: usize) -> Stored<'_, Vec<Pair>> {
        self.store.pairs(store, after, limit)
    }
    fn pair_stores(&self, after: Option<PairStore>, limit: usize) -> Stored<'_, Vec<PairStore>> {
        self.store.pair_stores(after, limit)
    }
    fn document(&self, key: DocumentKey) -> Stored<'_, Option<Bytes>> {
        self.store.document(key)
    }
    fn documents(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<(DocumentKey, Bytes)>> {
        self.store.documents(range, limit)
    }
    fn document_keys(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<DocumentKey>> {
        self.store.document_keys(range, limit)
    }
    fn room(&self) -> Room {
        self.store.room()
    }
    fn vitals(&self) -> Vitals {
        self.store.vitals()
    }
    fn put_module(&self, digest: Digest, module: Bytes) -> Stored<'_, ()> {
        self.store.put_module(digest, module)
    }
    fn module(&self, digest: Digest) -> Stored<'_, Option<Bytes>> {
        self.store.module(digest)
    }
}
