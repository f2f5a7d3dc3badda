//! What a guest may allocate: one sum over all its memories, and bounds on the rest.
//!
//! A guest that asks for more is told so (`memory.grow` answers -1) and may cope; that it was told so is
//! remembered, because a failure that follows is a lack of memory and not what it looks like.

use wasmtime::{Error, ResourceLimiter, Result};

use super::meter::Meter;
use crate::model::bounds;
use crate::model::function;

/// The allocations of one guest.
#[derive(Debug)]
pub(super) struct Limits {
    memory_bytes: u64,
    space: function::Space,
    used: u64,
    last: u64,
    meter: Meter,
}

impl Limits {
    /// Allows what a version may take; what is taken and what is refused is noted in `meter`.
    pub(super) fn new(allowed: &function::Limits, meter: Meter) -> Self {
        Self { memory_bytes: allowed.memory_bytes, space: allowed.space, used: 0, last: 0, meter }
    }

    /// What was taken stays taken, and the rest is measured as `next` has it: for another run in the same instance.
    pub(super) fn follow(&mut self, next: Self) {
        self.meter = next.meter;
        self.meter.has_memory(self.used);
    }

    /// Linear memory that it has.
    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    /// Whether so much is taken that another run may find too little.
    pub(super) const fn is_nearly_used_up(&self) -> bool {
        self.used / 3 > self.memory_bytes / 4
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
            self.meter.refused_memory();
            return Ok(false);
        }
        self.used += more;
        self.last = more;
        self.meter.has_memory(self.used);
        Ok(true)
    }

    /// Only called for growth that was allowed above, so it is the system that has no memory.
    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        if self.last > 0 {
            self.used -= self.last;
            self.last = 0;
            self.meter.refused_memory();
            tracing::warn!(%error, "a function's memory could not grow");
        }
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let allowed = u64::from(self.space.table_elements);
        let fits = wide(desired) <= allowed;
        // A maximum below what is allowed is the module's own, which it knows. Any other may be the pool's, which every
        // table has and no module knows: it is as large as the most that can be allowed.
        let is_own = maximum.is_some_and(|maximum| wide(maximum) < allowed);
        if !fits && !is_own {
            self.meter.refused_table();
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
    use crate::engine::meter::Withheld;

    fn limits(meter: &Meter) -> Limits {
        let space = function::Space { table_elements: 10, ..function::Space::default() };
        let allowed = function::Limits { memory_bytes: 100, space, ..function::Limits::default() };
        Limits::new(&allowed, meter.clone())
    }

    #[test]
    fn a_table_has_no_more_elements_than_allowed() {
        let meter = Meter::begin();
        let mut limits = limits(&meter);
        assert!(limits.table_growing(0, 10, None).unwrap());
        assert!(!limits.table_growing(0, 11, Some(9)).unwrap());
        assert!(!meter.withheld().table, "the module's own limit");
        assert!(!limits.table_growing(0, 11, None).unwrap());
        assert_eq!(meter.withheld(), Withheld { memory: false, table: true });
    }

    #[test]
    fn a_table_that_the_pool_limits_as_its_version_does_is_refused_for_the_version() {
        let meter = Meter::begin();
        assert!(!limits(&meter).table_growing(0, 11, Some(10)).unwrap());
        assert!(meter.withheld().table);
    }

    #[test]
    fn all_memories_of_a_guest_count_together() {
        let meter = Meter::begin();
        let mut limits = limits(&meter);
        assert!(limits.memory_growing(0, 60, None).unwrap());
        assert!(limits.memory_growing(0, 40, None).unwrap());
        assert!(!meter.withheld().memory);
        assert!(!limits.memory_growing(40, 41, None).unwrap());
        assert!(meter.withheld().memory);
    }

    #[test]
    fn a_modules_own_limit_is_no_lack_of_memory() {
        let meter = Meter::begin();
        let mut limits = limits(&meter);
        assert!(!limits.memory_growing(10, 20, Some(10)).unwrap());
        assert!(!meter.withheld().memory);
    }

    #[test]
    fn growth_that_the_system_denies_is_not_counted() {
        let meter = Meter::begin();
        let mut limits = limits(&meter);
        assert!(limits.memory_growing(0, 100, None).unwrap());
        limits.memory_grow_failed(Error::msg("no memory")).unwrap();
        assert!(meter.withheld().memory);
        assert!(limits.memory_growing(0, 100, None).unwrap());
    }
}
