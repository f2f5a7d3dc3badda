//! Whether everything can be read: each block by itself, and that none holds what belongs to another.

use super::block::{self, MAX_BLOCK_BYTES};
use super::error::IndexError;
use super::index::Index;
use super::plan::Blocks as _;

/// How many blocks are read between two words of progress.
const BLOCKS_A_WORD: u64 = 1024;

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

/// Reads everything, while nothing is written.
pub(super) fn check(index: &Index, progress: &mut dyn FnMut(Checked)) -> Result<Checked, IndexError> {
    let mut checked = Checked { metas: index.metas(&[])?.len() as u64, ..Checked::default() };
    let mut place: Option<Vec<u8>> = None;
    let mut last: Option<Vec<u8>> = None;
    while let Some((next, block)) = index.read(|tree, _| tree.after(place.as_deref()))? {
        let damaged = |detail: String| IndexError::damaged(format!("the block at {next:02x?}: {detail}"));
        if block.len() > MAX_BLOCK_BYTES {
            return Err(damaged(format!("it has {} bytes, more than any may have", block.len())));
        }
        if last.as_ref().is_some_and(|last| *last >= next) {
            return Err(damaged("the block before holds entries that belong here".to_owned()));
        }
        let mut is_inside = true;
        let mut entries = 0;
        block::read(&block, |key, _| {
            is_inside &= key >= next.as_slice();
            last = Some(key.to_vec());
            entries += 1;
        })
        .map_err(|garbage| damaged(garbage.to_string()))?;
        if !is_inside {
            return Err(damaged("it holds entries that belong to the block before".to_owned()));
        }
        checked.entries += entries;
        checked.blocks += 1;
        checked.bytes += block.len() as u64;
        if checked.blocks.is_multiple_of(BLOCKS_A_WORD) {
            progress(checked);
        }
        place = Some(next);
    }
    check_keys(index)?;
    Ok(checked)
}

/// Whether there is nothing beside what the index writes.
fn check_keys(index: &Index) -> Result<(), IndexError> {
    match index.read(|tree, _| tree.stray())? {
        None => Ok(()),
        Some(key) => Err(IndexError::damaged(format!("the key {key:02x?} is none that this program writes"))),
    }
}
