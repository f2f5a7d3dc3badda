//! What a guest may allocate: one sum over all its memories, and bounds on the rest.
//!
//! A guest that asks for more is told so (`memory.grow` answers -1) and may cope; that it was told so is
//! remembered, because a failure that follows is a lack of memory and not what it looks like.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::{Error, ResourceLimiter, Result};

use crate::model::bounds;
use crate::model::function;

/// The allocations of one guest.
#[derive(Debug)]
pub(super) struct Limits {
    memory_bytes: u64,
    space: function::Space,
    used: u64,
    last: u64,
    refused: Refusals,
}

/// What a guest was ever refused; outlives the guest.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    memory: AtomicBool,
    table: AtomicBool,
}

/// What a guest was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Withheld {
    pub(super) memory: bool,
    pub(super) table: bool,
}

impl Refusals {
    /// What it was refused so far.
    pub(super) fn so_far(&self) -> Withheld {
        let [memory, table] = [&self.0.memory, &self.0.table].map(|noted| noted.load(Ordering::Relaxed));
        Withheld { memory, table }
    }

    fn note_memory(&self) {
        self.0.memory.store(true, Ordering::Relaxed);
    }

    fn note_table(&self) {
        self.0.table.store(true, Ordering::Relaxed);
    }
}

impl Limits {
    /// Allows what a version may take; refusals are noted in `refused`.
    pub(super) fn new(allowed: &function::Limits, refused: Refusals) -> Self {
        Self { memory_bytes: allowed.memory_bytes, space: allowed.space, used: 0, last: 0, refused }
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        self.last = 0;
        let maximum = maximum.map_or(u64::MAX, wide);
        if wide(desired) > maximum && maximum < self.memory_bytes {
            return Ok(false); // the module's own limit, which it knows
        }
        let more = wide(desired.saturating_sub(current));
        if self.used.saturating_add(more) > self.memory_bytes {
            self.refused.note_memory();
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
            self.refused.note_memory();
            tracing::warn!(%error, "a function's memory could not grow");
        }
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let fits = wide(desired) <= u64::from(self.space.table_elements);
        if !fits && maximum.is_none_or(|maximum| desired <= maximum) {
            self.refused.note_table();
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        usize::try_from(self.space.instances).unwrap_or(usize::MAX)
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

    fn limits(refused: &Refusals) -> Limits {
        let space = function::Space { table_elements: 10, ..function::Space::default() };
        let allowed = function::Limits { memory_bytes: 100, space, ..function::Limits::default() };
        Limits::new(&allowed, refused.clone())
    }

    #[test]
    fn a_table_has_no_more_elements_than_allowed() {
        let refused = Refusals::default();
        let mut limits = limits(&refused);
        assert!(limits.table_growing(0, 10, None).unwrap());
        assert!(!limits.table_growing(0, 11, Some(10)).unwrap());
        assert!(!refused.so_far().table, "the module's own limit");
        assert!(!limits.table_growing(0, 11, None).unwrap());
        assert_eq!(refused.so_far(), Withheld { memory: false, table: true });
    }

    #[test]
    fn all_memories_of_a_guest_count_together() {
        let refused = Refusals::default();
        let mut limits = limits(&refused);
        assert!(limits.memory_growing(0, 60, None).unwrap());
        assert!(limits.memory_growing(0, 40, None).unwrap());
        assert!(!refused.so_far().memory);
        assert!(!limits.memory_growing(40, 41, None).unwrap());
        assert!(refused.so_far().memory);
    }

    #[test]
    fn a_modules_own_limit_is_no_lack_of_memory() {
        let refused = Refusals::default();
        let mut limits = limits(&refused);
        assert!(!limits.memory_growing(10, 20, Some(10)).unwrap());
        assert!(!refused.so_far().memory);
    }

    #[test]
    fn growth_that_the_system_denies_is_not_counted() {
        let refused = Refusals::default();
        let mut limits = limits(&refused);
        assert!(limits.memory_growing(0, 100, None).unwrap());
        limits.memory_grow_failed(Error::msg("no memory")).unwrap();
        assert!(refused.so_far().memory);
        assert!(limits.memory_growing(0, 100, None).unwrap());
    }
}
