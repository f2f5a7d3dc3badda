//! Message queues: what one may be called, and how it treats its messages. Not the queue of invocations, whose settings
//! are in [`super::queue`].

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::bounds::{self, OutOfRange, within};
use super::names::Namespace;

/// How the name of a queue ends that keeps messages in order and takes none twice.
pub const FIFO_SUFFIX: &str = ".fifo";

/// Longest name, that end included.
const MAX_NAME: usize = 80;

/// A message queue of a namespace: 1 to 80 letters, digits, `-` and `_`; one that ends in `.fifo` keeps order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueName(String);

/// Why a text is not the name of a queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the name of a queue: use 1 to 80 letters, digits, `-` and `_`, with `.fifo` at its end for one that keeps order"
)]
pub struct InvalidQueueName(String);

impl QueueName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it keeps messages in order.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(FIFO_SUFFIX)
    }
}

impl TryFrom<String> for QueueName {
    type Error = InvalidQueueName;

    fn try_from(text: String) -> Result<Self, InvalidQueueName> {
        let plain = text.strip_suffix(FIFO_SUFFIX).unwrap_or(&text);
        let fits = !plain.is_empty() && text.len() <= MAX_NAME;
        if fits && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            Ok(Self(text))
        } else {
            Err(InvalidQueueName(text.chars().take(2 * MAX_NAME).collect()))
        }
    }
}

impl FromStr for QueueName {
    type Err = InvalidQueueName;

    fn from_str(text: &str) -> Result<Self, InvalidQueueName> {
        text.to_owned().try_into()
    }
}

impl From<QueueName> for String {
    fn from(name: QueueName) -> Self {
        name.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A queue's full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QueuePath {
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name there.
    pub name: QueueName,
}

/// `NAME` in the default namespace, `NAMESPACE/NAME` in the others: how people write it.
impl fmt::Display for QueuePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != Namespace::default() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(self.name.as_str())
    }
}

/// How a queue treats its messages. Changes hold from then on; a delay, for messages that are sent from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSettings {
    /// Seconds for which a message that was received is shown to nobody else.
    pub visibility_s: u32,
    /// Seconds before a message can be received for the first time.
    pub delay_s: u32,
    /// Seconds after which a message is removed that nobody has deleted.
    pub retention_s: u32,
    /// Seconds that a receive waits for a message unless it says itself.
    pub wait_s: u32,
    /// Bytes that a message may have, attributes included.
    pub max_message_bytes: u32,
    /// What becomes of messages that are received again and again.
    pub redrive: Option<Redrive>,
    /// FIFO: messages with the same body are the same message.
    pub content_deduplication: bool,
}

/// Where messages go that were received too often and never deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// The dead-letter queue, of the same namespace.
    pub to: QueueName,
    /// How often a message is received before it goes there instead.
    pub max_receives: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            visibility_s: 30,
            delay_s: 0,
            retention_s: 345_600,
            wait_s: 0,
            max_message_bytes: 262_144,
            redrive: None,
            content_deduplication: false,
        }
    }
}

impl QueueSettings {
    /// Whether every number is in its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let check = |field, value: u32, range: &RangeInclusive<u32>| within(field, value, range);
        check("visibility_s", self.visibility_s, &bounds::QUEUE_VISIBILITY_S)?;
        check("delay_s", self.delay_s, &bounds::QUEUE_DELAY_S)?;
        check("retention_s", self.retention_s, &bounds::QUEUE_RETENTION_S)?;
        check("wait_s", self.wait_s, &bounds::QUEUE_WAIT_S)?;
        check("max_message_bytes", self.max_message_bytes, &bounds::QUEUE_MESSAGE_BYTES)?;
        match &self.redrive {
            Some(redrive) => check("max_receives", redrive.max_receives, &bounds::QUEUE_MAX_RECEIVES),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, fifo: Option<bool>) {
        assert_eq!(text.parse::<QueueName>().ok().map(|name| name.is_fifo()), fifo, "{text:?}");
    }

    #[test]
    fn a_queue_name_has_letters_digits_and_dashes_and_may_end_in_fifo() {
        check("orders", Some(false));
        check("2-orders_", Some(false));
        check("orders.fifo", Some(true));
        check(&"a".repeat(80), Some(false));
        check(&"a".repeat(81), None);
        check(&format!("{}.fifo", "a".repeat(75)), Some(true));
        check(&format!("{}.fifo", "a".repeat(76)), None);
        for text in ["", ".fifo", "a.b", "a/b", "a.fifo.fifo", "ä", "a b"] {
            check(text, None);
        }
    }

    #[test]
    fn settings_out_of_their_range_are_refused_by_name() {
        assert_eq!(QueueSettings::default().check(), Ok(()));
        let told = |settings: QueueSettings| settings.check().unwrap_err().to_string();
        let visibility = QueueSettings { visibility_s: 43_201, ..QueueSettings::default() };
        assert_eq!(told(visibility), "visibility_s is 43201: use 0 to 43200");
        let retention = QueueSettings { retention_s: 59, ..QueueSettings::default() };
        assert_eq!(told(retention), "retention_s is 59: use 60 to 1209600");
        let redrive = Some(Redrive { to: "dead".parse().unwrap(), max_receives: 0 });
        assert_eq!(told(QueueSettings { redrive, ..QueueSettings::default() }), "max_receives is 0: use 1 to 1000");
    }
}
