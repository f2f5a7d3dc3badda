//! Attributes of queues: settings and figures as SQS calls and writes them, all of them text.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::error::SqsError;
use super::input::number;
use super::names;
use crate::messaging::queues::{Described, Figures};
use crate::model::message_queue::{QueueName, QueuePath, QueueSettings, Redrive};

/// Attributes that can be read, those that SQS has and this does not included: those are never set.
const READABLE: [&str; 22] = [
    "All",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

/// What a request wants to change of a queue's settings.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    visibility_s: Option<u32>,
    delay_s: Option<u32>,
    retention_s: Option<u32>,
    wait_s: Option<u32>,
    max_message_bytes: Option<u32>,
    redrive: WantedRedrive,
    content_deduplication: Option<bool>,
}

/// What is to become of a queue's dead letters.
#[derive(Debug, Default)]
enum WantedRedrive {
    #[default]
    AsItIs,
    None,
    This(Redrive),
}

impl Wanted {
    /// Reads attributes that are to be set on the queue `path`.
    pub(super) fn read(attributes: &BTreeMap<String, String>, path: &QueuePath) -> Result<Self, SqsError> {
        let mut wanted = Self::default();
        for (name, value) in attributes {
            let count = || {
                let refused = || invalid(name, value, "a whole number");
                value.parse::<u32>().map_err(|_| refused())
            };
            match name.as_str() {
                "VisibilityTimeout" => wanted.visibility_s = Some(count()?),
                "DelaySeconds" => wanted.delay_s = Some(count()?),
                "MessageRetentionPeriod" => wanted.retention_s = Some(count()?),
                "ReceiveMessageWaitTimeSeconds" => wanted.wait_s = Some(count()?),
                "MaximumMessageSize" => wanted.max_message_bytes = Some(count()?),
                "RedrivePolicy" => wanted.redrive = redrive(value, path)?,
                "ContentBasedDeduplication" => wanted.content_deduplication = Some(switch(name, value)?),
                "FifoQueue" if switch(name, value)? == path.name.is_fifo() => (),
                "FifoQueue" => {
                    let why = "what the name says: a queue keeps order if and only if its name ends in `.fifo`";
                    return Err(invalid(name, value, why));
                }
                known if READABLE.contains(&known) => {
                    let message = format!("the attribute {name} cannot be set here");
                    return Err(SqsError::named("InvalidAttributeName", message));
                }
                _ => return Err(unknown(name)),
            }
        }
        Ok(wanted)
    }

    /// The queue that messages are to be sent to which nobody can take.
    pub(super) const fn dead_letters_to(&self) -> Option<&QueueName> {
        match &self.redrive {
            WantedRedrive::This(redrive) => Some(&redrive.to),
            WantedRedrive::AsItIs | WantedRedrive::None => None,
        }
    }

    /// Changes what was asked for, and nothing else.
    pub(super) fn apply(self, settings: &mut QueueSettings) {
        let put = |of: &mut u32, wanted: Option<u32>| *of = wanted.unwrap_or(*of);
        put(&mut settings.visibility_s, self.visibility_s);
        put(&mut settings.delay_s, self.delay_s);
        put(&mut settings.retention_s, self.retention_s);
        put(&mut settings.wait_s, self.wait_s);
        put(&mut settings.max_message_bytes, self.max_message_bytes);
        match self.redrive {
            WantedRedrive::AsItIs => (),
            WantedRedrive::None => settings.redrive = None,
            WantedRedrive::This(redrive) => settings.redrive = Some(redrive),
        }
        settings.content_deduplication = self.content_deduplication.unwrap_or(settings.content_deduplication);
    }
}

fn invalid(name: &str, value: &str, what: &str) -> SqsError {
    let told: String = value.chars().take(200).collect();
    SqsError::named("InvalidAttributeValue", format!("the attribute {name} is `{told}`: it has to be {what}"))
}

fn unknown(name: &str) -> SqsError {
    let told: String = name.chars().take(100).collect();
    SqsError::named("InvalidAttributeName", format!("there is no attribute `{told}`"))
}

fn switch(name: &str, value: &str) -> Result<bool, SqsError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(name, value, "`true` or `false`")),
    }
}

/// A redrive policy; an empty one is none.
fn redrive(value: &str, path: &QueuePath) -> Result<WantedRedrive, SqsError> {
    if value.is_empty() || value == "{}" {
        return Ok(WantedRedrive::None);
    }
    let refused = || invalid("RedrivePolicy", value, "JSON with `deadLetterTargetArn` and `maxReceiveCount`");
    let policy: Value = serde_json::from_str(value).map_err(|_| refused())?;
    let arn = policy.get("deadLetterTargetArn").and_then(Value::as_str).ok_or_else(refused)?;
    let max_receives = policy.get("maxReceiveCount").and_then(number).ok_or_else(refused)?;
    let to = names::of_arn(arn).map_err(SqsError::of_attribute)?;
    if to.namespace != path.namespace {
        return Err(invalid("RedrivePolicy", value, "about a queue of the same namespace"));
    }
    Ok(WantedRedrive::This(Redrive { to: to.name, max_receives }))
}

/// The attributes of a queue that were asked for.
pub(super) fn shown(names: &[&str], queue: &Described, figures: &Figures) -> Result<Value, SqsError> {
    let wanted: BTreeSet<_> = names.iter().copied().collect();
    if let Some(other) = wanted.iter().find(|name| !READABLE.contains(name)) {
        return Err(unknown(other));
    }
    let settings = &queue.settings;
    let fifo = queue.path.name.is_fifo();
    let redrive = settings.redrive.as_ref().map(|redrive| {
        let to = QueuePath { name: redrive.to.clone(), ..queue.path.clone() };
        json!({ "deadLetterTargetArn": names::arn(&to), "maxReceiveCount": redrive.max_receives }).to_string()
    });
    let seconds = |at: crate::model::time::Timestamp| Some((at.as_ms() / 1_000).to_string());
    let all = [
        ("QueueArn", Some(names::arn(&queue.path))),
        ("CreatedTimestamp", seconds(queue.created)),
        ("LastModifiedTimestamp", seconds(queue.modified)),
        ("VisibilityTimeout", Some(settings.visibility_s.to_string())),
        ("DelaySeconds", Some(settings.delay_s.to_string())),
        ("MessageRetentionPeriod", Some(settings.retention_s.to_string())),
        ("ReceiveMessageWaitTimeSeconds", Some(settings.wait_s.to_string())),
        ("MaximumMessageSize", Some(settings.max_message_bytes.to_string())),
        ("RedrivePolicy", redrive),
        ("FifoQueue", fifo.then(|| "true".to_owned())),
        ("ContentBasedDeduplication", fifo.then(|| settings.content_deduplication.to_string())),
        ("ApproximateNumberOfMessages", Some(figures.visible.to_string())),
        ("ApproximateNumberOfMessagesNotVisible", Some(figures.in_flight.to_string())),
        ("ApproximateNumberOfMessagesDelayed", Some(figures.delayed.to_string())),
    ];
    let is_wanted = |name: &str| wanted.contains("All") || wanted.contains(name);
    let shown = all.into_iter().filter(|(name, _)| is_wanted(name));
    Ok(Value::Object(shown.filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect::<Map<_, _>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> QueuePath {
        QueuePath { namespace: "default".parse().unwrap(), name: name.parse().unwrap() }
    }

    #[track_caller]
    fn refused(name: &str, value: &str, shape: &str) {
        let attributes = [(name.to_owned(), value.to_owned())].into();
        assert_eq!(Wanted::read(&attributes, &path("q")).unwrap_err().shape, shape, "{name}={value}");
    }

    #[test]
    fn the_count_of_a_redrive_policy_is_a_number_or_a_text() {
        for count in ["3", "\"3\""] {
            let policy =
                format!("{{\"deadLetterTargetArn\":\"arn:aws:sqs:x:000000000000:dead\",\"maxReceiveCount\":{count}}}");
            let wanted = Wanted::read(&[("RedrivePolicy".to_owned(), policy)].into(), &path("q")).unwrap();
            let mut settings = QueueSettings::default();
            wanted.apply(&mut settings);
            assert_eq!(settings.redrive, Some(Redrive { to: "dead".parse().unwrap(), max_receives: 3 }));
            let none = Wanted::read(&[("RedrivePolicy".to_owned(), String::new())].into(), &path("q")).unwrap();
            none.apply(&mut settings);
            assert_eq!(settings.redrive, None);
        }
    }

    #[test]
    fn attributes_that_are_none_or_have_values_that_are_none_are_refused_by_name() {
        refused("VisibilityTimeout", "soon", "InvalidAttributeValue");
        refused("VisibilityTimeout", "-1", "InvalidAttributeValue");
        refused("FifoQueue", "true", "InvalidAttributeValue");
        refused("RedrivePolicy", "{\"maxReceiveCount\":1}", "InvalidAttributeValue");
        refused("RedrivePolicy", "{\"deadLetterTargetArn\":\"x\",\"maxReceiveCount\":1}", "InvalidAttributeValue");
        refused("QueueArn", "x", "InvalidAttributeName");
        refused("Colour", "blue", "InvalidAttributeName");
    }
}
