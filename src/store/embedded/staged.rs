//! What the groups of a gathering have changed and nobody sees yet, laid over what was committed: each group is staged
//! as if those in front of it had been.

use std::collections::HashMap;

use super::entry::Entry;
use super::op::Op;
use super::stage::{self, Before};
use super::view::View;
use super::window::ById;
use crate::model::names::{FunctionId, InvocationId};
use crate::store::journal::Span;
use crate::store::{IdempotencyKey, KeyUse, StoreError, keys};

/// What groups of a gathering have changed, in their order.
#[derive(Default)]
pub(super) struct Staged {
    pub(super) ops: Vec<Op>,
    entries: HashMap<InvocationId, Option<Entry>, ById>,
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
        match self.staged.entries.get(&id) {
            Some(staged) => Ok(*staged),
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
    pub(super) fn take_in(&mut self, ops: Vec<Op>) {
        for op in &ops {
            match op {
                Op::Invocation { id, net } => drop(self.entries.insert(*id, net.now)),
                Op::Record { key, net } => drop(self.records.insert(key.clone(), net.now)),
                Op::Row { key, value } => drop(self.keys.insert(key.clone(), value.clone())),
            }
        }
        self.ops.extend(ops);
    }
}
