//! What is kept, and the promise about it: [`Store`]. A backend is a folder or file below; the trait says
//! what is promised, never how. Knows no HTTP and no WebAssembly.
//!
//! A [`Group`] is the unit of atomicity: an outcome, the removal from the queue and what follows from it are
//! one group, so no crash can leave a part of them.

pub mod embedded;
pub mod form;
pub mod memory;

mod background;
mod counts;
mod documents;
mod journal;
mod keys;
mod pairs;
mod record;
mod sled;

pub(crate) mod fuzz;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::model::function::{Function, Version};
use crate::model::invocation::Invocation;
use crate::model::names::{Digest, FunctionId, InvocationId, Namespace, SecretName, VersionNumber};
use crate::model::outcome::OutcomeKind;
use crate::model::place::{Lane, Place, Turn};
use crate::model::secret::Secret;
use crate::model::time::Timestamp;

pub use counts::{Counted, Counts, Kept};
pub use documents::{DocumentKey, DocumentRange, Table};
pub use pairs::{Pair, PairStore};

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

    /// Invocations that are `Done`, those that settled first at the front.
    fn settled(&self, query: SettledQuery) -> Stored<'_, Vec<Settled>>;

    /// At open: every function, and the lanes in which something stands.
    fn scan(&self) -> Stored<'_, Live>;

    /// What stands in a lane, in due order from behind `after`, at most `limit`.
    fn waiting(&self, lane: Lane, after: Option<Turn>, limit: usize) -> Stored<'_, Vec<Place>>;

    /// What stands in the queue and was too old before `now`, the oldest first, at most `limit`.
    fn too_old(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<Place>>;

    /// The counts of one function, kept up with each commit. Does not block.
    fn counts(&self, function: FunctionId) -> Counts;

    /// The counts of every function that has any. Does not block.
    fn all_counts(&self) -> BTreeMap<FunctionId, Counts>;

    /// Counts what is really there, live and kept, to compare with [`Store::all_counts`]: `accepted` and `settled` come
    /// from there. Takes long; what is committed meanwhile may or may not be in it.
    fn recount(&self) -> Stored<'_, BTreeMap<FunctionId, Counts>>;

    /// What an idempotency key was used for. That may be over (`until`): it is there until the key is removed.
    fn key(&self, key: IdempotencyKey) -> Stored<'_, Option<KeyUse>>;

    /// Keys whose time was over before `now`, at most `limit`.
    fn keys_over(&self, now: Timestamp, limit: usize) -> Stored<'_, Vec<IdempotencyKey>>;

    /// One secret, sealed.
    fn secret(&self, namespace: Namespace, name: SecretName) -> Stored<'_, Option<Secret>>;

    /// Secrets of a namespace in order of their names, from behind `after`, at most `limit`.
    fn secrets(&self, namespace: Namespace, after: Option<SecretName>, limit: usize) -> Stored<'_, Vec<Secret>>;

    /// The value of a pair.
    fn pair_value(&self, store: PairStore, key: String) -> Stored<'_, Option<Bytes>>;

    /// A pair, without its value.
    fn pair(&self, store: PairStore, key: String) -> Stored<'_, Option<Pair>>;

    /// Pairs of a store without their values, in order of [`Pair::place`], from behind the place `after`; at most `limit`.
    fn pairs(&self, store: PairStore, after: Option<u64>, limit: usize) -> Stored<'_, Vec<Pair>>;

    /// Every key-value store that has a pair, from behind `after`, at most `limit`. In an order without meaning.
    fn pair_stores(&self, after: Option<PairStore>, limit: usize) -> Stored<'_, Vec<PairStore>>;

    /// One document.
    fn document(&self, key: DocumentKey) -> Stored<'_, Option<Bytes>>;

    /// Documents of a range in order of their keys, at most `limit`. Each is as it was at one instant during the call.
    fn documents(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<(DocumentKey, Bytes)>>;

    /// The keys of documents of a range, in order, at most `limit`: cheaper than with what they say.
    fn document_keys(&self, range: DocumentRange, limit: usize) -> Stored<'_, Vec<DocumentKey>>;

    /// How much room there is. Does not block, and is cheap to ask.
    fn room(&self) -> Room;

    /// Figures about the store itself. Does not block.
    fn vitals(&self) -> Vitals;

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
    /// The same, but only where that one is there: what was removed meanwhile does not come back.
    ReplaceInvocation(Box<Invocation>),
    /// Writes bytes that belong to an invocation.
    PutBlob(InvocationId, Part, Bytes),
    /// Removes an invocation that is `Done`, and all that belongs to it. One that is to go on by now stays.
    RemoveInvocation(InvocationId),
    /// Writes a function in place of the one with its id.
    PutFunction(Box<Function>),
    /// Writes a version of a function.
    PutVersion(FunctionId, Box<Version>),
    /// Removes a version of a function.
    RemoveVersion(FunctionId, VersionNumber),
    /// Removes a function and its versions.
    RemoveFunction(FunctionId),
    /// Notes what an idempotency key was used for.
    PutKey(IdempotencyKey, KeyUse),
    /// Forgets a key.
    RemoveKey(IdempotencyKey),
    /// Writes a secret in place of the one of its name.
    PutSecret(Box<Secret>),
    /// Removes a secret.
    RemoveSecret(Namespace, SecretName),
    /// Writes a pair in place of the one with its key; the value has as many bytes as it says.
    PutPair(Box<Pair>, Bytes),
    /// Removes a pair.
    RemovePair(PairStore, String),
    /// Writes a document in place of the one under its key.
    PutDocument(DocumentKey, Bytes),
    /// Removes a document.
    RemoveDocument(DocumentKey),
}

/// A caller's name for a request, of one function: the same name means the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey {
    /// Whose.
    pub function: FunctionId,
    /// SHA-256 of the caller's text.
    pub digest: Digest,
}

/// What an idempotency key was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The invocation that was accepted.
    pub id: InvocationId,
    /// SHA-256 of what was asked: the same key with something else is a mistake.
    pub request: Digest,
    /// When the key is forgotten.
    pub until: Timestamp,
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

/// Which settled invocations are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledQuery {
    /// Those of this function.
    pub function: FunctionId,
    /// Those that ended like this.
    pub kind: OutcomeKind,
    /// Those that settled before this.
    pub before: Timestamp,
    /// How many at most.
    pub limit: usize,
}

/// A settled invocation, as far as keeping it is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Settled {
    /// When it settled.
    pub at: Timestamp,
    /// Which.
    pub id: InvocationId,
    /// Bytes of all that is kept of it.
    pub bytes: u64,
}

/// Figures about a store. What a store does not have is zero.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    /// Commits that were answered with success.
    pub commits: u64,
    /// Groups that went to the disk together, over all writes: divided by `writes` the size of a gathering.
    pub gathered: u64,
    /// Writes of a gathering.
    pub writes: u64,
    /// Syncs of what was written.
    pub syncs: u64,
    /// Sum of the times from handing over to the answer, of `commits`.
    pub commit_time: Duration,
    /// How many of `commits` took no longer than each of [`Vitals::COMMIT_BOUNDS_MS`]; not cumulative, the last is the rest.
    pub commit_buckets: [u64; 12],
    /// Bytes on disk that something needs.
    pub live_bytes: u64,
    /// Bytes on disk in all.
    pub disk_bytes: u64,
    /// How long the last open took to take in what was written behind the last application.
    pub replay_time: Duration,
    /// Changes that stand in memory until they are applied.
    pub unapplied: u64,
    /// Whether new work is taken, only what is needed to settle, or only what removes.
    pub room: Room,
    /// Whether the index takes nothing at present; what is committed stands in the journal and in memory.
    pub index_fails: bool,
}

impl Vitals {
    /// The bounds of [`Vitals::commit_buckets`], in milliseconds.
    pub const COMMIT_BOUNDS_MS: [f64; 11] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 250.0, 1_000.0];
}

/// How much room there is for commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// For everything.
    #[default]
    Plenty,
    /// For what is needed to settle what was accepted; new work is refused.
    ReserveOnly,
    /// For what removes something, by which there is room again, and for nothing else.
    None,
}

/// What a store holds when it is opened.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Every lane in which something stands.
    pub lanes: Vec<Lane>,
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
    /// The store cannot be opened, or not be changed as a whole.
    #[error("the store at {path} cannot be used: {detail}")]
    Open {
        /// Where it is.
        path: String,
        /// Why, and what to do.
        detail: String,
    },
    /// There is no room on the disk for it. Nothing was changed.
    #[error("the disk has no room for it: {0}; nothing was changed")]
    Full(String),
    /// It did not take the change: too many wait already. Nothing was changed.
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
