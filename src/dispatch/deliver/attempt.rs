//! One try at one delivery: load it, bring it, write what came of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::stand::Stand;
use crate::clock;
use crate::delivery::{self, Known, Message, NotSent, Payloads};
use crate::dispatch::Parts;
use crate::dispatch::turn::STORE_PAUSE;
use crate::dispatch::write;
use crate::model::bounds;
use crate::model::invocation::{Delivery, Event, Invocation, Undelivered};
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;
use crate::store::{Change, Durability, Group, Part, StoreError};

/// When a delivery whose record is damaged is looked at again: nothing mends it while the store is open.
const DAMAGED_PAUSE: Duration = Duration::from_secs(3_600);

/// A try that is under way. When it is dropped, by a panic too, its lane is looked at again.
struct UnderWay<'a> {
    parts: &'a Parts,
    stand: Stand,
    /// Whether the target did not answer well; `None` where nothing is known of that.
    failing: Option<bool>,
    /// When the lane is looked at again: later where it is not known what has happened.
    later: Option<Timestamp>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.parts.deliveries.lanes().ended(&self.stand, self.failing, self.later);
        self.parts.deliveries.wake.notify_one();
        self.parts.needs.wake.notify_one(); // whoever waits for all to end
    }
}

/// Why a try came to nothing of its own.
enum Stuck {
    /// The process is to stop: it is tried again after the next start.
    Stopping,
    Store(StoreError),
    /// A bug of ours: it cannot be written as it should be sent.
    Unwritable(serde_json::Error),
}

impl From<StoreError> for Stuck {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Tries once.
pub(super) async fn run(parts: &Parts, stand: Stand) {
    let now = parts.needs.clock.now();
    let mut under_way = UnderWay { parts, stand, failing: None, later: Some(now + STORE_PAUSE) };
    match carry_out(parts, &stand).await {
        Ok(failing) => (under_way.failing, under_way.later) = (failing, None),
        Err(Stuck::Stopping) => (),
        Err(Stuck::Store(error @ StoreError::Damaged { .. })) => {
            tracing::error!(invocation = %stand.id, %error, "a delivery is damaged: it is kept and tried again in an hour");
            put_off(parts, &stand).await;
        }
        Err(Stuck::Store(error)) => {
            tracing::error!(invocation = %stand.id, %error, "a try at a delivery could not be written; trying again");
        }
        Err(Stuck::Unwritable(error)) => {
            tracing::error!(invocation = %stand.id, %error, "a delivery cannot be written as its format wants: a bug");
            put_off(parts, &stand).await;
        }
    }
}

/// Out of the way of the others: its document moves, its record stays as it is.
async fn put_off(parts: &Parts, stand: &Stand) {
    let later = Stand { due: parts.needs.clock.now() + DAMAGED_PAUSE, ..*stand };
    let group = Group(vec![stand.remove(), later.put()]);
    if let Err(error) = parts.needs.store.commit(group, Durability::Written).await {
        tracing::error!(invocation = %stand.id, %error, "a delivery could not be put off");
    }
}

/// Returns whether the target is failing, where that is known.
async fn carry_out(parts: &Parts, stand: &Stand) -> Result<Option<bool>, Stuck> {
    let Some((invocation, settled, delivery)) = find(parts, stand).await? else {
        // Its invocation was removed, or it was brought, or moved, and this stayed behind.
        if stand.is_there(&*parts.needs.store).await? {
            parts.needs.store.commit(Group(vec![stand.remove()]), Durability::Written).await?;
            parts.deliveries.pending.fetch_sub(1, Ordering::Relaxed);
        }
        return Ok(None);
    };
    let needed = needed_bytes(&invocation, settled.0, &delivery);
    let room = Arc::clone(&parts.deliveries.room).acquire_many_owned(needed).await; // it is never closed
    let message = message(parts, &invocation, settled, &delivery).await?;
    drop(invocation);
    let sent = tokio::select! {
        sent = parts.needs.carrier.send(&delivery.to, &delivery.terms, &message) => sent,
        () = parts.give_back.cancelled() => return Err(Stuck::Stopping),
    };
    drop((message, room));
    parts.deliveries.tries.fetch_add(1, Ordering::Relaxed);
    let failing = matches!(sent, Err(NotSent::Retry { .. }));
    written(parts, stand, &delivery, settled.1, sent).await?;
    Ok(Some(failing))
}

type Found = (Invocation, (Outcome, Timestamp), Delivery);

/// What is to be brought. Whoever read where it stood may have been overtaken by a try that failed: then it is due later
/// than that, and stands elsewhere.
async fn find(parts: &Parts, stand: &Stand) -> Result<Option<Found>, StoreError> {
    let Some(invocation) = parts.needs.store.invocation(stand.id).await? else { return Ok(None) };
    let is_it = |delivery: &&Delivery| delivery.way == stand.way && delivery.due <= stand.due;
    let delivery = invocation.deliveries().0.iter().find(is_it).cloned();
    Ok(invocation.outcome().zip(delivery).map(|(settled, delivery)| (invocation, settled, delivery)))
}

/// What a try at it holds in memory, about: what it is made of, and what is made.
fn needed_bytes(invocation: &Invocation, outcome: Outcome, delivery: &Delivery) -> u32 {
    let result = invocation.result.as_ref().map_or(0, |info| info.bytes);
    let bytes = if delivery::needs_result(delivery.terms.format, outcome) {
        result
    } else {
        4 * bounds::MAX_RECORD_PAYLOAD_BYTES
            .min(usize::try_from(result + invocation.request.payload.bytes).unwrap_or(0)) as u64
    };
    u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, bounds::MAX_DELIVERY_BYTES)
}

async fn message(
    parts: &Parts,
    invocation: &Invocation,
    settled: (Outcome, Timestamp),
    delivery: &Delivery,
) -> Result<Message, Stuck> {
    let whole = delivery::needs_result(delivery.terms.format, settled.0);
    let result = invocation.result.as_ref().map_or(0, |info| info.bytes);
    let payloads = Payloads {
        request: known(parts, invocation, Part::Payload, invocation.request.payload.bytes, false).await?,
        response: known(parts, invocation, Part::Result, result, whole).await?,
    };
    delivery::message(invocation, settled, delivery, &payloads).map_err(Stuck::Unwritable)
}

/// The bytes, unless there are more than a record takes and `whole` does not ask for them.
async fn known(
    parts: &Parts,
    invocation: &Invocation,
    part: Part,
    bytes: u64,
    whole: bool,
) -> Result<Known, StoreError> {
    if !whole && bytes > bounds::MAX_RECORD_PAYLOAD_BYTES as u64 {
        return Ok(Known::LeftOut(bytes));
    }
    Ok(Known::Whole(parts.needs.store.blob(invocation.id, part).await?.unwrap_or_default()))
}

/// Writes what a try came to.
async fn written(
    parts: &Parts,
    stand: &Stand,
    delivery: &Delivery,
    settled: Timestamp,
    sent: Result<(), NotSent>,
) -> Result<(), Stuck> {
    let _turn = parts.deliveries.turn_of(stand.id).await;
    // Again: its other delivery may have ended meanwhile.
    let Some((mut invocation, ..)) = find(parts, stand).await? else { return Ok(()) };
    let now = parts.needs.clock.now();
    let budget_ends = delivery.since.unwrap_or(settled) + parts.needs.delivery_budget;
    let end = sent.map_err(|not_sent| {
        let error = not_sent.to_string();
        let retry_at = pause(&not_sent, delivery.tries, clock::spread()).map(|pause| now + pause);
        Undelivered { retry_at: retry_at.filter(|at| *at <= budget_ends), error }
    });
    let (to, tries) = (delivery.to.told(), delivery.tries + 1);
    let applied = invocation.apply(&Event::Delivered(stand.way, end.clone()), now);
    if let Err(illegal) = applied {
        tracing::error!(invocation = %stand.id, %illegal, "a bug: a delivery could not be written");
        return Ok(());
    }
    let namespace = invocation.target.path.namespace.clone();
    let mut group = vec![stand.remove()];
    let again = Stand::all_of(&invocation).into_iter().find(|again| again.way == stand.way);
    group.extend(again.iter().map(Stand::put));
    group.push(Change::PutInvocation(Box::new(invocation)));
    // A power cut may forget that it is to be tried later: it is tried at once then.
    let when = if again.is_some() { Durability::Written } else { Durability::Synced };
    write::commit(parts, stand.id, group, when).await?;
    parts.deliveries.tally.count(&namespace, delivery, |figures| {
        figures.tries += 1;
        figures.delivered += u64::from(end.is_ok());
        figures.given_up += u64::from(end.is_err() && again.is_none());
    });
    match end {
        Ok(()) => {
            tracing::debug!(target: "tidemill::ledger", invocation = %stand.id, %to, tries, "delivered");
            parts.deliveries.delivered.fetch_add(1, Ordering::Relaxed);
        }
        Err(Undelivered { retry_at: Some(_), error }) => {
            tracing::info!(invocation = %stand.id, %to, tries, error, "a delivery failed; it is tried again");
        }
        Err(Undelivered { retry_at: None, error }) => {
            tracing::warn!(
                invocation = %stand.id, %to, tries, error,
                "a delivery is given up: `tidemill deliveries redrive` has it tried again"
            );
            parts.deliveries.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }
    if again.is_none() {
        parts.deliveries.pending.fetch_sub(1, Ordering::Relaxed);
    }
    Ok(())
}

/// How long to wait before the next try, after `tries` before this one: half of it fixed, half drawn. `None` where no
/// other will do.
fn pause(not_sent: &NotSent, tries: u32, spread: u16) -> Option<Duration> {
    let NotSent::Retry { after, .. } = not_sent else { return None };
    let most = bounds::DELIVERY_DELAY.saturating_mul(2_u32.saturating_pow(tries)).min(bounds::DELIVERY_DELAY_MAX);
    let drawn = most / 2 * u32::from(spread) / u32::from(u16::MAX);
    let asked = after.unwrap_or_default().min(bounds::DELIVERY_ASKED_MAX);
    Some((most / 2 + drawn).max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tries: u32, after: Option<u64>, spread: u16, expected_ms: u64) {
        let not_sent = NotSent::Retry { why: String::new(), after: after.map(Duration::from_secs) };
        assert_eq!(pause(&not_sent, tries, spread), Some(Duration::from_millis(expected_ms)));
    }

    #[test]
    fn pauses_double_up_to_ten_minutes_and_half_of_each_is_drawn() {
        check(0, None, 0, 500);
        check(0, None, u16::MAX, 1_000);
        check(3, None, 0, 4_000);
        check(3, None, u16::MAX, 8_000);
        check(40, None, u16::MAX, 600_000);
        check(0, Some(7), 0, 7_000);
        check(9, Some(7), 0, 256_000);
        check(0, Some(1_000_000), 0, 3_600_000);
        assert_eq!(pause(&NotSent::never("gone"), 0, 0), None);
    }
}
