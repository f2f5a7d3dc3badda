//! Receiving: the head of the queue is read and flies for a while. What was received too often goes to the dead-letter
//! queue instead, in the same commit; what is too old goes. Who receives together, `line` says.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::head::{Candidate, kept_from, taken};
use super::keys::{self, Number, Row};
use super::line::Portion;
use super::message::{Message, Past};
use super::queue::{Hands, Queue};
use super::send::{PendingSend, prepare_dead_letter};
use super::state::{Amount, Flight};
use super::{Parts, QueueError, Queues, Receipt, Received};
use crate::model::bounds;
use crate::model::message_queue::{QueuePath, QueueSettings};
use crate::model::time::Timestamp;
use crate::store::form::{decode, encode};
use crate::store::{Change, Durability, Group, StoreError};

/// What a receive asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// How many messages at most; up to [`bounds::MAX_RECEIVE`].
    pub most: usize,
    /// Seconds for which they are hidden from others; `None` leaves it to the queue.
    pub visibility_s: Option<u32>,
    /// Seconds to wait for the first; `None` leaves it to the queue.
    pub wait_s: Option<u32>,
}

/// What a turn is about to do.
#[derive(Default)]
struct Plan {
    changes: Vec<Change>,
    taken: Vec<(Number, Option<Timestamp>, Flight)>,
    removed: Vec<(Number, Option<Timestamp>, u32)>,
    dead: Vec<PendingSend>,
    /// How many more each portion may have.
    open: Vec<usize>,
    /// Each with the place of the portion that it is for.
    messages: Vec<(usize, Received)>,
    /// Bytes of what is received and of dead letters.
    bytes: usize,
}

/// How far a turn has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// There is nothing for those who were given nothing.
    All,
    /// There may be: so much was given to the others that it is enough for one turn.
    Some,
}

/// Wake-ups are hints: a queue that is waited for is looked at this often, of the runtime's time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// For how long a message that cannot be read is out of the others' way.
const DAMAGED_PAUSE: Duration = Duration::from_secs(3_600);

impl Queues {
    /// Receives messages: the first that are due, or, where there are none, those that come while it waits. Each is hidden
    /// from others from now on, for the time that was asked for. Whoever stops waiting receives nothing.
    pub async fn receive(&self, path: &QueuePath, asked: Asked) -> Result<Vec<Received>, QueueError> {
        self.receive_until(path, asked, &CancellationToken::new()).await
    }

    /// The same, where the waiting also ends once it is `cut`. What is being received then is received: nobody else has it.
    pub async fn receive_until(
        &self,
        path: &QueuePath,
        asked: Asked,
        cut: &CancellationToken,
    ) -> Result<Vec<Received>, QueueError> {
        let queue = self.counted(path).await?;
        let parts = &self.parts;
        let settings = queue.settings();
        let (visibility_s, wait_s) =
            (asked.visibility_s.unwrap_or(settings.visibility_s), asked.wait_s.unwrap_or(settings.wait_s));
        bounds::within("visibility_s", visibility_s, &bounds::QUEUE_VISIBILITY_S)?;
        bounds::within("wait_s", wait_s, &bounds::QUEUE_WAIT_S)?;
        bounds::within("max_messages", asked.most as u64, &(1..=bounds::MAX_RECEIVE as u64))?;
        let visibility = Duration::from_secs(visibility_s.into());
        let deadline = parts.clock.now() + Duration::from_secs(wait_s.into());
        loop {
            let mut arrived = std::pin::pin!(queue.arrived.notified());
            arrived.as_mut().enable();
            let turn = self.stand_in_line(&queue, asked.most, visibility).await?;
            let now = parts.clock.now();
            if !turn.messages.is_empty() || now >= deadline {
                return Ok(turn.messages);
            }
            let pause = turn.next.map_or(deadline, |next| next.min(deadline)).since(now).min(LOOK_AGAIN);
            tokio::select! {
                () = arrived => (),
                () = parts.clock.sleep(pause) => (),
                () = cut.cancelled() => return Ok(Vec::new()),
                () = parts.tasks.stopping().cancelled() => return Ok(Vec::new()),
            }
        }
    }
}

impl Parts {
    /// Takes what can be received now, for all of these. An error is for those who were given nothing.
    pub(super) async fn serve(
        self: &Arc<Self>,
        queue: &Arc<Queue>,
        portions: &mut [Portion],
    ) -> Result<Served, QueueError> {
        let settings = queue.settings();
        let most = portions.iter().map(Portion::most).sum();
        loop {
            let now = self.clock.now();
            let mut hands = Hands::of(queue);
            let given: HashSet<_> = portions.iter().flat_map(Portion::numbers).collect();
            let mut candidates = match self.candidates(queue, &settings, most, now).await {
                Err(QueueError::InFlight { .. }) if !given.is_empty() => Vec::new(),
                candidates => candidates?,
            };
            // What is hidden for no time at all is not received twice in the same turn.
            candidates.retain(|it| !given.contains(&it.number()));
            let candidates = taken(&mut hands, queue.is_fifo(), candidates, now);
            let plan = self.plan(queue, &settings, candidates, portions, now).await?;
            let (in_the_way, is_enough) = (plan.removed.len(), plan.is_enough());
            for (at, message) in self.carry_out(queue, plan, hands).await? {
                portions[at].messages.push(message);
            }
            if portions.iter().all(|portion| portion.open() == 0) {
                return Ok(Served::All);
            }
            // What was too old or received too often stood in front of others.
            if in_the_way == 0 {
                return Ok(if is_enough { Served::Some } else { Served::All });
            }
        }
    }

    /// What becomes of the candidates.
    async fn plan(
        self: &Arc<Self>,
        queue: &Arc<Queue>,
        settings: &QueueSettings,
        candidates: Vec<Candidate>,
        portions: &[Portion],
        now: Timestamp,
    ) -> Result<Plan, QueueError> {
        let kept_from = kept_from(settings, now);
        let dead_letters = self.dead_letters(queue, settings).await?;
        let mut plan = Plan { open: portions.iter().map(Portion::open).collect(), ..Plan::default() };
        for candidate in candidates {
            let Some(at) = plan.first_open() else { break };
            let (number, row, flight) = match candidate {
                Candidate::Fresh(row) => (row.number, Some(row), self.first_flight(queue, row, now).await?),
                Candidate::Again(number, flight) => (number, None, flight),
            };
            let Some(bytes) = self.store.document(keys::message(queue.id, number)).await? else {
                plan.remove(queue, number, row, &flight); // its retention has ended
                continue;
            };
            let message = match decode::<Message>(&bytes, || queue.told(number)) {
                Ok(message) => message,
                Err(error) => {
                    tracing::error!(%error, "a message cannot be received and is put aside for an hour");
                    let flight = Flight { until: now + DAMAGED_PAUSE, ..flight };
                    plan.take(queue, number, row, flight);
                    continue;
                }
            };
            // A first flight is made of its row, which lacks the id that the sender chose.
            let flight = Flight { named: message.named.then_some(message.id), ..flight };
            match &dead_letters {
                _ if number < kept_from => plan.remove(queue, number, row, &flight),
                Some((to, most)) if flight.receives >= *most => {
                    let past = Past { receives: flight.past.receives + flight.receives, first: Some(flight.first) };
                    plan.remove(queue, number, row, &flight);
                    plan.bytes += message.bytes as usize;
                    let came_from = Some(format!("{}/{}", queue.path.namespace, queue.path.name));
                    let mut dead = prepare_dead_letter(self, to, Message { came_from, ..message }, past);
                    plan.changes.append(&mut dead.changes);
                    plan.dead.push(dead);
                }
                _ => {
                    let until = now + portions[at].visibility();
                    let flight = Flight { until, taken: now, receives: flight.receives + 1, ..flight };
                    plan.take(queue, number, row, flight);
                    plan.bytes += message.bytes as usize;
                    plan.messages.push((at, received(queue, number, message, &flight)));
                    plan.open[at] -= 1;
                }
            }
        }
        Ok(plan)
    }

    /// The state of a message that was never received here, as if it had just landed.
    async fn first_flight(&self, queue: &Queue, row: Row, now: Timestamp) -> Result<Flight, QueueError> {
        let bytes = self.store.document(keys::row(queue.id, row)).await?;
        let past: Past = bytes.map(|bytes| decode(&bytes, || queue.told(row.number))).transpose()?.unwrap_or_default();
        let first = past.first.unwrap_or(now);
        let Row { bytes, group, .. } = row;
        Ok(Flight { until: now, taken: now, receives: 0, past, first, bytes, group, named: None, busy: false })
    }

    /// Where what was received too often goes, and how often that is. A queue that is gone takes nothing: its letters
    /// stay where they are.
    async fn dead_letters(
        &self,
        queue: &Queue,
        settings: &QueueSettings,
    ) -> Result<Option<(Arc<Queue>, u32)>, QueueError> {
        let Some(redrive) = &settings.redrive else { return Ok(None) };
        let to = QueuePath { namespace: queue.path.namespace.clone(), name: redrive.to.clone() };
        let there = self.catalogue().get(&to).cloned();
        let Some(there) = there else { return Ok(None) };
        there.count(self).await?;
        Ok(Some((there, redrive.max_receives)))
    }

    /// Commits a plan. A receive need not survive a power cut: then the message is visible again, as it would be later.
    async fn carry_out(
        &self,
        queue: &Queue,
        mut plan: Plan,
        hands: Hands,
    ) -> Result<Vec<(usize, Received)>, QueueError> {
        if plan.changes.is_empty() {
            return Ok(Vec::new());
        }
        // With little room left the store refuses what only adds, as a first receive does: a flight. Writing over something
        // that is there says that accepted work moves on, and that is taken while there is any room.
        plan.changes.push(Change::PutDocument(keys::tally(queue.id), encode(&keys::number_at(self.clock.now()))));
        self.store.commit(Group(plan.changes), Durability::Written).await?;
        let unused = hands.without(plan.taken.iter().map(|it| it.0).chain(plan.removed.iter().map(|it| it.0)));
        for (number, due, flight) in plan.taken {
            let mut state = queue.state();
            if let Some(due) = due {
                state.left(due);
                self.flying.fetch_add(1, Ordering::Relaxed);
            }
            state.put(number, flight);
        }
        for (number, due, bytes) in plan.removed {
            self.gone(queue, number, due, bytes);
        }
        drop(unused); // and whoever waits for one of them is told
        plan.dead.into_iter().for_each(PendingSend::committed);
        Ok(plan.messages)
    }

    /// Takes note that a message is no more; `due` where it was never received.
    pub(super) fn gone(&self, queue: &Queue, number: Number, due: Option<Timestamp>, bytes: u32) {
        {
            let mut state = queue.state();
            match due {
                Some(due) => state.left(due),
                None if state.flight(number).is_some() && !state.gone => {
                    self.flying.fetch_sub(1, Ordering::Relaxed);
                }
                None => (),
            }
            state.remove(number);
        }
        queue.forget(Amount { messages: 1, bytes: u64::from(bytes) });
    }

    /// When something can be received that cannot be now.
    pub(super) async fn next(&self, queue: &Queue, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let due = self.next_due(queue).await?.filter(|due| *due > now);
        let ends = queue.state().next_end(now);
        Ok(due.into_iter().chain(ends).min())
    }
}

impl Plan {
    /// Whether one commit should move no more; what is left is for the next.
    const fn is_enough(&self) -> bool {
        self.bytes > bounds::MAX_RECEIVE_BYTES
    }

    /// The place of the portion that the next message is for, if there is to be one.
    fn first_open(&self) -> Option<usize> {
        self.open.iter().position(|open| *open > 0).filter(|_| !self.is_enough())
    }

    /// A message flies.
    fn take(&mut self, queue: &Queue, number: Number, row: Option<Row>, flight: Flight) {
        self.changes.push(Change::PutDocument(keys::flight(queue.id, number), encode(&flight)));
        self.changes.extend(row.map(|row| Change::RemoveDocument(keys::row(queue.id, row))));
        self.taken.push((number, row.map(|row| row.due), flight));
    }

    /// A message goes.
    fn remove(&mut self, queue: &Queue, number: Number, row: Option<Row>, flight: &Flight) {
        self.changes.extend(removal(queue, number, row, flight.named));
        self.removed.push((number, row.map(|row| row.due), flight.bytes));
    }
}

/// What takes a message out of the store.
pub(super) fn removal(
    queue: &Queue,
    number: Number,
    row: Option<Row>,
    named: Option<uuid::Uuid>,
) -> impl Iterator<Item = Change> {
    let place = row.map_or_else(|| keys::flight(queue.id, number), |row| keys::row(queue.id, row));
    let named = named.map(|id| keys::named(queue.id, id));
    [keys::message(queue.id, number), place].into_iter().chain(named).map(Change::RemoveDocument)
}

fn received(queue: &Queue, number: Number, message: Message, flight: &Flight) -> Received {
    Received {
        id: message.id,
        receipt: Receipt { queue: queue.id, number, receive: flight.receives },
        body: message.body,
        attributes: message.attributes,
        sent: message.sent,
        sender: message.sender,
        receives: flight.past.receives + flight.receives,
        first_received: flight.first,
        group: message.group,
        deduplication: message.deduplication,
        sequence: queue.is_fifo().then_some(number),
        trace: message.trace,
        came_from: message.came_from,
    }
}
