//! Modules as files named by their digest: written beside, synced, renamed. Knows no database.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::model::names::Digest;
use crate::store::StoreError;

/// How names of files that are being written start.
const UNFINISHED: &str = ".new-";
const EXTENSION: &str = "wasm";

/// The folder of modules.
#[derive(Debug)]
pub(super) struct Modules {
    dir: PathBuf,
}

impl Modules {
    /// The folder as it is.
    pub(super) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Removes what a crash left half written.
    pub(super) fn open(dir: PathBuf) -> io::Result<Self> {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { dir })
    }

    /// Keeps a module durably. One that is there already and whole is not written again.
    pub(super) fn put(&self, digest: Digest, module: &[u8]) -> Result<(), StoreError> {
        let path = self.path(digest);
        let whole = fs::read(&path).is_ok_and(|kept| digest_of(&kept) == digest);
        if !whole {
            self.write(&path, module)
                .map_err(|error| StoreError::Refused(format!("module {digest} cannot be written: {error}")))?;
        }
        // Also when it was there: the process may have died between the renaming and this.
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| StoreError::Unknown(format!("{}: {error}", self.dir.display())))
    }

    /// The bytes of a module.
    pub(super) fn read(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.path(digest)) {
            Ok(module) if digest_of(&module) == digest => Ok(Some(module)),
            Ok(module) => Err(StoreError::Damaged {
                what: format!("module {digest}"),
                detail: format!("its bytes have the digest {}: deploy it again", digest_of(&module)),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Unreadable(format!("module {digest}: {error}"))),
        }
    }

    /// Removes the modules that no version needs any more, and those of a deployment that came to nothing. Only
    /// before the first deployment: one that is under way has its module here and its version not yet written.
    pub(super) fn keep_only(&self, needed: &BTreeSet<Digest>) -> io::Result<()> {
        let needed: BTreeSet<PathBuf> = needed.iter().map(|digest| self.path(*digest)).collect();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) && !needed.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn write(&self, path: &Path, module: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.dir)?;
        file.write_all(module)?;
        file.as_file().sync_all()?;
        NamedTempFile::persist(file, path)?;
        Ok(())
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.{EXTENSION}"))
    }
}

fn digest_of(module: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(module).into())
}
