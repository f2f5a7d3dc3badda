//! Directories of the machine that guests see: those that a version is granted, as far as the operator allows it.
//!
//! A directory is looked at when it is granted and again when an attempt opens it: what a path leads to may change in
//! between. What is opened is looked at, and not the path, so that a link which is exchanged meanwhile leads nowhere.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use tokio::task::JoinError;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::Outward;
use crate::engine::call::Call;
use crate::model::grant::DirectoryGrant;

/// Why a directory cannot be granted, or not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedDirectory {
    /// It cannot be opened.
    #[error("the directory `{path}` cannot be opened: {why}; create it, or grant another")]
    Missing {
        /// As it was granted.
        path: String,
        /// What the system said.
        why: String,
    },
    /// It is not below any that the operator allows.
    #[error("the directory `{path}` is not below any that this server lets functions see: {}", allowed(.roots))]
    Outside {
        /// As it was granted.
        path: String,
        /// Those that are allowed.
        roots: Vec<PathBuf>,
    },
    /// The guest would find another under the same name.
    #[error("two directories are granted as `{guest}`: give each a name of its own")]
    Twice {
        /// What the guest would call both.
        guest: String,
    },
}

fn allowed(roots: &[PathBuf]) -> String {
    let listed: Vec<_> = roots.iter().map(|root| format!("`{}`", root.display())).collect();
    let has = if listed.is_empty() { "it allows none".to_owned() } else { format!("it allows {}", listed.join(", ")) };
    format!("{has}; start it with `serve --allow-dir DIRECTORY` to allow another")
}

/// The directories below which anything may be granted. Nothing, unless the operator said so.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Roots(Vec<Root>);

#[derive(Clone, Debug)]
struct Root {
    told: PathBuf,
    /// Without links.
    real: PathBuf,
}

impl Roots {
    /// Each must be there; an error comes with the one that is not.
    pub(in crate::engine) fn new(roots: &[PathBuf]) -> Result<Self, (PathBuf, io::Error)> {
        let root = |told: &PathBuf| match told.canonicalize() {
            Ok(real) if real.is_dir() => Ok(Root { told: told.clone(), real }),
            Ok(_) => Err((told.clone(), io::ErrorKind::NotADirectory.into())),
            Err(error) => Err((told.clone(), error)),
        };
        Ok(Self(roots.iter().map(root).collect::<Result<_, _>>()?))
    }

    /// Whether all of them can be granted now. Waits for the disk.
    pub(in crate::engine) fn check(&self, grants: &[DirectoryGrant]) -> Result<(), RefusedDirectory> {
        for (at, grant) in grants.iter().enumerate() {
            if grants[..at].iter().any(|other| other.is_where(grant)) {
                return Err(RefusedDirectory::Twice { guest: grant.guest().to_owned() });
            }
            self.open(grant)?;
        }
        Ok(())
    }

    /// Shows a guest its directories. Waits for the disk.
    pub(super) fn show(&self, wasi: &mut WasiCtxBuilder, grants: &[DirectoryGrant]) -> Result<(), RefusedDirectory> {
        for grant in grants {
            let directory = self.open(grant)?;
            let permissions = if grant.writable() { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(by_descriptor(&directory), grant.guest(), permissions)
                .map_err(|error| RefusedDirectory::Missing { path: grant.host().to_owned(), why: error.to_string() })?;
        }
        Ok(())
    }

    /// The directory, open for being found again by its descriptor and for nothing else.
    fn open(&self, grant: &DirectoryGrant) -> Result<std::fs::File, RefusedDirectory> {
        let path = Path::new(grant.host());
        let outside = || {
            let roots = self.0.iter().map(|root| root.told.clone()).collect();
            RefusedDirectory::Outside { path: grant.host().to_owned(), roots }
        };
        // What is nowhere near must not tell whether there is such a thing.
        let seems_below = || self.0.iter().any(|Root { told, real }| path.starts_with(told) || path.starts_with(real));
        let missing = |error: io::Error| {
            let told = || RefusedDirectory::Missing { path: grant.host().to_owned(), why: error.to_string() };
            if seems_below() { told() } else { outside() }
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let directory = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
        let directory = directory.map_err(missing)?;
        let real = std::fs::read_link(by_descriptor(&directory)).map_err(missing)?;
        if self.0.iter().any(|root| real.starts_with(&root.real)) { Ok(directory) } else { Err(outside()) }
    }
}

/// Surroundings with the directories that the version of `call` is granted, where it is granted any. Opening them waits
/// for the disk, which may be a slow one: it is done on a thread that may wait.
pub(super) async fn shown(outward: &Arc<Outward>, call: &Call) -> Result<Option<WasiCtxBuilder>, RefusedDirectory> {
    let Some(first) = call.version.grants.directories.first() else { return Ok(None) };
    let (mut wasi, outward, version) = (WasiCtxBuilder::new(), Arc::clone(outward), Arc::clone(&call.version));
    let showing = tokio::task::spawn_blocking(move || {
        outward.roots.show(&mut wasi, &version.grants.directories).map(|()| Some(wasi))
    });
    let gone = |error: JoinError| RefusedDirectory::Missing { path: first.host().to_owned(), why: error.to_string() };
    showing.await.unwrap_or_else(|error| Err(gone(error)))
}

/// A path that leads to what is open, wherever it is now.
fn by_descriptor(directory: &std::fs::File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn check(roots: &Roots, path: &Path) -> Result<(), RefusedDirectory> {
        roots.check(&[format!("{}:/in", path.display()).parse().unwrap()])
    }

    #[test]
    fn only_what_is_really_below_an_allowed_directory_can_be_granted() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["allowed/data", "allowed-not", "secret"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path("allowed/file"), "").unwrap();
        symlink(path("secret"), path("allowed/out")).unwrap();
        symlink(path("allowed/data"), path("into")).unwrap();
        let roots = Roots::new(&[path("allowed")]).unwrap();

        for below in ["allowed", "allowed/data", "into"] {
            assert_eq!(check(&roots, &path(below)), Ok(()), "{below}");
        }
        for outside in ["allowed/out", "allowed-not", "secret", "nowhere", ""] {
            let refused = check(&roots, &path(outside)).unwrap_err();
            assert!(matches!(refused, RefusedDirectory::Outside { .. }), "{outside}: {refused}");
            assert!(refused.to_string().contains("--allow-dir"), "{refused}");
        }
        for missing in ["allowed/nowhere", "allowed/file"] {
            let refused = check(&roots, &path(missing)).unwrap_err();
            assert!(matches!(refused, RefusedDirectory::Missing { .. }), "{missing}: {refused}");
        }
    }

    #[test]
    fn two_directories_cannot_have_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots::new(&[folder.path().to_owned()]).unwrap();
        let granted = |guests: &[&str]| {
            let grant = |guest: &&str| format!("{}:{guest}", folder.path().display()).parse().unwrap();
            roots.check(&guests.iter().map(grant).collect::<Vec<_>>())
        };
        assert_eq!(granted(&["/in", "/out:rw"]), Ok(()));
        let refused = granted(&["/in", "/in/:rw"]).unwrap_err();
        assert_eq!(refused, RefusedDirectory::Twice { guest: "/in/".to_owned() });
    }

    #[test]
    fn nothing_can_be_granted_unless_the_operator_allows_it() {
        let folder = tempfile::tempdir().unwrap();
        let refused = check(&Roots::default(), folder.path()).unwrap_err();
        assert!(
            refused.to_string().contains("it allows none; start it with `serve --allow-dir DIRECTORY`"),
            "{refused}"
        );
    }

    #[test]
    fn a_directory_that_is_not_there_cannot_be_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = Roots::new(&[folder.path().join("nowhere")]).unwrap_err();
        assert!(path.ends_with("nowhere"));
    }
}
