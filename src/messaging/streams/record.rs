//! Records of streams, and what is asked of them: plain values.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::model::time::Timestamp;

/// A record that is to be appended.
#[derive(Clone, Debug, Default)]
pub struct NewRecord {
    /// What it is recognised by when it is appended again.
    pub id: Option<Uuid>,
    /// What it is about: readers may ask for the records of one key.
    pub key: Option<String>,
    /// What the data is.
    pub content_type: Option<String>,
    /// More about it.
    pub attributes: Vec<(String, String)>,
    /// What it says.
    pub data: Bytes,
}

/// A record of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it stands: one more than the record in front of it.
    pub place: u64,
    /// When it was appended; never before the record in front of it.
    pub at: Timestamp,
    /// What it is recognised by.
    pub id: Option<Uuid>,
    /// What it is about.
    pub key: Option<String>,
    /// What the data is.
    pub content_type: Option<String>,
    /// More about it.
    pub attributes: Vec<(String, String)>,
    /// What it says.
    pub data: Bytes,
}

/// Where a read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// With the oldest record.
    Earliest,
    /// With the next one to be appended.
    Latest,
    /// At this place; with the oldest record where that one is gone.
    Place(u64),
    /// With the first one that was appended then or later.
    Time(Timestamp),
}

/// What is to be read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Where it begins.
    pub from: ReadFrom,
    /// How many records at most ([`MAX_STREAM_BATCH`](crate::model::bounds::MAX_STREAM_BATCH)).
    pub most: usize,
    /// Only those with this partition key.
    pub key: Option<String>,
    /// How long to wait for the first one, up to [`MAX_POLL`](crate::model::bounds::MAX_POLL).
    pub wait: Duration,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The records, in the order of their places.
    pub records: Vec<Record>,
    /// Where to go on: behind all that was looked at.
    pub next: u64,
}
