//! sled, as the index uses it: one block, one value, one batch at a time. Its errors become ours, and so do
//! its panics, of which it has one for most kinds of damage.

use std::fmt;
use std::ops::Bound::{self, Excluded, Included};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use ::sled::{Batch, Config, Db, Error, IVec};

use super::block::{self, MAX_BLOCK_BYTES};
use super::error::IndexError;
use super::keys;
use super::plan::{Blocks, Write};

/// How often sled tidies up after itself, in milliseconds. It does not at all without.
const TIDY_EVERY_MS: u64 = 500;

/// An open database.
pub(super) struct Tree {
    db: Db,
    dir: PathBuf,
}

/// A block and its place.
pub(super) type Placed = (Vec<u8>, IVec);

impl Tree {
    pub(super) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, IndexError> {
        let config = Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(Some(TIDY_EVERY_MS));
        let db = guarded(dir, || config.open())?;
        Ok(Self { db, dir: dir.to_owned() })
    }

    pub(super) fn value(&self, key: &[u8]) -> Result<Option<IVec>, IndexError> {
        self.guarded(|db| db.get(key))
    }

    /// All under `prefix`, with keys as sled has them. For what is few.
    pub(super) fn values(&self, prefix: &[u8]) -> Result<Vec<(IVec, IVec)>, IndexError> {
        self.guarded(|db| db.scan_prefix(prefix).collect())
    }

    pub(super) fn is_empty(&self) -> Result<bool, IndexError> {
        self.guarded(|db| Ok(db.iter().next().transpose()?.is_none() && db.tree_names().len() == 1))
    }

    /// A key that is none of those in `keys`.
    pub(super) fn stray(&self) -> Result<Option<IVec>, IndexError> {
        let known = [keys::META_FORMAT, keys::META_MARK];
        self.guarded(|db| {
            let outside = db.range(..[keys::META]).chain(db.range([keys::BLOCK + 1]..));
            let mut keys = outside.map(|entry| entry.map(|(key, _)| key));
            keys.find(|key| !key.as_ref().is_ok_and(|key| known.iter().any(|known| key == known))).transpose()
        })
    }

    /// Writes all of `batch` or nothing, to memory.
    pub(super) fn apply(&self, batch: Batch) -> Result<(), IndexError> {
        self.guarded(|db| db.apply_batch(batch))
    }

    /// Hands to the kernel what was applied. That makes nothing durable.
    pub(super) fn flush(&self) -> Result<(), IndexError> {
        self.guarded(|db| db.flush()).map(drop)
    }

    pub(super) fn disk_bytes(&self) -> Result<u64, IndexError> {
        self.guarded(Db::size_on_disk)
    }

    /// The value under the key of an entry.
    pub(super) fn entry(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        let Some((place, block)) = self.at_or_before(key)? else { return Ok(None) };
        let found = block::find(&block, key);
        let damaged = |garbage| IndexError::damaged(format!("the block at {place:02x?}: {garbage}"));
        Ok(found.map_err(damaged)?.map(<[u8]>::to_vec))
    }

    pub(super) fn last(&self) -> Result<Option<Placed>, IndexError> {
        self.last_in(Excluded(vec![keys::BLOCK + 1]))
    }

    fn last_in(&self, end: Bound<Vec<u8>>) -> Result<Option<Placed>, IndexError> {
        let found = self.guarded(|db| db.range((Included(vec![keys::BLOCK]), end)).next_back().transpose())?;
        found.map(placed).transpose()
    }

    fn guarded<T>(&self, call: impl FnOnce(&Db) -> ::sled::Result<T>) -> Result<T, IndexError> {
        guarded(&self.dir, || call(&self.db))
    }
}

/// sled's own would print all that it holds.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Blocks for Tree {
    type Block = IVec;

    fn at_or_before(&self, key: &[u8]) -> Result<Option<Placed>, IndexError> {
        self.last_in(Included(keys::key(keys::BLOCK, key)))
    }

    fn before(&self, key: &[u8]) -> Result<Option<Placed>, IndexError> {
        self.last_in(Excluded(keys::key(keys::BLOCK, key)))
    }

    fn after(&self, key: Option<&[u8]>) -> Result<Option<Placed>, IndexError> {
        let start = match key {
            Some(key) => Excluded(keys::key(keys::BLOCK, key)),
            None => Included(vec![keys::BLOCK]),
        };
        let end = Excluded(vec![keys::BLOCK + 1]);
        let found = self.guarded(|db| db.range((start, end)).next().transpose())?;
        found.map(placed).transpose()
    }
}

/// Adds a block, or the removal of one. One that is too large for the disk to keep is not written.
pub(super) fn add(batch: &mut Batch, (place, block): Write) -> Result<(), IndexError> {
    let key = keys::key(keys::BLOCK, &place);
    match block {
        None => batch.remove(key),
        Some(block) if block.len() <= MAX_BLOCK_BYTES => batch.insert(key, block),
        Some(block) => {
            debug_assert!(false, "a block of {} bytes", block.len());
            return Err(IndexError::Refused(format!("it makes a block of {} bytes", block.len())));
        }
    }
    Ok(())
}

fn placed((key, block): (IVec, IVec)) -> Result<Placed, IndexError> {
    let place = keys::read(keys::BLOCK, &key);
    place.map(|place| (place, block)).ok_or_else(|| IndexError::damaged(format!("the key {key:02x?}")))
}

fn guarded<T>(dir: &Path, call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, IndexError> {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Error::Io(error))) => Err(IndexError::io(dir, error)),
        Ok(Err(error)) => Err(IndexError::damaged(error.to_string())),
        Err(panic) => {
            let text = panic.downcast::<String>().map(|text| *text);
            let text = text.or_else(|panic| panic.downcast::<&str>().map(|text| (*text).to_owned()));
            Err(IndexError::damaged(format!("its database stopped: {:.200}", text.unwrap_or_default())))
        }
    }
}
