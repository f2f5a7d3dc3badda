//! One window on its way to the disk: batches of bounded size, and with the last one what holds only when all
//! of it is there.
//!
//! A batch is atomic, the window is not. Since each batch leaves the blocks in order, a window that was cut
//! between two of them is whole again once it is repeated; and since the mark comes with the last one, whoever
//! looks at the mark knows that it has to be.

use std::mem;

use ::sled::Batch;

use super::changes::Slice;
use super::disk::Disk;
use super::error::IndexError;
use super::index::{Change, Index};
use super::plan::{Step, Write};
use super::{MAX_KEY_BYTES, MAX_META_BYTES, MAX_VALUE_BYTES, keys, tree};

/// How many blocks a batch holds at most, unless more belong together. Readers wait while one is applied, sled
/// keeps until its end all that it replaces, and takes the blocks of a batch in no order, which costs more the
/// larger it is.
const MAX_BATCH_BLOCKS: usize = 128;

/// What is being written.
pub(super) struct Window<'a> {
    index: &'a Index,
    disk: &'a mut dyn Disk,
    batch: Batch,
    blocks: usize,
}

impl<'a> Window<'a> {
    pub(super) fn new(index: &'a Index, disk: &'a mut dyn Disk) -> Self {
        Self { index, disk, batch: Batch::default(), blocks: 0 }
    }

    /// Adds what belongs together to one batch, and the rest to this one and others.
    pub(super) fn add(&mut self, step: Step) -> Result<(), IndexError> {
        if self.blocks + step.together.len() > MAX_BATCH_BLOCKS {
            self.apply()?;
        }
        step.together.into_iter().try_for_each(|write| self.put(write))?;
        for write in step.apart {
            if self.blocks >= MAX_BATCH_BLOCKS {
                self.apply()?;
            }
            self.put(write)?;
        }
        Ok(())
    }

    /// Writes the last batch, and makes all durable.
    pub(super) fn finish(mut self, mark: &[u8], extra: &[Change]) -> Result<(), IndexError> {
        self.batch.insert(&keys::META_MARK, mark);
        for (key, value) in extra {
            let key = keys::key(keys::META, key);
            match value {
                Some(value) => self.batch.insert(key, value.as_slice()),
                None => self.batch.remove(key),
            }
        }
        self.apply()?;
        self.index.read(|tree, _| tree.flush())?;
        self.disk.sync().map_err(|error| self.index.io(&error))
    }

    fn put(&mut self, write: Write) -> Result<(), IndexError> {
        self.blocks += 1;
        tree::add(&mut self.batch, write)
    }

    fn apply(&mut self) -> Result<(), IndexError> {
        self.blocks = 0;
        let batch = mem::take(&mut self.batch);
        let disk = &mut *self.disk;
        self.index.batch(|tree| disk.apply(tree, batch))
    }
}

/// Refuses what breaks the rules, before anything is written.
pub(super) fn check(changes: Slice<'_>, mark: &[u8], extra: &[Change]) -> Result<(), IndexError> {
    let refused = |what: &str, key: &[u8]| Err(IndexError::Refused(format!("{what} ({key:02x?})")));
    let behind = (1..changes.len()).find(|index| changes.key(index - 1) >= changes.key(*index));
    if let Some(key) = behind.and_then(|behind| changes.key(behind - 1)) {
        return refused("the change behind this key's is not of a larger one", key);
    }
    if mark.len() > MAX_META_BYTES {
        return refused("the mark is too long", mark);
    }
    let bounded = changes.iter().map(|change| (change, MAX_VALUE_BYTES));
    let extra = extra.iter().map(|(key, value)| ((key.as_slice(), value.as_deref()), MAX_META_BYTES));
    for ((key, value), most) in bounded.chain(extra) {
        if key.len() > MAX_KEY_BYTES {
            return refused("a key is too long", key);
        }
        if value.is_some_and(|value| value.len() > most) {
            return refused("the value under this key is too long", key);
        }
    }
    Ok(())
}
