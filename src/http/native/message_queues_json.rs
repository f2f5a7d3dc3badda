//! How message queues and their messages look in JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::openapi::values;
use super::query::{self, bad};
use crate::http::problem::Problem;
use crate::messaging::queues::{Attribute, Described, Figures, Outgoing, Received, Value};
use crate::model::message_queue::{QueueSettings, Redrive};

/// Settings and tags as people write them; what is absent is as usual.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = MessageQueueSettings)]
pub(super) struct SettingsText {
    #[schema(schema_with = values::visibility_s)]
    visibility_s: Option<u32>,
    #[schema(schema_with = values::delay_s)]
    delay_s: Option<u32>,
    #[schema(schema_with = values::message_retention_s)]
    retention_s: Option<u32>,
    #[schema(schema_with = values::wait_s)]
    wait_s: Option<u32>,
    #[schema(schema_with = values::max_message_bytes)]
    max_message_bytes: Option<u32>,
    redrive: Option<RedriveText>,
    content_deduplication: Option<bool>,
    tags: BTreeMap<String, String>,
}

/// Where messages go that were received too often and never deleted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Redrive)]
struct RedriveText {
    to: String,
    #[schema(schema_with = values::max_receives)]
    max_receives: u32,
}

/// A message as people write it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageToSend)]
pub(super) struct MessageText {
    body: String,
    #[serde(default)]
    attributes: BTreeMap<String, AttributeText>,
    group: Option<String>,
    deduplication_id: Option<String>,
    #[schema(schema_with = values::delay_s)]
    delay_s: Option<u32>,
}

/// An attribute: text, or the base64 of bytes where the type is `Binary`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageAttribute)]
struct AttributeText {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

/// A message queue as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageQueue)]
pub(super) struct QueueOut {
    namespace: String,
    name: String,
    fifo: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    modified_at: String,
    visibility_s: u32,
    delay_s: u32,
    retention_s: u32,
    wait_s: u32,
    max_message_bytes: u32,
    redrive: Option<RedriveText>,
    content_deduplication: bool,
    tags: BTreeMap<String, String>,
    visible: u64,
    in_flight: u64,
    delayed: u64,
    bytes: u64,
    oldest_age_s: Option<f64>,
}

/// A message as it is received.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(super) struct MessageOut {
    id: String,
    receipt: String,
    body: String,
    attributes: BTreeMap<String, AttributeText>,
    #[schema(format = DateTime)]
    sent_at: String,
    sender: Option<String>,
    receives: u32,
    #[schema(format = DateTime)]
    first_received_at: String,
    group: Option<String>,
    deduplication_id: Option<String>,
    sequence_number: Option<String>,
    came_from: Option<String>,
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
    fn of(it: &Attribute) -> Self {
        let value = match &it.value {
            Value::Text(text) => text.clone(),
            Value::Binary(bytes) => STANDARD.encode(bytes),
        };
        Self { kind: it.kind.clone(), value }
    }

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

impl QueueOut {
    /// A queue and what it holds.
    pub(super) fn of(it: &Described, figures: &Figures) -> Self {
        let settings = &it.settings;
        let redrive = |it: &Redrive| RedriveText { to: it.to.to_string(), max_receives: it.max_receives };
        Self {
            namespace: it.path.namespace.to_string(),
            name: it.path.name.to_string(),
            fifo: it.path.name.is_fifo(),
            created_at: it.created.to_string(),
            modified_at: it.modified.to_string(),
            visibility_s: settings.visibility_s,
            delay_s: settings.delay_s,
            retention_s: settings.retention_s,
            wait_s: settings.wait_s,
            max_message_bytes: settings.max_message_bytes,
            redrive: settings.redrive.as_ref().map(redrive),
            content_deduplication: settings.content_deduplication,
            tags: it.tags.clone(),
            visible: figures.visible,
            in_flight: figures.in_flight,
            delayed: figures.delayed,
            bytes: figures.bytes,
            oldest_age_s: figures.oldest.map(|age| age.as_secs_f64()),
        }
    }
}

impl MessageOut {
    /// A message that was received.
    pub(super) fn of(it: &Received) -> Self {
        let attributes = it.attributes.iter().map(|(name, attribute)| (name.clone(), AttributeText::of(attribute)));
        Self {
            id: it.id.to_string(),
            receipt: it.receipt.to_string(),
            body: it.body.clone(),
            attributes: attributes.collect(),
            sent_at: it.sent.to_string(),
            sender: it.sender.clone(),
            receives: it.receives,
            first_received_at: it.first_received.to_string(),
            group: it.group.clone(),
            deduplication_id: it.deduplication.clone(),
            sequence_number: it.sequence.map(|number| number.to_string()),
            came_from: it.came_from.clone(),
        }
    }
}
