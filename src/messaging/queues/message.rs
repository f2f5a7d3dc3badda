//! Messages: as they are sent, kept and received, and what they may be.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::QueueError;
use super::keys::{Number, Row};
use crate::model::bounds;
use crate::model::time::Timestamp;

/// A message that is to be sent.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// Its id, where the sender wants to know it again: while a message of that id is in the queue, it is not written
    /// twice. Otherwise it gets one.
    pub id: Option<Uuid>,
    /// What it says.
    pub body: String,
    /// What is said about it.
    pub attributes: BTreeMap<String, Attribute>,
    /// FIFO: which messages it must not overtake.
    pub group: Option<String>,
    /// FIFO: by what it is known again for five minutes.
    pub deduplication: Option<String>,
    /// Seconds before it can be received; `None` leaves it to the queue.
    pub delay_s: Option<u32>,
    /// Who sent it, as receivers are told.
    pub sender: Option<String>,
    /// The trace that it belongs to, as X-Ray writes it.
    pub trace: Option<String>,
}

/// Something that is said about a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, perhaps with a suffix behind a dot.
    pub kind: String,
    /// What.
    pub value: Value,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Of a `String` or a `Number`.
    Text(String),
    /// Of a `Binary`.
    Binary(Vec<u8>),
}

impl Value {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// What becomes of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub id: Uuid,
    /// FIFO: later ones have higher numbers.
    pub sequence: Option<u64>,
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub id: Uuid,
    /// What it is deleted by.
    pub receipt: Receipt,
    /// What it says.
    pub body: String,
    /// What is said about it.
    pub attributes: BTreeMap<String, Attribute>,
    /// When it was sent first.
    pub sent: Timestamp,
    /// Who sent it, where that is known.
    pub sender: Option<String>,
    /// How often it has been received, in this queue and in those it came from.
    pub receives: u32,
    /// When it was received first.
    pub first_received: Timestamp,
    /// FIFO: which messages it must not overtake.
    pub group: Option<String>,
    /// FIFO: by what it is known again.
    pub deduplication: Option<String>,
    /// FIFO: its place among the others.
    pub sequence: Option<u64>,
    /// The trace that it belongs to.
    pub trace: Option<String>,
    /// The queue that it came from, for a dead letter: namespace and name.
    pub came_from: Option<String>,
}

/// One receive of one message: what the message is deleted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Receipt {
    pub(super) queue: Uuid,
    pub(super) number: Number,
    /// Which receive of it, in this queue, from 1.
    pub(super) receive: u32,
}

/// One text without a meaning to anybody else. It begins with what is not drawn, and so never as a flag of a command does.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.receive.to_be_bytes()[..], &self.number.to_be_bytes(), self.queue.as_bytes()].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Receipt {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, QueueError> {
        let invalid = || QueueError::Receipt(text.chars().take(100).collect());
        let bytes: [u8; 28] =
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(invalid)?;
        let (receive, rest) = bytes.split_first_chunk::<4>().ok_or_else(invalid)?;
        let (number, queue) = rest.split_first_chunk::<8>().ok_or_else(invalid)?;
        Ok(Self {
            queue: Uuid::from_slice(queue).map_err(|_| invalid())?,
            number: u64::from_be_bytes(*number),
            receive: u32::from_be_bytes(*receive),
        })
    }
}

/// A message as it is kept: what never changes of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) id: Uuid,
    /// When it was sent first, which is before its number says where it is a dead letter.
    pub(super) sent: Timestamp,
    pub(super) body: String,
    pub(super) attributes: BTreeMap<String, Attribute>,
    pub(super) group: Option<String>,
    pub(super) deduplication: Option<String>,
    pub(super) sender: Option<String>,
    pub(super) trace: Option<String>,
    /// Whether its sender chose its id.
    pub(super) named: bool,
    /// Where it stood before its first receive.
    pub(super) due: Timestamp,
    pub(super) bytes: u32,
    pub(super) came_from: Option<String>,
}

impl Message {
    /// Where it stands, or stood.
    pub(super) fn row(&self, number: Number, in_order: bool) -> Row {
        let group = self.group.as_deref().filter(|_| in_order).map_or(0, super::keys::group);
        Row { due: self.due, number, bytes: self.bytes, group }
    }
}

/// What a message has been through in other queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    pub(super) receives: u32,
    pub(super) first: Option<Timestamp>,
}

impl Outgoing {
    /// Its size as limits count it: body, and names, types and values of attributes.
    pub fn size(&self) -> usize {
        let of = |(name, attribute): (&String, &Attribute)| {
            name.len() + attribute.kind.len() + attribute.value.bytes().len()
        };
        self.body.len() + self.attributes.iter().map(of).sum::<usize>()
    }

    /// Whether its content can be a message of at most `limit` bytes.
    pub(super) fn check(&self, limit: usize) -> Result<(), QueueError> {
        if self.body.is_empty() {
            return Err(QueueError::Empty);
        }
        check_characters(&self.body)?;
        if self.attributes.len() > bounds::MAX_MESSAGE_ATTRIBUTES {
            let why = format!("is one too many: a message has up to {}", bounds::MAX_MESSAGE_ATTRIBUTES);
            let name = self.attributes.keys().next_back().cloned().unwrap_or_default();
            return Err(QueueError::Attribute { name, why });
        }
        self.attributes.iter().try_for_each(|(name, attribute)| check_attribute(name, attribute))?;
        for (what, text) in [("message group", &self.group), ("deduplication id", &self.deduplication)] {
            match text {
                Some(text) if !is_id(text) => {
                    return Err(QueueError::Text { what, text: text.chars().take(200).collect() });
                }
                _ => (),
            }
        }
        let bytes = self.size();
        if bytes > limit { Err(QueueError::TooLarge { bytes, limit }) } else { Ok(()) }
    }
}

fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What XML can carry: clients of the older protocol get messages in it.
pub(super) fn check_characters(text: &str) -> Result<(), QueueError> {
    let fits = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    match text.chars().find(|c| !fits(*c)) {
        Some(c) => Err(QueueError::Character(c)),
        None => Ok(()),
    }
}

pub(super) fn check_attribute(name: &str, attribute: &Attribute) -> Result<(), QueueError> {
    let refused =
        |why: &str| Err(QueueError::Attribute { name: name.chars().take(256).collect(), why: why.to_owned() });
    let lower = name.to_ascii_lowercase();
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if !(1..=256).contains(&name.len()) || !name.bytes().all(letters) {
        return refused("has a name that is none: use 1 to 256 letters, digits, `_`, `-` and `.`");
    }
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return refused("has a name with a dot at its start or end, or two in a row");
    }
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return refused("has a name that begins with `AWS.` or `Amazon.`, which are reserved");
    }
    let base = attribute.kind.split('.').next().unwrap_or_default();
    match (&attribute.value, base) {
        _ if attribute.kind.len() > 256 => refused("has a type of more than 256 characters"),
        (value, _) if value.bytes().is_empty() => refused("has no value"),
        (Value::Text(text), "String") => check_characters(text),
        (Value::Text(text), "Number") if text.len() <= 64 && text.trim().parse::<f64>().is_ok() => Ok(()),
        (Value::Text(_), "Number") => refused("is no number"),
        (Value::Binary(_), "Binary") => Ok(()),
        _ => refused("has a value that does not fit its type: `String` and `Number` have text, `Binary` has bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: &str, value: Value) -> Outgoing {
        let attribute = Attribute { kind: kind.to_owned(), value };
        Outgoing { body: "x".to_owned(), attributes: [("a".to_owned(), attribute)].into(), ..Outgoing::default() }
    }

    #[test]
    fn a_receipt_is_read_as_it_was_written_and_nothing_else_is_one() {
        let receipt = Receipt { queue: Uuid::from_u128(9), number: 77, receive: 3 };
        assert_eq!(receipt.to_string().parse::<Receipt>().unwrap(), receipt);
        for text in ["", "AAAA", "no receipt", &"A".repeat(39)] {
            assert!(matches!(text.parse::<Receipt>(), Err(QueueError::Receipt(_))), "{text}");
        }
    }

    #[test]
    fn a_receipt_never_looks_like_a_flag_of_a_command() {
        for first in 0..=u8::MAX {
            let receipt = Receipt { queue: Uuid::from_bytes([first; 16]), number: u64::from(first) << 56, receive: 1 };
            assert!(receipt.to_string().starts_with('A'), "{receipt}");
        }
    }

    #[test]
    fn a_message_has_a_body_that_every_client_can_read_and_attributes_that_fit_their_types() {
        let body = |text: &str| Outgoing { body: text.to_owned(), ..Outgoing::default() }.check(10);
        assert!(body("ä\t\n\r𝄞").is_ok());
        assert!(matches!(body(""), Err(QueueError::Empty)));
        assert!(matches!(body("\u{0}"), Err(QueueError::Character('\0'))));
        assert!(matches!(body("\u{ffff}"), Err(QueueError::Character(_))));
        assert!(matches!(body("01234567890"), Err(QueueError::TooLarge { bytes: 11, limit: 10 })));
        let text = |text: &str| Value::Text(text.to_owned());
        assert!(attribute("Number.int", text("-1.5e3")).check(100).is_ok());
        assert!(attribute("Binary.png", Value::Binary(vec![0])).check(100).is_ok());
        for refused in [
            attribute("Number", text("one")),
            attribute("String", text("")),
            attribute("String", Value::Binary(vec![1])),
            attribute("Binary", text("x")),
            attribute("Text", text("x")),
        ] {
            assert!(matches!(refused.check(100), Err(QueueError::Attribute { .. })), "{refused:?}");
        }
    }
}
