//! Reading: one record, one value, the list, everything live. Changes nothing; what it finds damaged it names.
//!
//! Runs on threads that may block, not on those of the async runtime: sled answers from memory in a
//! microsecond most of the time, but waits for the disk on a miss and for the committer while a batch is being
//! applied, which takes milliseconds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;

use ::sled::{Db, IVec};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::model::function::{Function, Version};
use crate::model::invocation::Invocation;
use crate::model::names::{Digest, FunctionId, InvocationId, VersionNumber};
use crate::model::time::Timestamp;
use crate::store::{Cursor, Listed, Live, Part, Query, StoreError, keys, record};

use super::files::Files;
use super::value::Value;

/// What reads the database and the files beside it.
#[derive(Debug)]
pub(super) struct Reader {
    db: Db,
    files: Arc<Files>,
}

impl Reader {
    pub(super) fn new(db: Db, files: Arc<Files>) -> Self {
        Self { db, files }
    }

    pub(super) fn invocation(&self, id: InvocationId) -> Result<Option<Invocation>, StoreError> {
        // A commit may move it between two looks: to `done`, or back when it is redelivered. The third look
        // finds the one that moved back behind the first.
        for key in [keys::live(id), keys::done(id), keys::live(id)] {
            if let Some(invocation) = self.record(&key, || format!("invocation {id}"))? {
                return Ok(Some(invocation));
            }
        }
        Ok(None)
    }

    pub(super) fn blob(&self, id: InvocationId, part: Part) -> Result<Option<Bytes>, StoreError> {
        self.value(&keys::part(id, part), || format!("the {} of invocation {id}", part_name(part)))
    }

    pub(super) fn list(&self, query: &Query) -> Result<Listed, StoreError> {
        let oldest = keys::time_from(query.since.unwrap_or(Timestamp::from_ms(0)));
        let end = query.after.map_or_else(keys::time_end, keys::time);
        let mut listed = Listed { invocations: Vec::new(), next: query.after };
        if oldest >= end {
            return Ok(Listed::default());
        }
        for (looked, entry) in self.db.range(oldest..end).rev().enumerate() {
            if looked == query.limit {
                return Ok(listed);
            }
            let (cursor, function) = read_place(&entry.map_err(unreadable)?)?;
            listed.next = Some(cursor);
            if query.function.is_none_or(|wanted| wanted == function) {
                // It may have been removed since the index was read.
                listed.invocations.extend(self.invocation(cursor.1)?);
            }
        }
        Ok(Listed { next: None, ..listed })
    }

    pub(super) fn scan(&self) -> Result<Live, StoreError> {
        let mut functions: BTreeMap<FunctionId, (Function, BTreeMap<VersionNumber, Version>)> = BTreeMap::new();
        for entry in self.db.scan_prefix([keys::FUNCTION]) {
            let (key, kept) = entry.map_err(unreadable)?;
            let id = keys::read_function(&key).ok_or_else(|| unknown_key(&key))?;
            let function = self.decode(&key, kept, || format!("function {id}"))?;
            functions.extend(function.map(|function| (id, (function, BTreeMap::new()))));
        }
        for entry in self.db.scan_prefix([keys::VERSION]) {
            let (key, kept) = entry.map_err(unreadable)?;
            let (id, number) = keys::read_version(&key).ok_or_else(|| unknown_key(&key))?;
            match functions.get_mut(&id) {
                Some((_, versions)) => {
                    let version = self.decode(&key, kept, || format!("version {number} of function {id}"))?;
                    versions.extend(version.map(|version| (number, version)));
                }
                None => {
                    tracing::warn!(function = %id, version = %number, "a version without its function is passed over");
                }
            }
        }
        Ok(Live { lanes: Vec::new(), functions: functions.into_values().collect() })
    }

    /// The modules that versions are of.
    pub(super) fn modules(&self) -> Result<BTreeSet<Digest>, StoreError> {
        let mut digests = BTreeSet::new();
        for entry in self.db.scan_prefix([keys::VERSION]) {
            let (key, kept) = entry.map_err(unreadable)?;
            let version: Option<Version> = self.decode(&key, kept, || "a version".to_owned())?;
            digests.extend(version.map(|version| version.digest));
        }
        Ok(digests)
    }

    fn record<T: DeserializeOwned>(&self, key: &[u8], what: impl Fn() -> String) -> Result<Option<T>, StoreError> {
        let bytes = self.value(key, &what)?;
        bytes.map(|bytes| record::decode(&bytes, what)).transpose()
    }

    fn value(&self, key: &[u8], what: impl Fn() -> String) -> Result<Option<Bytes>, StoreError> {
        match self.db.get(key).map_err(unreadable)? {
            Some(kept) => self.bytes(key, kept, what),
            None => Ok(None),
        }
    }

    /// The record that `kept` stands for; `None` when it was removed meanwhile.
    fn decode<T: DeserializeOwned>(
        &self,
        key: &[u8],
        kept: IVec,
        what: impl Fn() -> String,
    ) -> Result<Option<T>, StoreError> {
        let bytes = self.bytes(key, kept, &what)?;
        bytes.map(|bytes| record::decode(&bytes, what)).transpose()
    }

    /// The bytes that `kept` stands for, which was read under `key`.
    fn bytes(&self, key: &[u8], mut kept: IVec, what: impl Fn() -> String) -> Result<Option<Bytes>, StoreError> {
        let damaged = |detail: String| StoreError::Damaged { what: what(), detail };
        loop {
            let file = match Value::read(&kept) {
                Some(Value::Inline(bytes)) => return Ok(Some(Bytes::copy_from_slice(bytes))),
                Some(Value::InFile(file)) => file,
                None => return Err(damaged("its value has no form that this program knows".to_owned())),
            };
            match self.files.read(key, file) {
                Ok(bytes) => return Ok(Some(bytes.into())),
                Err(error) if error.kind() == ErrorKind::InvalidData => return Err(damaged(error.to_string())),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(unreadable(error)),
                Err(_) => (),
            }
            // The file goes away when the value is replaced: then there is a newer one to read.
            match self.db.get(key).map_err(unreadable)? {
                None => return Ok(None),
                Some(newer) if newer != kept => kept = newer,
                Some(_) => {
                    return Err(damaged(format!("its file {} is missing", self.files.path(key, file).display())));
                }
            }
        }
    }
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Payload => "payload",
        Part::Result => "result",
        Part::Log => "log",
    }
}

/// An entry of the time index: the place and the function.
fn read_place((key, function): &(IVec, IVec)) -> Result<(Cursor, FunctionId), StoreError> {
    let function = function.as_ref().try_into().ok().map(FunctionId::from_bytes);
    keys::read_time(key).zip(function).ok_or_else(|| unknown_key(key))
}

fn unknown_key(key: &[u8]) -> StoreError {
    StoreError::Damaged {
        what: format!("the key {key:02x?}"),
        detail: "it is none that this program writes".to_owned(),
    }
}

pub(super) fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable(error.to_string())
}
