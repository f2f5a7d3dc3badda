//! The net change of the groups that are committed together: each group on top of those before it, and none
//! of a group that cannot be staged. Writes the files of large values; the database is only read.

use std::collections::BTreeMap;
use std::mem;

use ::sled::{Batch, Db, IVec};

use crate::model::bounds;
use crate::model::names::{FunctionId, InvocationId};
use crate::model::time::Timestamp;
use crate::store::{Cursor, StoreError, keys, record};

use super::change::{self, Op};
use super::files::{Files, Unsynced};
use super::value::{FileRef, Value};

/// Changes that are to be written as one batch.
#[derive(Debug)]
pub(super) struct Staging<'a> {
    db: &'a Db,
    files: &'a Files,
    /// What the groups staged so far leave behind.
    staged: Layer,
    /// The same for the group that is being staged.
    group: Layer,
}

/// What some changes come to.
#[derive(Debug, Default)]
struct Layer {
    /// By key: the new value, or `None` where it goes away.
    net: BTreeMap<Vec<u8>, Option<IVec>>,
    /// Files that were written for it.
    written: Vec<(Vec<u8>, FileRef)>,
    /// Files that nothing points to any more once it is written.
    unneeded: Vec<(Vec<u8>, FileRef)>,
    unsynced: Unsynced,
}

/// What is left to do besides the batch.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) batch: Batch,
    /// Files to be synced before the batch.
    pub(super) unsynced: Unsynced,
    /// Files to be removed once the batch is durable.
    pub(super) unneeded: Vec<(Vec<u8>, FileRef)>,
}

/// The one field of an invocation's record that removing it needs.
#[derive(serde::Deserialize)]
struct Accepted {
    accepted: Timestamp,
}

impl<'a> Staging<'a> {
    pub(super) fn new(db: &'a Db, files: &'a Files) -> Self {
        Self { db, files, staged: Layer::default(), group: Layer::default() }
    }

    /// Stages a group. When that fails the group has left nothing, and the others are as they were.
    pub(super) fn add(&mut self, ops: Vec<Op>) -> Result<(), StoreError> {
        let staged = ops.into_iter().try_for_each(|op| self.stage(op));
        let group = mem::take(&mut self.group);
        match &staged {
            Ok(()) => self.staged.append(group),
            Err(_) => group.written.iter().for_each(|(key, file)| self.files.remove(key, *file)),
        }
        staged
    }

    pub(super) fn finish(self) -> Staged {
        let Layer { net, written: _, unneeded, unsynced } = self.staged;
        let mut batch = Batch::default();
        for (key, value) in net {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        Staged { batch, unsynced, unneeded }
    }

    fn stage(&mut self, op: Op) -> Result<(), StoreError> {
        match op {
            Op::Put { key, record } => self.put(key, &record),
            Op::PutBlob { key, bytes } => self.put(key, &bytes),
            Op::PutInvocation { at, function, done, record } => self.put_invocation(at, function, done, &record),
            Op::RemoveFunction(id) => self.remove_function(id),
            Op::RemoveInvocation(id) => self.remove_invocation(id),
        }
    }

    fn put_invocation(
        &mut self,
        at: Cursor,
        function: FunctionId,
        done: bool,
        record: &[u8],
    ) -> Result<(), StoreError> {
        let (live, settled) = (keys::live(at.1), keys::done(at.1));
        let (to, from) = if done { (settled, live) } else { (live, settled) };
        // Found where it stays or where it leaves, it has its place in time already.
        let known = self.get(&to)?.is_some() || self.remove(from)?;
        if !known {
            self.group.net.insert(keys::time(at), Some(IVec::from(function.as_bytes())));
        }
        self.put(to, record)
    }

    fn remove_invocation(&mut self, id: InvocationId) -> Result<(), StoreError> {
        for key in [keys::live(id), keys::done(id)] {
            let Some(kept) = self.get(&key)? else { continue };
            if let Some(place) = self.place(&key, &kept, id)? {
                self.group.net.insert(place, None);
            }
            self.remove(key)?;
        }
        change::parts(id).try_for_each(|key| self.remove(key).map(drop))
    }

    /// The key of an invocation in the time index. Searched for where the record does not tell: retention must
    /// be able to remove a damaged one.
    fn place(&self, key: &[u8], kept: &[u8], id: InvocationId) -> Result<Option<Vec<u8>>, StoreError> {
        let accepted = match Value::read(kept) {
            Some(Value::Inline(bytes)) => record::decode::<Accepted>(bytes, String::new).ok(),
            Some(Value::InFile(file)) => {
                let bytes = self.files.read(key, file).ok();
                bytes.and_then(|bytes| record::decode::<Accepted>(&bytes, String::new).ok())
            }
            None => None,
        };
        if let Some(Accepted { accepted }) = accepted {
            return Ok(Some(keys::time(Cursor(accepted, id))));
        }
        let mut places = self.db.scan_prefix([keys::TIME]).keys();
        let found = places.find(|place| place.as_ref().map_or(true, |place| place.ends_with(id.as_bytes())));
        found.transpose().map(|place| place.map(|place| place.to_vec())).map_err(|error| unread(&error))
    }

    fn remove_function(&mut self, id: FunctionId) -> Result<(), StoreError> {
        self.remove(keys::function(id))?;
        let prefix = keys::versions_of(id);
        let mut versions: Vec<Vec<u8>> = Vec::new();
        for key in self.db.scan_prefix(&prefix).keys() {
            versions.push(key.map_err(|error| unread(&error))?.to_vec());
        }
        for layer in [&self.staged, &self.group] {
            let behind = layer.net.range(prefix.clone()..).map(|(key, _)| key);
            versions.extend(behind.take_while(|key| key.starts_with(&prefix)).cloned());
        }
        versions.into_iter().try_for_each(|key| self.remove(key).map(drop))
    }

    fn put(&mut self, key: Vec<u8>, bytes: &[u8]) -> Result<(), StoreError> {
        self.forget_file(&key)?;
        let value = if bytes.len() <= bounds::MAX_INLINE_BYTES {
            Value::Inline(bytes)
        } else {
            let written = self.files.write(&key, bytes, &mut self.group.unsynced);
            let file =
                written.map_err(|error| StoreError::Refused(format!("{}: {error}", self.files.dir().display())))?;
            self.group.written.push((key.clone(), file));
            Value::InFile(file)
        };
        self.group.net.insert(key, Some(value.to_bytes().into()));
        Ok(())
    }

    /// Whether there was something to remove.
    fn remove(&mut self, key: Vec<u8>) -> Result<bool, StoreError> {
        let was_there = self.forget_file(&key)?;
        if was_there {
            self.group.net.insert(key, None);
        }
        Ok(was_there)
    }

    /// Notes the file of a value that goes away. Whether there is a value.
    fn forget_file(&mut self, key: &[u8]) -> Result<bool, StoreError> {
        let kept = self.get(key)?;
        if let Some(file) = kept.as_deref().and_then(Value::file_of) {
            self.group.unneeded.push((key.to_vec(), file));
        }
        Ok(kept.is_some())
    }

    /// The value behind a key as the changes so far leave it.
    fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let changed = self.group.net.get(key).or_else(|| self.staged.net.get(key));
        match changed {
            Some(value) => Ok(value.clone()),
            None => self.db.get(key).map_err(|error| unread(&error)),
        }
    }
}

impl Layer {
    fn append(&mut self, mut other: Self) {
        self.net.append(&mut other.net);
        self.written.append(&mut other.written);
        self.unneeded.append(&mut other.unneeded);
        self.unsynced.append(other.unsynced);
    }
}

/// Staging reads before it writes, so nothing has happened yet.
fn unread(error: &::sled::Error) -> StoreError {
    StoreError::Refused(format!("what it replaces cannot be read: {error}"))
}
