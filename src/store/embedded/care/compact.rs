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
//! So `DIR` is whole at every moment, and what is under the other name may always be removed. What else lies in `DIR` is in
//! both from before the exchange on (`carried`).

use std::fs;
use std::path::Path;

use super::super::layout::Layout;
use super::beside;
use super::carried;
use super::check::{Checked, check_in, check_made};
use super::fresh::Fresh;
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
    carried::check(layout.root())?;
    let new = beside::beside(data, "compacting")?;
    if new.exists() {
        beside::remove_store(&new)?;
    }
    let before = disk_bytes(layout.root()).map_err(|error| layout.refused(error.to_string()))?;
    copy(&layout, &new)?;
    let checked = check_made(&new, &mut |_| ())?;
    carried::carry(layout.root(), &new)?;
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
