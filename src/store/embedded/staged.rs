//! What groups have changed and nobody sees yet, laid over what was committed: each group is staged as if those in front
//! of it had been. That is the gathering being staged, and those before it that are written and wait for a sync.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::entry::Entry;
use super::op::Op;
use super::stage::{self, Before};
use super::view::View;
use super::window::{ById, Known};
use crate::model::names::{FunctionId, InvocationId};
use crate::store::journal::Span;
use crate::store::{IdempotencyKey, KeyUse, StoreError, keys};

/// What groups of a gathering have changed, in their order.
#[derive(Debug, Default)]
pub(super) struct Staged {
    ops: Vec<Op>,
    /// Which of them was the last to change an invocation.
    invocations: HashMap<InvocationId, usize, ById>,
    records: HashMap<Vec<u8>, Option<Span>>,
    keys: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

/// What is there before a group: groups of the same gathering, over gatherings that are written, over everything that was
/// committed.
pub(super) struct Layered<'a> {
    pub(super) staged: &'a Staged,
    pub(super) written: &'a Gatherings,
    pub(super) view: &'a View,
}

/// Gatherings that are written and were not seen to be shown yet, the newest last. What was shown meanwhile does no harm:
/// it says the same.
pub(super) type Gatherings = VecDeque<Arc<Staged>>;

impl Layered<'_> {
    /// The newest first.
    fn layers(&self) -> impl Iterator<Item = &Staged> {
        std::iter::once(self.staged).chain(self.written.iter().rev().map(|staged| &**staged))
    }

    /// Whether a group that nobody sees yet has changed the invocation.
    pub(super) fn is_unseen(&self, id: InvocationId) -> bool {
        self.layers().any(|staged| staged.invocations.contains_key(&id))
    }
}

impl Before for Layered<'_> {
    fn entry(&self, id: InvocationId) -> Result<Option<Entry>, StoreError> {
        match self.layers().find_map(|staged| staged.entry(id)) {
            Some(staged) => Ok(staged),
            None => self.view.entry(id),
        }
    }

    fn record(&self, key: &[u8]) -> Result<Option<Span>, StoreError> {
        match self.layers().find_map(|staged| staged.records.get(key)) {
            Some(staged) => Ok(*staged),
            None => self.view.record(key),
        }
    }

    fn versions(&self, function: FunctionId) -> Result<Vec<Vec<u8>>, StoreError> {
        let prefix = keys::versions_of(function);
        let mut versions = self.view.versions(function)?;
        let staged = self.layers().flat_map(|staged| staged.records.keys());
        versions.extend(staged.filter(|key| key.starts_with(&prefix)).cloned());
        Ok(versions)
    }

    fn key(&self, key: IdempotencyKey) -> Result<Option<KeyUse>, StoreError> {
        let row = keys::idempotency(key);
        match self.layers().find_map(|staged| staged.keys.get(&row)) {
            Some(staged) => Ok(staged.as_deref().and_then(stage::read_key_use)),
            None => self.view.key(key),
        }
    }
}

impl Staged {
    fn entry(&self, id: InvocationId) -> Known<Entry> {
        match self.ops.get(*self.invocations.get(&id)?)? {
            Op::Invocation { net, .. } => Some(net.now),
            Op::Record { .. } | Op::Row { .. } => None,
        }
    }

    /// All of it, in order.
    pub(super) fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The same memory with nothing in it.
    pub(super) fn emptied(mut self) -> Self {
        self.ops.clear();
        self.invocations.clear();
        self.records.clear();
        self.keys.clear();
        self
    }

    /// Adds the changes of a group, and leaves none of them there.
    pub(super) fn take_in(&mut self, ops: &mut Vec<Op>) {
        for (place, op) in (self.ops.len()..).zip(&*ops) {
            match op {
                Op::Invocation { id, .. } => drop(self.invocations.insert(*id, place)),
                Op::Record { key, net } => drop(self.records.insert(key.clone(), net.now)),
                Op::Row { key, value } => drop(self.keys.insert(key.clone(), value.clone())),
            }
        }
        self.ops.append(ops);
    }
}
