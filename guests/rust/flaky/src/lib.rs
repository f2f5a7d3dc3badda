//! Fails as its payload says, to show and to test what the runtime does about it.
//!
//! The payload is a JSON object, every field of which may be left out:
//!
//! | field | meaning |
//! | --- | --- |
//! | `fail_attempts` | fail on attempts 1 to this one, then succeed; 0 if left out |
//! | `always` | `true`: fail on every attempt |
//! | `kind` | how to fail: `retryable` (if left out), `permanent`, `throttled` or `panic` |
//! | `delay_ms` | for `throttled`: how long to wait before the next call; 1000 if left out |
//!
//! A throttled attempt is not counted, so a `throttled` one comes back with the same number until the invocation is
//! too old. Success is answered with `{"ok_on_attempt":N,"failed_attempts":N-1}`. An empty payload succeeds; one that
//! makes no sense is a permanent failure.

wit_bindgen::generate!({ path: "../../../wit", world: "function" });

use exports::tidemill::function::handler::{Event, Failure, Guest};
use serde::{Deserialize, Serialize};
use tidemill::function::types::Throttle;

/// What the payload asks for.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Plan {
    fail_attempts: u32,
    always: bool,
    kind: Kind,
    delay_ms: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Retryable,
    Permanent,
    Throttled,
    Panic,
}

#[derive(Serialize)]
struct Success {
    ok_on_attempt: u32,
    failed_attempts: u32,
}

const USUAL_DELAY_MS: u64 = 1000;

struct Flaky;

impl Guest for Flaky {
    fn handle(event: Event) -> Result<Vec<u8>, Failure> {
        let plan = Plan::read(&event.payload)?;
        if plan.always || event.attempt <= plan.fail_attempts {
            return Err(plan.failure(event.attempt));
        }
        success(event.attempt)
    }
}

impl Plan {
    fn read(payload: &[u8]) -> Result<Self, Failure> {
        if payload.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(payload)
            .map_err(|error| Failure::Permanent(format!("the payload is not a plan of failures: {error}")))
    }

    fn failure(&self, attempt: u32) -> Failure {
        let message = format!("told to fail on attempt {attempt}");
        match self.kind {
            Kind::Retryable => Failure::Retryable(message),
            Kind::Permanent => Failure::Permanent(message),
            Kind::Throttled => {
                Failure::Throttled(Throttle { message, delay_ms: self.delay_ms.unwrap_or(USUAL_DELAY_MS) })
            }
            Kind::Panic => panic!("told to panic on attempt {attempt}"),
        }
    }
}

fn success(attempt: u32) -> Result<Vec<u8>, Failure> {
    let answer = Success { ok_on_attempt: attempt, failed_attempts: attempt.saturating_sub(1) };
    serde_json::to_vec(&answer).map_err(|error| Failure::Permanent(format!("cannot write the answer: {error}")))
}

export!(Flaky);
