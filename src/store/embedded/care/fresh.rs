//! A new store, made of items. It is a store like any other once it is finished, and nothing before that: so it is
//! made where nobody looks for one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::EmbeddedStore;
use super::super::change::Prepared;
use super::super::counts_form;
use super::super::index_writer::Opened;
use super::super::layout::Layout;
use super::item::Item;
use crate::model::bounds;
use crate::model::invocation::Mode;
use crate::model::names::FunctionId;
use crate::store::journal::{FileSystem, Remains};
use crate::store::sled::{Changes, Index};
use crate::store::{Change, Durability, Group, Part, StoreError, keys};

/// A store in the making.
pub(super) struct Fresh {
    root: PathBuf,
    store: EmbeddedStore,
    group: Vec<Prepared>,
    /// What it takes in the journal.
    bytes: usize,
    /// How many were ever settled: as it was told, or else as many as are kept.
    told: BTreeMap<FunctionId, [u64; 4]>,
    kept: BTreeMap<FunctionId, [u64; 4]>,
}

impl Fresh {
    /// Begins one in a directory that is empty or missing.
    pub(super) fn begin(root: &Path) -> Result<Self, StoreError> {
        let store = EmbeddedStore::open(root)?;
        let (told, kept) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { root: root.to_owned(), store, group: Vec::new(), bytes: 0, told, kept })
    }

    pub(super) fn take(&mut self, item: Item) -> Result<(), StoreError> {
        match item {
            Item::Module(digest, module) => self.store.shared.modules.put(digest, &module),
            Item::Function(function) => self.add(vec![Change::PutFunction(function)]),
            Item::Version(id, version) => self.add(vec![Change::PutVersion(id, version)]),
            Item::Key(key, used) => self.add(vec![Change::PutKey(key, used)]),
            Item::Secret(secret) => self.add(vec![Change::PutSecret(secret)]),
            Item::Document(key, value) => self.add(vec![Change::PutDocument(key, value)]),
            Item::Pair(pair, value) => self.add(vec![Change::PutPair(pair, value)]),
            Item::Settled(function, settled) => {
                self.told.insert(function, settled);
                Ok(())
            }
            Item::Invocation(invocation, parts) => {
                if let (Some((outcome, _)), Mode::Async) = (invocation.outcome(), invocation.mode) {
                    self.kept.entry(invocation.target.function).or_default()[outcome.kind() as usize] += 1;
                }
                let id = invocation.id;
                let parts = Part::ALL.into_iter().zip(parts);
                let parts = parts.filter_map(|(part, bytes)| Some(Change::PutBlob(id, part, bytes?)));
                self.add(std::iter::once(Change::PutInvocation(invocation)).chain(parts).collect())
            }
        }
    }

    fn add(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let changes = Prepared::all(Group(changes));
        let bytes: usize = changes.iter().map(Prepared::bytes).sum();
        let (all, count) = (self.bytes + bytes, self.group.len() + changes.len());
        let is_full = all > bounds::MAX_GROUP_BYTES / 8 || count > bounds::MAX_GROUP_CHANGES / 2;
        if is_full && !self.group.is_empty() {
            self.flush(Durability::Written)?;
        }
        self.group.extend(changes);
        self.bytes += bytes;
        Ok(())
    }

    fn flush(&mut self, when: Durability) -> Result<(), StoreError> {
        self.bytes = 0;
        let group = std::mem::take(&mut self.group);
        let answer = self.store.committer.submit(group, when)?.blocking_recv();
        answer.unwrap_or_else(|_| Err(StoreError::Unknown("the thread that writes has ended".to_owned())))
    }

    /// Writes what is left and closes the store, with all of it in the index. When this returns it is durable.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        self.flush(Durability::Synced)?;
        let Self { root, store, told, kept, .. } = self;
        drop(store);
        let layout = Layout::existing(&root)?;
        write_counts(&layout, &told, &kept)?;
        let failed = |error: std::io::Error| layout.refused(error.to_string());
        let remains = Remains::look(&layout.journal(), Arc::new(FileSystem), &mut |_| ());
        remains.map_err(|error| layout.refused(error.to_string()))?.remove_spares().map_err(failed)?;
        for dir in [layout.journal(), layout.index(), layout.modules(), root.clone()] {
            std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        Ok(())
    }
}

/// Notes how many were ever accepted and settled: committing what has settled already does not count it.
fn write_counts(
    layout: &Layout,
    told: &BTreeMap<FunctionId, [u64; 4]>,
    kept: &BTreeMap<FunctionId, [u64; 4]>,
) -> Result<(), StoreError> {
    let failed = |error: crate::store::sled::IndexError| layout.refused(error.to_string());
    let index = Index::open(&layout.index(), bounds::STORE_CACHE_BYTES, true).map_err(failed)?;
    let mut counts = Opened::read(&index).map_err(failed)?.counts;
    for (function, settled) in kept.iter().chain(told) {
        let of = counts.entry(*function).or_default();
        of.settled = std::array::from_fn(|kind| of.settled[kind].max(settled[kind]));
        of.accepted = of.live + of.settled.iter().sum::<u64>();
    }
    let metas = counts.iter().map(|(id, counts)| (keys::counts(*id), Some(counts_form::to_bytes(counts))));
    let mut metas: Vec<_> = metas.collect();
    metas.sort();
    let Some(mark) = index.mark().map_err(failed)? else { return Ok(()) }; // nothing was ever committed
    index.apply(&Changes::default(), &mark, &metas).map_err(failed)
}
