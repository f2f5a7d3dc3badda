//! Going through the bytes of one segment. Two ways: along the chain of groups, each of which names the end of the
//! one before; and sector by sector, for what stands behind the place where the chain ends.

use super::format::{self, Checked, SECTOR};
use super::position::Position;

/// A segment's bytes, from its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    pub(super) number: u32,
    pub(super) bytes: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// The group that starts here, if it checks out.
    pub(super) fn group(&self, offset: u32) -> Option<Checked<'a>> {
        format::read_group(self.bytes.get(offset as usize..)?, self.number, offset)
    }

    /// The group that follows `before`, which ends at the place where it starts.
    pub(super) fn next(&self, offset: u32, before: Position) -> Option<Checked<'a>> {
        self.group(offset).filter(|group| group.previous == before)
    }

    /// Whether something stands here that once was a group, or still is.
    pub(super) fn looks_like_a_group(&self, offset: u32) -> bool {
        self.bytes.get(offset as usize..).and_then(format::read_group_header).is_some()
    }

    /// Every group that checks out from here on, whatever is between them.
    pub(super) fn groups_from(self, offset: u32) -> impl Iterator<Item = (u32, Checked<'a>)> {
        let mut offset = offset;
        std::iter::from_fn(move || {
            while (offset as usize) < self.bytes.len() {
                let here = offset;
                let found = self.group(here);
                offset = found.map_or_else(|| here.saturating_add(SECTOR), |group| group.end);
                if let Some(group) = found {
                    return Some((here, group));
                }
            }
            None
        })
    }

    /// Up to where all was synced when the groups from here on were written: the furthest of what they say.
    pub(super) fn synced_from(self, offset: u32) -> Option<Position> {
        self.groups_from(offset).map(|(_, group)| group.synced).max()
    }

    /// A group from here on that was written when more than `end` was synced already. With it, what is missing
    /// at `end` was acknowledged; without it, it is what a crash left.
    pub(super) fn acknowledges_more_than(self, end: Position, offset: u32) -> Option<Checked<'a>> {
        self.groups_from(offset).map(|(_, group)| group).find(|group| group.synced > end)
    }
}
