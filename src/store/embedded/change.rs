//! Changes as the committer takes them: records already encoded, by the thread that asks for the commit, so that
//! the one thread that writes does as little as possible.

use bytes::Bytes;

use super::entry::{Entry, Facts};
use crate::model::bounds;
use crate::model::invocation::Invocation;
use crate::model::names::{FunctionId, InvocationId};
use crate::store::journal::{Draft, Purpose, Span};
use crate::store::{Change, Group, IdempotencyKey, KeyUse, Part, keys, record};

/// A change, ready to be written.
#[derive(Debug)]
pub(super) enum Prepared {
    /// Writes an invocation.
    PutInvocation {
        id: InvocationId,
        facts: Facts,
        record: Vec<u8>,
        /// Only in the place of one that is there.
        in_place: bool,
    },
    /// Writes bytes of an invocation.
    PutBlob {
        id: InvocationId,
        part: Part,
        bytes: Bytes,
    },
    /// Removes an invocation that is done, and all that belongs to it.
    RemoveInvocation(InvocationId),
    /// Writes a record that has no rows but its own.
    PutRecord {
        key: Vec<u8>,
        record: Vec<u8>,
    },
    /// Removes a record that has no rows but its own.
    RemoveRecord(Vec<u8>),
    /// Writes a pair and its value, which are records of their own.
    PutPair {
        key: Vec<u8>,
        record: Vec<u8>,
        value: Bytes,
    },
    /// Removes both.
    RemovePair(Vec<u8>),
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
/// What stands before two entries: the kind, the id, the flags.
const ENTRY_HEADS: usize = 18;
/// What the removal of one version takes in a frame, with some room.
const VERSION_OVERHEAD: usize = 48;

impl Prepared {
    pub(super) fn all(group: Group) -> Vec<Self> {
        group.0.into_iter().map(Self::new).collect()
    }

    fn new(change: Change) -> Self {
        match change {
            Change::PutInvocation(invocation) => Self::invocation(&invocation, false),
            Change::ReplaceInvocation(invocation) => Self::invocation(&invocation, true),
            Change::PutBlob(id, part, bytes) => Self::PutBlob { id, part, bytes },
            Change::RemoveInvocation(id) => Self::RemoveInvocation(id),
            Change::PutFunction(function) => {
                Self::PutRecord { key: keys::function(function.id), record: record::encode(&function) }
            }
            Change::PutVersion(id, version) => {
                Self::PutRecord { key: keys::version(id, version.number), record: record::encode(&version) }
            }
            Change::RemoveVersion(id, number) => Self::RemoveRecord(keys::version(id, number)),
            Change::RemoveFunction(id) => Self::RemoveFunction(id),
            Change::PutKey(key, used) => Self::PutKey(key, used),
            Change::RemoveKey(key) => Self::RemoveKey(key),
            Change::PutSecret(secret) => {
                Self::PutRecord { key: keys::secret(&secret.namespace, &secret.name), record: record::encode(&secret) }
            }
            Change::RemoveSecret(namespace, name) => Self::RemoveRecord(keys::secret(&namespace, &name)),
            Change::PutPair(pair, value) => {
                let key = keys::pair(keys::PAIR, &pair.store, &pair.key);
                Self::PutPair { key, record: record::encode(&pair), value }
            }
            Change::PutDocument(key, bytes) => Self::PutRecord { key: keys::document(&key), record: bytes.into() },
            Change::RemoveDocument(key) => Self::RemoveRecord(keys::document(&key)),
            Change::RemovePair(store, key) => Self::RemovePair(keys::pair(keys::PAIR, &store, &key)),
        }
    }

    fn invocation(invocation: &Invocation, in_place: bool) -> Self {
        let (facts, record) = (Facts::of(invocation), record::encode(invocation));
        Self::PutInvocation { id: invocation.id, facts, record, in_place }
    }

    /// What the copy of a record takes in a frame besides its value: its key, two places and what tells them apart.
    pub(super) const fn moved_record_bytes(key: &[u8]) -> usize {
        3 + key.len() + 2 * Span::BYTES
    }

    /// What the copy of values of an invocation takes in a frame besides them: two entries with their heads.
    pub(super) fn moved_bytes(entry: &Entry) -> usize {
        2 * entry.to_bytes().len() + ENTRY_HEADS
    }

    /// What it is for, as far as room is concerned.
    pub(super) fn purpose(&self) -> Purpose {
        match self {
            Self::RemoveInvocation(_)
            | Self::RemoveFunction(_)
            | Self::RemoveKey(_)
            | Self::RemoveRecord(_)
            | Self::RemovePair(_) => Purpose::Removal,
            Self::MoveInvocation { .. } | Self::MoveRecord { .. } => Purpose::Copy,
            Self::PutInvocation { .. }
            | Self::PutBlob { .. }
            | Self::PutRecord { .. }
            | Self::PutPair { .. }
            | Self::PutKey(..) => Purpose::Change,
        }
    }

    /// Bytes that it takes in a frame at most.
    pub(super) fn bytes(&self) -> usize {
        let (count, bytes) = match self {
            Self::PutInvocation { record, .. } | Self::PutRecord { record, .. } => (1, record.len()),
            Self::PutBlob { bytes, .. } | Self::MoveRecord { record: bytes, .. } => (1, bytes.len()),
            Self::MoveInvocation { values, .. } => (values.len(), values.iter().map(|(_, bytes)| bytes.len()).sum()),
            Self::RemoveFunction(_) => (0, VERSION_OVERHEAD * bounds::MAX_VERSIONS as usize),
            Self::PutPair { record, value, .. } => (2, record.len() + value.len()),
            Self::RemoveInvocation(_)
            | Self::PutKey(..)
            | Self::RemoveKey(_)
            | Self::RemoveRecord(_)
            | Self::RemovePair(_) => (0, 0),
        };
        bytes + count * Draft::VALUE_OVERHEAD + OVERHEAD
    }
}
