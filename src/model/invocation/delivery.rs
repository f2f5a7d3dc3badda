//! Deliveries of a settled invocation: what is on its way out of the runtime, and what becomes of it when one is tried.

use serde::{Deserialize, Serialize};

use super::State;
use crate::model::bounds;
use crate::model::destination::{Outside, Terms};
use crate::model::names::InvocationId;
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;

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

/// Settled: on the way out while there is something to bring, done otherwise.
pub(super) fn delivering(
    outcome: Outcome,
    at: Timestamp,
    deliveries: Vec<Delivery>,
    undelivered: Vec<Delivery>,
) -> State {
    if deliveries.is_empty() {
        State::Done { outcome, at, undelivered }
    } else {
        State::Delivering { outcome, at, deliveries, undelivered }
    }
}

/// One delivery was tried: what is left to bring, and what was given up.
pub(super) fn delivered(
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

/// What was given up, to be tried again from `now` on.
pub(super) fn restarted(undelivered: &[Delivery], now: Timestamp) -> Vec<Delivery> {
    let again = |delivery: &Delivery| Delivery { tries: 0, due: now, since: Some(now), ..delivery.clone() };
    undelivered.iter().map(again).collect()
}
