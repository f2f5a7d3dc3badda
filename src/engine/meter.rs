//! What is measured of one run, and what the run was refused. Outlives the guest: one that is cut short is measured as
//! well.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::model::time::whole_us;
use crate::model::usage::Usage;

/// The measure of one run. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Meter(Arc<Measured>);

#[derive(Debug)]
struct Measured {
    began: Instant,
    /// From `began` on, in nanoseconds; 0 until then.
    instantiated: AtomicU64,
    cpu_ns: AtomicU64,
    longest_poll_ns: AtomicU64,
    memory_bytes: AtomicU64,
    /// [`UNCOUNTED`] where nobody asked.
    fuel: AtomicU64,
    refused_memory: AtomicBool,
    refused_table: AtomicBool,
}

/// More fuel than can be asked for.
const UNCOUNTED: u64 = u64::MAX;

/// What a guest was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Withheld {
    pub(super) memory: bool,
    pub(super) table: bool,
}

impl Meter {
    /// Begins now.
    pub(super) fn begin() -> Self {
        Self(Arc::new(Measured {
            began: Instant::now(),
            instantiated: AtomicU64::new(0),
            cpu_ns: AtomicU64::new(0),
            longest_poll_ns: AtomicU64::new(0),
            memory_bytes: AtomicU64::new(0),
            fuel: AtomicU64::new(UNCOUNTED),
            refused_memory: AtomicBool::new(false),
            refused_table: AtomicBool::new(false),
        }))
    }

    /// The instance stands, and is entered next.
    pub(super) fn instantiated(&self) {
        let since = nanoseconds(self.0.began.elapsed());
        self.0.instantiated.store(since.max(1), Ordering::Relaxed);
    }

    /// It has so much memory now.
    pub(super) fn has_memory(&self, bytes: u64) {
        self.0.memory_bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    /// It has used up so much fuel by now.
    pub(super) fn has_used_fuel(&self, fuel: u64) {
        self.0.fuel.store(fuel, Ordering::Relaxed);
    }

    /// It was refused memory.
    pub(super) fn refused_memory(&self) {
        self.0.refused_memory.store(true, Ordering::Relaxed);
    }

    /// It was refused elements of a table.
    pub(super) fn refused_table(&self) {
        self.0.refused_table.store(true, Ordering::Relaxed);
    }

    /// Forgets what it was refused: those have gone who may fail for it.
    pub(super) fn forget_refused(&self) {
        for noted in [&self.0.refused_memory, &self.0.refused_table] {
            noted.store(false, Ordering::Relaxed);
        }
    }

    /// What it was refused so far.
    pub(super) fn withheld(&self) -> Withheld {
        let [memory, table] =
            [&self.0.refused_memory, &self.0.refused_table].map(|noted| noted.load(Ordering::Relaxed));
        Withheld { memory, table }
    }

    /// So much more processor time was used for it.
    pub(super) fn has_computed(&self, time: Duration) {
        self.0.cpu_ns.fetch_add(nanoseconds(time), Ordering::Relaxed);
    }

    /// Counts the processor time of a guest.
    pub(super) async fn counted<T>(&self, guest: impl Future<Output = T>) -> T {
        let mut guest = std::pin::pin!(guest);
        std::future::poll_fn(|context| {
            let before = cpu_time();
            let polled = guest.as_mut().poll(context);
            let used = cpu_time().saturating_sub(before);
            self.has_computed(used);
            self.0.longest_poll_ns.fetch_max(nanoseconds(used), Ordering::Relaxed);
            polled
        })
        .await
    }

    /// The most processor time for which it kept its thread to itself.
    pub(super) fn longest_poll(&self) -> Duration {
        Duration::from_nanos(self.0.longest_poll_ns.load(Ordering::Relaxed))
    }

    /// What the run used up to now.
    pub(super) fn usage(&self, input_bytes: usize, output_bytes: usize) -> Usage {
        let took = self.0.began.elapsed();
        let instantiated = match self.0.instantiated.load(Ordering::Relaxed) {
            0 => took,
            ns => Duration::from_nanos(ns),
        };
        Usage {
            instantiated_us: whole_us(instantiated),
            ran_us: whole_us(took.saturating_sub(instantiated)),
            cpu_us: self.0.cpu_ns.load(Ordering::Relaxed) / 1_000,
            memory_bytes: self.0.memory_bytes.load(Ordering::Relaxed),
            input_bytes: input_bytes as u64,
            output_bytes: output_bytes as u64,
            fuel: Some(self.0.fuel.load(Ordering::Relaxed)).filter(|fuel| *fuel != UNCOUNTED),
            ..Usage::default()
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Processor time of this thread so far.
pub(super) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
