//! What the groups of a gathering have changed and nobody sees yet, laid over what was committed: each group is staged
//! as if those in front of it had been.

use std::collections::HashMap;
use std::vec::Drain;

use super::entry::Entry;
use super::op::Op;
use super::stage::{self, Before};
use super::view::View;
use super::window::{ById, Known};
use crate::model::names::{FunctionId, InvocationId};
use crate::store::journal::Span;
use crate::store::{IdempotencyKey, KeyUse, StoreError, keys};

/// What groups of a gathering have changed, in their order.
#[derive(Default)]
pub(super) struct Staged {
    ops: Vec<Op>,
    /// Which of them was the last to change an invocation.
    invocations: HashMap<InvocationId, usize, ById>,
    records: HashMap<Vec<u8>, Option<Span>>,
    keys: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

/// What is there before a group: groups of the same gathering over everything that was committed.
pub(super) struct Layered<'a> {
    pub(super) staged: &'a Staged,
    pub(super) view: &'a View,
}

impl Before for Layered<'_> {
    fn entry(&self, id: InvocationId) -> Result<Option<Entry>, StoreError> {
        match self.staged.entry(id) {
            Some(staged) => Ok(staged),
            None => self.view.entry(id),
        }
    }

    fn record(&self, key: &[u8]) -> Result<Option<Span>, StoreError> {
        match self.staged.records.get(key) {
            Some(staged) => Ok(*staged),
            None => self.view.record(key),
        }
    }

    fn versions(&self, function: FunctionId) -> Result<Vec<Vec<u8>>, StoreError> {
        let prefix = keys::versions_of(function);
        let mut versions = self.view.versions(function)?;
        versions.extend(self.staged.records.keys().filter(|key| key.starts_with(&prefix)).cloned());
        Ok(versions)
    }

    fn key(&self, key: IdempotencyKey) -> Result<Option<KeyUse>, StoreError> {
        match self.staged.keys.get(&keys::idempotency(key)) {
            Some(staged) => Ok(staged.as_deref().and_then(stage::read_key_use)),
            None => self.view.key(key),
        }
    }
}

impl Staged {
    /// Whether a group in it has changed the invocation.
    pub(super) fn knows(&self, id: InvocationId) -> bool {
        self.invocations.contains_key(&id)
    }

    fn entry(&self, id: InvocationId) -> Known<Entry> {
        match self.ops.get(*self.invocations.get(&id)?)? {
            Op::Invocation { net, .. } => Some(net.now),
            Op::Record { .. } | Op::Row { .. } => None,
        }
    }

    /// All of it, in order. Keeps its memory for the next gathering.
    pub(super) fn take(&mut self) -> Drain<'_, Op> {
        self.invocations.clear();
        self.records.clear();
        self.keys.clear();
        self.ops.drain(..)
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
