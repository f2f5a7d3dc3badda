//! Whether the counts are true: what was accepted is live or has settled, what is counted is there, and the quota holds
//! what is live. A difference that is still there at the second look is told once, and shown until it is gone; the quota
//! is then set right, for it decides what is accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Parts;
use super::quota::{Amount, Resting};
use crate::model::names::FunctionId;
use crate::store::{Counts, StoreError};

/// Before the first look, when what a start has to do is under way.
const FIRST_LOOK: Duration = Duration::from_secs(10);
/// Between two looks.
const ROUND: Duration = Duration::from_secs(60);
/// A look takes at most one part in so many of the time: millions of records take seconds to count.
const SHARE: u32 = 50;
/// How often one look counts again what changed while it was counted.
const TRIES: usize = 3;

/// What one look found of a function.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// How far the store's counts are off what is there.
    counts: u64,
    /// What the quota holds and should hold; `None` where that did not rest.
    quota: Option<Quoted>,
}

/// What the quota holds of a function, and what it should hold.
#[derive(Clone, Copy, Debug)]
struct Quoted {
    held: Amount,
    right: Amount,
}

impl Found {
    /// How far the quota is off.
    fn quota_drift(&self) -> u64 {
        self.quota.map_or(0, |Quoted { held, right }| {
            held.count.abs_diff(right.count).saturating_add(u64::from(held.bytes != right.bytes))
        })
    }
}

/// Goes on until the process stops.
pub(super) async fn watch(parts: Arc<Parts>) {
    let stopping = parts.needs.tasks.stopping().clone();
    let mut suspected: BTreeMap<FunctionId, Found> = BTreeMap::new();
    let mut told: BTreeSet<FunctionId> = BTreeSet::new();
    let mut pause = FIRST_LOOK;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => (),
        }
        let started = Instant::now();
        let looked = look(&parts).await;
        pause = ROUND.max(started.elapsed() * SHARE);
        let found = match looked {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the queue could not be counted again; trying again");
                continue;
            }
        };
        for (function, now) in &found {
            let before = suspected.get(function).copied().unwrap_or_default();
            let counts = if before.counts > 0 { now.counts } else { 0 };
            let quota = if before.quota_drift() > 0 { now.quota_drift() } else { 0 };
            parts.tallies.count(*function, |figures| figures.drift = counts.saturating_add(quota));
            if counts == 0 {
                told.remove(function);
            } else if told.insert(*function) {
                tracing::error!(%function, drift = counts, "the counts of a function are not what is there: a bug");
            }
            if quota > 0 {
                correct(&parts, *function, now);
            }
        }
        suspected = found;
    }
}

/// Has the quota hold what is live of a function, unless that has changed meanwhile.
fn correct(parts: &Parts, function: FunctionId, found: &Found) {
    let Some(Quoted { held, right }) = found.quota else { return };
    let known = parts.needs.registry.read(|catalogue| catalogue.function(function).cloned());
    let namespace = known.as_ref().map(|known| &known.path.namespace);
    if parts.quota.correct(function, namespace, held, right) {
        let drift = found.quota_drift();
        let (held, right) = (held.count, right.count);
        tracing::error!(%function, drift, held, right, "the quota of a function was not what is live: a bug; it is set right");
    }
}

/// How far the counts of each function are off. Those that did not rest while they were counted are left out.
async fn look(parts: &Parts) -> Result<BTreeMap<FunctionId, Found>, StoreError> {
    let mut found: BTreeMap<FunctionId, Found> = BTreeMap::new();
    for _ in 0..TRIES {
        let before = Sample::of(parts);
        let there = parts.needs.store.recount().await?;
        let after = Sample::of(parts);
        let mut all_seen = true;
        for function in before.functions() {
            let there = there.get(&function).copied().unwrap_or_default();
            let seen = before.compared(&after, function, &there);
            let known = found.get(&function).is_some_and(|known| known.quota.is_some());
            if let Some(seen) = seen.filter(|_| !known) {
                found.insert(function, seen);
            }
            all_seen &= known || seen.is_some_and(|seen| seen.quota.is_some());
        }
        if all_seen {
            break;
        }
    }
    Ok(found)
}

/// What is counted at one moment.
struct Sample {
    /// `None` while nothing can be said of it.
    quota: Option<Resting>,
    counts: BTreeMap<FunctionId, Counts>,
}

impl Sample {
    fn of(parts: &Parts) -> Self {
        Self { quota: parts.resting(), counts: parts.needs.store.all_counts() }
    }

    fn functions(&self) -> BTreeSet<FunctionId> {
        self.counts.keys().copied().chain(self.quota.iter().flat_map(Resting::functions)).collect()
    }

    fn counts(&self, function: FunctionId) -> Counts {
        self.counts.get(&function).copied().unwrap_or_default()
    }

    fn quota(&self, function: FunctionId) -> Option<Amount> {
        self.quota.as_ref()?.of(function)
    }

    /// How far a function's counts are off what is `there`; `None` when they have moved since.
    fn compared(&self, after: &Self, function: FunctionId, there: &Counts) -> Option<Found> {
        let counts = self.counts(function);
        if after.counts(function) != counts {
            return None;
        }
        let held = self.quota(function).filter(|held| after.quota(function) == Some(*held));
        let right = Amount { count: counts.live, bytes: counts.live_bytes };
        Some(Found { counts: drift(&counts, there), quota: held.map(|held| Quoted { held, right }) })
    }
}

impl Parts {
    /// What the quota holds of the functions that rest. `None` while it is not known of any invocation what the store
    /// has: what is counted of it, and of what follows from it, is right only once it is.
    fn resting(&self) -> Option<Resting> {
        let resting = self.quota.resting(); // before the other: what has ceased to move may be unsure since
        self.unsure().is_empty().then_some(resting)
    }
}

/// How far what is counted is from what is there, in invocations; bytes that differ count as one.
fn drift(counted: &Counts, there: &Counts) -> u64 {
    let settled: u64 = counted.settled.iter().sum();
    let unaccounted = counted.accepted.abs_diff(counted.live.wrapping_add(settled));
    let kept: u64 = counted.kept.iter().zip(&there.kept).map(|(a, b)| a.count.abs_diff(b.count)).sum();
    let bytes =
        counted.live_bytes != there.live_bytes || counted.kept.iter().zip(&there.kept).any(|(a, b)| a.bytes != b.bytes);
    let off = unaccounted.saturating_add(kept).saturating_add(counted.live.abs_diff(there.live));
    off.saturating_add(u64::from(bytes))
}
