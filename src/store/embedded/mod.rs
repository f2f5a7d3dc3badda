//! The embedded store: sled, and files for what sled must not hold. The only room that knows sled.
//!
//! sled 0.34 alone keeps none of the promises that a power cut tests: its flush is not a sync, and pages of
//! 128 KiB and more go to files that it never syncs, without which it does not open again. So the committer
//! syncs the database's file itself, and large values ([`crate::model::bounds::MAX_INLINE_BYTES`]) are files
//! of ours.
//!
//! | file        | decides                                                    |
//! | ----------- | ---------------------------------------------------------- |
//! | `layout`    | the data directory: what lies where, and whose it is       |
//! | `value`     | the form of a value: inline or in a file                   |
//! | `files`     | files for large values                                     |
//! | `sweep`     | which of those a crash left                                |
//! | `modules`   | files of modules                                           |
//! | `change`    | changes as the committer takes them                        |
//! | `staging`   | the net change of several groups                           |
//! | `committer` | the one thread that writes                                 |
//! | `reads`     | everything that only reads                                 |

mod layout;
mod value;

mod files;
mod modules;
mod sweep;

mod change;
mod staging;

mod committer;
mod reads;

use std::fs::File;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

use ::sled::{Config, Db};
use bytes::Bytes;

use crate::model::bounds;
use crate::model::invocation::Invocation;
use crate::model::names::{Digest, FunctionId, InvocationId};
use crate::model::place::{Lane, Place, Turn};
use crate::model::time::Timestamp;
use std::collections::BTreeMap;

use super::memory::MemoryStore;
use super::{
    Change, Counts, Durability, Group, IdempotencyKey, KeyUse, Listed, Live, Part, Query, Settled, SettledQuery, Store,
    StoreError, Stored, Vitals, keys,
};
use change::Op;
use committer::Committer;
use files::Files;
use layout::Layout;
use modules::Modules;
use reads::Reader;
use sweep::Sweep;

/// How often sled tidies up after itself, in milliseconds.
const TIDY_EVERY_MS: u64 = 500;

/// A store in a directory. Dropping it writes and syncs what was handed over, and waits for that.
///
/// Its methods are called from within a tokio runtime, on whose blocking threads it reads.
#[derive(Debug)]
pub struct EmbeddedStore {
    // Dropped in this order: the last writes, the sweep, and with the last reader the database and the lock.
    committer: Committer,
    mirror: MemoryStore,
    _sweep: Sweep,
    shared: Arc<Shared>,
}

/// What a read needs for as long as it takes.
#[derive(Debug)]
struct Shared {
    reader: Reader,
    modules: Modules,
    _lock: File,
}

impl EmbeddedStore {
    /// Opens the store in `data_dir`, or creates one where the directory is missing or empty.
    ///
    /// # Errors
    /// [`StoreError::Open`] with the reason: another process has it open, it is something else's, its format is
    /// another program's, or it is damaged. What is there is then left as it was.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let mut layout = Layout::open(data_dir)?;
        let db = open_database(&layout)?;
        if !layout.is_whole() {
            create(&db, &mut layout).map_err(|error| layout.refused(error.to_string()))?;
        }
        Self::start(db, layout)
    }

    fn start(db: Db, layout: Layout) -> Result<Self, StoreError> {
        let failed = |error: io::Error| layout.refused(error.to_string());
        let modules = Modules::open(layout.modules()).map_err(failed)?;
        let files = Arc::new(Files::new(layout.payloads()));
        let file = File::open(layout.database_file()).map_err(failed)?;
        let sync = Box::new(move || file.sync_data());
        let committer = Committer::start(db.clone(), Arc::clone(&files), sync).map_err(failed)?;
        let sweep = Sweep::start(db.clone(), Arc::clone(&files)).map_err(failed)?;
        let reader = Reader::new(db, files);
        // A version that cannot be read may need any of them.
        if let Ok(needed) = reader.modules() {
            modules.keep_only(&needed).map_err(failed)?;
        }
        let mirror = MemoryStore::default();
        let mut query = Query { limit: 1_000, ..Query::default() };
        loop {
            let listed = reader.list(&query)?;
            for invocation in listed.invocations {
                let id = invocation.id;
                let mut group = vec![Change::PutInvocation(Box::new(invocation))];
                for part in Part::ALL {
                    group.extend(reader.blob(id, part)?.map(|bytes| Change::PutBlob(id, part, bytes)));
                }
                drop(mirror.commit(Group(group), Durability::Written));
            }
            match listed.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        let shared = Shared { reader, modules, _lock: layout.into_lock() };
        Ok(Self { committer, mirror, _sweep: sweep, shared: Arc::new(shared) })
    }

    /// Runs `read` on a thread that may block. It is started by the call, not by the first poll.
    fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Stored<'_, T> {
        let shared = Arc::clone(&self.shared);
        let answer = tokio::task::spawn_blocking(move || read(&shared));
        Box::pin(async { answer.await.map_err(reads::unreadable)? })
    }
}

impl Store for EmbeddedStore {
    fn commit(&self, group: Group, when: Durability) -> Stored<'_, ()> {
        let submitted = self.committer.submit(Op::all(group.clone()), when);
        if submitted.is_ok() {
            drop(self.mirror.commit(group, when));
        }
        Box::pin(async {
            let died = |_| StoreError::Unknown("the thread that writes has ended".to_owned());
            submitted?.await.map_err(died)?
        })
    }

    fn invocation(&self, id: InvocationId) -> Stored<'_, Option<Invocation>> {
        self.mirror.invocation(id)
    }

    fn blob(&self, id: InvocationId, part: Part) -> Stored<'_, Option<Bytes>> {
        self.mirror.blob(id, part)
    }

    fn list(&self, query: Query) -> Stored<'_, Listed> {
        self.mirror.list(query)
    }

    fn settled(&self, query: SettledQuery) -> Stored<'_, Vec<Settled>> {
        self.mirror.settled(query)
    }

    fn scan(&self) -> Stored<'_, Live> {
        let lanes = self.mirror.scan();
        Box::pin(async move {
            let lanes = lanes.await?.lanes;
            Ok(Live { lanes, ..self.blocking(|shared| shared.reader.scan()).await? })
        })
    }

    fn waiting(&self, lane: Lane, after: Option<Turn>, limit: usize) -> Stored<'_, Vec<Place>> {
        self.mirror.waiting(lane, after, limit)
    }

    fn too_old(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<Place>> {
        self.mirror.too_old(now, limit)
    }

    fn counts(&self, function: FunctionId) -> Counts {
        self.mirror.counts(function)
    }

    fn all_counts(&self) -> BTreeMap<FunctionId, Counts> {
        self.mirror.all_counts()
    }

    fn recount(&self) -> Stored<'_, BTreeMap<FunctionId, Counts>> {
        self.mirror.recount()
    }

    fn key(&self, key: IdempotencyKey) -> Stored<'_, Option<KeyUse>> {
        self.mirror.key(key)
    }

    fn keys_over(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<IdempotencyKey>> {
        self.mirror.keys_over(now, limit)
    }

    fn vitals(&self) -> Vitals {
        self.mirror.vitals()
    }

    fn put_module(&self, digest: Digest, module: Bytes) -> Stored<'_, ()> {
        self.blocking(move |shared| shared.modules.put(digest, &module))
    }

    fn module(&self, digest: Digest) -> Stored<'_, Option<Bytes>> {
        self.blocking(move |shared| Ok(shared.modules.read(digest)?.map(Bytes::from)))
    }
}

/// sled panics over some damage, when it opens or at the first look inside: one more way of not opening.
fn open_database(layout: &Layout) -> Result<Db, StoreError> {
    let advice = "restore the directory from a backup, or move it away to start anew";
    let config = Config::new()
        .path(layout.database())
        .cache_capacity(bounds::STORE_CACHE_BYTES)
        .flush_every_ms(Some(TIDY_EVERY_MS));
    let opened = panic::catch_unwind(AssertUnwindSafe(|| {
        let unread = |error| layout.refused(format!("its database cannot be read ({error}): {advice}"));
        let db = config.open().map_err(unread)?;
        check_database(&db, layout)?;
        Ok(db)
    }));
    opened.unwrap_or_else(|_| Err(layout.refused(format!("its database is damaged: {advice}"))))
}

/// Whether the database is the one that belongs here. An empty one in a directory that was whole has lost
/// everything, and is not to be taken for a new one.
fn check_database(db: &Db, layout: &Layout) -> Result<(), StoreError> {
    let failed = |error: ::sled::Error| layout.refused(error.to_string());
    match db.get(keys::META_FORMAT).map_err(failed)? {
        Some(format) => match format.as_ref().try_into().map(u32::from_be_bytes) {
            Ok(keys::FORMAT) => Ok(()),
            Ok(other) => Err(layout.refused(layout::other_format(other))),
            Err(_) => Err(layout.refused("its database says no format: restore it from a backup")),
        },
        None if layout.is_whole() => {
            Err(layout.refused("its database has lost what it held: restore it from a backup"))
        }
        None if db.iter().next().is_some() => {
            Err(layout.refused("its database is another program's: use an empty directory, or one of tidemill's"))
        }
        None => Ok(()),
    }
}

fn create(db: &Db, layout: &mut Layout) -> io::Result<()> {
    db.insert(keys::META_FORMAT, &keys::FORMAT.to_be_bytes())?;
    db.flush()?;
    Files::create_folders(&layout.payloads())?;
    layout.complete()
}
