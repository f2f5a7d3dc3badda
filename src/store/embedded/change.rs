//! Changes as the committer takes them: records already encoded, by the thread that asks for the commit, so that
//! the one thread that writes does as little as possible.

use bytes::Bytes;

use super::entry::Facts;
use crate::model::bounds;
use crate::model::names::{FunctionId, InvocationId};
use crate::store::journal::{Draft, Span};
use crate::store::{Change, Group, IdempotencyKey, KeyUse, Part, keys, record};

/// A change, ready to be written.
#[derive(Debug)]
pub(super) enum Prepared {
    /// Writes an invocation.
    PutInvocation {
        id: InvocationId,
        facts: Facts,
        record: Vec<u8>,
    },
    /// Writes bytes of an invocation.
    PutBlob {
        id: InvocationId,
        part: Part,
        bytes: Bytes,
    },
    /// Removes an invocation and all that belongs to it.
    RemoveInvocation(InvocationId),
    /// Writes a record that has no rows but its own.
    PutRecord {
        key: Vec<u8>,
        record: Vec<u8>,
    },
    /// Removes a function and its versions.
    RemoveFunction(FunctionId),
    PutKey(IdempotencyKey, KeyUse),
    RemoveKey(IdempotencyKey),
    /// Writes values of an invocation again, those that still stand where they were read.
    MoveInvocation {
        id: InvocationId,
        values: Vec<(Span, Bytes)>,
    },
    /// Writes a record again, if it still stands where it was read.
    MoveRecord {
        key: Vec<u8>,
        from: Span,
        record: Bytes,
    },
}

/// What one change takes in a frame besides its values: two entries with their heads, and some room.
const OVERHEAD: usize = 320;
/// What the removal of one version takes in a frame, with some room.
const VERSION_OVERHEAD: usize = 48;

impl Prepared {
    pub(super) fn all(group: Group) -> Vec<Self> {
        group.0.into_iter().map(Self::new).collect()
    }

    fn new(change: Change) -> Self {
        match change {
            Change::PutInvocation(invocation) => Self::PutInvocation {
                id: invocation.id,
                facts: Facts::of(&invocation),
                record: record::encode(&invocation),
            },
            Change::PutBlob(id, part, bytes) => Self::PutBlob { id, part, bytes },
            Change::RemoveInvocation(id) => Self::RemoveInvocation(id),
            Change::PutFunction(function) => {
                Self::PutRecord { key: keys::function(function.id), record: record::encode(&function) }
            }
            Change::PutVersion(id, version) => {
                Self::PutRecord { key: keys::version(id, version.number), record: record::encode(&version) }
            }
            Change::RemoveFunction(id) => Self::RemoveFunction(id),
            Change::PutKey(key, used) => Self::PutKey(key, used),
            Change::RemoveKey(key) => Self::RemoveKey(key),
        }
    }

    /// Bytes that it takes in a frame at most.
    pub(super) fn bytes(&self) -> usize {
        let (count, bytes) = match self {
            Self::PutInvocation { record, .. } | Self::PutRecord { record, .. } => (1, record.len()),
            Self::PutBlob { bytes, .. } | Self::MoveRecord { record: bytes, .. } => (1, bytes.len()),
            Self::MoveInvocation { values, .. } => (values.len(), values.iter().map(|(_, bytes)| bytes.len()).sum()),
            Self::RemoveFunction(_) => (0, VERSION_OVERHEAD * bounds::MAX_VERSIONS as usize),
            Self::RemoveInvocation(_) | Self::PutKey(..) | Self::RemoveKey(_) => (0, 0),
        };
        bytes + count * Draft::VALUE_OVERHEAD + OVERHEAD
    }
}
