//! The life of an invocation: its state, and [`Invocation::after`], the only function that moves it.
//!
//! ```text
//! Queued ──Claimed──> Running ──Ended, Interrupted──> Queued (a later attempt) ...
//!    │ too old, cancelled │ succeeded, gave up             or
//!    └────────────────────┴────────> Delivering <──Redeliver── Done
//!                                        └──Delivered────────────^
//! ```
//! Pure: no clock, no disk. Recovery after a crash is the event [`Event::Interrupted`] on this same path.

mod accepted;
mod delivery;
mod views;

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

pub use accepted::{Lineage, Mode, PayloadInfo, Policy, Request, RequestHead, Target};
pub use delivery::{Delivery, Undelivered, Way};

use super::bounds;
use super::destination::{Destination, Outside, Terms};
use super::names::InvocationId;
use super::outcome::{Advice, FailedFor, Failure, FailureKind, Outcome};
use super::place::Priority;
use super::time::Timestamp;
use super::usage::Usage;

use delivery::{delivered, delivering, restarted};

/// One request to run a function, with all that settling it needs: nothing else is read then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Its identity.
    pub id: InvocationId,
    /// Whose code runs.
    pub target: Target,
    /// Whether somebody waits for the answer.
    pub mode: Mode,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When it was first due; its age counts from here.
    pub first_due: Timestamp,
    /// What it brings.
    pub request: Request,
    /// Where it comes from.
    pub lineage: Lineage,
    /// How it is treated, copied when it was accepted.
    pub policy: Policy,
    /// How urgent it is among those of its function.
    #[serde(default)]
    pub priority: Priority,
    /// Draws the jitter of its pauses, once for its whole life.
    pub spread: u16,
    /// Its attempts so far, the oldest first; the last [`bounds::MAX_ATTEMPTS_KEPT`] of them.
    pub attempts: Vec<Attempt>,
    /// Where it stands.
    pub state: State,
    /// What its successful attempt gave.
    pub result: Option<PayloadInfo>,
}

/// One run of an invocation's function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1. A number stands twice when the earlier one did not count.
    pub number: NonZeroU32,
    /// When it started.
    pub started: Timestamp,
    /// When and how it ended; `None` while it runs.
    pub end: Option<AttemptEnd>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnd {
    /// When.
    pub at: Timestamp,
    /// Why it gave no result; `None` when it succeeded.
    pub failure: Option<Failure>,
    /// When the next attempt is due, where one follows.
    pub retry_at: Option<Timestamp>,
    /// What it used; `None` where that was not measured, as when the process ended with it.
    #[serde(default)]
    pub usage: Option<Usage>,
}

/// Where an invocation stands. In order of life; each variant holds exactly what is true then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Accepted, or waiting for its next attempt.
    Queued {
        /// When it may run.
        due: Timestamp,
        /// Which attempt that will be.
        attempt: NonZeroU32,
    },
    /// A worker has it.
    Running {
        /// Which attempt.
        attempt: NonZeroU32,
        /// Who has it.
        lease: Lease,
    },
    /// Settled; records of the outcome are on their way out of the runtime.
    Delivering {
        /// How it ended.
        outcome: Outcome,
        /// When it was settled.
        at: Timestamp,
        /// What is still to be brought. Never empty.
        deliveries: Vec<Delivery>,
        /// What was given up.
        undelivered: Vec<Delivery>,
    },
    /// Kept until retention ends.
    Done {
        /// How it ended.
        outcome: Outcome,
        /// When it was settled.
        at: Timestamp,
        /// Deliveries that were given up.
        undelivered: Vec<Delivery>,
    },
}

/// Who has a running invocation. A lease whose owner is gone has ended: the invocation is due again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The process that runs it, by an id drawn when it started.
    pub owner: uuid::Uuid,
}

/// Something that happened to an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker wants to start the attempt that is due.
    Claimed(Lease),
    /// The attempt ended.
    Ended(Result<(), Failure>),
    /// Somebody asked for it to run now.
    Expedited,
    /// The attempt was cut short for a shutdown: it does not count.
    GivenBack,
    /// The process that ran the attempt is gone: it counts.
    Interrupted,
    /// Its time is up. Also found out when it is claimed.
    Aged,
    /// Somebody asked for it to stop.
    Cancelled,
    /// The function was deleted.
    FunctionRemoved,
    /// A try at one of its deliveries ended.
    Delivered(Way, Result<(), Undelivered>),
    /// The deliveries that were given up are to be tried again.
    Redeliver,
}

/// The event cannot happen in that state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to an invocation that is {state:?}")]
pub struct IllegalTransition {
    state: Box<State>,
    event: Box<Event>,
}

impl Invocation {
    /// Writes down what the last attempt used, once it has ended.
    pub fn note_usage(&mut self, usage: Usage) {
        if let Some(end) = self.attempts.last_mut().and_then(|last| last.end.as_mut()) {
            end.usage = Some(usage);
        }
    }

    /// The state after `event`. This is the rule; [`Invocation::apply`] follows it and keeps the record.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event cannot happen now.
    pub fn after(&self, event: &Event, now: Timestamp) -> Result<State, IllegalTransition> {
        match (&self.state, event) {
            (State::Queued { due, attempt }, Event::Claimed(lease)) if now >= *due => {
                Ok(self.claimed(*attempt, *lease, now))
            }
            (State::Queued { .. }, Event::Aged) if now > self.expires() => Ok(self.settled(Outcome::Expired, now)),
            (State::Queued { .. } | State::Running { .. }, Event::Cancelled) => {
                Ok(self.settled(Outcome::Cancelled, now))
            }
            (State::Queued { .. } | State::Running { .. }, Event::FunctionRemoved) => {
                Ok(self.settled(Outcome::Failed(FailedFor::FunctionRemoved), now))
            }
            (State::Running { .. }, Event::Ended(Ok(()))) => Ok(self.settled(Outcome::Succeeded, now)),
            (State::Running { attempt, .. }, Event::Ended(Err(failure))) => {
                Ok(self.failed(*attempt, failure.advice, now))
            }
            (State::Queued { due, attempt }, Event::Expedited) => {
                Ok(State::Queued { due: now.min(*due), attempt: *attempt })
            }
            (State::Running { attempt, .. }, Event::Interrupted) => Ok(self.failed(*attempt, Advice::Retry, now)),
            (State::Running { attempt, .. }, Event::GivenBack) => Ok(State::Queued { due: now, attempt: *attempt }),
            (State::Delivering { outcome, at, deliveries, undelivered }, Event::Delivered(way, end))
                if deliveries.iter().any(|delivery| delivery.way == *way) =>
            {
                let (deliveries, undelivered) = delivered(deliveries, undelivered, *way, end);
                Ok(delivering(*outcome, *at, deliveries, undelivered))
            }
            (State::Done { outcome, at, undelivered }, Event::Redeliver) if !undelivered.is_empty() => {
                Ok(delivering(*outcome, *at, restarted(undelivered, now), Vec::new()))
            }
            (state, event) => Err(IllegalTransition { state: Box::new(state.clone()), event: Box::new(event.clone()) }),
        }
    }

    /// Moves to the state after `event` and writes into `attempts` what it tells about them.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event cannot happen now; nothing has changed then.
    pub fn apply(&mut self, event: &Event, now: Timestamp) -> Result<(), IllegalTransition> {
        let next = self.after(event, now)?;
        if let State::Running { attempt, .. } = next {
            if self.attempts.len() == bounds::MAX_ATTEMPTS_KEPT {
                self.attempts.remove(0);
            }
            if let Some(AttemptEnd { failure: Some(failure), .. }) =
                self.attempts.last_mut().and_then(|last| last.end.as_mut())
            {
                failure.shorten(bounds::MAX_OLD_MESSAGE_BYTES); // the record is written at every step
            }
            self.attempts.reserve_exact(1); // most have one
            self.attempts.push(Attempt { number: attempt, started: now, end: None });
        } else if let (State::Running { .. }, Some(last)) = (&self.state, self.attempts.last_mut()) {
            let retry_at = if let State::Queued { due, .. } = next { Some(due) } else { None };
            last.end = Some(AttemptEnd { at: now, failure: failure_in(event), retry_at, usage: None });
        }
        self.state = next;
        Ok(())
    }

    fn claimed(&self, attempt: NonZeroU32, lease: Lease, now: Timestamp) -> State {
        if now > self.expires() {
            self.settled(Outcome::Expired, now)
        } else if self.lineage.hop() > self.policy.hop_limit {
            self.settled(Outcome::Failed(FailedFor::HopLimitExceeded), now)
        } else {
            State::Running { attempt, lease }
        }
    }

    fn failed(&self, attempt: NonZeroU32, advice: Advice, now: Timestamp) -> State {
        let retry = self.policy.config.retry;
        let pause = retry.pause_after(attempt, self.spread);
        match advice {
            Advice::GiveUp => self.settled(Outcome::Failed(FailedFor::PermanentFailure), now),
            Advice::Postpone(delay) if self.mode == Mode::Async => {
                self.queued(now + delay.max(bounds::MIN_POSTPONE), attempt, now)
            }
            Advice::Retry if retry.allows_after(attempt) => self.queued(now + pause, following(attempt), now),
            Advice::RetryAfter(delay) if retry.allows_after(attempt) => {
                self.queued(now + pause.max(delay), following(attempt), now)
            }
            Advice::Postpone(_) | Advice::Retry | Advice::RetryAfter(_) => {
                self.settled(Outcome::Failed(FailedFor::RetriesExhausted), now)
            }
        }
    }

    /// Waiting until `due`, unless it would be too old by then.
    fn queued(&self, due: Timestamp, attempt: NonZeroU32, now: Timestamp) -> State {
        if due > self.expires() { self.settled(Outcome::Expired, now) } else { State::Queued { due, attempt } }
    }

    fn settled(&self, outcome: Outcome, at: Timestamp) -> State {
        let destinations = &self.policy.config.destinations;
        let first = |to: &Outside, way, terms| Delivery {
            to: to.clone(),
            tries: 0,
            due: at,
            way,
            terms,
            since: Some(at),
            error: None,
        };
        let destination = match destinations.of(outcome) {
            Some((edge, Destination::Outside(to))) if outcome.is_passed_on() => {
                Some(first(to, Way::Destination, destinations.terms(edge).clone()))
            }
            _ => None,
        };
        let callback = self.policy.callback.as_ref().map(|to| first(to, Way::Callback, Terms::default()));
        delivering(outcome, at, destination.into_iter().chain(callback).collect(), Vec::new())
    }
}

fn following(attempt: NonZeroU32) -> NonZeroU32 {
    attempt.saturating_add(1)
}

/// What an event that ends an attempt says about it; `None` when the attempt succeeded.
fn failure_in(event: &Event) -> Option<Failure> {
    let cut = |kind, message: &str| Some(Failure::retry(kind, message));
    match event {
        Event::Ended(Err(failure)) => Some(failure.clone()),
        Event::Interrupted => cut(FailureKind::Interrupted, "the process ended while the attempt ran"),
        Event::GivenBack => cut(FailureKind::Interrupted, "given back at shutdown; this attempt does not count"),
        Event::Cancelled => cut(FailureKind::Interrupted, "cancelled while it ran"),
        Event::FunctionRemoved => cut(FailureKind::Interrupted, "the function was deleted"),
        Event::Aged
        | Event::Claimed(_)
        | Event::Delivered(..)
        | Event::Ended(Ok(()))
        | Event::Expedited
        | Event::Redeliver => None,
    }
}

#[cfg(test)]
mod tests;
