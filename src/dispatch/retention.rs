//! Removes settled invocations when their time is over or there are too many, and keys when theirs is. The counts say
//! whether there is anything to do, so that nothing is read where nothing is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Parts;
use crate::model::names::FunctionId;
use crate::model::outcome::OutcomeKind;
use crate::model::queue::Keep;
use crate::model::time::Timestamp;
use crate::store::{Change, Durability, Group, Kept, Room, Settled, SettledQuery, StoreError};

/// Pause between two rounds, unless many settle.
const ROUND: Duration = Duration::from_secs(10);
/// The same while the disk is full.
const SHORT_ROUND: Duration = Duration::from_secs(1);
/// Pause between two batches, which leaves the disk to those who wait for it.
const BREATH: Duration = Duration::from_millis(2);
/// Invocations, or keys, removed in one commit.
const BATCH: usize = 1_000;

/// When the oldest that is kept settled, as far as that is known: before its time nothing is looked up.
type Oldest = BTreeMap<(FunctionId, OutcomeKind), Timestamp>;

/// Goes on until the process stops.
pub(super) async fn sweep(parts: Arc<Parts>) {
    let stopping = parts.needs.tasks.stopping().clone();
    let mut oldest = Oldest::new();
    let mut pause = ROUND;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = parts.many_settled.notified() => (),
            () = parts.needs.clock.sleep(pause) => (),
        }
        let removed = round(&parts, &mut oldest).await;
        // Where there is no room, what is over is what stands in the way.
        pause = if parts.needs.store.room() == Room::Plenty { ROUND } else { SHORT_ROUND };
        match removed {
            Ok(true) => pause = Duration::ZERO,
            Ok(false) => (),
            Err(error) => tracing::error!(%error, "what is kept too long could not be removed; trying again"),
        }
    }
}

/// Removes a batch of each function and kind of which too much is kept, and a batch of keys; returns whether there was
/// a full one, so that more is waiting.
async fn round(parts: &Parts, oldest: &mut Oldest) -> Result<bool, StoreError> {
    let mut more = remove_keys(parts).await?;
    for (function, counts) in parts.needs.store.all_counts() {
        let own = parts.needs.registry.read(|catalogue| catalogue.function(function).map(|it| it.queue.retention));
        for kind in OutcomeKind::ALL {
            let keep = own.unwrap_or_default().of(kind).or(parts.needs.retention);
            more |= remove(parts, oldest, (function, kind), counts.kept(kind), keep).await?;
        }
    }
    Ok(more)
}

/// Removes a batch of what is over; returns whether it was full.
async fn remove(
    parts: &Parts,
    oldest: &mut Oldest,
    of: (FunctionId, OutcomeKind),
    kept: Kept,
    keep: Keep,
) -> Result<bool, StoreError> {
    let before = keep.age.map_or(Timestamp::from_ms(0), |age| parts.needs.clock.now().minus(age));
    let too_many = kept.count.saturating_sub(keep.count.unwrap_or(u64::MAX));
    let too_much = kept.bytes.saturating_sub(keep.bytes.unwrap_or(u64::MAX));
    let too_long = oldest.get(&of).is_none_or(|oldest| *oldest < before);
    if kept.count == 0 {
        oldest.remove(&of);
        return Ok(false);
    }
    if too_many == 0 && too_much == 0 && !too_long {
        return Ok(false);
    }
    let ((function, kind), ever) = (of, Timestamp::from_ms(u64::MAX));
    let query = |before, limit| SettledQuery { function, kind, before, limit };
    let until = if too_many == 0 && too_much == 0 { before } else { ever };
    let settled = parts.needs.store.settled(query(until, BATCH)).await?;
    let over = over(&settled, before, too_many, too_much);
    if over > 0 {
        let group = settled[..over].iter().map(|settled| Change::RemoveInvocation(settled.id)).collect();
        parts.needs.store.commit(Group(group), Durability::Written).await?;
        tokio::time::sleep(BREATH).await;
    }
    let first = match settled.get(over) {
        Some(first) => Some(*first),
        None if over < BATCH => parts.needs.store.settled(query(ever, 1)).await?.pop(),
        None => None,
    };
    match first {
        Some(first) => drop(oldest.insert(of, first.at)),
        None => drop(oldest.remove(&of)),
    }
    Ok(over == BATCH)
}

/// How many of these, the oldest first, are to go: those from before an instant, so many, and so many bytes.
fn over(settled: &[Settled], before: Timestamp, too_many: u64, too_much: u64) -> usize {
    let mut bytes = 0;
    let goes = |(n, settled): &(usize, &Settled)| {
        let goes = settled.at < before || (*n as u64) < too_many || bytes < too_much;
        bytes += settled.bytes;
        goes
    };
    settled.iter().enumerate().take_while(goes).count()
}

/// Forgets a batch of keys whose time is over; returns whether it was full.
async fn remove_keys(parts: &Parts) -> Result<bool, StoreError> {
    let now = parts.needs.clock.now();
    let keys = parts.needs.store.keys_over(now, BATCH).await?;
    if keys.is_empty() {
        return Ok(false);
    }
    // Somebody may be using one of them anew.
    let _turns = parts.keys.turns(&keys).await;
    let mut group = Vec::new();
    for key in &keys {
        if parts.needs.store.key(*key).await?.is_none_or(|used| used.until < now) {
            group.push(Change::RemoveKey(*key));
        }
    }
    parts.needs.store.commit(Group(group), Durability::Written).await?;
    Ok(keys.len() == BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::InvocationId;

    #[track_caller]
    fn check(before: u64, too_many: u64, too_much: u64, goes: usize) {
        let settled = |n: u8| Settled {
            at: Timestamp::from_ms(u64::from(n) * 10),
            id: InvocationId::from_bytes([n; 16]),
            bytes: 100,
        };
        let settled: Vec<_> = (0..10).map(settled).collect();
        assert_eq!(over(&settled, Timestamp::from_ms(before), too_many, too_much), goes);
    }

    #[test]
    fn the_oldest_go_until_age_count_and_bytes_are_within_their_limits() {
        check(0, 0, 0, 0);
        check(21, 0, 0, 3);
        check(0, 4, 0, 4);
        check(0, 0, 101, 2);
        check(21, 1, 500, 5);
        check(1_000, 0, 0, 10);
    }
}
