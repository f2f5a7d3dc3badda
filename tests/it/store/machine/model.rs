//! What a store must hold: plain maps, changed one change at a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidemill::model::function::{Function, Version};
use tidemill::model::invocation::{Invocation, Mode, State};
use tidemill::model::names::{Digest, FunctionId, InvocationId, Namespace, SecretName, VersionNumber};
use tidemill::model::outcome::OutcomeKind;
use tidemill::model::secret::Secret;
use tidemill::model::time::Timestamp;
use tidemill::store::{Change, Counts, DocumentKey, IdempotencyKey, Kept, KeyUse, PairStore, Part, Settled, Table};

use super::super::values::function_id;

/// What is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) invocations: BTreeMap<InvocationId, Invocation>,
    pub(super) blobs: BTreeMap<(InvocationId, Part), Bytes>,
    pub(super) functions: BTreeMap<FunctionId, Function>,
    pub(super) versions: BTreeMap<(FunctionId, VersionNumber), Version>,
    pub(super) keys: BTreeMap<IdempotencyKey, KeyUse>,
    pub(super) secrets: BTreeMap<(Namespace, SecretName), Secret>,
    pub(super) documents: BTreeMap<DocumentKey, Bytes>,
    pub(super) pairs: BTreeMap<(PairStore, String), Bytes>,
    /// Asynchronous invocations ever accepted, and those that ever settled, also of what was removed since.
    pub(super) ever: BTreeMap<FunctionId, (u64, [u64; 4])>,
    /// Milliseconds that have passed.
    pub(super) now: u64,
    /// Invocations accepted so far.
    pub(super) accepted: u64,
}

impl Model {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::PutInvocation(invocation) => {
                self.count(invocation);
                self.invocations.insert(invocation.id, (**invocation).clone());
            }
            Change::ReplaceInvocation(invocation) => {
                if self.invocations.contains_key(&invocation.id) {
                    self.apply(&Change::PutInvocation(invocation.clone()));
                }
            }
            Change::PutBlob(id, part, bytes) => drop(self.blobs.insert((*id, *part), bytes.clone())),
            Change::RemoveInvocation(id) => {
                if self.invocations.get(id).is_some_and(|it| matches!(it.state, State::Done { .. })) {
                    self.invocations.remove(id);
                    self.blobs.retain(|(of, _), _| of != id);
                }
            }
            Change::PutFunction(function) => drop(self.functions.insert(function.id, (**function).clone())),
            Change::PutVersion(id, version) => drop(self.versions.insert((*id, version.number), (**version).clone())),
            Change::RemoveVersion(id, number) => drop(self.versions.remove(&(*id, *number))),
            Change::RemoveFunction(id) => {
                self.functions.remove(id);
                self.versions.retain(|(of, _), _| of != id);
            }
            Change::PutKey(key, used) => drop(self.keys.insert(*key, *used)),
            Change::RemoveKey(key) => drop(self.keys.remove(key)),
            Change::PutSecret(secret) => {
                drop(self.secrets.insert((secret.namespace.clone(), secret.name.clone()), (**secret).clone()));
            }
            Change::RemoveSecret(namespace, name) => drop(self.secrets.remove(&(namespace.clone(), name.clone()))),
            Change::PutDocument(key, bytes) => drop(self.documents.insert(key.clone(), bytes.clone())),
            Change::RemoveDocument(key) => drop(self.documents.remove(key)),
            Change::PutPair(pair, value) => {
                drop(self.pairs.insert((pair.store.clone(), pair.key.clone()), value.clone()));
            }
            Change::RemovePair(store, key) => drop(self.pairs.remove(&(store.clone(), key.clone()))),
        }
    }

    /// Counts an asynchronous invocation once when it is accepted and once when it settles.
    fn count(&mut self, invocation: &Invocation) {
        if invocation.mode == Mode::Sync {
            self.ever.entry(invocation.target.function).or_default();
            return;
        }
        let before = self.invocations.get(&invocation.id);
        let was_live = before.is_some_and(|before| before.outcome().is_none());
        let (accepted, settled) = self.ever.entry(invocation.target.function).or_default();
        *accepted += u64::from(before.is_none());
        if let Some((outcome, _)) = invocation.outcome()
            && was_live
        {
            settled[outcome.kind() as usize] += 1;
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        time(self.now)
    }

    pub(super) fn bytes(&self, id: InvocationId) -> u64 {
        Part::ALL.iter().filter_map(|part| self.blobs.get(&(id, *part))).map(|bytes| bytes.len() as u64).sum()
    }

    /// The counts of a function. The bytes of what is kept are those of blobs: records have some besides.
    pub(super) fn counts(&self, function: FunctionId) -> Counts {
        let (accepted, settled) = self.ever.get(&function).copied().unwrap_or_default();
        let mut counts = Counts { accepted, settled, ..Counts::default() };
        for invocation in self.invocations.values().filter(|invocation| invocation.target.function == function) {
            if let Some((kind, _)) = invocation.kept_as() {
                let Kept { count, bytes } = &mut counts.kept[kind as usize];
                (*count, *bytes) = (*count + 1, *bytes + self.bytes(invocation.id));
            } else {
                counts.live += 1;
                counts.live_bytes += invocation.request.payload.bytes;
            }
        }
        counts
    }

    /// What is done, those that settled first at the front.
    pub(super) fn settled(&self, function: FunctionId, kind: OutcomeKind, before: Timestamp) -> Vec<Settled> {
        let settled = self.invocations.values().filter(|invocation| invocation.target.function == function);
        let mut settled: Vec<_> = settled
            .filter(|invocation| matches!(invocation.state, State::Done { .. }))
            .filter_map(|invocation| {
                let (kept_as, at) = invocation.kept_as()?;
                let settled = Settled { at, id: invocation.id, bytes: self.bytes(invocation.id) };
                (kept_as == kind && at < before).then_some(settled)
            })
            .collect();
        settled.sort_unstable();
        settled
    }
}

pub(super) fn time(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_790_000_000_000 + ms)
}

/// Namespace number `n`: one is the beginning of the other.
pub(super) fn namespace(n: u64) -> Namespace {
    if n == 0 { "shop".parse().unwrap() } else { "shopper".parse().unwrap() }
}

/// Key-value store number `n` of four.
/// One of few keys, some of which are the beginning of others.
pub(super) fn document_key(table: u64, n: u64) -> DocumentKey {
    let table =
        [Table::Queue, Table::Message, Table::MessageOrder, Table::Trigger][usize::try_from(table % 4).unwrap()];
    let key =
        [&b"a"[..], b"a\0", b"ab", b"b\xff", b"b\xff\xff", b"\xff", &[b'x'; 120]][usize::try_from(n % 7).unwrap()];
    DocumentKey::new(table, key)
}

pub(super) fn pair_store(n: u64) -> PairStore {
    PairStore { namespace: namespace(n % 2), name: if n < 2 { "a" } else { "carts" }.parse().unwrap() }
}

/// Key number `n`, and a use of it.
pub(super) fn key(n: u8, id: InvocationId, until: Timestamp) -> (IdempotencyKey, KeyUse) {
    let key = IdempotencyKey { function: function_id(n % 3), digest: Digest::from_bytes([n; 32]) };
    (key, KeyUse { id, request: Digest::from_bytes([n ^ 0xff; 32]), until })
}
