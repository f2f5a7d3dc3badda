//! How message queues and their messages look in JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::query::{self, bad};
use crate::http::problem::Problem;
use crate::messaging::queues::{Attribute, Described, Figures, Outgoing, Received, Value};
use crate::model::message_queue::{QueueSettings, Redrive};

/// Settings and tags as people write them; what is absent is as usual.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SettingsText {
    visibility_s: Option<u32>,
    delay_s: Option<u32>,
    retention_s: Option<u32>,
    wait_s: Option<u32>,
    max_message_bytes: Option<u32>,
    redrive: Option<RedriveText>,
    content_deduplication: Option<bool>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RedriveText {
    to: String,
    max_receives: u32,
}

/// A message as people write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageText {
    body: String,
    #[serde(default)]
    attributes: BTreeMap<String, AttributeText>,
    group: Option<String>,
    deduplication_id: Option<String>,
    delay_s: Option<u32>,
}

/// An attribute: text, or the base64 of bytes where the type is `Binary`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeText {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

impl SettingsText {
    pub(super) fn read(self) -> Result<(QueueSettings, BTreeMap<String, String>), Problem> {
        let usual = QueueSettings::default();
        let redrive = match self.redrive {
            None => None,
            Some(text) => Some(Redrive { to: query::parsed(&text.to)?, max_receives: text.max_receives }),
        };
        let settings = QueueSettings {
            visibility_s: self.visibility_s.unwrap_or(usual.visibility_s),
            delay_s: self.delay_s.unwrap_or(usual.delay_s),
            retention_s: self.retention_s.unwrap_or(usual.retention_s),
            wait_s: self.wait_s.unwrap_or(usual.wait_s),
            max_message_bytes: self.max_message_bytes.unwrap_or(usual.max_message_bytes),
            redrive,
            content_deduplication: self.content_deduplication.unwrap_or(usual.content_deduplication),
        };
        Ok((settings, self.tags))
    }
}

impl MessageText {
    pub(super) fn read(self) -> Result<Outgoing, Problem> {
        let attributes: Result<_, Problem> =
            self.attributes.into_iter().map(|(name, text)| Ok((name.clone(), text.read(&name)?))).collect();
        Ok(Outgoing {
            body: self.body,
            attributes: attributes?,
            group: self.group,
            deduplication: self.deduplication_id,
            delay_s: self.delay_s,
            ..Outgoing::default()
        })
    }
}

impl AttributeText {
    fn read(self, name: &str) -> Result<Attribute, Problem> {
        let value = if self.kind.split('.').next() == Some("Binary") {
            let bytes = STANDARD.decode(&self.value).map_err(|error| {
                bad("bad_message", format!("the value of the attribute `{name}` is no base64: {error}"))
            })?;
            Value::Binary(bytes)
        } else {
            Value::Text(self.value)
        };
        Ok(Attribute { kind: self.kind, value })
    }
}

/// A queue and what it holds.
pub(super) fn queue(it: &Described, figures: &Figures) -> Json {
    let settings = &it.settings;
    json!({
        "namespace": it.path.namespace.as_str(),
        "name": it.path.name.as_str(),
        "fifo": it.path.name.is_fifo(),
        "created_at": it.created.to_string(),
        "modified_at": it.modified.to_string(),
        "visibility_s": settings.visibility_s,
        "delay_s": settings.delay_s,
        "retention_s": settings.retention_s,
        "wait_s": settings.wait_s,
        "max_message_bytes": settings.max_message_bytes,
        "redrive": settings.redrive.as_ref().map(|it| json!({ "to": it.to.as_str(), "max_receives": it.max_receives })),
        "content_deduplication": settings.content_deduplication,
        "tags": it.tags,
        "visible": figures.visible,
        "in_flight": figures.in_flight,
        "delayed": figures.delayed,
        "bytes": figures.bytes,
        "oldest_age_s": figures.oldest.map(|age| age.as_secs_f64()),
    })
}

/// A message that was received.
pub(super) fn message(it: &Received) -> Json {
    let attributes: serde_json::Map<_, _> =
        it.attributes.iter().map(|(name, attribute)| (name.clone(), self::attribute(attribute))).collect();
    json!({
        "id": it.id.to_string(),
        "receipt": it.receipt.to_string(),
        "body": it.body,
        "attributes": attributes,
        "sent_at": it.sent.to_string(),
        "sender": it.sender,
        "receives": it.receives,
        "first_received_at": it.first_received.to_string(),
        "group": it.group,
        "deduplication_id": it.deduplication,
        "sequence_number": it.sequence.map(|number| number.to_string()),
        "came_from": it.came_from,
    })
}

fn attribute(it: &Attribute) -> Json {
    let value = match &it.value {
        Value::Text(text) => text.clone(),
        Value::Binary(bytes) => STANDARD.encode(bytes),
    };
    json!({ "type": it.kind, "value": value })
}
