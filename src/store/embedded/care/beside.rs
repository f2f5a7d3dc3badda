//! Names beside a data directory, and the one step that puts another directory in its place.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::super::layout::Layout;
use crate::store::StoreError;

/// `DIR.suffix`, in the directory that `DIR` is in.
pub(super) fn beside(data: &Path, suffix: &str) -> Result<PathBuf, StoreError> {
    let whole = if data.exists() { data.canonicalize() } else { std::path::absolute(data) };
    let whole = whole.map_err(|error| refused(data, error.to_string()))?;
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Err(refused(data, "it has no directory that it is in: use another data directory".to_owned()));
    };
    let mut name: OsString = name.to_owned();
    name.push(format!(".{suffix}"));
    Ok(parent.join(name))
}

/// Exchanges two directories, durably: whoever looks finds the one or the other under each name, and never none.
pub(super) fn exchange(data: &Path, other: &Path) -> Result<(), StoreError> {
    let data = data.canonicalize().map_err(|error| refused(data, error.to_string()))?;
    renameat_with(CWD, &data, CWD, other, RenameFlags::EXCHANGE)
        .map_err(|error| refused(&data, format!("it cannot be exchanged with {}: {error}", other.display())))?;
    sync_parent(&data).map_err(|error| refused(&data, error.to_string()))
}

/// Gives a directory another name, durably.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    let renamed = fs::rename(from, to).and_then(|()| sync_parent(to));
    renamed.map_err(|error| refused(from, format!("it cannot be renamed to {}: {error}", to.display())))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        Some(_) | None => File::open(".")?.sync_all(),
    }
}

/// Removes a directory that is a store, or was becoming one, and that nobody has open.
pub(super) fn remove_store(dir: &Path) -> Result<(), StoreError> {
    // The lock is held until all of it is gone; what is no store is refused here.
    let layout = Layout::open(dir)?;
    fs::remove_dir_all(dir).map_err(|error| layout.refused(error.to_string()))
}

pub(super) fn refused(path: &Path, detail: String) -> StoreError {
    StoreError::Open { path: path.display().to_string(), detail }
}
