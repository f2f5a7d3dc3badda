//! Has another function run, as its payload says, and answers with what became of it as JSON.
//!
//! `{"function": "b", "payload": "hello"}` waits for the result; with `"enqueue": true` it goes to the queue instead, and
//! `delay_ms`, `idempotency_key` and `priority` say how. `content_type` is told to the function. `bytes` is a payload of
//! so many zeros. Without `function` it calls itself with the payload it has got, and so on.
//!
//! The answer is `{"id", "content_type", "status", "body"}` of what was waited for, `{"id"}` of what was enqueued, or
//! `{"error", "message", ..}`.

wit_bindgen::generate!({ path: "../../../wit", world: "calling-function" });

use exports::tidemill::function::handler::{Event, Failure, Guest};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill::function::invoke::{self, Error, Options, Priority, Reply};

/// The payload.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    function: Option<String>,
    #[serde(default)]
    payload: String,
    #[serde(default)]
    bytes: usize,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    enqueue: bool,
    #[serde(default)]
    delay_ms: u64,
    idempotency_key: Option<String>,
    #[serde(default)]
    priority: String,
}

struct Caller;

impl Guest for Caller {
    fn handle(event: Event) -> Result<Vec<u8>, Failure> {
        let order: Order =
            serde_json::from_slice(&event.payload).map_err(|error| Failure::Permanent(format!("the payload: {error}")))?;
        Ok(carry_out(&event, &order).to_string().into_bytes())
    }
}

fn carry_out(event: &Event, order: &Order) -> Value {
    let zeros = vec![0; order.bytes];
    let (function, payload) = match &order.function {
        Some(function) if order.bytes > 0 => (function, &zeros[..]),
        Some(function) => (function, order.payload.as_bytes()),
        None => (&event.function, &event.payload[..]),
    };
    if order.enqueue {
        let options = Options {
            delay_ms: order.delay_ms,
            idempotency_key: order.idempotency_key.clone(),
            priority: match order.priority.as_str() {
                "high" => Priority::High,
                "low" => Priority::Low,
                _ => Priority::Normal,
            },
        };
        return match invoke::enqueue(function, payload, &order.content_type, &options) {
            Ok(id) => json!({ "id": id }),
            Err(error) => told(error),
        };
    }
    match invoke::invoke(function, payload, &order.content_type) {
        Ok(reply) => answer(reply),
        Err(error) => told(error),
    }
}

fn answer(reply: Reply) -> Value {
    let body = serde_json::from_slice(&reply.body)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&reply.body).into_owned()));
    json!({ "id": reply.id, "content_type": reply.content_type, "status": reply.status, "body": body })
}

fn told(error: Error) -> Value {
    let (kind, message) = match error {
        Error::Denied(message) => ("denied", message),
        Error::NotFound(message) => ("not-found", message),
        Error::BadRequest(message) => ("bad-request", message),
        Error::TooLarge(message) => ("too-large", message),
        Error::HopLimit(message) => ("hop-limit", message),
        Error::Unavailable(message) => ("unavailable", message),
        Error::Overloaded(told) => {
            let (message, after) = (told.message, told.retry_after_ms);
            return json!({ "error": "overloaded", "message": message, "retry_after_ms": after });
        }
        Error::Failed(failed) => {
            return json!({
                "error": "failed", "message": failed.message, "kind": failed.kind, "id": failed.id,
                "answer": failed.answer.map(answer),
            });
        }
    };
    json!({ "error": kind, "message": message })
}

export!(Caller);
