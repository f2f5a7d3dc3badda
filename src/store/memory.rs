//! A store in memory: the same promises but one, for it ends with the process. For tests and for trying things
//! out. Has no bound of its own: whoever accepts work bounds it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::model::function::{Function, Version};
use crate::model::invocation::{Invocation, State};
use crate::model::names::{Digest, FunctionId, InvocationId, VersionNumber};
use crate::model::time::Timestamp;

use super::{Change, Cursor, Durability, Group, Listed, Live, Part, Query, Store, Stored};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: Mutex<Kept>,
}

/// All of it. Under one lock, so a group is seen whole.
#[derive(Debug, Default)]
struct Kept {
    invocations: BTreeMap<InvocationId, Invocation>,
    times: BTreeSet<Cursor>,
    blobs: BTreeMap<(InvocationId, Part), Bytes>,
    functions: BTreeMap<FunctionId, Function>,
    versions: BTreeMap<(FunctionId, VersionNumber), Version>,
    modules: BTreeMap<Digest, Bytes>,
}

impl MemoryStore {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(&self, group: Group, _: Durability) -> Stored<'_, ()> {
        let mut kept = self.kept();
        group.0.into_iter().for_each(|change| kept.apply(change));
        answer(())
    }

    fn invocation(&self, id: InvocationId) -> Stored<'_, Option<Invocation>> {
        answer(self.kept().invocations.get(&id).cloned())
    }

    fn blob(&self, id: InvocationId, part: Part) -> Stored<'_, Option<Bytes>> {
        answer(self.kept().blobs.get(&(id, part)).cloned())
    }

    fn list(&self, query: Query) -> Stored<'_, Listed> {
        answer(self.kept().list(&query))
    }

    fn settled_before(&self, before: Timestamp, limit: usize) -> Stored<'_, Vec<InvocationId>> {
        let kept = self.kept();
        let oldest = kept.times.iter().take_while(|Cursor(accepted, _)| *accepted < before);
        answer(oldest.map(|Cursor(_, id)| *id).filter(|id| kept.is_done_before(id, before)).take(limit).collect())
    }

    fn scan(&self) -> Stored<'_, Live> {
        answer(self.kept().live())
    }

    fn put_module(&self, digest: Digest, module: Bytes) -> Stored<'_, ()> {
        self.kept().modules.entry(digest).or_insert(module);
        answer(())
    }

    fn module(&self, digest: Digest) -> Stored<'_, Option<Bytes>> {
        answer(self.kept().modules.get(&digest).cloned())
    }
}

impl Kept {
    fn apply(&mut self, change: Change) {
        match change {
            Change::PutInvocation(invocation) => {
                self.times.insert(Cursor(invocation.accepted, invocation.id));
                self.invocations.insert(invocation.id, *invocation);
            }
            Change::PutBlob(id, part, bytes) => {
                self.blobs.insert((id, part), bytes);
            }
            Change::RemoveInvocation(id) => {
                if let Some(invocation) = self.invocations.remove(&id) {
                    self.times.remove(&Cursor(invocation.accepted, id));
                }
                for part in Part::ALL {
                    self.blobs.remove(&(id, part));
                }
            }
            Change::PutFunction(function) => {
                self.functions.insert(function.id, *function);
            }
            Change::PutVersion(id, version) => {
                self.versions.insert((id, version.number), *version);
            }
            Change::RemoveFunction(id) => {
                self.functions.remove(&id);
                self.versions.retain(|(of, _), _| *of != id);
            }
        }
    }

    fn list(&self, query: &Query) -> Listed {
        let end = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let since = |at: &&Cursor| query.since.is_none_or(|since| at.0 >= since);
        let mut entries = self.times.range((Bound::Unbounded, end)).rev().take_while(since).peekable();
        let seen: Vec<Cursor> = entries.by_ref().take(query.limit).copied().collect();
        let next = entries.peek().and_then(|_| seen.last().copied().or(query.after));
        let wanted = |invocation: &&Invocation| query.function.is_none_or(|id| invocation.target.function == id);
        let invocations = seen.iter().filter_map(|Cursor(_, id)| self.invocations.get(id));
        Listed { invocations: invocations.filter(wanted).cloned().collect(), next }
    }

    fn is_done_before(&self, id: &InvocationId, before: Timestamp) -> bool {
        let state = self.invocations.get(id).map(|invocation| &invocation.state);
        matches!(state, Some(State::Done { at, .. }) if *at < before)
    }

    fn live(&self) -> Live {
        let is_live = |invocation: &&Invocation| !matches!(invocation.state, State::Done { .. });
        let versions_of = |id: FunctionId| {
            let all = (id, VersionNumber::MIN)..=(id, VersionNumber::MAX);
            self.versions.range(all).map(|((_, number), version)| (*number, version.clone())).collect()
        };
        Live {
            invocations: self.invocations.values().filter(is_live).cloned().collect(),
            functions: self.functions.values().map(|f| (f.clone(), versions_of(f.id))).collect(),
        }
    }
}

fn answer<T: Send + 'static>(value: T) -> Stored<'static, T> {
    Box::pin(ready(Ok(value)))
}
