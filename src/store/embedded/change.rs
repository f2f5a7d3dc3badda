//! The changes of a group as the committer takes them: records already encoded, by the thread that asks for
//! the commit, so that the one thread that writes does nothing else.

use bytes::Bytes;

use crate::model::invocation::State;
use crate::model::names::{FunctionId, InvocationId};
use crate::store::record;
use crate::store::{Change, Cursor, Group, Part, keys};

/// A change, ready to be written.
#[derive(Debug)]
pub(super) enum Op {
    /// Writes a record that has no place but its key.
    Put { key: Vec<u8>, record: Vec<u8> },
    /// Writes bytes of an invocation.
    PutBlob { key: Vec<u8>, bytes: Bytes },
    /// Writes an invocation.
    PutInvocation { at: Cursor, function: FunctionId, done: bool, record: Vec<u8> },
    /// Removes a function and its versions.
    RemoveFunction(FunctionId),
    /// Removes an invocation and all that belongs to it.
    RemoveInvocation(InvocationId),
}

impl Op {
    pub(super) fn all(group: Group) -> Vec<Self> {
        group.0.into_iter().filter_map(Self::new).collect()
    }

    fn new(change: Change) -> Option<Self> {
        Some(match change {
            Change::PutKey(..) | Change::RemoveKey(_) => return None,
            Change::PutInvocation(invocation) => Self::PutInvocation {
                at: Cursor(invocation.accepted, invocation.id),
                function: invocation.target.function,
                done: matches!(invocation.state, State::Done { .. }),
                record: record::encode(&invocation),
            },
            Change::PutBlob(id, part, bytes) => Self::PutBlob { key: keys::part(id, part), bytes },
            Change::RemoveInvocation(id) => Self::RemoveInvocation(id),
            Change::PutFunction(function) => {
                Self::Put { key: keys::function(function.id), record: record::encode(&function) }
            }
            Change::PutVersion(id, version) => {
                Self::Put { key: keys::version(id, version.number), record: record::encode(&version) }
            }
            Change::RemoveFunction(id) => Self::RemoveFunction(id),
        })
    }

    /// Bytes that it is going to write.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Put { record, .. } | Self::PutInvocation { record, .. } => record.len(),
            Self::PutBlob { bytes, .. } => bytes.len(),
            Self::RemoveFunction(_) | Self::RemoveInvocation(_) => 0,
        }
    }
}

/// The keys of everything that belongs to an invocation besides its record and its place in time.
pub(super) fn parts(id: InvocationId) -> impl Iterator<Item = Vec<u8>> {
    Part::ALL.into_iter().map(move |part| keys::part(id, part))
}
