//! What the queue tells about its work: counted since the start, and looked up now.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Parts;
use super::deliver::{DeliveryFigures, DeliveryTarget, TargetFigures};
use crate::model::bounds;
use crate::model::names::FunctionId;
use crate::model::usage::Usage;

/// How old the ages of the oldest may be: they are looked up in everything that is in memory.
const AGES_FOR: Duration = Duration::from_secs(1);

/// Figures of the queue's work, since the start.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Those of each function.
    pub functions: BTreeMap<FunctionId, FunctionFigures>,
    /// Invocations whose place is held in memory; the rest stands in the store alone.
    pub in_memory: usize,
    /// Live invocations whose records were found damaged: they are kept, and looked at rarely.
    pub damaged: usize,
    /// What is brought out of the runtime.
    pub deliveries: DeliveryFigures,
    /// That of each target.
    pub delivery_targets: Vec<(DeliveryTarget, TargetFigures)>,
}

/// Figures of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionFigures {
    /// Attempts that run now, synchronous ones included.
    pub running: u64,
    /// How long the oldest of those that are due has been waiting.
    pub oldest_due_age: Option<Duration>,
    /// Attempts started from the queue.
    pub attempts: u64,
    /// Those of them that were not the first.
    pub retries: u64,
    /// Invocations that grew too old.
    pub expired: u64,
    /// Attempts that were put off without being counted.
    pub throttled: u64,
    /// Synchronous invocations that have ended, by how.
    pub synchronous: [u64; 4],
    /// Attempts that have ended, synchronous ones included, and were measured.
    pub ended: u64,
    /// How long those ran, in all.
    pub ran_us: u64,
    /// The processor time of those, in all.
    pub cpu_us: u64,
    /// By how much the counts are off what was found by counting again, and the quota off the counts; 0 when all is well.
    pub drift: u64,
}

impl FunctionFigures {
    /// Counts an attempt that has ended.
    pub(super) fn add_ended(&mut self, usage: &Usage) {
        self.ended += 1;
        self.ran_us += usage.ran_us;
        self.cpu_us += usage.cpu_us;
    }
}

/// What is counted of each function.
#[derive(Default)]
pub(super) struct Tallies {
    functions: Mutex<HashMap<FunctionId, FunctionFigures>>,
    ages: Mutex<Option<(tokio::time::Instant, Ages)>>,
}

/// How long the oldest due of each function has been waiting.
pub(super) type Ages = Arc<BTreeMap<FunctionId, Duration>>;

impl Tallies {
    /// Counts something of a function.
    pub(super) fn count(&self, function: FunctionId, count: impl FnOnce(&mut FunctionFigures)) {
        let mut functions = lock(&self.functions);
        if functions.len() < 2 * bounds::MAX_FUNCTIONS || functions.contains_key(&function) {
            count(functions.entry(function).or_default());
        }
    }

    /// Forgets a function that is gone.
    pub(super) fn forget(&self, function: FunctionId) {
        lock(&self.functions).remove(&function);
    }
}

impl Parts {
    /// How long the oldest due of each function has been waiting, as it was up to a second ago.
    pub(super) fn ages(&self) -> Ages {
        let mut known = lock(&self.tallies.ages);
        match &*known {
            Some((at, ages)) if at.elapsed() < AGES_FOR => ages.clone(),
            _ => {
                let ages = Arc::new(self.line().ages(self.needs.clock.now()));
                *known = Some((tokio::time::Instant::now(), ages.clone()));
                ages
            }
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let mut functions: BTreeMap<FunctionId, FunctionFigures> =
            lock(&self.tallies.functions).iter().map(|(function, figures)| (*function, *figures)).collect();
        for (function, running) in self.needs.slots.running() {
            functions.entry(function).or_default().running = running;
        }
        for (function, age) in self.ages().iter() {
            functions.entry(*function).or_default().oldest_due_age = Some(*age);
        }
        let line = self.line();
        Figures {
            functions,
            in_memory: line.len(),
            damaged: line.damaged(),
            deliveries: self.deliveries.figures(),
            delivery_targets: self.deliveries.figures_of_targets(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
