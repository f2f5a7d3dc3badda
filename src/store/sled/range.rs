//! Entries in order, while others are written. Knows where to go on, and reads one block at a time; between
//! blocks nothing is held, so a slow reader keeps nobody waiting.
//!
//! Blocks are divided and joined between two looks. So the next look starts from the last entry that was given
//! and not from where its block stood, unless nothing was written meanwhile.

use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::vec;

use super::block;
use super::error::IndexError;
use super::index::{Direction, Index};
use super::plan::Blocks as _;
use super::tree::{Placed, Tree};

/// An entry: its key and its value.
pub(in crate::store) type Entry = (Vec<u8>, Vec<u8>);

/// Entries between two bounds.
#[derive(Debug)]
pub(in crate::store) struct Range<'a> {
    index: &'a Index,
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
    direction: Direction,
    /// Entries of the block that was read last.
    read: vec::IntoIter<Entry>,
    /// Where that block stood, and how much had been written then.
    last: Option<(Vec<u8>, u64)>,
    is_over: bool,
}

impl<'a> Range<'a> {
    pub(super) fn new(index: &'a Index, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> Self {
        let [from, to] = [from, to].map(|bound| bound.map(<[u8]>::to_vec));
        Self { index, from, to, direction, read: Vec::new().into_iter(), last: None, is_over: false }
    }

    /// Reads the next block that holds any of the entries.
    fn advance(&mut self) -> Result<(), IndexError> {
        let index = self.index;
        index.read(|tree, written| {
            let last = self.last.take().filter(|(_, then)| *then == written).map(|(place, _)| place);
            let mut found = match last {
                Some(place) => self.next_block(tree, &place)?,
                None => self.first_block(tree)?,
            };
            while let Some((place, block)) = found {
                let entries = self.select(&place, &block)?;
                if !entries.is_empty() || self.is_over {
                    self.go_on_behind(&entries);
                    self.read = entries.into_iter();
                    self.last = Some((place, written));
                    return Ok(());
                }
                found = self.next_block(tree, &place)?;
            }
            self.is_over = true;
            Ok(())
        })
    }

    /// The block that holds the first entry, if any does; else one before it.
    fn first_block(&self, tree: &Tree) -> Result<Option<Placed>, IndexError> {
        match (self.direction, &self.from, &self.to) {
            (Direction::Up, Included(key) | Excluded(key), _) => match tree.at_or_before(key)? {
                None => tree.after(None),
                found => Ok(found),
            },
            (Direction::Up, Unbounded, _) => tree.after(None),
            (Direction::Down, _, Included(key)) => tree.at_or_before(key),
            (Direction::Down, _, Excluded(key)) => tree.before(key),
            (Direction::Down, _, Unbounded) => tree.last(),
        }
    }

    fn next_block(&self, tree: &Tree, place: &[u8]) -> Result<Option<Placed>, IndexError> {
        match self.direction {
            Direction::Up => tree.after(Some(place)),
            Direction::Down => tree.before(place),
        }
    }

    /// The entries of a block that are meant, in the order they are given. Sees when none can follow.
    fn select(&mut self, place: &[u8], block: &[u8]) -> Result<Vec<Entry>, IndexError> {
        let mut entries = Vec::new();
        let mut is_over = false;
        let read = block::read(block, |key, value| {
            let is_below = match &self.from {
                Included(from) => key < from.as_slice(),
                Excluded(from) => key <= from.as_slice(),
                Unbounded => false,
            };
            let is_above = match &self.to {
                Included(to) => key > to.as_slice(),
                Excluded(to) => key >= to.as_slice(),
                Unbounded => false,
            };
            match self.direction {
                Direction::Up => is_over |= is_above,
                Direction::Down => is_over |= is_below,
            }
            if !is_below && !is_above {
                entries.push((key.to_vec(), value.to_vec()));
            }
        });
        read.map_err(|garbage| IndexError::damaged(format!("the block at {place:02x?}: {garbage}")))?;
        self.is_over |= is_over;
        if self.direction == Direction::Down {
            entries.reverse();
        }
        Ok(entries)
    }

    fn go_on_behind(&mut self, entries: &[Entry]) {
        let Some((key, _)) = entries.last() else { return };
        match self.direction {
            Direction::Up => self.from = Excluded(key.clone()),
            Direction::Down => self.to = Excluded(key.clone()),
        }
    }
}

impl Iterator for Range<'_> {
    type Item = Result<Entry, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.read.next() {
                return Some(Ok(entry));
            }
            if self.is_over {
                return None;
            }
            if let Err(error) = self.advance() {
                self.is_over = true;
                return Some(Err(error));
            }
        }
    }
}
