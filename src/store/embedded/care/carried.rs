//! What lies in a data directory beside the store: the key of the secrets, objects, core dumps, the first token, and
//! whatever its operator put there. A store that is made anew has all of it, or does not take the old one's place.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::Path;

use super::super::layout;
use super::beside;
use crate::store::StoreError;

/// Compiled code, which is of use to the new one too. Without it the next start takes longer, no more.
const COMPILED: &str = "cache";
/// Made by file systems, at their roots.
const LOST_AND_FOUND: &str = "lost+found";

/// Has what lies beside the store in `data` lie beside the one in `new` too.
///
/// Files are linked, so at no instant is one in only one of two places that may go, and it takes its room once.
pub(super) fn carry(data: &Path, new: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| beside::refused(data, error.to_string());
    for entry in fs::read_dir(data).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let (from, to) = (data.join(&name), new.join(&name));
        match name.to_str() {
            Some(LOST_AND_FOUND) => (),
            Some(COMPILED) => beside::rename(&from, &to)?,
            Some(name) if layout::PARTS.contains(&name) => (),
            Some(_) | None => link(&from, &to).map_err(|error| {
                let hint = "move it out of the data directory, and try again";
                beside::refused(&from, format!("it cannot be taken along to {}: {error}: {hint}", to.display()))
            })?,
        }
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
            // Files of others, or on file systems that cannot. What is mounted there would go with the old directory.
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
        let refused = carry(&data, &other).unwrap_err().to_string();
        assert!(refused.contains("data/socket") && refused.contains("cannot be taken along"), "{refused}");
    }
}
