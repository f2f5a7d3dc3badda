//! What a store holds, apart from where and how: the currency between one that is read and one that is made.

use bytes::Bytes;

use crate::model::function::{Function, Version};
use crate::model::invocation::Invocation;
use crate::model::names::{Digest, FunctionId};
use crate::model::secret::Secret;
use crate::store::{DocumentKey, IdempotencyKey, KeyUse, Pair};

/// One thing that a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// The bytes of a module.
    Module(Digest, Bytes),
    Function(Box<Function>),
    Version(FunctionId, Box<Version>),
    /// An invocation with its parts, in the order of `Part::ALL`.
    Invocation(Box<Invocation>, [Option<Bytes>; 3]),
    Key(IdempotencyKey, KeyUse),
    /// A secret, sealed: whoever has the key can open it, and nobody else.
    Secret(Box<Secret>),
    /// A pair of a key-value store and its value.
    Pair(Box<Pair>, Bytes),
    /// Something that a room keeps.
    Document(DocumentKey, Bytes),
    /// How many invocations of a function were ever settled, by kind.
    Settled(FunctionId, [u64; 4]),
}
