//! One queue: what it is, what is known of it, and how that is found in the store when it is first used.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, OnceCell};
use uuid::Uuid;

use super::keys::{self, Number};
use super::line::Waiting;
use super::state::{Amount, Claim, Flight, State, Total};
use super::{Parts, QueueError};
use crate::model::message_queue::{QueuePath, QueueSettings};
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::form::decode;

/// A queue as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: Uuid,
    pub(super) path: QueuePath,
    pub(super) settings: QueueSettings,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
}

/// A queue that is open.
pub(super) struct Queue {
    pub(super) id: Uuid,
    pub(super) path: QueuePath,
    pub(super) record: Mutex<Record>,
    state: Mutex<State>,
    /// Held by whoever takes fresh messages out of the order, over the look and the commit.
    pub(super) taking: tokio::sync::Mutex<()>,
    /// Receives that wait for that. Each is somebody's request and has a task that empties it.
    line: Mutex<VecDeque<Waiting>>,
    /// Something can be received.
    pub(super) arrived: Notify,
    /// A commit about a message is over, whatever came of it.
    pub(super) settled: Notify,
    counted: OnceCell<()>,
    pub(super) total: Arc<Total>,
}

/// Flights that are in somebody's hands: nobody else changes them until a commit about them is over.
pub(super) struct Hands {
    queue: Arc<Queue>,
    held: Vec<Number>,
}

impl Hands {
    pub(super) fn of(queue: &Arc<Queue>) -> Self {
        Self { queue: queue.clone(), held: Vec::new() }
    }

    /// Takes a flight, unless somebody else has it or it is gone.
    pub(super) fn take(&mut self, number: Number) -> Option<Flight> {
        let flight = self.queue.state().hold(number)?;
        self.held.push(number);
        Some(flight)
    }

    pub(super) fn has(&self, number: Number) -> bool {
        self.held.contains(&number)
    }

    /// For when the commit is done: `these` are not let go of, since what is noted of them next replaces or removes their
    /// flights. The others remain.
    pub(super) fn without(mut self, these: impl Iterator<Item = Number>) -> Self {
        let these: HashSet<_> = these.collect();
        self.held.retain(|number| !these.contains(number));
        self
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        {
            let mut state = self.queue.state();
            self.held.iter().for_each(|number| state.let_go(*number));
        }
        self.queue.settled.notify_waiters();
    }
}

/// What is being sent: nobody else sends the same until this is dropped.
pub(super) struct Claimed {
    queue: Arc<Queue>,
    claims: Vec<Claim>,
}

impl Claimed {
    /// Nothing so far.
    pub(super) fn of(queue: &Arc<Queue>) -> Self {
        Self { queue: queue.clone(), claims: Vec::new() }
    }

    /// Waits until nobody else sends any of these. They are claimed at once, and none before: two who each held what the
    /// other waits for would wait for ever.
    pub(super) async fn all(queue: &Arc<Queue>, claims: Vec<Claim>) -> Self {
        loop {
            let mut settled = std::pin::pin!(queue.settled.notified());
            settled.as_mut().enable();
            if queue.state().claim(&claims) {
                return Self { queue: queue.clone(), claims };
            }
            settled.await;
        }
    }

    /// Claims one more, unless that is claimed already, and does not wait.
    pub(super) fn take(&mut self, claim: Claim) -> bool {
        let is_taken = self.queue.state().claim(&[claim]);
        self.claims.extend(is_taken.then_some(claim));
        is_taken
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if !self.claims.is_empty() {
            self.queue.state().release(&self.claims);
            self.queue.settled.notify_waiters();
        }
    }
}

/// Figures of one queue.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Which.
    pub path: QueuePath,
    /// Messages that can be received.
    pub visible: u64,
    /// Messages that were received and are hidden.
    pub in_flight: u64,
    /// Messages that are not due yet.
    pub delayed: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// How old the oldest message is.
    pub oldest: Option<Duration>,
}

/// Keys that are gone through at once when a queue is opened.
const PAGE: usize = 10_000;
/// Flights that are read at once then.
const FLIGHTS_PAGE: usize = 1_000;

impl Queue {
    pub(super) fn new(record: Record, total: Arc<Total>) -> Self {
        Self {
            id: record.id,
            path: record.path.clone(),
            record: Mutex::new(record),
            state: Mutex::default(),
            taking: tokio::sync::Mutex::default(),
            line: Mutex::default(),
            arrived: Notify::new(),
            settled: Notify::new(),
            counted: OnceCell::new(),
            total,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn line(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn settings(&self) -> QueueSettings {
        self.record().settings.clone()
    }

    pub(super) fn is_fifo(&self) -> bool {
        self.path.name.is_fifo()
    }

    /// Counts what it holds, the first time. A queue is used by nobody before.
    pub(super) async fn count(&self, parts: &Parts) -> Result<(), QueueError> {
        self.counted.get_or_try_init(|| self.recount(parts)).await.copied()
    }

    async fn recount(&self, parts: &Parts) -> Result<(), QueueError> {
        let mut state = State::default();
        let now = parts.clock.now();
        let mut range = keys::flights(self.id);
        loop {
            let page = parts.store.documents(range.clone(), FLIGHTS_PAGE).await?;
            for (key, bytes) in &page {
                let number = keys::number(key).unwrap_or_default();
                match decode::<Flight>(bytes, || self.told(number)) {
                    Ok(flight) => state.found_flight(number, flight),
                    Err(error) => tracing::error!(%error, "a message that was received cannot be received again"),
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == FLIGHTS_PAGE => range = range.after(last.key()),
                _ => break,
            }
        }
        let mut range = keys::rows(self.id);
        loop {
            let page = parts.store.document_keys(range.clone(), PAGE).await?;
            page.iter().filter_map(keys::read_row).for_each(|row| state.found(row, now));
            match page.last() {
                Some(last) if page.len() == PAGE => range = range.after(last.key()),
                _ => break,
            }
        }
        self.total.add(state.held);
        parts.flying.fetch_add(state.flying(), Ordering::Relaxed);
        *self.state() = state;
        Ok(())
    }

    /// Removes from the counts what it holds no more.
    pub(super) fn forget(&self, less: Amount) {
        let mut state = self.state();
        if !state.gone {
            state.held.messages = state.held.messages.saturating_sub(less.messages);
            state.held.bytes = state.held.bytes.saturating_sub(less.bytes);
            self.total.take(less);
        }
    }

    /// A message of this queue, as an error names it.
    pub(super) fn told(&self, number: Number) -> String {
        format!("the message {number} of the queue {}", self.path)
    }

    pub(super) fn unknown(&self) -> QueueError {
        QueueError::Unknown(self.path.clone())
    }

    /// Figures as they are now.
    pub(super) async fn figures(&self, parts: &Parts) -> Result<Figures, StoreError> {
        let now = parts.clock.now();
        let first = parts.store.document_keys(keys::messages_before(self.id, Number::MAX), 1).await?;
        let oldest = first.first().and_then(keys::number).map(|number| now.since(keys::sent_at(number)));
        let mut state = self.state();
        let (visible, in_flight, delayed) = state.counts(now);
        Ok(Figures { path: self.path.clone(), visible, in_flight, delayed, bytes: state.held.bytes, oldest })
    }
}
