//! A copy of a folder while others write to it, as it was at one instant.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Looks before it is given up; what is written in the background comes to rest.
const LOOKS: usize = 100;

type Files = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Copies `from` to `to`. It is looked at until two looks at all of it see the same: every file was then the same over
/// the time from the end of the first look to the beginning of the second, and so is the copy.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut seen = look(from)?;
    for _ in 0..LOOKS {
        let again = look(from)?;
        if again == seen {
            return write(&seen, to);
        }
        seen = again;
    }
    Err(io::Error::other("the folder does not come to rest"))
}

fn look(folder: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner))? {
            let (entry, name) = entry.map(|entry| (entry.path(), inner.join(entry.file_name())))?;
            // What is removed under our eyes makes the next look another one.
            if entry.is_dir() {
                folders.push(name.clone());
                files.insert(name, None);
            } else if let Ok(bytes) = fs::read(&entry) {
                files.insert(name, Some(bytes));
            }
        }
    }
    Ok(files)
}

fn write(files: &Files, to: &Path) -> io::Result<()> {
    for (name, bytes) in files {
        match bytes {
            None => fs::create_dir(to.join(name))?,
            Some(bytes) => fs::write(to.join(name), bytes)?,
        }
    }
    Ok(())
}
