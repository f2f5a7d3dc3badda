//! Sending: a message is checked, counted, written and synced; one that was sent before is not written twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::keys::{self, DeduplicationDigest, Number, Row};
use super::message::{Message, Past};
use super::queue::{Claimed, Queue};
use super::state::{Amount, Claim};
use super::{Outgoing, Parts, QueueError, Queues, Sent};
use crate::model::bounds;
use crate::model::message_queue::QueuePath;
use crate::model::names::Digest;
use crate::model::time::Timestamp;
use crate::store::form::{decode, encode};
use crate::store::{Change, Durability, Group};

/// A send that somebody else commits: together with changes of his own.
#[must_use = "what was prepared is sent when its changes are committed and `committed` was called"]
pub struct PendingSend {
    /// What is to be committed; empty where the message was sent before.
    pub changes: Vec<Change>,
    /// What becomes of it once that is done.
    pub sent: Sent,
    reservation: Reservation,
    /// What nobody else sends meanwhile, unless somebody has that in hand for a whole batch.
    _claimed: Option<Claimed>,
}

/// What is counted while a send is under way.
struct Reservation {
    parts: Arc<Parts>,
    queue: Arc<Queue>,
    /// The message that is counted already and not there yet.
    row: Option<Row>,
}

/// What is known of a message of a FIFO queue for a while, also when it is gone.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) until: Timestamp,
    pub(super) id: Uuid,
    pub(super) number: Number,
}

impl PendingSend {
    /// The changes are committed: whoever waits for messages is told.
    pub fn committed(mut self) {
        self.reservation.arrived();
    }
}

impl Reservation {
    fn arrived(&mut self) {
        if let Some(row) = self.row.take() {
            self.queue.state().arrived(row, self.parts.clock.now());
            self.queue.arrived.notify_one();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(row) = self.row.take() {
            self.queue.forget(Amount { messages: 1, bytes: u64::from(row.bytes) });
            self.queue.state().stands(row); // of a commit that failed nobody knows whether it took place
        }
    }
}

impl Queues {
    /// Sends a message. When this returns it would survive a power cut.
    pub async fn send(&self, path: &QueuePath, outgoing: Outgoing) -> Result<Sent, QueueError> {
        let sent = self.send_all(path, vec![outgoing]).await?;
        sent.into_iter().next().unwrap_or(Err(QueueError::Interrupted))
    }

    /// Sends messages in their order, in one commit; each is sent or refused by itself.
    pub async fn send_all(
        &self,
        path: &QueuePath,
        all: Vec<Outgoing>,
    ) -> Result<Vec<Result<Sent, QueueError>>, QueueError> {
        let queue = self.counted(path).await?;
        let parts = self.parts.clone();
        let sent = async move {
            let (claims, repeated) = claims_of_batch(&queue, &all);
            let _claimed = Claimed::all(&queue, claims).await;
            let mut pending = Vec::with_capacity(all.len());
            for (outgoing, earlier) in all.into_iter().zip(repeated) {
                pending.push(match earlier {
                    Some(earlier) => Err(earlier),
                    None => Ok(prepare(&parts, &queue, outgoing).await),
                });
            }
            let changes = pending.iter_mut().flatten().flatten();
            let changes: Vec<_> = changes.flat_map(|send| std::mem::take(&mut send.changes)).collect();
            if !changes.is_empty() {
                parts.store.commit(Group(changes), Durability::Synced).await?;
            }
            let mut answers: Vec<Result<Sent, QueueError>> = Vec::with_capacity(pending.len());
            for prepared in pending {
                answers.push(match prepared {
                    Ok(Ok(prepared)) => {
                        let sent = prepared.sent.clone();
                        prepared.committed();
                        Ok(sent)
                    }
                    Ok(Err(refused)) => Err(refused),
                    Err(earlier) => answers[earlier].clone(),
                });
            }
            Ok(answers)
        };
        self.see_through(sent).await
    }

    /// What sending a message changes, for a commit that is made by somebody else; who has to commit it [`Synced`] if the
    /// message is acknowledged to anybody. Dropped, nothing was sent. While one is held, the same message cannot be sent
    /// by others: they wait. So whoever holds several asks for them in the order of their queues' names.
    ///
    /// [`Synced`]: Durability::Synced
    pub async fn changes_of_send(&self, path: &QueuePath, outgoing: Outgoing) -> Result<PendingSend, QueueError> {
        let queue = self.counted(path).await?;
        let claimed = Claimed::all(&queue, claims(&queue, &outgoing)).await;
        Ok(PendingSend { _claimed: Some(claimed), ..prepare(&self.parts, &queue, outgoing).await? })
    }
}

/// What nobody else may send meanwhile.
fn claims(queue: &Queue, outgoing: &Outgoing) -> Vec<Claim> {
    let named = outgoing.id.map(|id| (b'i', *id.as_bytes()));
    let known = queue.is_fifo().then(|| deduplication_digest(queue, outgoing)).flatten().map(|digest| (b'd', digest));
    named.into_iter().chain(known).collect()
}

/// What nobody else may send while a batch is sent; and of each of its messages which one before it is the same, if any is.
fn claims_of_batch(queue: &Queue, all: &[Outgoing]) -> (Vec<Claim>, Vec<Option<usize>>) {
    let (mut seen, mut repeated) = (HashMap::new(), Vec::with_capacity(all.len()));
    for (at, outgoing) in all.iter().enumerate() {
        let claims = claims(queue, outgoing);
        repeated.push(claims.iter().find_map(|claim| seen.get(claim)).copied());
        seen.extend(claims.into_iter().map(|claim| (claim, at)));
    }
    (seen.into_keys().collect(), repeated)
}

/// By what a message of a FIFO queue is known again; `None` where it lacks that.
fn deduplication_digest(queue: &Queue, outgoing: &Outgoing) -> Option<DeduplicationDigest> {
    deduplication(queue, outgoing).map(|text| keys::deduplication_digest(&text))
}

fn deduplication(queue: &Queue, outgoing: &Outgoing) -> Option<String> {
    match &outgoing.deduplication {
        Some(text) => Some(text.clone()),
        None if queue.record().settings.content_deduplication => {
            Some(Digest::from_bytes(Sha256::digest(outgoing.body.as_bytes()).into()).to_string())
        }
        None => None,
    }
}

/// Prepares a send of what the caller has claimed.
async fn prepare(parts: &Arc<Parts>, queue: &Arc<Queue>, outgoing: Outgoing) -> Result<PendingSend, QueueError> {
    let delay = check(queue, &outgoing)?;
    let mut reservation = Reservation { parts: parts.clone(), queue: queue.clone(), row: None };
    if let Some(sent) = sent_before(parts, queue, &outgoing).await? {
        return Ok(PendingSend { changes: Vec::new(), sent, reservation, _claimed: None });
    }
    let bytes = u32::try_from(outgoing.size()).unwrap_or(u32::MAX);
    reserve(parts, queue, u64::from(bytes))?;
    let now = parts.clock.now();
    let (number, due) = numbered(queue, now, delay);
    let deduplication = queue.is_fifo().then(|| deduplication(queue, &outgoing)).flatten();
    let message = Message {
        id: outgoing.id.unwrap_or_else(Uuid::new_v4),
        sent: now,
        named: outgoing.id.is_some(),
        body: outgoing.body,
        attributes: outgoing.attributes,
        group: outgoing.group,
        deduplication,
        sender: outgoing.sender,
        trace: outgoing.trace,
        due,
        bytes,
        came_from: None,
    };
    reservation.row = Some(message.row(number, queue.is_fifo()));
    let changes = changes(queue, &message, number, now, Past::default());
    let sent = Sent { id: message.id, sequence: queue.is_fifo().then_some(number) };
    Ok(PendingSend { changes, sent, reservation, _claimed: None })
}

/// The message that comes from another queue because it was received too often there.
pub(super) fn prepare_dead_letter(parts: &Arc<Parts>, queue: &Arc<Queue>, message: Message, past: Past) -> PendingSend {
    let now = parts.clock.now();
    let (number, due) = numbered(queue, now, Duration::ZERO);
    let message = Message { due, named: false, ..message };
    let row = message.row(number, queue.is_fifo());
    let more = Amount { messages: 1, bytes: u64::from(row.bytes) };
    {
        let mut state = queue.state();
        state.held.messages += more.messages;
        state.held.bytes += more.bytes;
    }
    queue.total.add(more); // it is somewhere already: refusing it for want of room would make none
    let changes = vec![
        Change::PutDocument(keys::message(queue.id, number), encode(&message)),
        Change::PutDocument(keys::row(queue.id, row), encode(&past)),
    ];
    let sent = Sent { id: message.id, sequence: queue.is_fifo().then_some(number) };
    let reservation = Reservation { parts: parts.clone(), queue: queue.clone(), row: Some(row) };
    PendingSend { changes, sent, reservation, _claimed: None }
}

fn changes(queue: &Queue, message: &Message, number: Number, now: Timestamp, past: Past) -> Vec<Change> {
    let row = message.row(number, queue.is_fifo());
    let mut changes = vec![
        Change::PutDocument(keys::message(queue.id, number), encode(message)),
        Change::PutDocument(keys::row(queue.id, row), encode(&past)),
    ];
    if message.named {
        changes.push(Change::PutDocument(keys::named(queue.id, message.id), encode(&number)));
    }
    if let Some(deduplication) = &message.deduplication {
        let (digest, until) = (keys::deduplication_digest(deduplication), now + bounds::DEDUPLICATION_WINDOW);
        let known = Known { until, id: message.id, number };
        changes.push(Change::PutDocument(keys::deduplication(queue.id, &digest), encode(&known)));
        changes.push(Change::PutDocument(keys::deduplication_end(queue.id, until, &digest), encode(&())));
    }
    changes
}

/// The number of a message that is sent now, and when it is due.
fn numbered(queue: &Queue, now: Timestamp, delay: Duration) -> (Number, Timestamp) {
    let mut state = queue.state();
    let number = state.next_number(now);
    let due = if queue.is_fifo() { state.due_in_order(now + delay) } else { now + delay };
    (number, due)
}

/// Whether the queue takes such a message, and how long it waits.
fn check(queue: &Queue, outgoing: &Outgoing) -> Result<Duration, QueueError> {
    let settings = queue.settings();
    outgoing.check(settings.max_message_bytes as usize)?;
    let (path, fifo) = (|| queue.path.clone(), queue.is_fifo());
    if fifo && outgoing.group.is_none() {
        return Err(QueueError::Lacks { path: path(), what: "a message group" });
    }
    if fifo && outgoing.deduplication.is_none() && !settings.content_deduplication {
        return Err(QueueError::Lacks {
            path: path(),
            what: "a deduplication id, because the queue does not deduplicate by content",
        });
    }
    if fifo && outgoing.delay_s.is_some_and(|delay| delay > 0) {
        return Err(QueueError::NotFifo { path: path(), what: "a delay" });
    }
    if !fifo && outgoing.deduplication.is_some() {
        return Err(QueueError::FifoOnly { path: path(), what: "a deduplication id" });
    }
    if let Some(delay) = outgoing.delay_s {
        bounds::within("delay_s", delay, &bounds::QUEUE_DELAY_S)?;
    }
    let delay = outgoing.delay_s.filter(|_| !fifo).unwrap_or(settings.delay_s);
    Ok(Duration::from_secs(delay.into()))
}

/// The same message, where it was sent before.
async fn sent_before(parts: &Parts, queue: &Queue, outgoing: &Outgoing) -> Result<Option<Sent>, QueueError> {
    let sequence = |number: Number| queue.is_fifo().then_some(number);
    if let Some(id) = outgoing.id
        && let Some(bytes) = parts.store.document(keys::named(queue.id, id)).await?
    {
        let number: Number = decode(&bytes, || format!("a message's id in the queue {}", queue.path))?;
        return Ok(Some(Sent { id, sequence: sequence(number) }));
    }
    let Some(digest) = queue.is_fifo().then(|| deduplication_digest(queue, outgoing)).flatten() else {
        return Ok(None);
    };
    let Some(bytes) = parts.store.document(keys::deduplication(queue.id, &digest)).await? else { return Ok(None) };
    let known: Known = decode(&bytes, || format!("a deduplication id of the queue {}", queue.path))?;
    let is_known = known.until > parts.clock.now();
    Ok(is_known.then(|| Sent { id: known.id, sequence: sequence(known.number) }))
}

/// Counts a message that is to be sent, if there is room for it.
fn reserve(parts: &Parts, queue: &Queue, bytes: u64) -> Result<(), QueueError> {
    let (limits, more) = (&parts.limits, Amount { messages: 1, bytes });
    let full = |of: String, what, there, limit| Err(QueueError::Full { of, what, there, limit });
    let mut state = queue.state();
    if state.gone {
        return Err(queue.unknown());
    }
    let of = || format!("the queue `{}`", queue.path);
    if state.held.messages >= limits.messages {
        return full(of(), "messages", state.held.messages, limits.messages);
    }
    if state.held.bytes + bytes > limits.bytes {
        return full(of(), "bytes of messages", state.held.bytes, limits.bytes);
    }
    let then = queue.total.add(more);
    let of = || format!("the namespace `{}`", queue.path.namespace);
    let refused = if then.messages > limits.namespace_messages {
        full(of(), "messages", then.messages - 1, limits.namespace_messages)
    } else if then.bytes > limits.namespace_bytes {
        full(of(), "bytes of messages", then.bytes - bytes, limits.namespace_bytes)
    } else {
        state.held.messages += 1;
        state.held.bytes += bytes;
        return Ok(());
    };
    queue.total.take(more);
    refused
}
