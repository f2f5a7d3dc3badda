//! What is done with a receipt: the message is deleted, or visible at another time. And a queue is emptied.

use std::sync::Arc;
use std::time::Duration;

use super::keys::{self, Number};
use super::queue::{Hands, Queue};
use super::receive::removal;
use super::state::Flight;
use super::{Parts, QueueError, Queues, Receipt};
use crate::model::bounds;
use crate::model::message_queue::QueuePath;
use crate::store::form::encode;
use crate::store::{Change, Durability, Group};

/// A removal of messages that somebody else commits: together with changes of his own.
#[must_use = "what was prepared is removed when its changes are committed and `committed` was called"]
pub struct PendingRemoval {
    /// What is to be committed; empty where the messages are gone already.
    pub changes: Vec<Change>,
    held: Held,
}

/// Messages that nobody else touches meanwhile.
struct Held {
    parts: Arc<Parts>,
    queue: Arc<Queue>,
    flights: Vec<(Number, Flight)>,
    hands: Hands,
}

impl Held {
    fn new(parts: &Arc<Parts>, queue: &Arc<Queue>) -> Self {
        Self { parts: parts.clone(), queue: queue.clone(), flights: Vec::new(), hands: Hands::of(queue) }
    }
}

impl PendingRemoval {
    /// The changes are committed.
    pub fn committed(self) {
        let Held { parts, queue, flights, hands } = self.held;
        let hands = hands.without(flights.iter().map(|(number, _)| *number));
        for (number, flight) in flights {
            parts.gone(&queue, number, None, flight.bytes);
        }
        drop(hands); // and whoever waits for one of them is told
        queue.arrived.notify_one(); // a message group may be free now
    }

    /// How many messages it removes; those that are gone already do not count.
    pub fn count(&self) -> usize {
        self.held.flights.len()
    }
}

impl Queues {
    /// Deletes a message. When this returns it would stay deleted after a power cut. One that is gone, or that somebody
    /// else has received since, is left alone, which is no error; but a FIFO queue says when a receipt has expired.
    pub async fn delete(&self, path: &QueuePath, receipt: Receipt) -> Result<(), QueueError> {
        let deleted = self.delete_all(path, vec![receipt]).await?;
        deleted.into_iter().next().unwrap_or(Err(QueueError::Interrupted))
    }

    /// Deletes messages in one commit; each is deleted or refused by itself.
    pub async fn delete_all(
        &self,
        path: &QueuePath,
        receipts: Vec<Receipt>,
    ) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        let queue = self.counted(path).await?;
        let parts = self.parts.clone();
        let deleted = async move {
            let mut held = Held::new(&parts, &queue);
            let answers = hold_all(&receipts, &mut held).await;
            let removal = pending(held);
            if !removal.changes.is_empty() {
                parts.store.commit(Group(removal.changes.clone()), Durability::Synced).await?;
            }
            removal.committed();
            Ok(answers)
        };
        self.see_through(deleted).await
    }

    /// What deleting messages changes, for a commit that is made by somebody else. Dropped, nothing was deleted; while it
    /// is held, nobody else receives or deletes them. Receipts of messages that are gone change nothing.
    pub async fn removal_of(&self, path: &QueuePath, receipts: &[Receipt]) -> Result<PendingRemoval, QueueError> {
        let queue = self.counted(path).await?;
        let mut held = Held::new(&self.parts, &queue);
        hold_all(receipts, &mut held).await.into_iter().collect::<Result<(), _>>()?;
        Ok(pending(held))
    }

    /// Makes a message visible again so many seconds from now.
    pub async fn change_visibility(
        &self,
        path: &QueuePath,
        receipt: Receipt,
        visibility_s: u32,
    ) -> Result<(), QueueError> {
        bounds::within("visibility_s", visibility_s, &bounds::QUEUE_VISIBILITY_S)?;
        let queue = self.counted(path).await?;
        let parts = self.parts.clone();
        let changed = async move {
            let mut held = Held::new(&parts, &queue);
            hold(receipt, &mut held).await?;
            let now = parts.clock.now();
            let flying = held.flights.first().copied().filter(|(_, flight)| flight.until > now);
            let Some((number, flight)) = flying else { return Err(QueueError::NotInFlight) };
            let until = now + Duration::from_secs(visibility_s.into());
            let most = *bounds::QUEUE_VISIBILITY_S.end();
            if until.since(flight.taken) > Duration::from_secs(most.into()) {
                let left = Duration::from_secs(most.into()).saturating_sub(now.since(flight.taken));
                return Err(bounds::OutOfRange {
                    field: "visibility_s",
                    value: visibility_s.into(),
                    min: 0,
                    max: left.as_secs(),
                }
                .into());
            }
            let flight = Flight { until, busy: false, ..flight };
            let group = Group(vec![Change::PutDocument(keys::flight(queue.id, number), encode(&flight))]);
            parts.store.commit(group, Durability::Written).await?;
            let hands = held.hands.without(std::iter::once(number));
            queue.state().put(number, flight);
            drop(hands); // and whoever waits for it is told
            queue.arrived.notify_one();
            Ok(())
        };
        self.see_through(changed).await
    }

    /// Removes every message that was sent before now.
    pub async fn purge(&self, path: &QueuePath) -> Result<(), QueueError> {
        let queue = self.counted(path).await?;
        let parts = self.parts.clone();
        let end = {
            let mut state = queue.state();
            if std::mem::replace(&mut state.purging, true) {
                return Err(QueueError::Purging(path.clone()));
            }
            state.end()
        };
        let purged = async move {
            let done = parts.remove_before(&queue, end).await;
            queue.state().purging = false;
            done
        };
        self.see_through(purged).await
    }
}

/// [`hold`] for each receipt, with its answer at its place. They are taken in the order of the messages: two who each held
/// what the other waits for would wait for ever.
async fn hold_all(receipts: &[Receipt], held: &mut Held) -> Vec<Result<(), QueueError>> {
    let mut order: Vec<_> = (0..receipts.len()).collect();
    order.sort_by_key(|at| receipts[*at].number);
    let mut answers = vec![Ok(()); receipts.len()];
    for at in order {
        answers[at] = hold(receipts[at], held).await;
    }
    answers
}

/// Takes the message of a receipt out of everybody else's hands, if it is still what the receipt says.
async fn hold(receipt: Receipt, held: &mut Held) -> Result<(), QueueError> {
    let (parts, queue) = (held.parts.clone(), held.queue.clone());
    if held.hands.has(receipt.number) {
        return Ok(()); // it stands twice in a batch
    }
    if receipt.queue != queue.id {
        return Err(QueueError::Receipt(receipt.to_string()));
    }
    loop {
        let mut settled = std::pin::pin!(queue.settled.notified());
        settled.as_mut().enable();
        let flight = {
            let state = queue.state();
            if state.gone {
                return Err(queue.unknown());
            }
            let Some(flight) = state.flight(receipt.number).copied() else { return Ok(()) };
            flight
        };
        let expired = queue.is_fifo() && flight.until <= parts.clock.now();
        if flight.receives != receipt.receive || expired {
            return if queue.is_fifo() { Err(QueueError::ReceiptExpired) } else { Ok(()) };
        }
        match held.hands.take(receipt.number) {
            // Between the look and the taking it may have been received again.
            Some(flight) if flight.receives == receipt.receive => {
                held.flights.push((receipt.number, flight));
                return Ok(());
            }
            Some(_) => return if queue.is_fifo() { Err(QueueError::ReceiptExpired) } else { Ok(()) },
            None => settled.await,
        }
    }
}

fn pending(held: Held) -> PendingRemoval {
    let removals = held.flights.iter().map(|(number, flight)| removal(&held.queue, *number, None, flight.named));
    let changes = removals.flatten().collect();
    PendingRemoval { changes, held }
}
