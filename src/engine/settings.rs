//! What an engine is started with, and what wasmtime is told in consequence.

use std::path::PathBuf;
use std::time::Duration;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails};

use super::build::Flavor;
use crate::model::bounds;

/// What an engine is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where compiled code is kept over restarts; without it, every start compiles again.
    pub cache_dir: Option<PathBuf>,
    /// How many guests run at once.
    pub concurrency: u32,
    /// Whether modules may import `tidemill-fault`, which ends the process: for tests of crashes alone.
    pub fault_injection: bool,
    /// What compiles; without it, modules are compiled in this process, which is for modules that are trusted.
    pub compiler: Option<CompilerProgram>,
    /// Bytes of compiled code that are kept in memory, ready to run.
    pub loaded_code_bytes: u64,
    /// What guests can be granted at all, and by what they reach it.
    pub reach: Reach,
    /// How long an instance that may be used again rests before it goes.
    pub rest: Duration,
    /// Whether components of WASI 0.3 run.
    pub wasi_0_3: bool,
}

/// The operator's side of what guests may reach.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Directories below which anything can be granted.
    pub directories: Vec<PathBuf>,
    /// A file of certificates, in PEM, of authorities that requests of guests trust besides the public ones.
    pub outbound_ca: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache_dir: None,
            concurrency: bounds::DEFAULT_RUNTIME_CONCURRENCY,
            fault_injection: false,
            compiler: None,
            loaded_code_bytes: bounds::DEFAULT_LOADED_CODE_BYTES,
            reach: Reach::default(),
            rest: bounds::REST,
            wasi_0_3: false,
        }
    }
}

/// A program that compiles when it is run as `PROGRAM compile`, and how much one compilation may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerProgram {
    /// The program: of this very version, since wasmtime maps what no other has compiled.
    pub program: PathBuf,
    /// Processor time of one compilation.
    pub cpu: Duration,
    /// Address space of one compilation, in bytes.
    pub memory_bytes: u64,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The certificates for requests of guests cannot be used.
    #[error("--outbound-ca: {0}")]
    Authority(String),
    /// The directory for compiled code cannot be used.
    #[error("cannot use `{}` for compiled code", path.display())]
    CacheDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A directory that guests may be granted is not there.
    #[error("--allow-dir: cannot use `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start the threads for guests")]
    Threads(#[source] std::io::Error),
    /// wasmtime refused its settings, mostly for want of address space.
    #[error("cannot set up wasmtime: {0}")]
    Wasmtime(String),
}

/// Room for guests in one engine: how many of each thing its pool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) guests: u32,
    memories: u32,
}

/// The rooms of all engines. They are divided before the first is made, so that one which is made later finds its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rooms {
    /// Of the engine that runs what nobody asked anything special for.
    usual: Room,
    /// Of each other one.
    other: Room,
}

/// Maps that are left to everything but guests: code, threads, files, the allocator.
const MAPS_KEPT: u64 = 8_192;
/// What the other engines have at least of the maps, all together, as one part of so many.
const OTHERS_PART: u64 = 8;
/// What rests takes at most one part of so many of a pool; fresh guests have the rest.
const RESTING_PART: u32 = 8;
/// What Linux allows a process unless told otherwise.
const DEFAULT_MAX_MAPS: u64 = 65_530;
/// Maps of a guest's stack, and of each of its memories.
const STACK_MAPS: u64 = 2;
const MEMORY_MAPS: u64 = 4;
/// Linear memory that stays with a slot of the pool between guests: a guest that touches no more starts fast.
const MEMORY_KEPT: usize = 1_024 * 1_024;
const TABLE_KEPT: usize = 64 * 1_024;

impl Rooms {
    /// Room for `wanted` guests at once, as far as the system's limit on memory maps goes. Past that limit an ordinary
    /// allocation fails and takes the process down, which is why all pools together stay below it.
    fn within(wanted: u32, max_maps: u64) -> Self {
        let maps = max_maps.saturating_sub(MAPS_KEPT);
        let usual = Room::within(wanted, maps - maps / OTHERS_PART);
        let left = maps.saturating_sub(usual.maps());
        Self { usual, other: Room::within(wanted, left / (Flavor::COUNT as u64 - 1)) }
    }

    /// Room for `wanted` guests on this machine.
    pub(super) fn here(wanted: u32) -> Self {
        let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count");
        let rooms =
            Self::within(wanted, limit.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(DEFAULT_MAX_MAPS));
        if rooms.usual.guests < wanted {
            let guests = rooms.usual.guests;
            tracing::warn!(wanted, guests, "fewer functions can run at once than configured: raise vm.max_map_count");
        }
        rooms
    }

    /// That of an engine.
    pub(super) fn of(self, flavor: Flavor) -> Room {
        if flavor == Flavor::default() { self.usual } else { self.other }
    }
}

impl Room {
    /// Room for `wanted` guests at once in so many maps.
    ///
    /// A guest that has been told to stop keeps its slot for another millisecond or two, so there are a few more
    /// slots than guests.
    fn within(wanted: u32, maps: u64) -> Self {
        let fits = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let most = fits(maps / (STACK_MAPS + MEMORY_MAPS));
        let guests = (wanted.saturating_add(wanted / 4).saturating_add(8)).min(most).max(1);
        let left = fits(maps.saturating_sub(STACK_MAPS * u64::from(guests)) / MEMORY_MAPS);
        let memories = each(guests, bounds::MAX_GUEST_MEMORIES).min(left).max(guests);
        Self { guests, memories }
    }

    /// How many of its guests may be instances that rest: all who want to run have room beside them.
    pub(super) fn resting(self) -> usize {
        (self.guests / RESTING_PART).min(bounds::MAX_RESTING) as usize
    }

    /// Maps when all of it is used.
    fn maps(self) -> u64 {
        STACK_MAPS * u64::from(self.guests) + MEMORY_MAPS * u64::from(self.memories)
    }

    fn pool(self) -> PoolingAllocationConfig {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_stacks(self.guests)
            .total_component_instances(self.guests)
            .total_core_instances(each(self.guests, bounds::MAX_GUEST_INSTANCES))
            .total_tables(each(self.guests, bounds::MAX_GUEST_TABLES))
            .total_memories(self.memories)
            .total_gc_heaps(self.guests)
            .max_memories_per_module(each(1, bounds::MAX_GUEST_MEMORIES))
            .max_tables_per_module(each(1, bounds::MAX_GUEST_TABLES))
            .table_elements(bounds::MAX_GUEST_TABLE_ELEMENTS)
            .max_memory_size(usize::try_from(*bounds::MEMORY_BYTES.end()).unwrap_or(usize::MAX))
            .linear_memory_keep_resident(MEMORY_KEPT)
            .table_keep_resident(TABLE_KEPT)
            .pagemap_scan(Enabled::Auto);
        pool
    }
}

/// So many of something that each guest may have as many as it is allowed: nobody takes another's share.
fn each(guests: u32, of_one: usize) -> u32 {
    guests.saturating_mul(u32::try_from(of_one).unwrap_or(u32::MAX))
}

/// wasmtime's configuration for running guests.
pub(super) fn config(flavor: Flavor, room: Room) -> Config {
    let mut config = codegen(flavor);
    config
        .coredump_on_trap(flavor.dumps)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(room.pool()))
        .wasm_backtrace_max_frames(Some(bounds::MAX_FRAMES));
    config
}

/// What code is compiled with, the same where it is compiled and where it runs. What is said here and not by default is
/// said for a reason: without `concurrency_support`, which only WASI 0.3 needs, a call costs a third; shared memories would escape the limits on
/// memory. Debug information is taken out beforehand where nobody asked for it (`strip`), so it is always allowed here.
pub(super) fn codegen(flavor: Flavor) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(flavor.fuel)
        .concurrency_support(flavor.concurrent)
        .shared_memory(false)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(bounds::GUEST_STACK_BYTES)
        .async_stack_size(bounds::GUEST_STACK_BYTES * 4)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::seal;

    #[test]
    fn what_is_compiled_apart_fits_the_engine_that_runs_it_and_no_other() {
        let settings = |config: &Config| seal::settings(&wasmtime::Engine::new(config).unwrap());
        let room = Room::within(1, 6);
        let seen: std::collections::BTreeSet<_> = Flavor::all()
            .map(|flavor| {
                let apart = settings(&codegen(flavor));
                assert_eq!(settings(&config(flavor, room)), apart, "{flavor:?}");
                apart
            })
            .collect();
        assert_eq!(seen.len(), Flavor::COUNT / 2, "with and without core dumps the code is the same");
    }

    #[test]
    fn all_pools_together_stay_below_the_systems_limit_on_maps() {
        for wanted in [1, 64, 256, 8_000, 100_000] {
            let Rooms { usual, other } = Rooms::within(wanted, DEFAULT_MAX_MAPS);
            let all = usual.maps() + other.maps() * (Flavor::COUNT as u64 - 1);
            assert!(all <= DEFAULT_MAX_MAPS - MAPS_KEPT, "{wanted}: {usual:?} {other:?}");
            assert!(other.guests >= wanted.min(100), "{wanted}: {other:?}");
            let beside = |room: Room| room.guests - u32::try_from(room.resting()).unwrap();
            assert!(wanted > 8_000 || beside(usual) >= wanted, "{wanted}: {usual:?}");
        }
        assert!(Rooms::within(8_000, DEFAULT_MAX_MAPS).usual.guests >= 8_000);
        let least = Room { guests: 1, memories: 1 };
        assert_eq!(Rooms::within(64, 0), Rooms { usual: least, other: least });
    }
}
