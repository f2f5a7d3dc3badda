//! What a guest may allocate: one sum over all its memories, and bounds on the rest.
//!
//! A guest that asks for more is told so (`memory.grow` answers -1) and may cope; that it was told so is
//! remembered, because a failure that follows is a lack of memory and not what it looks like.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::{Error, ResourceLimiter, Result};

use crate::model::bounds;

/// The allocations of one guest.
#[derive(Debug)]
pub(super) struct Limits {
    allowed: u64,
    used: u64,
    last: u64,
    refused: Refusals,
}

/// Whether a guest was ever refused memory; outlives the guest.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(Arc<AtomicBool>);

impl Refusals {
    /// Whether there was one.
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Limits {
    /// Allows `allowed` bytes of linear memory; refusals are noted in `refused`.
    pub(super) fn new(allowed: u64, refused: Refusals) -> Self {
        Self { allowed, used: 0, last: 0, refused }
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        self.last = 0;
        let maximum = maximum.map_or(u64::MAX, wide);
        if wide(desired) > maximum && maximum < self.allowed {
            return Ok(false); // the module's own limit, which it knows
        }
        let more = wide(desired.saturating_sub(current));
        if self.used.saturating_add(more) > self.allowed {
            self.refused.note();
            return Ok(false);
        }
        self.used += more;
        self.last = more;
        Ok(true)
    }

    /// Only called for growth that was allowed above, so it is the system that has no memory.
    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        if self.last > 0 {
            self.used -= self.last;
            self.last = 0;
            self.refused.note();
            tracing::warn!(%error, "a function's memory could not grow");
        }
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= bounds::MAX_GUEST_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        bounds::MAX_GUEST_INSTANCES
    }

    fn tables(&self) -> usize {
        bounds::MAX_GUEST_TABLES
    }

    fn memories(&self) -> usize {
        bounds::MAX_GUEST_MEMORIES
    }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_of_a_guest_count_together() {
        let refused = Refusals::default();
        let mut limits = Limits::new(100, refused.clone());
        assert!(limits.memory_growing(0, 60, None).unwrap());
        assert!(limits.memory_growing(0, 40, None).unwrap());
        assert!(!refused.any());
        assert!(!limits.memory_growing(40, 41, None).unwrap());
        assert!(refused.any());
    }

    #[test]
    fn a_modules_own_limit_is_no_lack_of_memory() {
        let refused = Refusals::default();
        let mut limits = Limits::new(100, refused.clone());
        assert!(!limits.memory_growing(10, 20, Some(10)).unwrap());
        assert!(!refused.any());
    }

    #[test]
    fn growth_that_the_system_denies_is_not_counted() {
        let refused = Refusals::default();
        let mut limits = Limits::new(100, refused.clone());
        assert!(limits.memory_growing(0, 100, None).unwrap());
        limits.memory_grow_failed(Error::msg("no memory")).unwrap();
        assert!(refused.any());
        assert!(limits.memory_growing(0, 100, None).unwrap());
    }
}
