//! The life of an invocation: its state, and [`Invocation::after`], the only function that moves it.
//!
//! ```text
//! Queued ──Claimed──> Running ──Ended, Interrupted──> Queued (a later attempt) ...
//!    │ too old, cancelled │ succeeded, gave up             or
//!    └────────────────────┴────────> Delivering <──Redeliver── Done
//!                                        └──Delivered────────────^
//! ```
//! Pure: no clock, no disk. Recovery after a crash is the event [`Event::Interrupted`] on this same path.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::bounds;
use super::destination::{Destination, Destinations, FunctionTarget, Outside, Terms};
use super::function::AsyncConfig;
use super::names::{AccountName, Edge, FunctionId, FunctionPath, InvocationId, Namespace, VersionNumber};
use super::outcome::{Advice, FailedFor, Failure, FailureKind, Outcome, OutcomeKind};
use super::place::{Lane, Place, Priority};
use super::retry::RetryPolicy;
use super::time::Timestamp;
use super::usage::Usage;

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

/// Which version of which function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The function.
    pub function: FunctionId,
    /// What it was called on acceptance, for people.
    pub path: FunctionPath,
    /// The version. `None` when a destination names a version that is gone: it can only fail.
    pub version: Option<VersionNumber>,
}

/// Whether somebody waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Kept in the queue until it settles.
    Async,
    /// Run at once, once; a record of it is kept.
    Sync,
}

/// What an invocation brings besides its payload, which the store keeps apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The payload's size and type.
    pub payload: PayloadInfo,
    /// W3C trace context of the caller.
    pub traceparent: Option<String>,
    /// Header-like pairs that the function is told.
    pub attributes: Vec<(String, String)>,
    /// The head of the HTTP request that it is, where it is one; the payload is its body. A function that answers
    /// requests gets all of it at each attempt.
    #[serde(default)]
    pub head: Option<RequestHead>,
}

/// The head of an HTTP request. Up to [`bounds::MAX_REQUEST_HEAD_BYTES`], for the record is written at every step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHead {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its headers, each value as the bytes that were sent.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl RequestHead {
    /// How much of it there is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        self.method.len() + self.target.len() + headers.sum::<usize>()
    }
}

/// Facts about a payload or a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadInfo {
    /// Its size.
    pub bytes: u64,
    /// Its media type; empty when nobody said.
    pub content_type: String,
}

/// Where an invocation comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The invocations that led here, the root first, this one not included.
    pub chain: Vec<InvocationId>,
    /// The settled invocation that this one repeats.
    pub retry_of: Option<InvocationId>,
}

impl Lineage {
    /// Steps from the root; 0 for a root.
    #[must_use]
    pub fn hop(&self) -> u32 {
        u32::try_from(self.chain.len()).unwrap_or(u32::MAX)
    }
}

/// How an invocation is treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Retries, age limit and destinations.
    pub config: AsyncConfig,
    /// Steps its chain may have.
    pub hop_limit: u32,
    /// Where its caller wants to be told of the outcome, whatever it is, besides.
    #[serde(default)]
    pub callback: Option<Outside>,
    /// The service account for which the destination that led to it invokes the function, if it is for one: it must be
    /// allowed to when it runs.
    #[serde(default)]
    pub invoker: Option<(Namespace, AccountName)>,
}

impl Policy {
    /// That of a synchronous invocation: one attempt, and nothing follows.
    #[must_use]
    pub fn once(hop_limit: u32) -> Self {
        let config =
            AsyncConfig { retry: RetryPolicy::NEVER, destinations: Destinations::default(), ..AsyncConfig::default() };
        Self { config, hop_limit, callback: None, invoker: None }
    }
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

/// The work of bringing one record to one place outside the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Where to.
    pub to: Outside,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next.
    pub due: Timestamp,
    /// What for: no two of an invocation have the same.
    #[serde(default)]
    pub way: Way,
    /// How it is brought there.
    #[serde(default)]
    pub terms: Terms,
    /// When it was first due: its time is counted from here. `None` where that was not noted.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Why the last try failed.
    #[serde(default)]
    pub error: Option<String>,
}

/// What a delivery is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Way {
    /// The destination of the outcome.
    #[default]
    Destination,
    /// The address that the caller of this invocation gave.
    Callback,
}

impl Delivery {
    /// What a receiver knows the delivery by, however often it is tried (`UUIDv5`).
    #[must_use]
    pub fn id(&self, invocation: InvocationId) -> uuid::Uuid {
        let way = match self.way {
            Way::Destination => "delivery",
            Way::Callback => "callback",
        };
        uuid::Uuid::new_v5(&uuid::Uuid::from_bytes(*invocation.as_bytes()), way.as_bytes())
    }
}

/// How a try at a delivery failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// When it is tried again; `None` when it is given up.
    pub retry_at: Option<Timestamp>,
    /// Why, for people.
    pub error: String,
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

    /// Writes down what the last attempt used, once it has ended.
    pub fn note_usage(&mut self, usage: Usage) {
        if let Some(end) = self.attempts.last_mut().and_then(|last| last.end.as_mut()) {
            end.usage = Some(usage);
        }
    }

    /// The failure of the last attempt.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.attempts.last()?.end.as_ref()?.failure.as_ref()
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

/// Settled: on the way out while there is something to bring, done otherwise.
fn delivering(outcome: Outcome, at: Timestamp, deliveries: Vec<Delivery>, undelivered: Vec<Delivery>) -> State {
    if deliveries.is_empty() {
        State::Done { outcome, at, undelivered }
    } else {
        State::Delivering { outcome, at, deliveries, undelivered }
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

/// One delivery was tried: what is left to bring, and what was given up.
fn delivered(
    left: &[Delivery],
    undelivered: &[Delivery],
    way: Way,
    end: &Result<(), Undelivered>,
) -> (Vec<Delivery>, Vec<Delivery>) {
    let (mut still, mut given_up) = (Vec::new(), undelivered.to_vec());
    for delivery in left.iter().cloned() {
        match end {
            _ if delivery.way != way => still.push(delivery),
            Ok(()) => (),
            Err(Undelivered { retry_at, error }) => {
                let (tries, error) = (delivery.tries.saturating_add(1), Some(shortened(error)));
                match retry_at {
                    Some(due) => still.push(Delivery { tries, due: *due, error, ..delivery }),
                    None => given_up.push(Delivery { tries, error, ..delivery }),
                }
            }
        }
    }
    (still, given_up)
}

/// The record is written at every step, so it says why in a few words.
fn shortened(error: &str) -> String {
    error[..error.floor_char_boundary(bounds::MAX_OLD_MESSAGE_BYTES)].to_owned()
}

fn restarted(undelivered: &[Delivery], now: Timestamp) -> Vec<Delivery> {
    let again = |delivery: &Delivery| Delivery { tries: 0, due: now, since: Some(now), ..delivery.clone() };
    undelivered.iter().map(again).collect()
}

#[cfg(test)]
#[path = "invocation_tests.rs"]
mod tests;
