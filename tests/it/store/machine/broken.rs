//! A store that does not do all it is told: the sequences must find that out, or they would prove nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidemill::model::invocation::Invocation;
use tidemill::model::names::{Digest, FunctionId, InvocationId};
use tidemill::model::place::{Lane, Place, Turn};
use tidemill::model::time::Timestamp;
use tidemill::store::memory::MemoryStore;
use tidemill::store::{
    Change, Counts, Durability, Group, IdempotencyKey, KeyUse, Listed, Live, Part, Query, Room, Settled, SettledQuery,
    Store, Stored, Vitals,
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
