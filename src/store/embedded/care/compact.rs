//! A store made small: what is live in it, written anew in a directory beside it, which then takes its place.
//!
//! | names                                   | after a crash here                                            |
//! | --------------------------------------- | ------------------------------------------------------------- |
//! | `DIR`                                   | nothing has begun                                             |
//! | `DIR`, `DIR.compacting` in the making   | `DIR` is as it was; the next compaction removes the other one |
//! | `DIR`, `DIR.compacting` whole, checked  | the same                                                      |
//! | exchanged in one step, then synced      | `DIR` is one of the two, and both hold the same               |
//! | `DIR` new, `DIR.compacting` old         | `DIR` is the new one; the next compaction removes the old one |
//!
//! So `DIR` is whole at every moment, and what is under the other name may always be removed.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::super::layout::{Layout, OBJECTS, SECRET_KEY};
use super::beside;
use super::check::{Checked, check_in};
use super::fresh::Fresh;
use super::import::check_made;
use super::offline::{Offline, disk_bytes};
use super::read::{self, Everything};
use crate::store::StoreError;

/// What compacting has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compacted {
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) checked: Checked,
}

/// Compacts the store in `data`, which is refused when it is damaged.
pub(crate) fn compact(data: &Path) -> Result<Compacted, StoreError> {
    let layout = Layout::existing(data)?;
    let mut first = None;
    check_in(&layout, &mut |found| {
        first.get_or_insert(found);
    })?;
    if let Some(found) = first {
        let hint = "it is damaged, nothing was changed; `tidemill store check` names all of it";
        return Err(layout.refused(format!("{}: {}: {hint}", found.what, found.detail)));
    }
    let new = beside::beside(data, "compacting")?;
    if new.exists() {
        beside::remove_store(&new)?;
    }
    let before = disk_bytes(layout.root()).map_err(|error| layout.refused(error.to_string()))?;
    copy(&layout, &new)?;
    let checked = check_made(&new)?;
    keep_compiled(layout.root(), &new)?;
    keep_key(layout.root(), &new)?;
    keep_objects(layout.root(), &new)?;
    let after = disk_bytes(&new).map_err(|error| layout.refused(error.to_string()))?;
    beside::exchange(data, &new)?;
    let removed = fs::remove_dir_all(&new);
    removed.map_err(|error| StoreError::Unreadable(format!("{} cannot be removed: {error}", new.display())))?;
    drop(layout); // held until nothing of the old one is left
    Ok(Compacted { before, after, checked })
}

/// Copies all of a store that is whole. Its files are closed when this returns: they are under another name soon.
fn copy(layout: &Layout, new: &Path) -> Result<(), StoreError> {
    let store = Offline::open_whole(layout)?;
    let mut fresh = Fresh::begin(new)?;
    let mut damaged = None;
    read::each(&store, &Everything, &mut |item| fresh.take(item), &mut |error| {
        damaged.get_or_insert(error);
    })?;
    fresh.finish()?;
    damaged.map_or(Ok(()), Err)
}

/// Without the key the secrets are nothing. Copied: at no instant is it in only one of two places that may go.
pub(super) fn keep_key(data: &Path, new: &Path) -> Result<(), StoreError> {
    let (from, to) = (data.join(SECRET_KEY), new.join(SECRET_KEY));
    if !from.exists() {
        return Ok(());
    }
    let copied = fs::copy(&from, &to).and_then(|_| fs::File::open(&to)?.sync_all());
    let copied = copied.and_then(|()| fs::File::open(new)?.sync_all());
    copied.map_err(|error| beside::refused(&from, format!("it cannot be copied to {}: {error}", to.display())))
}

/// What is in buckets of this machine is in both directories from then on, and takes its room once: a file of it is never
/// written to, only put in the place of another. Moved, it would go with a directory that may be removed.
pub(super) fn keep_objects(data: &Path, new: &Path) -> Result<(), StoreError> {
    let (from, to) = (data.join(OBJECTS), new.join(OBJECTS));
    if !from.is_dir() {
        return Ok(());
    }
    let linked = link(&from, &to).and_then(|()| File::open(new)?.sync_all());
    linked.map_err(|error| beside::refused(&from, format!("it cannot be linked to {}: {error}", to.display())))
}

/// Makes the folder `to` with the files and folders of `from`. What is neither was put there by nobody of ours.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            link(&entry.path(), &to)?;
        } else if kind.is_file() {
            fs::hard_link(entry.path(), to)?;
        }
    }
    File::open(to)?.sync_all()
}

/// Compiled code is of use to the new one too. Without it the next start takes longer, no more.
pub(super) fn keep_compiled(data: &Path, new: &Path) -> Result<(), StoreError> {
    let cache = data.join("cache");
    if cache.is_dir() {
        beside::rename(&cache, &new.join("cache"))?;
    }
    Ok(())
}
