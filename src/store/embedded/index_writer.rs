//! Writes one window into the index, with the counts, with what each segment of the journal is needed for, and with
//! how far the index has come.
//!
//! A window that a crash cuts short is written again just as it was: its end is noted before its first row. So rows
//! of something that came and went right behind the cut cannot stay.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use super::counts_form;
use super::state::Sealed;
use super::window::ById;
use crate::model::names::FunctionId;
use crate::model::time::Timestamp;
use crate::store::counts::Counts;
use crate::store::journal::Position;
use crate::store::keys;
use crate::store::sled::{Change as IndexChange, Changes, Index, IndexError};

/// Where the end of the window that is being written is noted.
pub(super) const APPLYING: &[u8] = b"applying";
/// Where it is noted when the newest id was made that the index knows.
const NEWEST: &[u8] = b"newest";

/// The index as its one writer has it.
pub(super) struct IndexWriter {
    pub(super) index: Arc<Index>,
    /// Bytes in each segment that rows point to.
    pub(super) needed: BTreeMap<u32, u64>,
    /// Below this much free space nothing is written: the database would see a full disk otherwise, and not get over it.
    pub(super) min_free_bytes: u64,
    pub(super) free_bytes: Box<dyn Fn() -> u64 + Send>,
    /// Where the changes of a window are laid out.
    pub(super) changes: Changes,
}

/// What the index says of itself when it is opened.
pub(super) struct Opened {
    /// How far the journal has been taken in.
    pub(super) applied: Option<Position>,
    /// The end of the window that was being written when the process ended.
    pub(super) applying: Option<Position>,
    /// When the newest id was made that the index knows, of those that say so.
    pub(super) newest: Option<Timestamp>,
    pub(super) counts: HashMap<FunctionId, Counts, ById>,
    pub(super) needed: BTreeMap<u32, u64>,
}

/// No function: the counts of those that were deleted stand under it.
const ALL_DELETED: FunctionId = FunctionId::from_bytes([0; 16]);
/// Functions whose counts are added to those in one write.
const FOLDED_AT_ONCE: usize = 1_000;

/// How far the journal has been taken in.
pub(super) fn applied(index: &Index) -> Result<Position, IndexError> {
    let position = index.mark()?.map(read_position).transpose()?;
    Ok(position.unwrap_or(Position::START))
}

fn read_position(bytes: Vec<u8>) -> Result<Position, IndexError> {
    let detail = "a place in the journal cannot be read".to_owned();
    bytes.try_into().map(Position::from_bytes).map_err(|_| IndexError::Damaged { detail })
}

impl Opened {
    pub(super) fn read(index: &Index) -> Result<Self, IndexError> {
        let damaged = |what: &str| IndexError::Damaged { detail: format!("{what} cannot be read") };
        let mut counts = HashMap::default();
        for (key, value) in index.metas(&[keys::COUNTS])? {
            let read = keys::read_counts(&key).zip(counts_form::read(&value));
            counts.extend([read.ok_or_else(|| damaged("the counts of a function"))?]);
        }
        let mut needed = BTreeMap::new();
        for (key, value) in index.metas(&[keys::SEGMENT])? {
            let bytes = value.try_into().ok().map(u64::from_be_bytes);
            needed.extend([keys::read_segment(&key)
                .zip(bytes)
                .ok_or_else(|| damaged("what a segment is needed for"))?]);
        }
        let newest = index.meta(NEWEST)?.map(|bytes| {
            let ms = bytes.try_into().map(u64::from_be_bytes).map_err(|_| damaged("the time of the newest id"))?;
            Ok(Timestamp::from_ms(ms))
        });
        Ok(Self {
            newest: newest.transpose()?,
            applied: index.mark()?.map(read_position).transpose()?,
            applying: index.meta(APPLYING)?.map(read_position).transpose()?,
            counts,
            needed,
        })
    }
}

impl Opened {
    /// Adds the counts of functions that were deleted, and of which nothing is left, to those of [`ALL_DELETED`]: nobody
    /// asks for them one by one, and there is no end to them.
    pub(super) fn fold_deleted(&mut self, index: &Index) -> Result<(), IndexError> {
        let mut over = Vec::new();
        for (id, counts) in self.counts.iter().filter(|(id, counts)| **id != ALL_DELETED && counts.is_at_rest()) {
            if index.get(&keys::function(*id))?.is_none() {
                over.push((*id, *counts));
            }
        }
        for page in over.chunks(FOLDED_AT_ONCE) {
            let mut sum = self.counts.get(&ALL_DELETED).copied().unwrap_or_default();
            for (_, counts) in page {
                sum += *counts;
            }
            let gone = page.iter().map(|(id, _)| (keys::counts(*id), None));
            let metas: Vec<_> = gone.chain([(keys::counts(ALL_DELETED), Some(counts_form::to_bytes(&sum)))]).collect();
            index.apply(&Changes::default(), &applied(index)?.to_bytes(), &metas)?;
            for (id, _) in page {
                self.counts.remove(id);
            }
            self.counts.insert(ALL_DELETED, sum);
        }
        Ok(())
    }
}

impl IndexWriter {
    /// Writes a window; when it returns, that would survive a power cut. After an error the same window is to be
    /// written again.
    pub(super) fn apply(&mut self, Sealed { window, counts, newest }: &Sealed) -> Result<(), IndexError> {
        if !self.has_room() {
            let detail = format!("less than {} bytes are free on the disk", self.min_free_bytes);
            return Err(IndexError::Failed(detail));
        }
        let end = window.end.to_bytes();
        self.index.apply(
            &Changes::default(),
            &applied(&self.index)?.to_bytes(),
            &[(APPLYING.to_vec(), Some(end.to_vec()))],
        )?;

        let counts = counts.iter().map(|(id, counts)| (keys::counts(*id), Some(counts_form::to_bytes(counts))));
        let mut metas: Vec<IndexChange> = counts.collect();
        let mut needed = BTreeMap::new();
        for (segment, change) in window.needed() {
            let before = self.needed.get(&segment).copied().unwrap_or_default();
            let bytes = before.saturating_add_signed(change);
            needed.insert(segment, bytes);
            metas.push((keys::segment(segment), (bytes > 0).then(|| bytes.to_be_bytes().to_vec())));
        }
        metas.push((APPLYING.to_vec(), None));
        metas.extend(newest.map(|newest| (NEWEST.to_vec(), Some(newest.as_ms().to_be_bytes().to_vec()))));
        metas.sort();
        self.changes.clear();
        window.add_changes(&mut self.changes);
        self.index.apply(&self.changes, &end, &metas)?;
        self.needed.extend(needed);
        Ok(())
    }

    pub(super) fn has_room(&self) -> bool {
        (self.free_bytes)() >= self.min_free_bytes
    }
}

impl fmt::Debug for IndexWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexWriter").field("needed", &self.needed).finish_non_exhaustive()
    }
}
