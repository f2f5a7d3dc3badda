//! What of an outcome is sent, in the form that the terms of its destination ask for. Pure, and the same at every try:
//! what has settled does not change.
//!
//! | format | body |
//! | --- | --- |
//! | `record` | the record ([`crate::model::record`]) |
//! | `payload` | the bare result; of anything but a success the record |
//! | `cloudevent` | a `CloudEvent` 1.0 as one JSON document, with the record as its data |
//! | `cloudevent-binary` | for webhooks the record, with the attributes as headers; elsewhere as `cloudevent` |

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Message;
use crate::model::bounds;
use crate::model::destination::{Format, OutsideKind};
use crate::model::invocation::{Delivery, Invocation};
use crate::model::names::InvocationId;
use crate::model::outcome::Outcome;
use crate::model::record::{self, Content};
use crate::model::time::Timestamp;

/// Media type of a `CloudEvent` in one JSON document.
const EVENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
/// What the attributes of a `CloudEvent` take beside its data, at most.
const ENVELOPE_BYTES: usize = 4 * 1_024;
/// What a service may count besides: names and headers.
const BESIDE_BYTES: usize = 16 * 1_024;

/// What an invocation brought and gave, as far as it is needed.
#[derive(Clone, Debug)]
pub struct Payloads {
    /// What it brought.
    pub request: Known,
    /// What it gave.
    pub response: Known,
}

/// Bytes, or only how many there are.
#[derive(Clone, Debug)]
pub enum Known {
    /// All of them.
    Whole(Bytes),
    /// So many, which are too many for a record.
    LeftOut(u64),
}

impl Known {
    fn content(&self) -> Content<'_> {
        match self {
            Self::Whole(bytes) => Content::Whole(bytes),
            Self::LeftOut(bytes) => Content::LeftOut(usize::try_from(*bytes).unwrap_or(usize::MAX)),
        }
    }
}

/// What is sent, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The bytes.
    pub body: Bytes,
    /// Their media type; empty where nobody said.
    pub content_type: String,
    /// What stands beside them.
    pub headers: Vec<(String, String)>,
}

/// Whether a rendering in that format needs the whole result, however large it is.
pub fn needs_result(format: Format, outcome: Outcome) -> bool {
    format == Format::Payload && outcome == Outcome::Succeeded
}

/// What is brought to the destination of `delivery`.
pub fn message(
    invocation: &Invocation,
    (outcome, settled): (Outcome, Timestamp),
    delivery: &Delivery,
    payloads: &Payloads,
) -> Result<Message, serde_json::Error> {
    let id = delivery.id(invocation.id);
    let limit = match delivery.to.kind {
        OutsideKind::Queue | OutsideKind::Topic => Some(bounds::MAX_QUEUE_RECORD_BYTES),
        OutsideKind::Stream => Some(bounds::MAX_STREAM_RECORD_BYTES - BESIDE_BYTES),
        OutsideKind::Object | OutsideKind::Webhook => None,
    };
    let format = match (delivery.terms.format, delivery.to.kind) {
        (Format::CloudEventBinary, OutsideKind::Webhook) => Format::CloudEventBinary,
        (Format::CloudEventBinary, _) => Format::CloudEvent,
        (format, _) => format,
    };
    let rendering = Rendering { invocation, outcome, settled, id: id.to_string(), payloads, limit };
    let Rendered { body, content_type, mut headers } = rendering.render(format)?;
    headers.push(("tidemill-invocation-id".to_owned(), invocation.id.to_string()));
    let chain = invocation.lineage.chain.iter().copied().chain([invocation.id]);
    let chain: Vec<_> = chain.collect();
    headers.push(("tidemill-chain".to_owned(), joined(&chain)));
    headers.push(("tidemill-outcome".to_owned(), outcome.kind().as_str().to_owned()));
    headers.extend(invocation.request.traceparent.iter().map(|trace| ("traceparent".to_owned(), trace.clone())));
    let path = &invocation.target.path;
    Ok(Message {
        id,
        body,
        content_type,
        headers,
        namespace: path.namespace.clone(),
        function: path.name.clone(),
        invocation: invocation.id,
        chain,
        settled,
        outcome: outcome.kind(),
    })
}

fn joined(chain: &[InvocationId]) -> String {
    chain.iter().map(InvocationId::to_string).collect::<Vec<_>>().join(",")
}

/// What the next function of a chain is given, whose invocation is `next`. A bare result that is larger than any
/// payload gives way to the record, which says how large it is.
pub fn payload(
    invocation: &Invocation,
    (outcome, settled): (Outcome, Timestamp),
    format: Format,
    next: InvocationId,
    payloads: &Payloads,
) -> Result<Rendered, serde_json::Error> {
    let format = match (format, &payloads.response) {
        (Format::CloudEventBinary, _) => Format::CloudEvent,
        (Format::Payload, Known::Whole(result)) if result.len() > bounds::MAX_ASYNC_PAYLOAD_BYTES => Format::Record,
        (format, _) => format,
    };
    Rendering { invocation, outcome, settled, id: next.to_string(), payloads, limit: None }.render(format)
}

struct Rendering<'a> {
    invocation: &'a Invocation,
    outcome: Outcome,
    settled: Timestamp,
    /// What the receiver knows it by.
    id: String,
    payloads: &'a Payloads,
    /// Bytes that a record may have.
    limit: Option<usize>,
}

/// The attributes of an event, and its data; named as the specification has them.
#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    r#type: String,
    subject: String,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

impl Rendering<'_> {
    fn render(&self, format: Format) -> Result<Rendered, serde_json::Error> {
        match (format, &self.payloads.response) {
            (Format::Payload, Known::Whole(result)) if self.outcome == Outcome::Succeeded => {
                let content_type = self.invocation.result.as_ref().map(|info| info.content_type.clone());
                let content_type = content_type.unwrap_or_default();
                Ok(Rendered { body: result.clone(), content_type, headers: Vec::new() })
            }
            (Format::Record | Format::Payload, _) => self.plain(Vec::new()),
            (Format::CloudEventBinary, _) => {
                let Event { specversion, id, source, r#type, subject, time, .. } = self.event(None);
                let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
                self.plain(vec![
                    header("ce-specversion", specversion),
                    header("ce-id", id),
                    header("ce-source", &source),
                    header("ce-type", &r#type),
                    header("ce-subject", &subject),
                    header("ce-time", &time),
                ])
            }
            (Format::CloudEvent, _) => {
                let record = self.record(self.limit.map(|limit| limit - ENVELOPE_BYTES))?;
                let data: Box<RawValue> = serde_json::from_slice(&record)?;
                let body = serde_json::to_vec(&self.event(Some(data)))?;
                Ok(Rendered { body: body.into(), content_type: EVENT_TYPE.to_owned(), headers: Vec::new() })
            }
        }
    }

    fn plain(&self, headers: Vec<(String, String)>) -> Result<Rendered, serde_json::Error> {
        let body = self.record(self.limit)?.into();
        Ok(Rendered { body, content_type: record::CONTENT_TYPE.to_owned(), headers })
    }

    fn record(&self, limit: Option<usize>) -> Result<Vec<u8>, serde_json::Error> {
        let (request, response) = (self.payloads.request.content(), self.payloads.response.content());
        record::render_within(self.invocation, self.outcome, request, response, limit)
    }

    fn event(&self, data: Option<Box<RawValue>>) -> Event<'_> {
        Event {
            specversion: "1.0",
            id: &self.id,
            source: record::urn(self.invocation),
            r#type: format!("tidemill.invocation.{}", self.outcome.kind().as_str()),
            subject: self.invocation.id.to_string(),
            time: self.settled.to_string(),
            traceparent: self.invocation.request.traceparent.as_deref(),
            datacontenttype: record::CONTENT_TYPE,
            data,
        }
    }
}
