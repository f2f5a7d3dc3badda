//! What a function is given of the messages of a queue. Pure.
//!
//! A batch is one JSON document:
//!
//! ```json
//! {
//!   "namespace": "default", "trigger": "work", "queue": "jobs",
//!   "messages": [{
//!     "id": "0199a3f0-7c1e-4b3a-9d52-6f0c8a1e4b77", "body": "…", "sent_at": "2026-11-21T09:00:00.000Z", "receives": 1,
//!     "attributes": {"size": {"type": "Number", "value": "7"}, "digest": {"type": "Binary", "base64": "AAE="}},
//!     "group": "of a FIFO queue, otherwise null"
//!   }]
//! }
//! ```

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::messaging::queues::{Received, Value};
use crate::model::bounds;
use crate::model::trigger::{Form, Source, Trigger};

/// A payload.
pub(super) struct Rendered {
    pub(super) bytes: Bytes,
    /// Its media type.
    pub(super) content_type: String,
}

/// The payload that is made of the first of these messages (of at least one), and of how many. More than
/// [`bounds::MAX_ASYNC_PAYLOAD_BYTES`] it is for a single one alone, which has to go some way.
pub(super) fn payload(trigger: &Trigger, source: &Source, messages: &[Received]) -> (Rendered, usize) {
    if source.form == Form::Body
        && let [first, ..] = messages
    {
        return (body(first), 1);
    }
    let mut shown: Vec<Json> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let message = told(message);
        bytes += message.to_string().len() + 1;
        if !shown.is_empty() && bytes + ROOM_AROUND > bounds::MAX_ASYNC_PAYLOAD_BYTES {
            break;
        }
        shown.push(message);
    }
    let count = shown.len();
    let document = json!({
        "namespace": trigger.namespace.as_str(),
        "trigger": trigger.name.as_str(),
        "queue": source.queue.as_str(),
        "messages": shown,
    });
    (Rendered { bytes: document.to_string().into(), content_type: JSON.to_owned() }, count)
}

const JSON: &str = "application/json";
/// Bytes of a batch around its messages: three names and their quotes.
const ROOM_AROUND: usize = 512;

fn body(message: &Received) -> Rendered {
    let said = message.attributes.get("content-type").and_then(|attribute| match &attribute.value {
        Value::Text(text) => Some(text.clone()),
        Value::Binary(_) => None,
    });
    let looks = || {
        let document = message.body.trim_start().starts_with(['{', '[']);
        let is_json = document && serde_json::from_str::<serde::de::IgnoredAny>(&message.body).is_ok();
        if is_json { JSON } else { "text/plain; charset=utf-8" }.to_owned()
    };
    Rendered { content_type: said.unwrap_or_else(looks), bytes: message.body.clone().into() }
}

fn told(message: &Received) -> Json {
    let attributes = message.attributes.iter().map(|(name, attribute)| {
        let value = match &attribute.value {
            Value::Text(text) => json!({ "type": attribute.kind, "value": text }),
            Value::Binary(bytes) => json!({ "type": attribute.kind, "base64": STANDARD.encode(bytes) }),
        };
        (name.clone(), value)
    });
    json!({
        "id": message.id.to_string(),
        "body": message.body,
        "sent_at": message.sent.to_string(),
        "receives": message.receives,
        "attributes": attributes.collect::<Map<_, _>>(),
        "group": message.group,
    })
}
