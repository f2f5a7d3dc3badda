//! Items as lines of text, each a JSON object with one field that says what it is. Bytes are base64 (the standard
//! alphabet, padded), digests and sums are hexadecimal, records are the model's own with their fields by name.
//!
//! | line         | is                                                                             |
//! | ------------ | ------------------------------------------------------------------------------ |
//! | `export`     | first: `format`, 1, and the `version` of the program                           |
//! | `module`     | `bytes`; its digest is the SHA-256 of them                                     |
//! | `function`   | its record                                                                     |
//! | `version`    | `function`, its id; `record`                                                   |
//! | `invocation` | `record`; `payload`, `result` and `log` where it has them                      |
//! | `key`        | `function`; `digest` of the key; `invocation`, its id; digest of the `request`; `until`, ms |
//! | `secret`     | its record, with its value sealed: the key is not in the export                |
//! | `pair`       | `pair`: store, key and size; `value`                                           |
//! | `document`   | `table` and `key` of it; `value`                                               |
//! | `settled`    | `function`; `counts`: how many ever succeeded, failed, expired, were cancelled |
//! | `end`        | last: `lines` before it, and the `sha256` of all of them                       |
//!
//! Lines come in this order, but for versions behind the modules that they need. A file without its last line was cut.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::item::Item;
use crate::model::function::{Function, Version};
use crate::model::invocation::Invocation;
use crate::model::names::{Digest, FunctionId, InvocationId};
use crate::model::secret::Secret;
use crate::model::time::Timestamp;
use crate::store::{DocumentKey, IdempotencyKey, KeyUse, Pair, Table};

/// The format that is written and read.
pub(super) const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    Export { format: u32, version: String },
    Module { bytes: Base64 },
    Function(Box<Function>),
    Version { function: FunctionId, record: Box<Version> },
    Invocation(Box<WithParts>),
    Key { function: FunctionId, digest: Hex, invocation: InvocationId, request: Hex, until: u64 },
    Secret(Box<Secret>),
    Pair { pair: Box<Pair>, value: Base64 },
    Document { table: Table, key: Base64, value: Base64 },
    Settled { function: FunctionId, counts: [u64; 4] },
    End { lines: u64, sha256: Hex },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithParts {
    record: Invocation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Base64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<Base64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<Base64>,
}

pub(super) struct Base64(Bytes);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hex(pub(super) [u8; 32]);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Digest::from_bytes(self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = |index: usize| text.get(2 * index..2 * index + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let read: Option<Vec<u8>> = (0..text.len().div_ceil(2)).map(bytes).collect();
        let read = read.and_then(|bytes| bytes.try_into().ok());
        read.map(Self).ok_or_else(|| serde::de::Error::custom("64 hexadecimal digits are expected"))
    }
}

impl From<Item> for Line {
    fn from(item: Item) -> Self {
        match item {
            Item::Module(_, bytes) => Self::Module { bytes: Base64(bytes) },
            Item::Function(function) => Self::Function(function),
            Item::Version(function, record) => Self::Version { function, record },
            Item::Invocation(record, parts) => {
                let [payload, result, log] = parts.map(|part| part.map(Base64));
                Self::Invocation(Box::new(WithParts { record: *record, payload, result, log }))
            }
            Item::Key(IdempotencyKey { function, digest }, KeyUse { id, request, until }) => Self::Key {
                function,
                digest: Hex(*digest.as_bytes()),
                invocation: id,
                request: Hex(*request.as_bytes()),
                until: until.as_ms(),
            },
            Item::Secret(secret) => Self::Secret(secret),
            Item::Pair(pair, value) => Self::Pair { pair, value: Base64(value) },
            Item::Document(key, value) => Self::Document {
                table: key.table,
                key: Base64(Bytes::copy_from_slice(key.key())),
                value: Base64(value),
            },
            Item::Settled(function, counts) => Self::Settled { function, counts },
        }
    }
}

impl Line {
    /// The item; `None` for the first line and the last.
    pub(super) fn item(self) -> Option<Item> {
        match self {
            Self::Export { .. } | Self::End { .. } => None,
            Self::Module { bytes: Base64(bytes) } => {
                Some(Item::Module(Digest::from_bytes(Sha256::digest(&bytes).into()), bytes))
            }
            Self::Function(function) => Some(Item::Function(function)),
            Self::Version { function, record } => Some(Item::Version(function, record)),
            Self::Invocation(all) => {
                let WithParts { record, payload, result, log } = *all;
                let parts = [payload, result, log].map(|part| part.map(|Base64(bytes)| bytes));
                Some(Item::Invocation(Box::new(record), parts))
            }
            Self::Key { function, digest, invocation, request, until } => {
                let key = IdempotencyKey { function, digest: Digest::from_bytes(digest.0) };
                let (request, until) = (Digest::from_bytes(request.0), Timestamp::from_ms(until));
                Some(Item::Key(key, KeyUse { id: invocation, request, until }))
            }
            Self::Secret(secret) => Some(Item::Secret(secret)),
            Self::Pair { mut pair, value: Base64(value) } => {
                pair.bytes = value.len() as u64;
                Some(Item::Pair(pair, value))
            }
            Self::Document { table, key: Base64(key), value: Base64(value) } => {
                DocumentKey::read(table, &key).map(|key| Item::Document(key, value))
            }
            Self::Settled { function, counts } => Some(Item::Settled(function, counts)),
        }
    }
}
