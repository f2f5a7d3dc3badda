//! A store with faults.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;

use super::*;
use crate::model::names::{Digest, Namespace, SecretName};
use crate::model::place::{Lane, Place, Turn};
use crate::model::secret::Secret;
use crate::store::{
    Counts, DocumentKey, DocumentRange, IdempotencyKey, KeyUse, Listed, Pair, PairStore, Query, Room, Settled,
    SettledQuery, StoreError, Stored, Vitals,
};

/// What becomes of a commit.
pub(super) enum Fate {
    CarriedOut,
    CarriedOutAndUnknown,
    Refused,
    Full,
    Unknown,
}

/// A store with faults: what becomes of each commit, by its number, and whether payloads can be read.
pub(super) struct Faulty {
    pub(super) kept: MemoryStore,
    pub(super) fate: fn(u32) -> Fate,
    pub(super) calls: AtomicU32,
    pub(super) payloads_damaged: bool,
    /// Whose records cannot be read.
    pub(super) damaged: Mutex<Vec<InvocationId>>,
    /// How often one of them was asked for.
    pub(super) damage_met: AtomicU32,
    /// Counting again finds one more than there is.
    pub(super) miscounted: bool,
    pub(super) room: Mutex<Room>,
}

impl Faulty {
    pub(super) fn new(fate: fn(u32) -> Fate) -> Self {
        Self {
            kept: MemoryStore::default(),
            fate,
            calls: AtomicU32::new(0),
            payloads_damaged: false,
            damaged: Mutex::default(),
            damage_met: AtomicU32::new(0),
            miscounted: false,
            room: Mutex::new(Room::Plenty),
        }
    }
}

impl Store for Faulty {
    fn commit(&self, group: Group, when: Durability) -> Stored<'_, ()> {
        let why = || "on purpose".to_owned();
        match (self.fate)(self.calls.fetch_add(1, Ordering::SeqCst)) {
            Fate::CarriedOut => self.kept.commit(group, when),
            Fate::CarriedOutAndUnknown => {
                let carried_out = self.kept.commit(group, when);
                Box::pin(async move { carried_out.await.and(Err(StoreError::Unknown(why()))) })
            }
            Fate::Refused => Box::pin(async move { Err(StoreError::Refused(why())) }),
            Fate::Full => Box::pin(async move { Err(StoreError::Full(why())) }),
            Fate::Unknown => Box::pin(async move { Err(StoreError::Unknown(why())) }),
        }
    }

    fn blob(&self, id: InvocationId, part: Part) -> Stored<'_, Option<Bytes>> {
        if self.payloads_damaged && part == Part::Payload {
            let damaged = StoreError::Damaged { what: "a payload".to_owned(), detail: "on purpose".to_owned() };
            return Box::pin(async { Err(damaged) });
        }
        self.kept.blob(id, part)
    }

    fn invocation(&self, id: InvocationId) -> Stored<'_, Option<Invocation>> {
        if self.damaged.lock().unwrap().contains(&id) {
            self.damage_met.fetch_add(1, Ordering::SeqCst);
            let damaged = StoreError::Damaged { what: format!("invocation {id}"), detail: "on purpose".to_owned() };
            return Box::pin(async { Err(damaged) });
        }
        self.kept.invocation(id)
    }

    fn list(&self, query: Query) -> Stored<'_, Listed> {
        self.kept.list(query)
    }

    fn settled(&self, query: SettledQuery) -> Stored<'_, Vec<Settled>> {
        self.kept.settled(query)
    }

    fn waiting(&self, lane: Lane, after: Option<Turn>, limit: usize) -> Stored<'_, Vec<Place>> {
        self.kept.waiting(lane, after, limit)
    }

    fn too_old(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<Place>> {
        self.kept.too_old(now, limit)
    }

    fn counts(&self, function: FunctionId) -> Counts {
        self.kept.counts(function)
    }

    fn all_counts(&self) -> BTreeMap<FunctionId, Counts> {
        self.kept.all_counts()
    }

    fn recount(&self) -> Stored<'_, BTreeMap<FunctionId, Counts>> {
        let miscounted = self.miscounted;
        Box::pin(async move {
            let mut counts = self.kept.recount().await?;
            for counts in counts.values_mut() {
                counts.live += u64::from(miscounted);
            }
            Ok(counts)
        })
    }

    fn key(&self, key: IdempotencyKey) -> Stored<'_, Option<KeyUse>> {
        self.kept.key(key)
    }

    fn keys_over(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<IdempotencyKey>> {
        self.kept.keys_over(now, limit)
    }

    fn secret(&self, namespace: Namespace, name: SecretName) -> Stored<'_, Option<Secret>> {
        self.kept.secret(namespace, name)
    }
    fn secrets(&self, namespace: Namespace, after: Option<SecretName>, limit: usize) -> Stored<'_, Vec<Secret>> {
        self.kept.secrets(namespace, after, limit)
    }
    fn pair_value(&self, store: PairStore, key: String) -> Stored<'_, Option<Bytes>> {
        self.kept.pair_value(store, key)
    }
    fn pair(&self, store: PairStore, key: String) -> Stored<'_, Option<Pair>> {
        self.kept.pair(store, key)
    }
    fn pairs(&self, store: PairStore, after: Option<u64>, limit: usize) -> Stored<'_, Vec<Pair>> {
        self.kept.pairs(store, after, limit)
    }
    fn pair_stores(&self, after: Option<PairStore>, limit: usize) -> Stored<'_, Vec<PairStore>> {
        self.kept.pair_stores(after, limit)
    }
    fn document(&self, key: DocumentKey) -> Stored<'_, Option<Bytes>> {
        self.kept.document(key)
    }
    fn documents(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<(DocumentKey, Bytes)>> {
        self.kept.documents(range, limit)
    }
    fn document_keys(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<DocumentKey>> {
        self.kept.document_keys(range, limit)
    }
    fn room(&self) -> Room {
        *self.room.lock().unwrap()
    }

    fn vitals(&self) -> Vitals {
        self.kept.vitals()
    }

    fn scan(&self) -> Stored<'_, Live> {
        self.kept.scan()
    }

    fn put_module(&self, digest: Digest, module: Bytes) -> Stored<'_, ()> {
        self.kept.put_module(digest, module)
    }

    fn module(&self, digest: Digest) -> Stored<'_, Option<Bytes>> {
        self.kept.module(digest)
    }
}
