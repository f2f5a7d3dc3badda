//! Why a stream was not made, read or appended to.

use crate::model::bounds::{self, OutOfRange};
use crate::model::names::Namespace;
use crate::store::StoreError;

use super::StreamPath;

/// Why a stream was not made, read or appended to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StreamError {
    /// It is read from behind its end.
    #[error("the stream `{stream}` has no place {place} yet: its next record gets the place {next}")]
    Ahead {
        /// Which.
        stream: StreamPath,
        /// Where it was to be read from.
        place: u64,
        /// Where it ends.
        next: u64,
    },
    /// Attributes over their limit.
    #[error(
        "a record has up to {} attributes with {} bytes, and this one has {count} with {bytes}",
        bounds::MAX_RECORD_ATTRIBUTES,
        bounds::MAX_RECORD_ATTRIBUTE_BYTES
    )]
    Attributes {
        /// How many it has.
        count: usize,
        /// Their names and values.
        bytes: usize,
    },
    /// None, or too many at once.
    #[error(
        "one call appends 1 to {} records with up to {} bytes, and this one has {count} with {bytes}",
        bounds::MAX_STREAM_BATCH,
        bounds::MAX_STREAM_BATCH_BYTES
    )]
    Batch {
        /// How many.
        count: usize,
        /// Bytes of their data.
        bytes: usize,
    },
    /// Too many append at this moment.
    #[error("too many records wait to be appended to the stream `{0}`: try again in a second")]
    Busy(StreamPath),
    /// A record over its limit.
    #[error("a record has up to {most} bytes, and this one has {0}", most = bounds::MAX_STREAM_RECORD_BYTES)]
    Data(usize),
    /// The process is shutting down.
    #[error("it was interrupted, and may or may not have been done: look, and repeat it if it was not")]
    Interrupted,
    /// A partition key that none can be.
    #[error("a partition key has 1 to {most} bytes, and this one has {0}", most = bounds::MAX_PARTITION_KEY_BYTES)]
    Key(usize),
    /// A setting outside its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
    /// The store behind it did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are as many as there may be.
    #[error(
        "the namespace `{namespace}` has {own} streams and there are {all} in all; the limits are {} and {}: delete some first",
        bounds::MAX_STREAMS,
        bounds::MAX_ALL_STREAMS
    )]
    TooMany {
        /// Where one more was wanted.
        namespace: Namespace,
        /// How many it has.
        own: usize,
        /// How many there are.
        all: usize,
    },
    /// There is no such stream.
    #[error("there is no stream `{0}`: make it with `tidemill streams create`")]
    Unknown(StreamPath),
}
