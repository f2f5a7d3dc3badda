//! The index: one writer, many readers, and what a failure means.
//!
//! A reader looks at one block, or at two neighbours, while no batch is being applied. A window is many batches,
//! and readers come in between them: they see each change by itself, and the mark only with the last one.
//!
//! sled remembers an error until it is opened again, and a sync that has failed says nothing about what is on
//! the disk, also when it is repeated. So after any failure of a window nothing is read or written until
//! [`Index::reopen`]; the window is then repeated by whoever has it.

use std::fmt;
use std::io;
use std::mem;
use std::ops::Bound;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use ::sled::IVec;

use super::changes::{Changes, Slice};
use super::check::{self, Checked};
use super::disk::{self, Disk, OpenDisk, Own};
use super::error::IndexError;
use super::plan::{Blocks, Plan};
use super::range::{Entry, Range};
use super::tree::{Placed, Tree};
use super::window::{self, Window};
use super::{keys, open};

/// A change of one entry: its key, and its value or `None` to remove it.
pub(in crate::store) type Change = (Vec<u8>, Option<Vec<u8>>);

/// Which way to go through entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Direction {
    /// From the smallest key to the largest.
    Up,
    /// From the largest key to the smallest.
    Down,
}

/// A sorted map on disk.
pub(in crate::store) struct Index {
    dir: PathBuf,
    cache_bytes: u64,
    open_disk: OpenDisk,
    /// Held for a whole window, which shuts out no reader. Empty after a failure.
    writer: Mutex<Option<Box<dyn Disk>>>,
    /// Locked for writing while a batch is applied.
    state: RwLock<State>,
}

#[derive(Debug)]
enum State {
    Open {
        tree: Tree,
        /// How many batches were written.
        written: u64,
    },
    Failed(String),
}

impl Index {
    /// Opens the index in `dir`, or creates one there unless one is `expected`: then an empty one is a loss.
    pub(in crate::store) fn open(dir: &Path, cache_bytes: u64, expected: bool) -> Result<Self, IndexError> {
        Self::open_with(dir, cache_bytes, expected, Box::new(|dir| Ok(Box::new(Own::open(dir)?))))
    }

    pub(super) fn open_with(
        dir: &Path,
        cache_bytes: u64,
        expected: bool,
        open_disk: OpenDisk,
    ) -> Result<Self, IndexError> {
        let (tree, disk) = open::open(dir, cache_bytes, expected, &open_disk)?;
        let state = RwLock::new(State::Open { tree, written: 0 });
        Ok(Self { dir: dir.to_owned(), cache_bytes, open_disk, writer: Mutex::new(Some(disk)), state })
    }

    /// Writes one window: changes in strictly ascending order of their keys; and with the last of them `mark`
    /// and `extra`. When it returns, all would survive a power cut. Called by one thread at a time.
    ///
    /// After an error other than `Refused` any part of the window may be there, but never `mark` without all of
    /// it; and the index has failed until it is [opened again](Self::reopen).
    pub(in crate::store) fn apply(&self, changes: &Changes, mark: &[u8], extra: &[Change]) -> Result<(), IndexError> {
        let changes = changes.all();
        window::check(changes, mark, extra)?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut disk) = writer.take() else { return Err(self.failure()) };
        let write = || self.write(disk.as_mut(), changes, mark, extra);
        let written = panic::catch_unwind(AssertUnwindSafe(write));
        let written = written.unwrap_or_else(|_| Err(IndexError::damaged("a window could not be divided into blocks")));
        match written {
            Ok(()) => *writer = Some(disk),
            Err(ref error) => self.fail(error),
        }
        written
    }

    /// Closes the database and opens it again, after a failure or without one. All that a good window wrote is
    /// there then, and any part of those that failed.
    pub(in crate::store) fn reopen(&self) -> Result<(), IndexError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let has_failed = writer.take().is_none();
        self.fail(&"it is being opened again");
        let opened = disk::wait_until_closed(&self.dir)
            .and_then(|file| if has_failed { disk::rewrite(&self.dir, &file) } else { Ok(()) })
            .and_then(|()| open::open(&self.dir, self.cache_bytes, true, &self.open_disk));
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match opened {
            Ok((tree, disk)) => {
                *writer = Some(disk);
                *state = State::Open { tree, written: 0 };
                Ok(())
            }
            Err(error) => {
                *state = State::Failed(error.to_string());
                Err(error)
            }
        }
    }

    /// The value under a key.
    pub(in crate::store) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.read(|tree, _| tree.entry(key))
    }

    /// Entries between two bounds, read block by block while others may be written: one that is there all the
    /// time comes once. Ends after an error.
    pub(in crate::store) fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> Range<'_> {
        Range::new(self, from, to, direction)
    }

    /// The mark of the last whole window.
    pub(in crate::store) fn mark(&self) -> Result<Option<Vec<u8>>, IndexError> {
        self.read(|tree, _| Ok(tree.value(&keys::META_MARK)?.map(|mark| mark.to_vec())))
    }

    /// A value that came as `extra`.
    pub(in crate::store) fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.read(|tree, _| Ok(tree.value(&keys::key(keys::META, key))?.map(|value| value.to_vec())))
    }

    /// All values that came as `extra` under keys with this prefix, in order.
    pub(in crate::store) fn metas(&self, prefix: &[u8]) -> Result<Vec<Entry>, IndexError> {
        let found = self.read(|tree, _| tree.values(&keys::key(keys::META, prefix)))?;
        let entries = found.into_iter().map(|(key, value)| {
            let damaged = || IndexError::damaged(format!("the key {key:02x?}"));
            Ok((keys::read(keys::META, &key).ok_or_else(damaged)?, value.to_vec()))
        });
        entries.collect()
    }

    /// Bytes on disk.
    pub(in crate::store) fn disk_bytes(&self) -> Result<u64, IndexError> {
        self.read(|tree, _| tree.disk_bytes())
    }

    /// Reads everything and sees whether it is in order. Tells `progress` from time to time what it has seen.
    /// Called while nothing is written.
    pub(in crate::store) fn check(&self, progress: &mut dyn FnMut(Checked)) -> Result<Checked, IndexError> {
        check::check(self, progress)
    }

    /// One look, during which no batch is applied. `look` also hears how many batches were.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Tree, u64) -> Result<T, IndexError>) -> Result<T, IndexError> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open { tree, written } => look(tree, *written),
            State::Failed(reason) => Err(IndexError::Failed(reason.clone())),
        }
    }

    /// Applies a batch while nobody looks. One that fails may be there in part: then nobody looks any more.
    pub(super) fn batch(&self, apply: impl FnOnce(&Tree) -> Result<(), IndexError>) -> Result<(), IndexError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let applied = match &mut *state {
            State::Open { tree, written } => {
                *written += 1;
                apply(tree)
            }
            State::Failed(reason) => return Err(IndexError::Failed(reason.clone())),
        };
        applied.inspect_err(|error| *state = State::Failed(error.to_string()))
    }

    /// An error of the database's file.
    pub(super) fn io(&self, error: &io::Error) -> IndexError {
        IndexError::io(&disk::file(&self.dir), error)
    }

    fn write(&self, disk: &mut dyn Disk, changes: Slice<'_>, mark: &[u8], extra: &[Change]) -> Result<(), IndexError> {
        let mut window = Window::new(self, disk);
        let mut plan = Plan::new(self, changes);
        while let Some(step) = plan.next()? {
            window.add(step)?;
        }
        window.finish(mark, extra)
    }

    fn fail(&self, reason: &dyn fmt::Display) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Open { .. } = *state {
            *state = State::Failed(reason.to_string());
        }
    }

    fn failure(&self) -> IndexError {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Failed(reason) => IndexError::Failed(reason.clone()),
            State::Open { .. } => IndexError::Failed("its writer has ended".to_owned()),
        }
    }
}

impl Drop for Index {
    /// When it is gone the database can be opened again: threads of sled hold its lock a little longer than it.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let was_open = matches!(state, State::Open { .. });
        drop(mem::replace(state, State::Failed("it is closed".to_owned())));
        if was_open {
            drop(disk::wait_until_closed(&self.dir));
        }
    }
}

impl Blocks for Index {
    type Block = IVec;

    fn at_or_before(&self, key: &[u8]) -> Result<Option<Placed>, IndexError> {
        self.read(|tree, _| tree.at_or_before(key))
    }

    fn before(&self, key: &[u8]) -> Result<Option<Placed>, IndexError> {
        self.read(|tree, _| tree.before(key))
    }

    fn after(&self, key: Option<&[u8]>) -> Result<Option<Placed>, IndexError> {
        self.read(|tree, _| tree.after(key))
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("dir", &self.dir).field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
