//! Figures for whoever watches from outside: of each function, the store and the process.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::Runtime;
use crate::dispatch::{DeliveryFigures, DeliveryTarget, FunctionFigures, TargetFigures};
use crate::model::names::{FunctionId, FunctionPath};
use crate::model::time::Timestamp;
use crate::store::{Counts, Vitals};
use crate::telemetry;

/// Figures of the whole runtime.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Those of each function that was ever invoked, by name; at most as many as there are functions, and one for
    /// all that were deleted.
    pub functions: Vec<FunctionMetrics>,
    /// The store's own.
    pub vitals: Vitals,
    /// Invocations whose place in the queue is held in memory.
    pub in_memory: usize,
    /// Live invocations whose records were found damaged.
    pub damaged: usize,
    /// What is brought out of the runtime.
    pub deliveries: DeliveryFigures,
    /// That of each target; a bounded number of them.
    pub delivery_targets: Vec<(DeliveryTarget, TargetFigures)>,
    /// Attempts that may run at once.
    pub concurrency: NonZeroU32,
    /// When the process started.
    pub started: Timestamp,
    /// Memory of the process, where the system tells.
    pub resident_bytes: Option<u64>,
}

/// Figures of one function.
#[derive(Clone, Debug, Default)]
pub struct FunctionMetrics {
    /// Its name; `None` for all that were deleted, together.
    pub path: Option<FunctionPath>,
    /// Whether nothing is taken from its queue.
    pub paused: bool,
    /// What was accepted and what became of it.
    pub counts: Counts,
    /// What dispatch has done about it since the process started.
    pub figures: FunctionFigures,
}

impl Runtime {
    /// Figures as they are now.
    pub fn metrics(&self) -> Metrics {
        let parts = &self.parts;
        let (counts, figures) = (parts.store.all_counts(), parts.dispatch.figures());
        Metrics {
            functions: self.function_metrics(counts, figures.functions),
            vitals: parts.store.vitals(),
            in_memory: figures.in_memory,
            damaged: figures.damaged,
            deliveries: figures.deliveries,
            delivery_targets: figures.delivery_targets,
            concurrency: parts.slots.concurrency(),
            started: parts.started,
            resident_bytes: telemetry::resident_bytes(),
        }
    }

    fn function_metrics(
        &self,
        counts: BTreeMap<FunctionId, Counts>,
        figures: BTreeMap<FunctionId, FunctionFigures>,
    ) -> Vec<FunctionMetrics> {
        let mut all: BTreeMap<FunctionId, (Counts, FunctionFigures)> = BTreeMap::new();
        for (id, counts) in counts {
            all.entry(id).or_default().0 = counts;
        }
        for (id, figures) in figures {
            all.entry(id).or_default().1 = figures;
        }
        let mut named: BTreeMap<Option<FunctionPath>, FunctionMetrics> = BTreeMap::new();
        self.parts.registry.read(|catalogue| {
            for (id, (counts, figures)) in all {
                let function = catalogue.function(id);
                let path = function.map(|function| function.path.clone());
                let entry = named.entry(path.clone()).or_default();
                entry.paused = function.is_some_and(|function| function.queue.paused);
                entry.path = path;
                entry.add(counts, figures);
            }
        });
        named.into_values().collect()
    }
}

impl FunctionMetrics {
    fn add(&mut self, counts: Counts, figures: FunctionFigures) {
        self.counts += counts;
        let sum = &mut self.figures;
        *sum = FunctionFigures {
            running: sum.running + figures.running,
            oldest_due_age: sum.oldest_due_age.max(figures.oldest_due_age),
            attempts: sum.attempts + figures.attempts,
            retries: sum.retries + figures.retries,
            expired: sum.expired + figures.expired,
            throttled: sum.throttled + figures.throttled,
            synchronous: std::array::from_fn(|kind| sum.synchronous[kind] + figures.synchronous[kind]),
            ended: sum.ended + figures.ended,
            ran_us: sum.ran_us + figures.ran_us,
            cpu_us: sum.cpu_us + figures.cpu_us,
            drift: sum.drift + figures.drift,
        };
    }
}
