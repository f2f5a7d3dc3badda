//! Answers with a JSON object of everything a handler is told about its invocation.
//!
//! Names are the event's field names with `_` for `-`. `attributes` is a list of `[name, value]` pairs, because a
//! name may occur twice. `payload` is embedded as it stands if it is JSON and is a string otherwise, with U+FFFD in
//! place of bytes that are not UTF-8; `payload_bytes` is its length as it came.

wit_bindgen::generate!({ path: "../../../wit", world: "function" });

use exports::tidemill::function::handler::{Event, Failure, Guest};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// The event as it is written in the answer.
#[derive(Serialize)]
struct Description<'event> {
    id: &'event str,
    function: &'event str,
    version: u32,
    attempt: u32,
    content_type: &'event str,
    accepted_ms: u64,
    deadline_ms: u64,
    chain: &'event [String],
    hop: u32,
    traceparent: Option<&'event str>,
    attributes: &'event [(String, String)],
    payload: Box<RawValue>,
    payload_bytes: usize,
}

struct Describe;

impl Guest for Describe {
    fn handle(event: Event) -> Result<Vec<u8>, Failure> {
        describe(&event).map_err(|error| Failure::Permanent(format!("cannot write the description: {error}")))
    }
}

fn describe(event: &Event) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Description {
        id: &event.id,
        function: &event.function,
        version: event.version,
        attempt: event.attempt,
        content_type: &event.content_type,
        accepted_ms: event.accepted_ms,
        deadline_ms: event.deadline_ms,
        chain: &event.chain,
        hop: event.hop,
        traceparent: event.traceparent.as_deref(),
        attributes: &event.attributes,
        payload: as_json(&event.payload)?,
        payload_bytes: event.payload.len(),
    })
}

/// The payload itself if it is JSON, else its text as a JSON string.
fn as_json(payload: &[u8]) -> serde_json::Result<Box<RawValue>> {
    serde_json::from_slice(payload).or_else(|_| to_raw_value(&String::from_utf8_lossy(payload)))
}

export!(Describe);
