//! Writes what a step has come to: the new state with all that follows from it, in one commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::deliver::Stand;
use super::quota::Wanted;
use super::settle::{self, Payloads};
use super::turn::Hold;
use super::{Parts, step};
use crate::model::invocation::{Invocation, Target};
use crate::model::names::InvocationId;
use crate::model::outcome::Outcome;
use crate::model::place::Place;
use crate::store::{Change, Durability, Group, Part, StoreError};

/// What a step wants written.
pub(super) struct ToWrite {
    pub(super) invocation: Invocation,
    pub(super) payloads: Payloads,
    /// What the attempt wrote, where there was one.
    pub(super) log: Option<Bytes>,
}

/// Commits the new state with all that follows from it; returns where the invocation stands in line again.
pub(super) async fn write(parts: &Arc<Parts>, to_write: ToWrite) -> Result<Option<Place>, StoreError> {
    let ToWrite { invocation, payloads, log } = to_write;
    let (id, function, bytes) = (invocation.id, invocation.target.function, invocation.request.payload.bytes);
    let settled = invocation.outcome();
    let back = invocation.place();
    let next = settle::next(parts, &invocation, &payloads, parts.needs.clock.now());
    let _moving = settled.map(|_| parts.quota.moving(function));
    let _next_moving = next.as_ref().map(|(next, _)| parts.quota.moving(next.target.function));

    let stands = Stand::all_of(&invocation);
    let mut group = Vec::with_capacity(5);
    group.extend(stands.iter().map(Stand::put));
    group.extend(log.map(|log| Change::PutBlob(id, Part::Log, log)));
    if invocation.result.is_some() {
        group.push(Change::PutBlob(id, Part::Result, payloads.response));
    }
    group.push(Change::PutInvocation(Box::new(invocation)));
    let following = next.as_ref().and_then(|(next, _)| Following::of(parts, next));
    if let Some((next, record)) = next {
        group.push(Change::PutBlob(next.id, Part::Payload, record));
        group.push(Change::PutInvocation(Box::new(next)));
    }
    // Waiting for the next attempt may be forgotten by a power cut: the attempt then counts as interrupted.
    let durability = if settled.is_some() { Durability::Synced } else { Durability::Written };
    if let Err(error) = commit(parts, id, group, durability).await {
        if settled.is_some() && matches!(error, StoreError::Unknown(_)) {
            parts.unsure().insert(id, (function, bytes));
        }
        return Err(error);
    }
    if let Some((outcome, at)) = settled {
        tracing::debug!(target: "tidemill::ledger", invocation = %id, ?outcome, "settled");
        parts.unsure().remove(&id);
        parts.quota.settled(function, bytes, at);
        if outcome == Outcome::Expired {
            parts.tallies.count(function, |figures| figures.expired += 1);
        }
        parts.deliveries.note(&stands);
        parts.waiters.tell(id);
        parts.one_more_settled();
    }
    if let Some(following) = following {
        following.stands(parts);
    }
    Ok(back)
}

/// The invocation that a settling causes, in our hands until it stands in line: it may be read from the store before
/// the commit is answered.
struct Following {
    in_hand: Hold,
    place: Place,
    target: Target,
    bytes: u64,
}

impl Following {
    fn of(parts: &Arc<Parts>, next: &Invocation) -> Option<Self> {
        let place = next.place()?;
        let mut held = parts.held();
        if held.contains_key(&place.id) {
            return None; // it was written before, and is being worked on
        }
        let mut in_hand = Hold::of(parts, &mut held, place);
        in_hand.gone();
        Some(Self { in_hand, place, target: next.target.clone(), bytes: next.request.payload.bytes })
    }

    fn stands(mut self, parts: &Parts) {
        let Target { function, path, .. } = &self.target;
        parts.quota.add(Wanted { function: *function, namespace: &path.namespace, bytes: self.bytes });
        self.in_hand.back(self.place);
    }
}

/// Commits, and again after a pause while the store refuses for want of room: what has happened is not forgotten
/// because it cannot be written down yet.
pub(super) async fn commit(
    parts: &Parts,
    id: InvocationId,
    group: Vec<Change>,
    durability: Durability,
) -> Result<(), StoreError> {
    let mut unwritten = None;
    loop {
        match parts.needs.store.commit(Group(group.clone()), durability).await {
            Err(refused @ (StoreError::Refused(_) | StoreError::Full(_))) => {
                tracing::warn!(invocation = %id, error = %refused, "what has happened could not be written; trying again");
                if matches!(refused, StoreError::Full(_)) {
                    unwritten.get_or_insert_with(|| Unwritten::count(&parts.unwritten));
                }
                if !step::pause(parts).await {
                    return Err(refused);
                }
            }
            end => return end,
        }
    }
}

/// One more that waits for room to be written down, until it is dropped.
struct Unwritten<'a>(&'a AtomicUsize);

impl<'a> Unwritten<'a> {
    fn count(all: &'a AtomicUsize) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all)
    }
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What an invocation counts as while it waits.
pub(super) fn wanted(invocation: &Invocation) -> Wanted<'_> {
    let Target { function, path, .. } = &invocation.target;
    Wanted { function: *function, namespace: &path.namespace, bytes: invocation.request.payload.bytes }
}
