//! fresh-function: greets by name. `{"name": "Ada"}` is answered with `{"greeting": "hello, Ada", "attempt": 1}`.

// What goes in and how to fail is in wit/function.wit; this makes Rust of it.
wit_bindgen::generate!({ path: "wit", world: "function" });

use exports::tidemill::function::handler::{Event, Failure, Guest};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {
    name: String,
    /// Stands for something that is needed and not there: the first so many attempts fail.
    #[serde(default)]
    busy_attempts: u32,
}

#[derive(Serialize)]
struct Answer {
    greeting: String,
    attempt: u32,
}

struct Function;

impl Guest for Function {
    fn handle(event: Event) -> Result<Vec<u8>, Failure> {
        // It makes no sense, however often it is tried: no further attempt.
        let request: Request = serde_json::from_slice(&event.payload)
            .map_err(|error| Failure::Permanent(format!("the payload is not a request: {error}")))?;
        if event.attempt <= request.busy_attempts {
            // It may work another time, as when a service does not answer: tried again, with growing pauses.
            return Err(Failure::Retryable("busy: it may work another time".to_owned()));
        }
        let answer = Answer { greeting: format!("hello, {}", request.name), attempt: event.attempt };
        serde_json::to_vec(&answer).map_err(|error| Failure::Permanent(error.to_string()))
    }
}

export!(Function);
