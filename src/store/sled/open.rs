//! Whether what is there may be opened, and making a new one. What is not ours, or not whole, is left as it is.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use ::sled::Batch;

use super::disk::{self, Disk, OpenDisk};
use super::error::IndexError;
use super::keys::{self, FORMAT, META_FORMAT};
use super::tree::Tree;

/// Opens the database in `dir`, or creates one there unless one is `expected`.
pub(super) fn open(
    dir: &Path,
    cache_bytes: u64,
    expected: bool,
    open_disk: &OpenDisk,
) -> Result<(Tree, Box<dyn Disk>), IndexError> {
    check_files(dir, expected)?;
    remove_unfinished(dir)?;
    let tree = Tree::open(dir, cache_bytes)?;
    let is_new = check_format(&tree, dir, expected)?;
    if is_new {
        // The format comes last: where it stands the rest was made whole.
        disk::sync_all(dir)?;
    }
    let mut disk = open_disk(dir).map_err(|error| IndexError::io(&disk::file(dir), error))?;
    if is_new {
        let mut batch = Batch::default();
        batch.insert(&META_FORMAT, &FORMAT.to_be_bytes());
        tree.apply(batch)?;
        tree.flush()?;
        disk.sync().map_err(|error| IndexError::io(&disk::file(dir), error))?;
    }
    Ok((tree, disk))
}

/// Whether the directory is one of sled's, or may become one.
fn check_files(dir: &Path, expected: bool) -> Result<(), IndexError> {
    if expected && !disk::file(dir).is_file() {
        return Err(lost(dir));
    }
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(IndexError::io(dir, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| IndexError::io(dir, error))?;
        let is_known = |name: &str| ["blobs", "conf", "db"].contains(&name) || name.starts_with("snap.");
        if !entry.file_name().to_str().is_some_and(is_known) {
            return Err(IndexError::Foreign { path: entry.path().display().to_string() });
        }
    }
    Ok(())
}

/// Removes snapshots that were being written when the process ended. sled takes them for finished ones and refuses the
/// database as damaged (0.34.7: it passes over another ending than the one that it writes). It needs none to open.
fn remove_unfinished(dir: &Path) -> Result<(), IndexError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(IndexError::io(dir, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| IndexError::io(dir, error))?.path();
        if path.extension().is_some_and(|ending| ending == "generating") {
            fs::remove_file(&path).map_err(|error| IndexError::io(&path, error))?;
        }
    }
    Ok(())
}

/// Whether the database is new; otherwise it is ours and in this format.
fn check_format(tree: &Tree, dir: &Path, expected: bool) -> Result<bool, IndexError> {
    let Some(format) = tree.value(&META_FORMAT)? else {
        return match (tree.is_empty()?, expected) {
            (false, _) => Err(IndexError::Foreign { path: dir.display().to_string() }),
            (true, true) => Err(lost(dir)),
            (true, false) => Ok(true),
        };
    };
    match format.as_ref().try_into().map(u32::from_be_bytes) {
        Ok(FORMAT) => Ok(false),
        Ok(found) => Err(IndexError::OtherFormat { found, reads: keys::FORMAT }),
        Err(_) => Err(IndexError::damaged("it does not say its format")),
    }
}

fn lost(dir: &Path) -> IndexError {
    IndexError::Lost { path: dir.display().to_string() }
}
