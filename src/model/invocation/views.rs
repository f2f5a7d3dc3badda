//! What follows from an invocation as it stands: its place in the queue, its outcome, whom it leads to. Changes nothing.

use super::{Delivery, Invocation, Mode, State, Target};
use crate::model::destination::{Destination, FunctionTarget};
use crate::model::names::Edge;
use crate::model::outcome::{Failure, Outcome, OutcomeKind};
use crate::model::place::{Lane, Place};
use crate::model::time::Timestamp;

impl Invocation {
    /// The instant after which no attempt starts.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.first_due + self.policy.config.max_event_age
    }

    /// Where it stands in the queue, while it does. One that runs stands where it is found by whoever comes after a
    /// crash: due at once.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let due = match &self.state {
            State::Queued { due, .. } => *due,
            State::Running { .. } => {
                self.attempts.last().map_or(self.first_due, |last| last.started.min(self.first_due))
            }
            State::Delivering { .. } | State::Done { .. } => return None,
        };
        let Target { function, version, .. } = self.target;
        let lane = Lane { function, version, priority: self.priority };
        Some(Place { id: self.id, lane, due, expires: self.expires() })
    }

    /// How it ended and when, once that is settled.
    #[must_use]
    pub const fn outcome(&self) -> Option<(Outcome, Timestamp)> {
        match self.state {
            State::Queued { .. } | State::Running { .. } => None,
            State::Delivering { outcome, at, .. } | State::Done { outcome, at, .. } => Some((outcome, at)),
        }
    }

    /// Among which settled ones it is kept, and since when: one whose outcome could not be told is kept as those that
    /// failed are, from when that was given up.
    #[must_use]
    pub fn kept_as(&self) -> Option<(OutcomeKind, Timestamp)> {
        match &self.state {
            State::Done { undelivered, at, .. } if !undelivered.is_empty() => {
                let given_up = undelivered.iter().map(|delivery| delivery.due).max();
                Some((OutcomeKind::Failed, given_up.map_or(*at, |given_up| given_up.max(*at))))
            }
            _ => self.outcome().map(|(outcome, at)| (outcome.kind(), at)),
        }
    }

    /// What of it is on its way out, or was given up: the first are pending.
    #[must_use]
    pub fn deliveries(&self) -> (&[Delivery], &[Delivery]) {
        match &self.state {
            State::Queued { .. } | State::Running { .. } => (&[], &[]),
            State::Delivering { deliveries, undelivered, .. } => (deliveries, undelivered),
            State::Done { undelivered, .. } => (&[], undelivered),
        }
    }

    /// Attempts that count against the limit.
    #[must_use]
    pub fn attempts_used(&self) -> u32 {
        match self.state {
            State::Queued { attempt, .. } => attempt.get() - 1,
            State::Running { attempt, .. } => attempt.get(),
            State::Delivering { .. } | State::Done { .. } => match self.attempts.last() {
                Some(last) => last.number.get(),
                None => 0,
            },
        }
    }

    /// Whether it failed with nobody to tell: it then stays among its function's dead letters.
    #[must_use]
    pub fn is_dead_letter(&self) -> bool {
        match (self.mode, self.outcome()) {
            (Mode::Async, Some((outcome @ (Outcome::Failed(_) | Outcome::Expired), _))) => {
                !outcome.is_passed_on() || self.policy.config.destinations.of(outcome).is_none()
            }
            _ => false,
        }
    }

    /// The function that its outcome leads to, if any.
    #[must_use]
    pub fn leads_to(&self) -> Option<(Edge, &FunctionTarget)> {
        let (outcome, _) = self.outcome().filter(|(outcome, _)| outcome.is_passed_on())?;
        match self.policy.config.destinations.of(outcome)? {
            (edge, Destination::Function(target)) => Some((edge, target)),
            (_, Destination::Outside(_)) => None,
        }
    }

    /// The failure of the last attempt.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.attempts.last()?.end.as_ref()?.failure.as_ref()
    }
}
