//! The files of the local object store: which there are, in order, and how one is removed for good.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::model::object::{BucketName, ObjectKey};
use crate::model::time::Timestamp;

/// A file that is an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) key: ObjectKey,
    pub(super) bytes: u64,
    pub(super) written: Timestamp,
}

/// Names of one folder that are in memory at once: a folder may have more than that.
const NAMES: usize = 1_000;

/// The folders in `folder` that are buckets, in order.
pub(super) fn folders(folder: &Path) -> io::Result<Vec<BucketName>> {
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let names = names(folder, after.as_deref(), false)?;
        let Some((last, _)) = names.last_key_value() else { return Ok(found) };
        after = Some(last.clone());
        found.extend(names.iter().filter(|(_, is_folder)| **is_folder).filter_map(|(name, _)| name.parse().ok()));
    }
}

/// Objects below `folder` whose keys begin with `prefix`, from behind the key `after`, at most `limit`.
pub(super) fn below(folder: &Path, prefix: &str, after: Option<&str>, limit: usize) -> io::Result<Vec<Found>> {
    let mut walk = Walk { prefix, limit, found: Vec::new() };
    walk.enter(folder, "", after)?;
    Ok(walk.found)
}

struct Walk<'a> {
    prefix: &'a str,
    limit: usize,
    found: Vec<Found>,
}

impl Walk<'_> {
    /// Goes through `folder`, whose objects' keys begin with `path`, from behind what `after` says of their rest.
    fn enter(&mut self, folder: &Path, path: &str, after: Option<&str>) -> io::Result<()> {
        let (first, rest) = after.map_or((None, None), |after| match after.split_once('/') {
            Some((first, rest)) => (Some(first), Some(rest)),
            None => (Some(after), None),
        });
        // What `after` leads into is not behind it yet.
        let (mut behind, mut inclusive) = (first.map(str::to_owned), rest.is_some());
        while self.found.len() < self.limit {
            let names = names(folder, behind.as_deref(), inclusive)?;
            let Some((last, _)) = names.last_key_value() else { return Ok(()) };
            (behind, inclusive) = (Some(last.clone()), false);
            for (name, is_folder) in names {
                if self.found.len() >= self.limit {
                    return Ok(());
                }
                let key = format!("{path}{name}");
                let rest = rest.filter(|_| first == Some(&name));
                if is_folder {
                    let inner = format!("{key}/");
                    if inner.starts_with(self.prefix) || self.prefix.starts_with(&inner) {
                        self.enter(&folder.join(&name), &inner, rest)?;
                    }
                } else if rest.is_none() && key.starts_with(self.prefix) {
                    self.add(&folder.join(&name), &key)?;
                }
            }
        }
        Ok(())
    }

    /// One that goes away meanwhile is not there; what no object is called is none.
    fn add(&mut self, file: &Path, key: &str) -> io::Result<()> {
        let Ok(key) = key.parse() else { return Ok(()) };
        let about = match fs::metadata(file) {
            Ok(about) => about,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let written = about.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        self.found.push(Found { key, bytes: about.len(), written: Timestamp::from_ms(0) + written });
        Ok(())
    }
}

/// The first names in a folder behind `after`, or from there on, and whether each is a folder: none of what is neither
/// folder nor file, and nothing where there is no such folder.
fn names(folder: &Path, after: Option<&str>, inclusive: bool) -> io::Result<BTreeMap<String, bool>> {
    let mut first = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(first),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_behind = after.is_none_or(|after| *name > *after || (inclusive && name == after));
        if is_behind && (kind.is_dir() || kind.is_file()) {
            first.insert(name, kind.is_dir());
            if first.len() > NAMES {
                first.pop_last();
            }
        }
    }
    Ok(first)
}

/// Whether there is a file at `path` below `root`. What is a folder, leads elsewhere, or would be below a file is none.
pub(super) fn is_there(root: &Path, path: &str) -> io::Result<bool> {
    match fs::symlink_metadata(root.join(path)) {
        Ok(about) => Ok(about.is_file()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the file at `path` below `root`, and the folders above it that are empty then. Returns whether it was there.
pub(super) fn delete(root: &Path, path: &str) -> io::Result<bool> {
    let file = root.join(path);
    let was_there = match fs::remove_file(&file) {
        Ok(()) => true,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => false,
        Err(error) => return Err(error),
    };
    let mut above = file.parent().filter(|above| *above != root);
    if let Some(folder) = above.filter(|folder| folder.is_dir()) {
        sync(folder)?;
    }
    // One that is not empty, or gets something this moment, stays.
    while let Some(folder) = above.filter(|folder| fs::remove_dir(folder).is_ok()) {
        above = folder.parent().filter(|above| *above != root);
    }
    Ok(was_there)
}

/// Brings what a folder holds onto the disk.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn put(root: &Path, keys: &[&str]) {
        for key in keys {
            let file = root.join(key);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, key).unwrap();
        }
    }

    fn keys(root: &Path, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        below(root, prefix, after, limit).unwrap().into_iter().map(|found| found.key.to_string()).collect()
    }

    #[test]
    fn pages_of_any_size_together_are_all_that_there_is_in_one_order() {
        let root = TempDir::new().unwrap();
        put(root.path(), &["a/b/1", "a/b/2", "a/c", "a-b/1", "b", "c/d/e/f", "c/d/g", "z#1", "a/b/2#7"]);
        let all = keys(root.path(), "", None, 100);
        assert_eq!(all, ["a/b/1", "a/b/2", "a/c", "a-b/1", "b", "c/d/e/f", "c/d/g"]);
        for size in 1..4 {
            let (mut paged, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = keys(root.path(), "", after.as_deref(), size);
                assert!(page.len() <= size);
                let Some(last) = page.last() else { break };
                after = Some(last.clone());
                paged.extend(page);
            }
            assert_eq!(paged, all, "in pages of {size}");
        }
    }

    #[test]
    fn a_prefix_is_the_beginning_of_a_key_and_need_not_be_a_folder() {
        let root = TempDir::new().unwrap();
        put(root.path(), &["a/b/1", "a/bc", "a/d", "ab/b"]);
        assert_eq!(keys(root.path(), "a/b", None, 10), ["a/b/1", "a/bc"]);
        assert_eq!(keys(root.path(), "a/b/", None, 10), ["a/b/1"]);
        assert_eq!(keys(root.path(), "a", Some("a/b/1"), 10), ["a/bc", "a/d", "ab/b"]);
        assert_eq!(keys(root.path(), "x", None, 10), [""; 0]);
        assert_eq!(keys(&root.path().join("gone"), "", None, 10), [""; 0]);
    }

    #[test]
    fn a_folder_with_more_names_than_are_in_memory_is_listed_whole() {
        let root = TempDir::new().unwrap();
        for n in 0..2 * NAMES + 5 {
            fs::write(root.path().join(format!("{n:05}")), "").unwrap();
        }
        let all = keys(root.path(), "", None, usize::MAX);
        assert_eq!(all.len(), 2 * NAMES + 5);
        assert!(all.is_sorted());
    }

    #[test]
    fn with_an_object_go_the_folders_that_nothing_else_is_in() {
        let root = TempDir::new().unwrap();
        put(root.path(), &["n/b/2026/11/1", "n/b/2026/12/1"]);
        assert!(is_there(root.path(), "n/b/2026/11/1").unwrap());
        for none in ["n/b/2026/11", "n/b/2026/11/1/x", "n/b/2027/1"] {
            assert!(!is_there(root.path(), none).unwrap(), "{none}");
        }
        assert!(delete(root.path(), "n/b/2026/11/1").unwrap());
        assert!(!root.path().join("n/b/2026/11").exists() && root.path().join("n/b/2026/12/1").exists());
        assert!(!delete(root.path(), "n/b/2026/11/1").unwrap());
        assert!(!delete(root.path(), "n/b/2026/12/1/x").unwrap());
        assert!(delete(root.path(), "n/b/2026/12/1").unwrap());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_is_no_object() {
        let root = TempDir::new().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", root.path().join("link")).unwrap();
        assert_eq!(keys(root.path(), "", None, 10), [""; 0]);
        assert!(!is_there(root.path(), "link").unwrap());
    }
}
