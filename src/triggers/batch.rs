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
use crate::model::invocation::PayloadInfo;
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
        Value::Text(text) => Some(text.clone()).filter(|text| PayloadInfo::takes(text)),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::messaging::queues::Attribute;
    use crate::model::destination::FunctionTarget;
    use crate::model::names::{FunctionId, FunctionPath, Namespace, Qualifier, TriggerId};
    use crate::model::time::Timestamp;
    use crate::model::trigger::Kind;

    fn source(form: Form) -> Source {
        let queue = "jobs".parse().unwrap();
        Source { queue, batch_size: 10, window: Duration::ZERO, concurrency: 1, form }
    }

    fn trigger() -> Trigger {
        let path = FunctionPath { namespace: Namespace::default(), name: "f".parse().unwrap() };
        let id = FunctionId::from_bytes([1; 16]);
        Trigger {
            id: TriggerId::from_bytes([2; 16]),
            namespace: Namespace::default(),
            name: "work".parse().unwrap(),
            kind: Kind::Queue(source(Form::Batch)),
            target: FunctionTarget { id, path, qualifier: Qualifier::Latest },
            enabled: true,
            created: Timestamp::from_ms(0),
            updated: Timestamp::from_ms(0),
            service_account: None,
        }
    }

    fn message(body: &str) -> Received {
        Received {
            id: uuid::Uuid::from_bytes([3; 16]),
            receipt: "A".repeat(38).parse().unwrap(),
            body: body.to_owned(),
            attributes: BTreeMap::new(),
            sent: Timestamp::from_ms(0),
            sender: None,
            receives: 1,
            first_received: Timestamp::from_ms(0),
            group: None,
            deduplication: None,
            sequence: None,
            trace: None,
            came_from: None,
        }
    }

    #[test]
    fn a_batch_that_would_be_too_large_is_cut_and_a_single_message_goes_whatever_its_size() {
        let third = "x".repeat(bounds::MAX_ASYNC_PAYLOAD_BYTES / 3);
        let (cut, count) = payload(&trigger(), &source(Form::Batch), &[&third; 4].map(|body| message(body)));
        assert_eq!(count, 2);
        assert!(cut.bytes.len() <= bounds::MAX_ASYNC_PAYLOAD_BYTES);
        // A control character takes six bytes of JSON.
        let large = "\u{1}".repeat(bounds::MAX_ASYNC_PAYLOAD_BYTES / 2);
        let (whole, count) = payload(&trigger(), &source(Form::Batch), &[message(&large), message("x")]);
        assert_eq!(count, 1);
        let document: Json = serde_json::from_slice(&whole.bytes).unwrap();
        assert_eq!(document["messages"][0]["body"], large);
    }

    #[test]
    fn a_body_says_what_it_is_or_is_told_by_the_look_of_it() {
        let kind = |message: &Received| {
            let (rendered, count) = payload(&trigger(), &source(Form::Body), std::slice::from_ref(message));
            assert_eq!((count, &rendered.bytes[..]), (1, message.body.as_bytes()));
            rendered.content_type
        };
        assert_eq!(kind(&message(r#"{"a": 1}"#)), "application/json");
        assert_eq!(kind(&message("{high tide")), "text/plain; charset=utf-8");
        let mut said = message("<a/>");
        let value = Value::Text("text/xml".to_owned());
        said.attributes.insert("content-type".to_owned(), Attribute { kind: "String".to_owned(), value });
        assert_eq!(kind(&said), "text/xml");
    }
}
