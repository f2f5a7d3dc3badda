//! A stream as the store keeps it.
//!
//! | table          | key                          | value                      | lives |
//! | `Stream`       | id                           | name and settings          | as the stream |
//! | `StreamRecord` | id, 0                        | [`Head`]                   | as the stream |
//! | `StreamRecord` | id, 1, place                 | [`KeptRecord`]             | until retention ends |
//! | `StreamRecord` | id, 2, place                 | the id of that record      | for [`RECENT`] more ids |
//!
//! A record knows how many bytes were appended before it, so what a stream holds is the difference of two numbers, and
//! letting go of its oldest records removes them and writes nothing: that goes through on a full disk too.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Record, StreamPath, StreamSettings};
use crate::messaging::blob;
use crate::model::names::{Namespace, StreamName};
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{DocumentKey, DocumentRange, StoreError, Table};

/// Ids of records that are remembered in each stream, so that what is appended again is not there twice.
pub(super) const RECENT: usize = 4_096;

const HEAD: u8 = 0;
const RECORD: u8 = 1;
const RECORD_ID: u8 = 2;

/// A stream's name and settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptStream {
    pub(super) namespace: Namespace,
    pub(super) name: StreamName,
    pub(super) created: Timestamp,
    pub(super) settings: StreamSettings,
}

impl KeptStream {
    pub(super) fn path(&self) -> StreamPath {
        StreamPath { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// Where a stream ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// The place of its next record.
    pub(super) next: u64,
    /// Bytes of all records that were ever appended.
    pub(super) total: u64,
    /// When the last one was.
    pub(super) last: Timestamp,
}

/// A record, its place apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptRecord {
    /// Not before that of the record in front of it.
    pub(super) at: Timestamp,
    /// Bytes of all records that were appended before it.
    pub(super) before: u64,
    pub(super) id: Option<Uuid>,
    pub(super) key: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) attributes: Vec<(String, String)>,
    #[serde(with = "blob")]
    pub(super) data: Bytes,
}

impl KeptRecord {
    pub(super) fn at_place(self, place: u64) -> Record {
        let Self { at, id, key, content_type, attributes, data, .. } = self;
        Record { place, at, id, key, content_type, attributes, data }
    }
}

pub(super) fn stream_key(id: Uuid) -> DocumentKey {
    DocumentKey::new(Table::Stream, *id.as_bytes())
}

pub(super) fn head_key(id: Uuid) -> DocumentKey {
    DocumentKey::new(Table::StreamRecord, [&id.as_bytes()[..], &[HEAD]].concat())
}

pub(super) fn record_key(id: Uuid, place: u64) -> DocumentKey {
    of_place(id, RECORD, place)
}

pub(super) fn record_id_key(id: Uuid, place: u64) -> DocumentKey {
    of_place(id, RECORD_ID, place)
}

fn of_place(id: Uuid, tag: u8, place: u64) -> DocumentKey {
    DocumentKey::new(Table::StreamRecord, [&id.as_bytes()[..], &[tag], &place.to_be_bytes()].concat())
}

/// Everything of a stream but its name.
pub(super) fn all_of(id: Uuid) -> DocumentRange {
    DocumentRange::of(Table::StreamRecord, id.as_bytes())
}

/// The records from a place on.
pub(super) fn records(id: Uuid, from: u64) -> DocumentRange {
    let mut range = DocumentRange::of(Table::StreamRecord, &[&id.as_bytes()[..], &[RECORD]].concat());
    range.from.extend(from.to_be_bytes());
    range
}

/// The ids that are remembered.
pub(super) fn record_ids(id: Uuid) -> DocumentRange {
    DocumentRange::of(Table::StreamRecord, &[&id.as_bytes()[..], &[RECORD_ID]].concat())
}

/// Whose a key of the table is.
pub(super) fn owner(key: &DocumentKey) -> Option<Uuid> {
    key.key().first_chunk().map(|id| Uuid::from_bytes(*id))
}

/// The place in a key that has one.
pub(super) fn place(key: &DocumentKey) -> Option<u64> {
    key.key().last_chunk().map(|place| u64::from_be_bytes(*place))
}

/// The record in `bytes`.
pub(super) fn record(stream: &StreamPath, place: u64, bytes: &[u8]) -> Result<KeptRecord, StoreError> {
    form::decode(bytes, || format!("the record {place} of the stream {stream}"))
}
