//! The embedded store: a journal, and an index of it. What is committed is appended to the journal, synced once
//! for all who wait, and answered; the index learns of it later, in windows, and only how it ended.
//!
//! The journal (`store::journal`) knows bytes and places; the index (`store::sled`) knows rows. This is where the
//! two are joined, so this is where a crash is thought about: the journal is written first, the index never runs
//! ahead of it, and opening takes in what the index has not seen.
//!
//! | file           | decides                                                       |
//! | -------------- | ------------------------------------------------------------- |
//! | `layout`       | the data directory: what lies where, and whose it is          |
//! | `modules`      | files of modules                                              |
//! | `entry`        | what the index says of an invocation                          |
//! | `op`           | what a group changed, as the journal keeps it                 |
//! | `change`       | changes as the committer takes them                           |
//! | `stage`        | what a group's changes mean, given what is there              |
//! | `rows`         | rows of invocations, laid out from their entries              |
//! | `window`       | the net of what is not in the index yet                       |
//! | `state`        | what the threads share                                        |
//! | `view`         | what is there now: windows over the index over the journal    |
//! | `list`         | the list of invocations, a page an instant                    |
//! | `reads`        | the other questions that a store answers                            |
//! | `vitals`       | figures about all this                                        |
//! | `staged`       | what groups changed that nobody sees yet                      |
//! | `finish`       | syncing, showing and answering gatherings that are written, on a thread where others wait |
//! | `writer`       | one gathering of groups into the journal                      |
//! | `committer`    | the one thread that does it, and the way to it                |
//! | `counts_form`  | counts as bytes                                               |
//! | `index_writer` | one window into the index                                     |
//! | `collector`    | copying forward what little is still needed of a segment      |
//! | `applier`      | the one thread that writes the index                          |
//! | `opening`      | opening: what is there, and what the index has not seen       |
//! | `care`         | checking, copying and repairing a store that is not in use    |

mod layout;
mod modules;

mod entry;
mod op;

mod change;
mod stage;

mod rows;
mod window;

mod list;
mod state;
mod view;

mod owned;
mod reads;
mod vitals;

mod staged;

mod finish;

mod writer;

mod committer;

mod counts_form;
mod index_writer;

mod collector;

mod applier;

mod opening;

pub(crate) mod care;

use std::collections::BTreeMap;
use std::fs::File;
use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::model::bounds;
use crate::model::invocation::Invocation;
use crate::model::names::{Digest, FunctionId, InvocationId, Namespace, SecretName};
use crate::model::place::{Lane, Place, Turn};
use crate::model::secret::Secret;
use crate::model::time::Timestamp;

use super::counts::Counts;
use super::journal::Segments;
use super::{
    DocumentKey, DocumentRange, Durability, Group, IdempotencyKey, KeyUse, Listed, Live, Pair, PairStore, Part, Query,
    Room, Settled, SettledQuery, Store, StoreError, Stored, Vitals, journal,
};
use applier::Applier;
use change::Prepared;
use committer::Committer;
use modules::Modules;
use view::View;
use vitals::Tally;

/// How much of the disk and of memory a store takes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes of one segment of the journal, a multiple of 512: no commit can be larger.
    pub segment_bytes: u32,
    /// Bytes of all segments together; past them new work is refused.
    pub max_journal_bytes: u64,
    /// Free bytes on the disk below which new work is refused.
    pub min_free_bytes: u64,
    /// Memory for pages of the index.
    pub cache_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: bounds::SEGMENT_BYTES,
            max_journal_bytes: u64::MAX,
            min_free_bytes: bounds::MIN_FREE_BYTES,
            cache_bytes: bounds::STORE_CACHE_BYTES,
        }
    }
}

/// A store in a directory. Dropping it writes and syncs what was handed over, and waits for that.
///
/// Its methods are called from within a tokio runtime, on whose blocking threads it reads.
#[derive(Debug)]
pub struct EmbeddedStore {
    // Dropped in this order: the last writes, the last window, and with the last reader the index and the lock.
    committer: Committer,
    _applier: Applier,
    segments: Segments,
    tally: Arc<Tally>,
    replay_time: Duration,
    shared: Arc<Readable>,
}

/// What a read needs for as long as it takes.
#[derive(Debug)]
struct Readable {
    view: View,
    modules: Modules,
    _lock: File,
}

impl EmbeddedStore {
    /// Opens the store in `data_dir` with the usual settings, or creates one where the directory is missing or empty.
    ///
    /// # Errors
    /// As [`EmbeddedStore::open_with`].
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(data_dir, &Settings::default())
    }

    /// Opens the store in `data_dir`, or creates one where the directory is missing or empty.
    ///
    /// # Errors
    /// [`StoreError::Open`] with the reason: another process has it open, it is something else's, its format is
    /// another program's, or it is damaged. What is there is then left as it was.
    pub fn open_with(data_dir: &Path, settings: &Settings) -> Result<Self, StoreError> {
        opening::open(data_dir, settings)
    }

    /// Runs `read` on a thread that may block. It is started by the call, not by the first poll.
    fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Readable) -> Result<T, StoreError> + Send + 'static,
    ) -> Stored<'_, T> {
        let shared = Arc::clone(&self.shared);
        let answer = tokio::task::spawn_blocking(move || read(&shared));
        Box::pin(async { answer.await.map_err(|error| StoreError::Unreadable(error.to_string()))? })
    }
}

impl Store for EmbeddedStore {
    fn commit(&self, group: Group, when: Durability) -> Stored<'_, ()> {
        let submitted = self.committer.submit(Prepared::all(group), when);
        Box::pin(async {
            let died = |_| StoreError::Unknown("the thread that writes has ended".to_owned());
            submitted?.await.map_err(died)?
        })
    }

    fn invocation(&self, id: InvocationId) -> Stored<'_, Option<Invocation>> {
        match self.shared.view.recent_invocation(id) {
            Some(found) => Box::pin(ready(found)),
            None => self.blocking(move |shared| shared.view.invocation(id)),
        }
    }

    fn blob(&self, id: InvocationId, part: Part) -> Stored<'_, Option<Bytes>> {
        match self.shared.view.recent_blob(id, part) {
            Some(found) => Box::pin(ready(Ok(found))),
            None => self.blocking(move |shared| shared.view.blob(id, part)),
        }
    }

    fn list(&self, query: Query) -> Stored<'_, Listed> {
        self.blocking(move |shared| shared.view.list(&query))
    }

    fn settled(&self, query: SettledQuery) -> Stored<'_, Vec<Settled>> {
        self.blocking(move |shared| shared.view.settled(query))
    }

    fn scan(&self) -> Stored<'_, Live> {
        self.blocking(|shared| shared.view.scan())
    }

    fn waiting(&self, lane: Lane, after: Option<Turn>, limit: usize) -> Stored<'_, Vec<Place>> {
        self.blocking(move |shared| shared.view.waiting(lane, after, limit))
    }

    fn too_old(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<Place>> {
        self.blocking(move |shared| shared.view.too_old(now, limit))
    }

    fn counts(&self, function: FunctionId) -> Counts {
        self.shared.view.shared.lock().counts.get(&function).copied().unwrap_or_default()
    }

    fn all_counts(&self) -> BTreeMap<FunctionId, Counts> {
        self.shared.view.shared.lock().counts.iter().map(|(id, counts)| (*id, *counts)).collect()
    }

    fn recount(&self) -> Stored<'_, BTreeMap<FunctionId, Counts>> {
        self.blocking(|shared| shared.view.recount())
    }

    fn key(&self, key: IdempotencyKey) -> Stored<'_, Option<KeyUse>> {
        self.blocking(move |shared| shared.view.key_use(key))
    }

    fn keys_over(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<IdempotencyKey>> {
        self.blocking(move |shared| shared.view.keys_over(now, limit))
    }

    fn secret(&self, namespace: Namespace, name: SecretName) -> Stored<'_, Option<Secret>> {
        self.blocking(move |shared| shared.view.secret(&namespace, &name))
    }

    fn secrets(&self, namespace: Namespace, after: Option<SecretName>, limit: usize) -> Stored<'_, Vec<Secret>> {
        self.blocking(move |shared| shared.view.secrets(&namespace, after.as_ref(), limit))
    }

    fn pair_value(&self, store: PairStore, key: String) -> Stored<'_, Option<Bytes>> {
        self.blocking(move |shared| shared.view.pair_value(&store, &key))
    }

    fn pair(&self, store: PairStore, key: String) -> Stored<'_, Option<Pair>> {
        self.blocking(move |shared| shared.view.pair(&store, &key))
    }

    fn pairs(&self, store: PairStore, after: Option<u64>, limit: usize) -> Stored<'_, Vec<Pair>> {
        self.blocking(move |shared| shared.view.pairs(&store, after, limit))
    }

    fn document(&self, key: DocumentKey) -> Stored<'_, Option<Bytes>> {
        match self.shared.view.recent_document(&key) {
            Some(found) => Box::pin(ready(Ok(found))),
            None => self.blocking(move |shared| shared.view.document(&key)),
        }
    }

    fn documents(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<(DocumentKey, Bytes)>> {
        self.blocking(move |shared| shared.view.documents(&range, limit))
    }

    fn document_keys(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<DocumentKey>> {
        self.blocking(move |shared| shared.view.document_keys(&range, limit))
    }

    fn pair_stores(&self, after: Option<PairStore>, limit: usize) -> Stored<'_, Vec<PairStore>> {
        self.blocking(move |shared| shared.view.pair_stores(after.as_ref(), limit))
    }

    fn room(&self) -> Room {
        room(self.segments.room())
    }

    fn vitals(&self) -> Vitals {
        let journal = self.segments.stats();
        let state = self.shared.view.shared.lock();
        let mut vitals = Vitals {
            disk_bytes: journal.bytes_on_disk,
            replay_time: self.replay_time,
            unapplied: state.unapplied() as u64,
            live_bytes: state.counts.values().map(kept_bytes).sum(),
            room: self.room(),
            index_fails: state.stuck.is_some(),
            ..Vitals::default()
        };
        drop(state);
        vitals.disk_bytes += self.shared.view.index.disk_bytes().unwrap_or_default();
        self.tally.fill(&mut vitals);
        vitals
    }

    fn put_module(&self, digest: Digest, module: Bytes) -> Stored<'_, ()> {
        self.blocking(move |shared| shared.modules.put(digest, &module))
    }

    fn module(&self, digest: Digest) -> Stored<'_, Option<Bytes>> {
        self.blocking(move |shared| Ok(shared.modules.read(digest)?.map(Bytes::from)))
    }
}

fn kept_bytes(counts: &Counts) -> u64 {
    counts.live_bytes + counts.kept.iter().map(|kept| kept.bytes).sum::<u64>()
}

fn room(room: journal::Room) -> Room {
    match room {
        journal::Room::Plenty => Room::Plenty,
        journal::Room::ReserveOnly => Room::ReserveOnly,
        journal::Room::RemovalsOnly | journal::Room::CopiesOnly => Room::None,
    }
}
