//! The head of a queue: which messages can be received, in the order in which they are.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::keys::{self, Number, Row};
use super::queue::{Hands, Queue};
use super::state::Flight;
use super::{Parts, QueueError};
use crate::model::bounds;
use crate::model::message_queue::QueueSettings;
use crate::model::time::Timestamp;
use crate::store::{DocumentRange, StoreError};

/// A message that may be received.
pub(super) enum Candidate {
    Fresh(Row),
    /// It was received before, and its time is over.
    Again(Number, Flight),
}

impl Candidate {
    pub(super) const fn number(&self) -> Number {
        match self {
            Self::Fresh(row) => row.number,
            Self::Again(number, _) => *number,
        }
    }
}

/// Keys that are looked at together for a message whose group is free.
const LOOKAHEAD_PAGE: usize = 500;
/// Candidates beyond those that were asked for, since some turn out to be too old.
const SPARE: usize = 10;

impl Parts {
    /// What can be received, in the order in which it is.
    pub(super) async fn candidates(
        &self,
        queue: &Queue,
        settings: &QueueSettings,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Candidate>, QueueError> {
        let (landed, room) = {
            let state = queue.state();
            if state.gone {
                return Err(queue.unknown());
            }
            let limit = if queue.is_fifo() { self.limits.fifo_in_flight } else { self.limits.in_flight };
            let of_all = self.limits.all_in_flight.saturating_sub(self.flying.load(Ordering::Relaxed));
            let room = limit.saturating_sub(state.flying()).min(of_all);
            (state.landed(now, most + SPARE, queue.is_fifo()), room)
        };
        if queue.is_fifo() {
            let closed = queue.state().groups_in_flight(now, kept_from(settings, now));
            return self.candidates_in_order(queue, most, room, landed, closed, now).await;
        }
        if room == 0 && landed.is_empty() {
            return Err(QueueError::InFlight { path: queue.path.clone(), there: queue.state().flying() });
        }
        let fresh = self.fresh(queue, None, now, (most + SPARE).min(room)).await?;
        let mut candidates: Vec<_> = fresh.into_iter().map(|row| (row.due, Candidate::Fresh(row))).collect();
        candidates.extend(landed.into_iter().map(|(number, flight)| (flight.until, Candidate::Again(number, flight))));
        candidates.sort_by_key(|(since, candidate)| (*since, candidate.number()));
        Ok(candidates.into_iter().map(|(_, candidate)| candidate).take(most + SPARE).collect())
    }

    /// Those of a FIFO queue: in the order of sending, without those of which one before them flies.
    async fn candidates_in_order(
        &self,
        queue: &Queue,
        most: usize,
        room: usize,
        landed: Vec<(Number, Flight)>,
        mut closed: HashSet<u64>,
        now: Timestamp,
    ) -> Result<Vec<Candidate>, QueueError> {
        let mut candidates = Vec::new();
        for (number, flight) in landed {
            if flight.busy {
                closed.insert(flight.group); // somebody deletes it: those behind it wait until that is done
            } else if !closed.contains(&flight.group) {
                candidates.push(Candidate::Again(number, flight));
            }
        }
        let (mut fresh, wanted) = (Vec::new(), (most + SPARE).min(room));
        let (mut after, mut looked_at) = (None, 0);
        while fresh.len() < wanted && looked_at < bounds::MAX_GROUP_LOOKAHEAD {
            let page = self.fresh(queue, after, now, LOOKAHEAD_PAGE).await?;
            looked_at += page.len();
            after = page.last().copied();
            let is_last = page.len() < LOOKAHEAD_PAGE;
            let open = page.into_iter().filter(|row| !closed.contains(&row.group)).map(Candidate::Fresh);
            fresh.extend(open.take(wanted - fresh.len()));
            if is_last {
                break;
            }
        }
        // Cut in the order of sending, so nothing is left out that stands before what is taken.
        candidates.extend(fresh);
        candidates.sort_by_key(Candidate::number);
        candidates.truncate(most + SPARE);
        Ok(candidates)
    }

    /// Messages that were never received and are due, from behind `after`; without it from the head on. With
    /// [`Queue::taking`] held: the head is out of the state meanwhile.
    async fn fresh(
        &self,
        queue: &Queue,
        after: Option<Row>,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let rows = match after {
            Some(after) => self.rows(keys::rows(queue.id).after(keys::row(queue.id, after).key()), limit).await?,
            None => self.first_rows(queue, limit).await?,
        };
        Ok(rows.into_iter().take_while(|row| row.due <= now).collect())
    }

    /// Where the first messages stand that were never received.
    async fn first_rows(&self, queue: &Queue, limit: usize) -> Result<Vec<Row>, StoreError> {
        let Some(head) = queue.state().take_head() else { return Ok(Vec::new()) };
        let found = self.rows(keys::rows_from(queue.id, head), limit).await;
        let first = found.as_ref().map_or(Some(head), |rows| rows.first().copied());
        if let Some(first) = first {
            queue.state().stands(first);
        }
        found
    }

    async fn rows(&self, range: DocumentRange, limit: usize) -> Result<Vec<Row>, StoreError> {
        let keys = self.store.document_keys(range, limit).await?;
        Ok(keys.iter().filter_map(keys::read_row).collect())
    }

    /// When the next message is due of those that were never received.
    pub(super) async fn next_due(&self, queue: &Queue) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.first_rows(queue, 1).await?.first().map(|row| row.due))
    }
}

/// The first number whose retention has not ended.
pub(super) fn kept_from(settings: &QueueSettings, now: Timestamp) -> Number {
    keys::number_at(now.minus(Duration::from_secs(settings.retention_s.into())))
}

/// The candidates that nobody else has in hand. Behind one that is missing, its message group waits.
pub(super) fn taken(hands: &mut Hands, in_order: bool, candidates: Vec<Candidate>, now: Timestamp) -> Vec<Candidate> {
    let (mut closed, mut taken) = (HashSet::new(), Vec::with_capacity(candidates.len()));
    for candidate in candidates {
        let (number, group) = match candidate {
            Candidate::Fresh(row) => (None, row.group),
            Candidate::Again(number, flight) => (Some(number), flight.group),
        };
        if in_order && closed.contains(&group) {
            continue;
        }
        match number.map(|number| (number, hands.take(number))) {
            None => taken.push(candidate),
            Some((number, Some(flight))) if flight.until <= now => taken.push(Candidate::Again(number, flight)),
            Some(_) => drop(closed.insert(group)),
        }
    }
    taken
}
