//! What is left of a damaged store, as a store. Nothing is invented and nothing is removed: the new one is made beside
//! the damaged one, which is kept.
//!
//! | names                               | after a crash here                                                    |
//! | ----------------------------------- | --------------------------------------------------------------------- |
//! | `DIR`, `DIR.repaired-N` in the making | `DIR` is as it was; the other one may be removed                    |
//! | exchanged in one step               | `DIR` is the repaired one, `DIR.repaired-N` the damaged one           |
//! | `DIR`, `DIR.damaged-N`              | done                                                                  |
//!
//! N is the first number that neither name has, so what an earlier repair left is never touched.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::layout::Layout;
use super::beside::{self, refused};
use super::carried;
use super::check::{Checked, check_in, check_made};
use super::fresh::Fresh;
use super::offline::Offline;
use super::read::{self, Everything, Judge, Skipped};
use super::rebuild::{Rebuilt, rebuild};
use super::report::{Finding, Kind, Tell};
use crate::store::StoreError;

/// How a repair has ended.
#[derive(Debug)]
pub(crate) enum Repair {
    /// Nothing is wrong but modules, which only another deployment brings back; nothing was changed.
    NotNeeded,
    /// So much would be lost, and nothing was changed.
    WouldLose(u64),
    /// The store is whole again.
    Done {
        /// What is in it.
        kept: Checked,
        lost: u64,
        /// Where the damaged one is.
        aside: PathBuf,
    },
}

/// Repairs the store in `data`. What is wrong is told to `found`, what of it is lost to `lost`; something may be only
/// with `accept_loss`.
pub(crate) fn repair(
    data: &Path,
    accept_loss: bool,
    found: &mut Tell<'_>,
    lost: &mut Skipped<'_>,
) -> Result<Repair, StoreError> {
    let layout = Layout::existing(data)?;
    let mut is_index_whole = true;
    let mut mendable = 0;
    check_in(&layout, &mut |finding| {
        mendable += u64::from(finding.kind != Kind::Module);
        let of_index = matches!(finding.kind, Kind::Index | Kind::Folder | Kind::Row);
        is_index_whole &= !of_index || finding.what.ends_with("modules");
        found(finding);
    })?;
    if mendable == 0 {
        return Ok(Repair::NotNeeded);
    }
    carried::check(layout.root())?;
    let (new, aside) = names(data)?;
    let mut count = 0;
    let lost = &mut |error| {
        count += 1;
        lost(error);
    };
    let made = if is_index_whole { save(&layout, &new, lost) } else { save_without_index(&layout, &new, lost) };
    let kept = made.and_then(|()| check_made(&new, &mut |_| ()));
    let kept = match kept {
        Ok(kept) if count == 0 || accept_loss => kept,
        other => {
            drop(fs::remove_dir_all(&new)); // what was just made, and nothing else
            return other.map(|_| Repair::WouldLose(count));
        }
    };
    carried::carry(layout.root(), &new)?;
    beside::exchange(data, &new)?;
    beside::rename(&new, &aside)?;
    drop(layout); // held until the damaged one has its name
    Ok(Repair::Done { kept, lost: count, aside })
}

/// Where the new one is made, and what the damaged one will be called.
fn names(data: &Path) -> Result<(PathBuf, PathBuf), StoreError> {
    for number in 1..1_000 {
        let new = beside::beside(data, &format!("repaired-{number}"))?;
        let aside = beside::beside(data, &format!("damaged-{number}"))?;
        if !new.exists() && !aside.exists() {
            return Ok((new, aside));
        }
    }
    Err(refused(data, "there are a thousand damaged ones beside it: move them somewhere else".to_owned()))
}

/// Takes what the index points to.
fn save(layout: &Layout, new: &Path, lost: &mut Skipped<'_>) -> Result<(), StoreError> {
    let store = Offline::open(layout, &mut |found| tell_loss(found, lost));
    let store = store.ok_or_else(|| layout.refused("it cannot be read"))?;
    fill(&store, &Everything, new, lost)
}

/// Takes what the journal tells.
fn save_without_index(layout: &Layout, new: &Path, lost: &mut Skipped<'_>) -> Result<(), StoreError> {
    if !layout.journal().is_dir() {
        return Err(layout.refused("its journal is missing, and nothing else holds what was in it"));
    }
    let parent = new.parent().unwrap_or(new);
    let dir = tempfile::Builder::new().prefix(".tidemill-index-").tempdir_in(parent);
    let dir = dir.map_err(|error| refused(parent, error.to_string()))?;
    let Rebuilt { store, judge } = rebuild(layout, dir.path(), &mut |found| tell_loss(found, lost))?;
    fill(&store, &judge, new, lost)
}

fn fill(store: &Offline, judge: &dyn Judge, new: &Path, lost: &mut Skipped<'_>) -> Result<(), StoreError> {
    let mut fresh = Fresh::begin(new)?;
    read::each(store, judge, &mut |item| fresh.take(item), lost)?;
    fresh.finish()
}

/// What is wrong with the journal is a loss besides that of what pointed there: it may have held what nobody knows of.
fn tell_loss(found: Finding, lost: &mut Skipped<'_>) {
    if found.kind == Kind::Journal {
        lost(StoreError::Damaged { what: found.what, detail: found.detail });
    }
}
