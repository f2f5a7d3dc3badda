//! How much waits, and whether one more may: counted here, exactly, from the reservation before the commit to the
//! commit that settles. What follows from an outcome is counted and never refused. [`rest`] sets it right.

mod rest;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(super) use rest::Resting;

use super::refused::{Full, NotAccepted};
use crate::model::bounds;
use crate::model::names::{FunctionId, Namespace};
use crate::model::queue::{Capacities, Capacity};
use crate::model::time::Timestamp;

/// How long settlings are counted together to tell their rate.
const PACE_WINDOW: Duration = Duration::from_secs(10);

/// What waits, and how much of it may.
pub(super) struct Quota {
    capacities: Capacities,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    all: Amount,
    namespaces: HashMap<Namespace, Amount>,
    functions: HashMap<FunctionId, OfFunction>,
    pace: Pace,
    /// How many are on their way, of each function: see `rest::Moving`.
    moving: HashMap<FunctionId, usize>,
}

#[derive(Default)]
struct OfFunction {
    amount: Amount,
    /// `None` where the function is gone and nobody has said.
    namespace: Option<Namespace>,
}

/// Invocations, and bytes of their payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

/// How fast invocations settle.
#[derive(Default)]
struct Pace {
    since: Timestamp,
    count: u64,
    /// That of the window before.
    a_second: f64,
}

/// One that is to wait.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Whose.
    pub(super) function: FunctionId,
    /// Where.
    pub(super) namespace: &'a Namespace,
    /// Bytes of its payload.
    pub(super) bytes: u64,
}

impl Quota {
    pub(super) fn new(capacities: Capacities) -> Self {
        Self { capacities, used: Mutex::default() }
    }

    /// What the runtime says of functions that say nothing.
    pub(super) const fn of_functions(&self) -> Capacity {
        self.capacities.function
    }

    /// Counts what waits at the start.
    pub(super) fn found(&self, function: FunctionId, namespace: Option<&Namespace>, count: u64, bytes: u64) {
        self.lock().add(function, namespace, Amount { count, bytes });
    }

    /// Counts one more if there is room; `function` is how much of its function's may wait.
    pub(super) fn reserve(&self, wanted: Wanted<'_>, function: Capacity, now: Timestamp) -> Result<(), Over> {
        let mut used = self.lock();
        if let Some((scope, refused, limit, there)) = used.over(wanted, function, &self.capacities) {
            return Err(Over { scope, refused, limit, there, retry_after: used.pace.retry_after(limit, there, now) });
        }
        used.add(wanted.function, Some(wanted.namespace), Amount { count: 1, bytes: wanted.bytes });
        Ok(())
    }

    /// Counts one that follows from an outcome, whatever waits.
    pub(super) fn add(&self, wanted: Wanted<'_>) {
        self.lock().add(wanted.function, Some(wanted.namespace), Amount { count: 1, bytes: wanted.bytes });
    }

    /// Counts one that was not kept after all.
    pub(super) fn give_back(&self, function: FunctionId, bytes: u64) {
        self.lock().remove(function, bytes);
    }

    /// Counts one that has settled.
    pub(super) fn settled(&self, function: FunctionId, bytes: u64, now: Timestamp) {
        let mut used = self.lock();
        used.remove(function, bytes);
        used.pace.count(now);
    }

    /// Functions of a namespace of which something waits.
    pub(super) fn functions_of(&self, namespace: &Namespace) -> Vec<FunctionId> {
        let used = self.lock();
        let of_it = used.functions.iter().filter(|(_, of)| of.namespace.as_ref() == Some(namespace));
        of_it.map(|(function, _)| *function).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A limit that one more would pass.
#[derive(Debug)]
pub(super) struct Over {
    /// Whose it is.
    pub(super) scope: Scope,
    /// What it is called.
    pub(super) refused: fn(Full) -> NotAccepted,
    pub(super) limit: u64,
    pub(super) there: u64,
    pub(super) retry_after: Duration,
}

/// Whose limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The function's.
    Function,
    /// The namespace's.
    Namespace,
    /// The runtime's.
    Runtime,
}

type Limited = (Scope, fn(Full) -> NotAccepted, u64, u64);

impl Used {
    /// The first limit that one more would pass, with what is there.
    fn over(&self, wanted: Wanted<'_>, function: Capacity, capacities: &Capacities) -> Option<Limited> {
        let of_function = self.functions.get(&wanted.function).map(|of| of.amount).unwrap_or_default();
        let of_namespace = self.namespaces.get(wanted.namespace).copied().unwrap_or_default();
        let (namespace, all) = (capacities.namespace, capacities.all);
        let counts: [Limited; 3] = [
            (Scope::Function, NotAccepted::FunctionFull, function.count, of_function.count),
            (Scope::Namespace, NotAccepted::NamespaceFull, namespace.count, of_namespace.count),
            (Scope::Runtime, NotAccepted::RuntimeFull, all.count, self.all.count),
        ];
        let sizes: [Limited; 3] = [
            (Scope::Function, NotAccepted::FunctionBytesFull, function.bytes, of_function.bytes),
            (Scope::Namespace, NotAccepted::NamespaceBytesFull, namespace.bytes, of_namespace.bytes),
            (Scope::Runtime, NotAccepted::RuntimeBytesFull, all.bytes, self.all.bytes),
        ];
        let counts = counts.into_iter().find(|(_, _, limit, there)| there.saturating_add(1) > *limit);
        counts.or_else(|| sizes.into_iter().find(|(_, _, limit, there)| there.saturating_add(wanted.bytes) > *limit))
    }

    fn add(&mut self, function: FunctionId, namespace: Option<&Namespace>, amount: Amount) {
        let of = self.functions.entry(function).or_default();
        if of.namespace.is_none() {
            of.namespace = namespace.cloned();
        }
        of.amount.add(amount);
        if let Some(namespace) = &of.namespace {
            self.namespaces.entry(namespace.clone()).or_default().add(amount);
        }
        self.all.add(amount);
    }

    fn remove(&mut self, function: FunctionId, bytes: u64) {
        let one = Amount { count: 1, bytes };
        let Some(of) = self.functions.get_mut(&function) else { return };
        of.amount.remove(one);
        self.all.remove(one);
        if let Some(namespace) = &of.namespace
            && let Some(amount) = self.namespaces.get_mut(namespace)
        {
            amount.remove(one);
            if amount.count == 0 {
                self.namespaces.remove(namespace);
            }
        }
        if of.amount.count == 0 {
            self.functions.remove(&function);
        }
    }
}

impl Amount {
    const fn add(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }

    const fn remove(&mut self, less: Self) {
        self.count = self.count.saturating_sub(less.count);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }
}

impl Pace {
    fn count(&mut self, now: Timestamp) {
        self.turn_over(now);
        self.count += 1;
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn turn_over(&mut self, now: Timestamp) {
        let passed = now.since(self.since);
        if passed >= PACE_WINDOW {
            let recent = passed < PACE_WINDOW * 2;
            self.a_second = if recent { self.count as f64 / passed.as_secs_f64() } else { 0.0 };
            (self.since, self.count) = (now, 0);
        }
    }

    /// How long it takes until a hundredth of what there is has settled, and room is worth asking for again.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn retry_after(&mut self, limit: u64, there: u64, now: Timestamp) -> Duration {
        self.turn_over(now);
        let (least, most) = (*bounds::QUEUE_RETRY_AFTER_S.start() as f64, *bounds::QUEUE_RETRY_AFTER_S.end() as f64);
        let counted = self.count as f64 / now.since(self.since).as_secs_f64().max(1.0);
        let seconds = (there.min(limit) as f64 / 100.0).max(1.0) / self.a_second.max(counted);
        Duration::from_secs_f64(if seconds.is_finite() { seconds.clamp(least, most) } else { most })
    }
}
