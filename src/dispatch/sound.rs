//! Whether the counts are true: what was accepted is live or has settled, and what is counted is there. A difference
//! that is still there at the second look is told once, and shown until it is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Parts;
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

/// Goes on until the process stops.
pub(super) async fn watch(parts: Arc<Parts>) {
    let stopping = parts.needs.tasks.stopping().clone();
    let mut suspected: BTreeMap<FunctionId, u64> = BTreeMap::new();
    let mut told: BTreeMap<FunctionId, u64> = BTreeMap::new();
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
        for (function, drift) in &found {
            let confirmed = if suspected.get(function).is_some_and(|before| *before > 0) { *drift } else { 0 };
            parts.tallies.count(*function, |figures| figures.drift = confirmed);
            if confirmed == 0 {
                told.remove(function);
            } else if told.insert(*function, confirmed).is_none() {
                tracing::error!(%function, drift = confirmed, "the counts of a function are not what is there: a bug");
            }
        }
        suspected = found;
    }
}

/// How far the counts of each function are off. Those that did not rest while they were counted are left out.
async fn look(parts: &Parts) -> Result<BTreeMap<FunctionId, u64>, StoreError> {
    let store = &parts.needs.store;
    let mut found = BTreeMap::new();
    for _ in 0..TRIES {
        let before = store.all_counts();
        let counted = store.recount().await?;
        let after = store.all_counts();
        for (function, counts) in &before {
            if after.get(function) == Some(counts) {
                let there = counted.get(function).copied().unwrap_or_default();
                found.insert(*function, drift(counts, &there));
            }
        }
        if found.len() >= before.len() {
            break;
        }
    }
    Ok(found)
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
