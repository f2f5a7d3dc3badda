//! What is known in memory of one queue: counts, and the messages that were received and not deleted. Everything in it is
//! found again in the store when the queue is opened; a backlog that nobody has received is not in it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::{self, Number, Row};
use super::message::Past;
use crate::model::time::Timestamp;

/// A message that was received and not deleted. Until its time is over nobody else receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flight {
    pub(super) until: Timestamp,
    /// When it was received last.
    pub(super) taken: Timestamp,
    /// Receives in this queue.
    pub(super) receives: u32,
    pub(super) past: Past,
    /// When it was received first, in any queue.
    pub(super) first: Timestamp,
    pub(super) bytes: u32,
    pub(super) group: u64,
    /// Its id, where its sender chose it.
    pub(super) named: Option<Uuid>,
    /// A commit about it is under way: nobody else touches it.
    #[serde(skip)]
    pub(super) busy: bool,
}

/// Something that only one may be sending at once: a deduplication id, or an id that the sender chose.
pub(super) type Claim = (u8, [u8; 16]);

/// Messages and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// What all queues of a namespace hold.
#[derive(Debug, Default)]
pub(super) struct Total {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Total {
    pub(super) fn add(&self, held: Amount) -> Amount {
        let messages = self.messages.fetch_add(held.messages, Ordering::Relaxed) + held.messages;
        let bytes = self.bytes.fetch_add(held.bytes, Ordering::Relaxed) + held.bytes;
        Amount { messages, bytes }
    }

    pub(super) fn take(&self, held: Amount) {
        self.messages.fetch_sub(held.messages, Ordering::Relaxed);
        self.bytes.fetch_sub(held.bytes, Ordering::Relaxed);
    }
}

/// What is known of a queue.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The highest number that a message was given.
    last: Number,
    /// The latest due time: in a FIFO queue nothing is due before what was sent before it.
    last_due: Timestamp,
    /// Messages that were never received.
    fresh: u64,
    /// No such message stands before this one; `None` where there is none. So nobody who looks for the first goes through
    /// the places of all that were received before.
    head: Option<Row>,
    /// All that it holds, what is being sent included.
    pub(super) held: Amount,
    flights: HashMap<Number, Flight>,
    /// The same by when they end.
    ends: BTreeSet<(Timestamp, Number)>,
    /// Fresh messages that are not due yet, by the second they are due in.
    delayed: BTreeMap<u64, u64>,
    /// What is being sent, and may not be sent twice.
    claims: HashSet<Claim>,
    /// It is being purged.
    pub(super) purging: bool,
    /// It was deleted.
    pub(super) gone: bool,
}

impl State {
    /// The number of the next message, which is sent at `now`.
    pub(super) fn next_number(&mut self, now: Timestamp) -> Number {
        self.last = keys::number_at(now).max(self.last + 1);
        self.last
    }

    /// The number that no message has reached yet.
    pub(super) fn end(&self) -> Number {
        self.last + 1
    }

    /// When a message of a FIFO queue is due that would be at `due` by itself.
    pub(super) fn due_in_order(&mut self, due: Timestamp) -> Timestamp {
        self.last_due = self.last_due.max(due);
        self.last_due
    }

    /// Takes note of a message that was found when the queue was opened.
    pub(super) fn found(&mut self, row: Row, now: Timestamp) {
        self.last = self.last.max(row.number);
        self.last_due = self.last_due.max(row.due);
        self.held.messages += 1;
        self.held.bytes += u64::from(row.bytes);
        self.arrived(row, now);
    }

    /// Takes note of a flight that was found when the queue was opened.
    pub(super) fn found_flight(&mut self, number: Number, flight: Flight) {
        self.last = self.last.max(number);
        self.held.messages += 1;
        self.held.bytes += u64::from(flight.bytes);
        self.put(number, flight);
    }

    /// A message can be received from its due time on.
    pub(super) fn arrived(&mut self, row: Row, now: Timestamp) {
        self.fresh += 1;
        self.stands(row);
        if row.due > now {
            *self.delayed.entry(second(row.due)).or_default() += 1;
        }
    }

    /// A message may stand there that was never received.
    pub(super) fn stands(&mut self, row: Row) {
        self.head = Some(self.head.map_or(row, |head| head.min(row)));
    }

    /// Where those stand at the earliest that were never received, for whoever looks there now and says by
    /// [`stands`](Self::stands) what he has found. What arrives meanwhile says so too.
    pub(super) fn take_head(&mut self) -> Option<Row> {
        self.head.take()
    }

    /// A message that was never received is no more, or flies.
    pub(super) fn left(&mut self, due: Timestamp) {
        self.fresh = self.fresh.saturating_sub(1);
        if let Some(count) = self.delayed.get_mut(&second(due)) {
            *count = count.saturating_sub(1);
        }
    }

    /// A message flies, as this says.
    pub(super) fn put(&mut self, number: Number, flight: Flight) {
        if let Some(before) = self.flights.insert(number, flight) {
            self.ends.remove(&(before.until, number));
        }
        self.ends.insert((flight.until, number));
    }

    /// A message flies no more.
    pub(super) fn remove(&mut self, number: Number) {
        if let Some(before) = self.flights.remove(&number) {
            self.ends.remove(&(before.until, number));
        }
    }

    pub(super) fn flight(&self, number: Number) -> Option<&Flight> {
        self.flights.get(&number)
    }

    /// The flight, from now on in the caller's hands alone; `None` where it is in somebody else's, or gone.
    pub(super) fn hold(&mut self, number: Number) -> Option<Flight> {
        let flight = self.flights.get_mut(&number).filter(|flight| !flight.busy)?;
        let found = *flight;
        flight.busy = true;
        Some(found)
    }

    /// Gives back what was held.
    pub(super) fn let_go(&mut self, number: Number) {
        if let Some(flight) = self.flights.get_mut(&number) {
            flight.busy = false;
        }
    }

    /// How many were received and not deleted.
    pub(super) fn flying(&self) -> usize {
        self.flights.len()
    }

    /// Flights that are over, in the order in which they ended; those of a FIFO queue in the order of sending.
    pub(super) fn landed(&self, now: Timestamp, most: usize, in_order: bool) -> Vec<(Number, Flight)> {
        let over = self.ends.range(..=(now, Number::MAX));
        let found = over.filter_map(|(_, number)| Some((*number, *self.flights.get(number)?)));
        if !in_order {
            return found.filter(|(_, flight)| !flight.busy).take(most).collect();
        }
        let mut all: Vec<_> = found.collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        all
    }

    /// Groups of which something flies, from a number on: what is older has had its time.
    pub(super) fn groups_in_flight(&self, now: Timestamp, from: Number) -> HashSet<u64> {
        let open = self.ends.range((now, Number::MAX)..).filter(|(until, _)| *until > now);
        let kept = open.filter(|(_, number)| *number >= from);
        kept.filter_map(|(_, number)| Some(self.flights.get(number)?.group)).collect()
    }

    /// When the next flight ends.
    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.ends.range((now, Number::MAX)..).map(|(until, _)| *until).find(|until| *until > now)
    }

    /// How many can be received, fly, and are not due yet.
    pub(super) fn counts(&mut self, now: Timestamp) -> (u64, u64, u64) {
        let open = self.ends.range(..=(now, Number::MAX)).count();
        let in_flight = self.flights.len().saturating_sub(open) as u64;
        self.delayed = self.delayed.split_off(&(second(now) + 1));
        let delayed: u64 = self.delayed.values().sum();
        (self.fresh.saturating_sub(delayed) + open as u64, in_flight, delayed)
    }

    /// Whether all of `claims` could be made; none was otherwise.
    pub(super) fn claim(&mut self, claims: &[Claim]) -> bool {
        if claims.iter().any(|claim| self.claims.contains(claim)) {
            return false;
        }
        self.claims.extend(claims);
        true
    }

    pub(super) fn release(&mut self, claims: &[Claim]) {
        for claim in claims {
            self.claims.remove(claim);
        }
    }
}

/// The second in which something is due has passed once the next one has begun.
fn second(at: Timestamp) -> u64 {
    at.as_ms().div_ceil(1_000)
}
