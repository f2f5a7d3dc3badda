//! How entries are divided among blocks. Pure.
//!
//! Entries that grow at their end fill one block after the other: the next ones will come behind them, and
//! half-empty blocks would stay so. Others are divided evenly, so that each block has room for what comes in
//! between.

use std::mem;
use std::ops::Range;

use super::block::{self, Builder, Garbage, HEADER_BYTES, MAX_BLOCK_BYTES, MAX_BLOCK_ENTRIES};

/// Entries in ascending order of their keys, in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Entries {
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// The bytes that they take as one block, however large.
    packed: usize,
}

/// Where an entry lies in the bytes.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: usize,
    key: usize,
    value: usize,
    /// What its key shares with the key before.
    shared: usize,
    /// Whether it was not in any block before.
    is_new: bool,
}

/// A block, and which of the entries it holds.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) entries: Range<usize>,
    pub(super) block: Vec<u8>,
}

impl Entries {
    /// Those of a block.
    pub(super) fn read(block: &[u8]) -> Result<Self, Garbage> {
        let mut entries = Self::default();
        entries.append(block)?;
        Ok(entries)
    }

    /// Adds those of a block, whose keys are larger than all here.
    pub(super) fn append(&mut self, block: &[u8]) -> Result<(), Garbage> {
        block::read(block, |key, value| self.push(key, value, false))
    }

    /// Adds others, whose keys are larger than all here.
    pub(super) fn extend(&mut self, others: &Self) {
        for (place, (key, value)) in others.places.iter().zip(others.iter()) {
            self.push(key, value, place.is_new);
        }
    }

    /// Adds one with a key larger than all here.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8], is_new: bool) {
        debug_assert!(self.last_key().is_none_or(|last| last < key), "keys out of order");
        let shared = self.last_key().map_or(0, |last| block::shared_bytes(last, key));
        self.packed += block::entry_bytes(shared, key.len(), value.len());
        self.places.push(Place { at: self.bytes.len(), key: key.len(), value: value.len(), shared, is_new });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let place = self.places.get(index)?;
        Some(self.bytes[place.at..place.at + place.key + place.value].split_at(place.key))
    }

    pub(super) fn last_key(&self) -> Option<&[u8]> {
        Some(self.get(self.len().checked_sub(1)?)?.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Whether all of `range` were in no block before.
    pub(super) fn are_new(&self, range: Range<usize>) -> bool {
        self.places[range].iter().all(|place| place.is_new)
    }

    /// Whether they leave more than half of a block empty, and are looked at for joining a neighbour.
    pub(super) fn are_few(&self) -> bool {
        self.fit(2, 1)
    }

    /// Whether these and others are joined: one block holds them and has room left, so that it is not divided
    /// again at once.
    pub(super) fn join_well(&self, others: &Self) -> bool {
        let both = Self { packed: self.packed + others.packed, ..Self::default() };
        both.packed * 4 <= MAX_BLOCK_BYTES * 3 && (self.len() + others.len()) * 4 <= MAX_BLOCK_ENTRIES * 3
    }

    /// Whether `times` as many would fit in `blocks` blocks.
    fn fit(&self, times: usize, blocks: usize) -> bool {
        (self.packed + HEADER_BYTES) * times <= MAX_BLOCK_BYTES * blocks
            && self.len() * times <= MAX_BLOCK_ENTRIES * blocks
    }

    /// The blocks that hold them.
    pub(super) fn pack(&self) -> Vec<Piece> {
        let grows_at_end = self.places.last().is_some_and(|last| last.is_new);
        if grows_at_end || self.fit(1, 1) { self.cut(|_, _| false) } else { self.divide() }
    }

    fn divide(&self) -> Vec<Piece> {
        let pieces = self.len().div_ceil(MAX_BLOCK_ENTRIES).max(self.packed.div_ceil(MAX_BLOCK_BYTES - HEADER_BYTES));
        let (bytes, entries) = (self.packed.div_ceil(pieces), self.len().div_ceil(pieces));
        self.cut(|held_bytes, held_entries| held_bytes >= bytes || held_entries >= entries)
    }

    /// Puts entries into one block until it `is_enough`, by bytes and number, or no more fit.
    fn cut(&self, is_enough: impl Fn(usize, usize) -> bool) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut builder = Builder::default();
        let (mut first, mut bytes) = (0, 0);
        for (index, (place, (key, value))) in self.places.iter().zip(self.iter()).enumerate() {
            if !builder.is_empty() && (is_enough(bytes, index - first) || !builder.has_room(place.shared, key, value)) {
                pieces.push(Piece { entries: first..index, block: mem::take(&mut builder).finish() });
                (first, bytes) = (index, 0);
            }
            builder.push(if builder.is_empty() { 0 } else { place.shared }, key, value);
            bytes += block::entry_bytes(place.shared, place.key, place.value);
        }
        if !builder.is_empty() {
            pieces.push(Piece { entries: first..self.len(), block: builder.finish() });
        }
        pieces
    }
}
