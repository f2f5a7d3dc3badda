//! Which segments hold something, and up to where. A segment leaves this table before anything happens to its
//! file: so whoever read rubbish and finds the segment still here has found damage, and not a segment of later.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::position::Position;

/// The segments in use.
#[derive(Debug, Default)]
pub(super) struct Table(RwLock<BTreeMap<u32, Extent>>);

/// Up to where a segment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where its last group ends.
    pub(super) bytes: u32,
    /// Whether that is known, or only that it is not later: groups that a crash tore may be counted in.
    pub(super) exact: bool,
}

impl Table {
    pub(super) fn new(extents: BTreeMap<u32, Extent>) -> Self {
        Self(RwLock::new(extents))
    }

    pub(super) fn extent(&self, segment: u32) -> Option<Extent> {
        self.read().get(&segment).copied()
    }

    /// The oldest first.
    pub(super) fn list(&self) -> Vec<(u32, u32)> {
        self.read().iter().map(|(number, extent)| (*number, extent.bytes)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.read().len()
    }

    /// A group was written.
    pub(super) fn reach(&self, end: Position) {
        let extent = Extent { bytes: end.offset, exact: true };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(end.segment, extent);
    }

    /// Says whether it was there.
    pub(super) fn remove(&self, segment: u32) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&segment).is_some()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<u32, Extent>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
