//! What is kept, and the promise about it: [`Store`]. A backend is a folder or file below; the trait says
//! what is promised, never how. Knows no HTTP, no WebAssembly and no due order: that is rebuilt at open.
//!
//! A [`Group`] is the unit of atomicity: an outcome, the removal from the queue and what follows from it are
//! one group, so no crash can leave a part of them.

pub mod embedded;
pub mod memory;

#[cfg_attr(not(test), expect(dead_code, reason = "the embedded store is not joined to it yet"))]
#[expect(unused_imports, reason = "the embedded store is not joined to it yet")]
mod journal;
mod keys;
mod record;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::model::function::{Function, Version};
use crate::model::invocation::Invocation;
use crate::model::names::{Digest, FunctionId, InvocationId, VersionNumber};
use crate::model::time::Timestamp;

/// What a store's method returns: an answer that arrives later.
pub type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place that keeps functions and invocations.
///
/// Every method may be called from async code: what blocks runs on threads of the store's own. A call whose
/// future is dropped has still been made: a commit that was handed over is carried out.
pub trait Store: Send + Sync + 'static {
    /// Carries out all changes of `group` or none. Groups take effect in the order of the calls, not of the
    /// polls: the call hands over. The answer comes when the promise of `when` holds.
    fn commit(&self, group: Group, when: Durability) -> Stored<'_, ()>;

    /// One invocation.
    fn invocation(&self, id: InvocationId) -> Stored<'_, Option<Invocation>>;

    /// Bytes that belong to an invocation.
    fn blob(&self, id: InvocationId, part: Part) -> Stored<'_, Option<Bytes>>;

    /// Invocations by time of acceptance, the newest first, from behind the cursor.
    fn list(&self, query: Query) -> Stored<'_, Listed>;

    /// Ids of invocations that are `Done` and settled before `before`, at most `limit`, the oldest accepted first.
    fn settled_before(&self, before: Timestamp, limit: usize) -> Stored<'_, Vec<InvocationId>>;

    /// At open: everything that is not `Done`, to rebuild the due order; and every function.
    fn scan(&self) -> Stored<'_, Live>;

    /// Keeps a module durably; the same bytes again change nothing.
    fn put_module(&self, digest: Digest, module: Bytes) -> Stored<'_, ()>;

    /// The bytes of a module.
    fn module(&self, digest: Digest) -> Stored<'_, Option<Bytes>>;
}

/// When a commit is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// When the kernel has it: it survives the death of the process, by kill -9 too.
    Written,
    /// When it is on stable storage: it survives a power cut.
    Synced,
}

/// Changes that take effect together or not at all, in their order.
#[derive(Clone, Debug, Default)]
pub struct Group(pub Vec<Change>);

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// Writes an invocation in place of the one with its id, whose time of acceptance and function it shares.
    /// It is live unless it is `Done`.
    PutInvocation(Box<Invocation>),
    /// Writes bytes that belong to an invocation.
    PutBlob(InvocationId, Part, Bytes),
    /// Removes an invocation and all that belongs to it.
    RemoveInvocation(InvocationId),
    /// Writes a function in place of the one with its id.
    PutFunction(Box<Function>),
    /// Writes a version of a function.
    PutVersion(FunctionId, Box<Version>),
    /// Removes a function and its versions.
    RemoveFunction(FunctionId),
}

/// What bytes of an invocation are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What it brought.
    Payload,
    /// What its successful attempt gave.
    Result,
    /// The captured output of its latest attempt.
    Log,
}

impl Part {
    /// Every part, for removing all that belongs to an invocation.
    pub const ALL: [Self; 3] = [Self::Payload, Self::Result, Self::Log];
}

/// Which invocations to list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only those of this function.
    pub function: Option<FunctionId>,
    /// Only those accepted then or later.
    pub since: Option<Timestamp>,
    /// From behind this place: the last entry of the page before.
    pub after: Option<Cursor>,
    /// How many invocations to look at, those of other functions included. The caller filters by state
    /// besides, so a page may come out shorter.
    pub limit: usize,
}

/// A place in the list: time of acceptance and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub Timestamp, pub InvocationId);

/// Part of the list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The invocations.
    pub invocations: Vec<Invocation>,
    /// Where to go on; `None` at the end of the list.
    pub next: Option<Cursor>,
}

/// What a store holds when it is opened.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Every invocation that is not `Done`.
    pub invocations: Vec<Invocation>,
    /// Every function with its versions.
    pub functions: Vec<(Function, BTreeMap<VersionNumber, Version>)>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// What is kept cannot be read.
    #[error("{what} in the store is damaged: {detail}")]
    Damaged {
        /// Which record.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The store cannot be opened.
    #[error("the store at {path} cannot be opened: {detail}")]
    Open {
        /// Where it is.
        path: String,
        /// Why, and what to do.
        detail: String,
    },
    /// It did not take the change: too many wait already, or there is no room for it. Nothing was changed.
    #[error("the store did not take the change: {0}; nothing was changed")]
    Refused(String),
    /// It failed before and takes no more changes until the process is started again. Nothing was changed.
    #[error("the store takes no changes since an earlier write failed ({0}): nothing was changed; restart the process")]
    Stopped(String),
    /// The write failed half way: whether it took effect cannot be told.
    #[error("the write to the store failed, it may or may not have taken effect: {0}")]
    Unknown(String),
    /// A read failed.
    #[error("the store could not be read: {0}")]
    Unreadable(String),
}
