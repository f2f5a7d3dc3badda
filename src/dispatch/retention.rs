//! Removes settled invocations when their time is over.

use std::sync::Arc;
use std::time::Duration;

use super::Parts;
use crate::model::outcome::OutcomeKind;
use crate::store::{Change, Durability, Group, SettledQuery, StoreError};

/// Pause between two rounds.
const ROUND: Duration = Duration::from_secs(10);
/// Invocations removed in one commit.
const BATCH: usize = 500;

/// Goes on until the process stops.
pub(super) async fn sweep(parts: Arc<Parts>) {
    let stopping = parts.needs.tasks.stopping().clone();
    let mut pause = ROUND;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => (),
        }
        // A full batch means that more is waiting: go on at once.
        pause = match remove_some(&parts).await {
            Ok(BATCH) => Duration::ZERO,
            Ok(_) => ROUND,
            Err(error) => {
                tracing::error!(%error, "settled invocations could not be removed; trying again");
                ROUND
            }
        };
    }
}

/// Removes up to a batch of those whose time is over; returns how many.
async fn remove_some(parts: &Parts) -> Result<usize, StoreError> {
    let before = parts.needs.clock.now().minus(parts.needs.retention);
    let mut ids = Vec::new();
    for function in parts.needs.store.all_counts().into_keys() {
        for kind in OutcomeKind::ALL {
            let limit = BATCH - ids.len();
            let settled = parts.needs.store.settled(SettledQuery { function, kind, before, limit }).await?;
            ids.extend(settled.into_iter().map(|settled| settled.id));
        }
    }
    let count = ids.len();
    if count > 0 {
        let group = ids.into_iter().map(Change::RemoveInvocation).collect();
        parts.needs.store.commit(Group(group), Durability::Written).await?;
    }
    Ok(count)
}
