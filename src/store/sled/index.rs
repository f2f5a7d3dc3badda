//! The index: one writer, many readers, and what a failure means.

use std::ops::Bound;
use std::path::Path;

use super::error::IndexError;

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

/// What a check has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Checked {
    /// Entries.
    pub(in crate::store) entries: u64,
    /// Blocks that hold them.
    pub(in crate::store) blocks: u64,
    /// Bytes of those blocks.
    pub(in crate::store) bytes: u64,
    /// Values beside the entries.
    pub(in crate::store) metas: u64,
}

/// A sorted map on disk.
#[derive(Debug)]
pub(in crate::store) struct Index {}

/// Entries in order.
#[derive(Debug)]
pub(in crate::store) struct Range<'a> {
    _index: &'a Index,
}

impl Iterator for Range<'_> {
    type Item = Result<(Vec<u8>, Vec<u8>), IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl Index {
    /// Opens the index in `dir`, or creates one there unless one is `expected`: then an empty one is a loss.
    pub(in crate::store) fn open(_dir: &Path, _cache_bytes: u64, _expected: bool) -> Result<Self, IndexError> {
        Ok(Self {})
    }

    /// Writes one window: changes in strictly ascending order of their keys; and with the last of them `mark`
    /// and `extra`. When it returns, all would survive a power cut. Called by one thread at a time.
    ///
    /// After an error other than `Refused` any part of the window may be there, but never `mark` without all of it.
    pub(in crate::store) fn apply(
        &self,
        _changes: impl IntoIterator<Item = Change>,
        _mark: &[u8],
        _extra: &[Change],
    ) -> Result<(), IndexError> {
        Ok(())
    }

    /// Closes the database and opens it again, after a failure. What the last good window wrote is there.
    pub(in crate::store) fn reopen(&self) -> Result<(), IndexError> {
        Ok(())
    }

    /// The value under a key.
    pub(in crate::store) fn get(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(None)
    }

    /// Entries between two bounds, read block by block while others may be written: one that is there all the
    /// time comes once. Ends after an error.
    pub(in crate::store) fn range(&self, _from: Bound<&[u8]>, _to: Bound<&[u8]>, _direction: Direction) -> Range<'_> {
        Range { _index: self }
    }

    /// The mark of the last whole window.
    pub(in crate::store) fn mark(&self) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(None)
    }

    /// A value that came as `extra`.
    pub(in crate::store) fn meta(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(None)
    }

    /// All values that came as `extra` under keys with this prefix, in order.
    pub(in crate::store) fn metas(&self, _prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, IndexError> {
        Ok(Vec::new())
    }

    /// Bytes on disk.
    pub(in crate::store) fn disk_bytes(&self) -> Result<u64, IndexError> {
        Ok(0)
    }

    /// Reads everything and sees whether it is in order. Tells `progress` from time to time what it has seen.
    pub(in crate::store) fn check(&self, _progress: &mut dyn FnMut(Checked)) -> Result<Checked, IndexError> {
        Ok(Checked::default())
    }
}
