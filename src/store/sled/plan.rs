//! Which blocks a window rewrites, and what of that may be written apart. Pure, given what reads blocks.
//!
//! Every block stands at a key that is not larger than its entries', and larger than all entries of the block
//! before. It stays there when its first entries go, so that a queue that is emptied from the front rewrites
//! one block and moves none.
//!
//! The window is gone through from the smallest key to the largest. A block and its changes become a [`Run`];
//! one that has few entries left is joined to the next or to the one before. A run is held until the next one
//! is known, then it becomes a [`Step`].

use std::cmp::Ordering;

use super::block::Garbage;
use super::changes::Slice;
use super::error::IndexError;
use super::pack::Entries;

/// A block and where it stands, if there is one.
pub(super) type Found<B> = Result<Option<(Vec<u8>, B)>, IndexError>;

/// What reads the blocks as they are before the window; those left of the last step may have changed already.
pub(super) trait Blocks {
    /// The bytes of a block.
    type Block: AsRef<[u8]>;

    /// The last block that stands at `key` or before it, and where.
    fn at_or_before(&self, key: &[u8]) -> Found<Self::Block>;
    /// The last block before `key`.
    fn before(&self, key: &[u8]) -> Found<Self::Block>;
    /// The first block behind `key`; the first of all where there is none.
    fn after(&self, key: Option<&[u8]>) -> Found<Self::Block>;
}

/// What is put or removed at a place.
pub(super) type Write = (Vec<u8>, Option<Vec<u8>>);

/// Writes that belong to each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Written at once or not at all: they move entries, or replace blocks.
    pub(super) together: Vec<Write>,
    /// Blocks of nothing but new entries. Written after `together`, each by itself if need be.
    pub(super) apart: Vec<Write>,
}

/// Neighbouring blocks with their changes applied.
#[derive(Debug, Default)]
struct Run {
    /// Where the blocks stand that it takes the place of, in order.
    old: Vec<Vec<u8>>,
    entries: Entries,
    is_changed: bool,
    /// Whether it may have too few entries now. Blocks that only grow are not joined.
    is_smaller: bool,
}

/// Goes through a window.
#[derive(Debug)]
pub(super) struct Plan<'a, B: Blocks> {
    blocks: &'a B,
    /// In strictly ascending order.
    changes: Slice<'a>,
    held: Option<Run>,
    /// The block that the next change belongs to, if that is known already.
    ahead: Option<(Vec<u8>, B::Block)>,
    /// The last place that a step has written.
    edge: Option<Vec<u8>>,
}

impl<'a, B: Blocks> Plan<'a, B> {
    /// `changes` are in strictly ascending order, and within the bounds of an entry.
    pub(super) fn new(blocks: &'a B, changes: Slice<'a>) -> Self {
        Self { blocks, changes, held: None, ahead: None, edge: None }
    }

    /// What to write next.
    pub(super) fn next(&mut self) -> Result<Option<Step>, IndexError> {
        loop {
            let next = self.run()?;
            let step = match (self.held.take(), next) {
                (None, None) => return Ok(None),
                (Some(held), None) => self.step(held, None)?,
                (None, Some(next)) => {
                    self.held = Some(next);
                    continue;
                }
                (Some(mut held), Some(next)) => {
                    if self.are_joined(&held, &next)? {
                        held.join(next);
                        self.held = Some(held);
                        continue;
                    }
                    let step = self.step(held, next.old.first().map(Vec::as_slice))?;
                    self.held = Some(next);
                    step
                }
            };
            if step != Step::default() {
                return Ok(Some(step));
            }
        }
    }

    /// The block that the next change belongs to, and all its changes.
    fn run(&mut self) -> Result<Option<Run>, IndexError> {
        let Some(key) = self.changes.key(0) else { return Ok(None) };
        let found = match self.ahead.take() {
            Some(ahead) => Some(ahead),
            None => self.blocks.at_or_before(key)?,
        };
        let (place, old) = match found {
            Some((place, block)) => {
                let old = Entries::read(block.as_ref()).map_err(|garbage| damaged(&place, garbage))?;
                (Some(place), old)
            }
            None => (None, Entries::default()), // before the first block
        };
        let mine = self.count(place.as_deref(), old.last_key())?;
        let (changes, rest) = self.changes.split_at(mine);
        self.changes = rest;
        let mut run = Run { old: place.into_iter().collect(), ..Run::default() };
        run.is_smaller = run.old.is_empty();
        run.merge(&old, changes);
        Ok(Some(run))
    }

    /// How many of the changes belong to the block at `place` with that last key: those before the next block.
    fn count(&mut self, place: Option<&[u8]>, last: Option<&[u8]>) -> Result<usize, IndexError> {
        let inside = self.changes.partition_point(|key| last.is_some_and(|last| key <= last));
        let Some(key) = self.changes.key(inside) else { return Ok(inside) };
        // Most often the next change is for a block farther on, so that is looked for first.
        if let Some(ahead) = self.blocks.at_or_before(key)?
            && Some(ahead.0.as_slice()) != place
        {
            self.ahead = Some(ahead);
            return Ok(inside);
        }
        let Some((end, _)) = self.blocks.after(place)? else { return Ok(self.changes.len()) };
        Ok(self.changes.partition_point(|key| key < end.as_slice()))
    }

    fn are_joined(&self, held: &Run, next: &Run) -> Result<bool, IndexError> {
        if !(held.wants_to_join() || next.wants_to_join()) || !held.entries.join_well(&next.entries) {
            return Ok(false);
        }
        let Some(place) = next.old.first() else { return Ok(false) };
        match (held.old.last(), self.blocks.before(place)?) {
            (Some(last), Some((before, _))) => Ok(*last == before),
            (None, None) => Ok(true),
            _ => Ok(false),
        }
    }

    /// What to write for `run`, which ends before the block at `end`: that one has a run of its own.
    fn step(&mut self, mut run: Run, end: Option<&[u8]>) -> Result<Step, IndexError> {
        if !run.is_changed {
            return Ok(Step::default());
        }
        if run.wants_to_join() && !run.entries.is_empty() && !self.join_right(&mut run, end)? {
            self.join_left(&mut run)?;
        }
        let step = run.write();
        let written = step.together.iter().chain(&step.apart).map(|(place, _)| place);
        self.edge = written.max().cloned().or(self.edge.take());
        Ok(step)
    }

    fn join_right(&self, run: &mut Run, end: Option<&[u8]>) -> Result<bool, IndexError> {
        let Some((place, block)) = self.blocks.after(run.old.last().map(Vec::as_slice))? else { return Ok(false) };
        if end.is_some_and(|end| place.as_slice() >= end) {
            return Ok(false);
        }
        let others = Entries::read(block.as_ref()).map_err(|garbage| damaged(&place, garbage))?;
        let joins = run.entries.join_well(&others);
        if joins {
            run.entries.extend(&others);
            run.old.push(place);
        }
        Ok(joins)
    }

    fn join_left(&self, run: &mut Run) -> Result<(), IndexError> {
        let Some(first) = run.old.first() else { return Ok(()) };
        let Some((place, block)) = self.blocks.before(first)? else { return Ok(()) };
        if self.edge.as_ref().is_some_and(|edge| place <= *edge) {
            return Ok(()); // a step has written it, perhaps in a batch that is still to be applied
        }
        let mut others = Entries::read(block.as_ref()).map_err(|garbage| damaged(&place, garbage))?;
        if others.join_well(&run.entries) {
            others.extend(&run.entries);
            run.entries = others;
            run.old.insert(0, place);
        }
        Ok(())
    }
}

impl Run {
    /// Applies changes to the entries of the old block.
    fn merge(&mut self, old: &Entries, changes: Slice<'_>) {
        let mut changes = changes.iter().peekable();
        for (key, value) in old.iter() {
            while let Some((new_key, new)) = changes.next_if(|(new_key, _)| *new_key < key) {
                self.insert(new_key, new);
            }
            match changes.next_if(|(new_key, _)| *new_key == key) {
                None => self.entries.push(key, value, false),
                Some((_, Some(new))) => {
                    self.is_changed |= new != value;
                    self.entries.push(key, new, false);
                }
                Some((_, None)) => {
                    self.is_changed = true;
                    self.is_smaller = true;
                }
            }
        }
        for (key, new) in changes {
            self.insert(key, new);
        }
    }

    fn insert(&mut self, key: &[u8], value: Option<&[u8]>) {
        if let Some(value) = value {
            self.is_changed = true;
            self.entries.push(key, value, true);
        }
    }

    fn join(&mut self, next: Self) {
        self.old.extend(next.old);
        self.entries.extend(&next.entries);
        self.is_changed |= next.is_changed;
        self.is_smaller |= next.is_smaller;
    }

    fn wants_to_join(&self) -> bool {
        self.is_smaller && self.entries.are_few()
    }

    fn write(self) -> Step {
        let mut step = Step::default();
        let mut kept = Vec::new();
        for piece in self.entries.pack() {
            let Some((first, _)) = self.entries.get(piece.entries.start) else { continue };
            let place = match self.old.first() {
                Some(old) if piece.entries.start == 0 && old.as_slice().cmp(first) == Ordering::Less => old.clone(),
                Some(_) | None => first.to_vec(),
            };
            let replaces = self.old.contains(&place);
            if replaces {
                kept.push(place.clone());
            }
            let writes =
                if replaces || !self.entries.are_new(piece.entries) { &mut step.together } else { &mut step.apart };
            writes.push((place, Some(piece.block)));
        }
        let gone = self.old.into_iter().filter(|place| !kept.contains(place));
        step.together.extend(gone.map(|place| (place, None)));
        step
    }
}

fn damaged(place: &[u8], garbage: Garbage) -> IndexError {
    IndexError::damaged(format!("the block at {place:02x?}: {garbage}"))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
