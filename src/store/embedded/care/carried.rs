//! What lies in a data directory beside the store: the key of the secrets, objects, core dumps, the first token, and
//! whatever its operator put there. A store that is made anew has all of it, or does not take the old one's place.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use super::super::layout;
use super::beside;
use crate::store::StoreError;

/// Compiled code, which is of use to the new one too. Without it the next start takes longer, no more.
const COMPILED: &str = "cache";
/// Made by file systems, at their roots.
const LOST_AND_FOUND: &str = "lost+found";

/// Refuses what cannot be taken along, before anything is made: what is neither a file nor a folder, and what is mounted
/// there, which would go with the old directory.
pub(super) fn check(data: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| beside::refused(data, error.to_string());
    let device = fs::metadata(data).map_err(failed)?.dev();
    for name in names(data).map_err(failed)? {
        check_below(&data.join(name), device).map_err(|(path, why)| {
            let path = path.display();
            beside::refused(data, format!("{path} cannot be taken along to a new one: {why}; nothing was changed"))
        })?;
    }
    Ok(())
}

/// Says what cannot be, and why.
fn check_below(path: &Path, device: u64) -> Result<(), (PathBuf, String)> {
    let failed = |error: io::Error| (path.to_owned(), error.to_string());
    let of = fs::symlink_metadata(path).map_err(failed)?;
    if of.dev() != device {
        return Err((path.to_owned(), "it is mounted: unmount it, and mount it again after".to_owned()));
    }
    if of.is_dir() {
        return fs::read_dir(path).map_err(failed)?.try_for_each(|entry| {
            let below = entry.map_err(failed)?.path();
            check_below(&below, device)
        });
    }
    if of.is_file() || of.is_symlink() {
        return Ok(());
    }
    let hint = "it is neither a file nor a folder: move it out of the data directory, and try again";
    Err((path.to_owned(), hint.to_owned()))
}

/// What there is besides the store itself, and what file systems make.
fn names(data: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(data)?.map(|entry| entry.map(|entry| entry.file_name()));
    let is_beside =
        |name: &OsString| name.to_str().is_none_or(|name| name != LOST_AND_FOUND && !layout::PARTS.contains(&name));
    names.filter(|name| name.as_ref().map_or(true, is_beside)).collect()
}

/// Has what lies beside the store in `data` lie beside the one in `new` too, which is removed again where that fails.
///
/// Files are linked, so at no instant is one in only one of two places that may go, and it takes its room once.
pub(super) fn carry(data: &Path, new: &Path) -> Result<(), StoreError> {
    let carried = carry_all(data, new);
    if carried.is_err() {
        drop(fs::remove_dir_all(new)); // links, and what was just made
    }
    carried
}

fn carry_all(data: &Path, new: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| beside::refused(data, error.to_string());
    for name in names(data).map_err(failed)?.into_iter().filter(|name| name != COMPILED) {
        let (from, to) = (data.join(&name), new.join(&name));
        link(&from, &to).map_err(|error| {
            beside::refused(data, format!("{} cannot be taken along to {}: {error}", from.display(), to.display()))
        })?;
    }
    let compiled = data.join(COMPILED);
    if compiled.exists() {
        beside::rename(&compiled, &new.join(COMPILED))?; // moved, so behind all that can fail
    }
    File::open(new).and_then(|new| new.sync_all()).map_err(failed)
}

/// Makes `to` what `from` is. A folder has its files, and they are the same files.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let of = fs::symlink_metadata(from)?;
    if of.is_dir() {
        DirBuilder::new().mode(0o700).create(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            link(&from.join(&name), &to.join(&name))?;
        }
        fs::set_permissions(to, of.permissions())?;
        File::open(to)?.sync_all()
    } else if of.is_symlink() {
        symlink(fs::read_link(from)?, to)
    } else if of.is_file() {
        match fs::hard_link(from, to) {
            // Files of others, or on file systems that cannot.
            Err(error) if error.kind() != ErrorKind::CrossesDevices => {
                fs::copy(from, to)?;
                File::open(to)?.sync_all()
            }
            linked => linked,
        }
    } else {
        Err(io::Error::new(ErrorKind::Unsupported, "it is neither a file nor a folder"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn all_but_the_store_is_taken_along_and_what_cannot_be_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let [data, new] = ["data", "new"].map(|name| dir.path().join(name));
        fs::create_dir(&new).unwrap();
        for part in layout::PARTS.iter().chain(&["cache", "lost+found", "objects/a/b"]) {
            fs::create_dir_all(data.join(part)).unwrap();
        }
        for file in ["admin.token", "objects/a/b/c", "journal/1", "cache/code"] {
            fs::write(data.join(file), file).unwrap();
        }
        fs::set_permissions(data.join("objects/a"), fs::Permissions::from_mode(0o750)).unwrap();
        symlink("admin.token", data.join("link")).unwrap();
        check(&data).unwrap();
        carry(&data, &new).unwrap();
        let names = |dir: &Path| {
            let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        assert_eq!(names(&new), ["admin.token", "cache", "link", "objects"]);
        assert_eq!(fs::read_to_string(new.join("objects/a/b/c")).unwrap(), "objects/a/b/c");
        assert_eq!(fs::metadata(new.join("objects/a")).unwrap().permissions().mode() & 0o777, 0o750);
        assert_eq!(fs::read_to_string(new.join("link")).unwrap(), "admin.token");
        assert!(data.join("admin.token").exists() && !data.join("cache").exists());

        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        let _socket = UnixListener::bind(data.join("socket")).unwrap();
        let refused = check(&data).unwrap_err().to_string();
        assert!(refused.contains("data/socket cannot be taken along"), "{refused}");
        fs::create_dir(data.join("cache")).unwrap();
        carry(&data, &other).unwrap_err();
        assert!(!other.exists() && data.join("cache").exists(), "what was made is gone, and nothing else");
    }
}
