//! When what was written is durable. sled's flush hands data to the kernel and no further, so its file is synced
//! here, through a descriptor of our own.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ::sled::Batch;

use super::error::IndexError;
use super::tree::Tree;

/// What a window does to the disk. Tests put one in its place that fails.
pub(super) trait Disk: Send {
    /// Writes all of `batch` or nothing, to memory.
    fn apply(&mut self, tree: &Tree, batch: Batch) -> Result<(), IndexError> {
        tree.apply(batch)
    }

    /// Makes durable what was flushed. Is not asked again once it has failed.
    fn sync(&mut self) -> io::Result<()>;
}

/// Makes a disk for the database in a directory, each time it is opened.
pub(super) type OpenDisk = Box<dyn Fn(&Path) -> io::Result<Box<dyn Disk>> + Send + Sync>;

/// The file of the database, on a descriptor of our own.
#[derive(Debug)]
pub(super) struct Own(File);

impl Own {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        File::open(file(dir)).map(Self)
    }
}

impl Disk for Own {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The one file in a database's directory that windows are written to.
pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join("db")
}

/// Makes a new database's files durable, and their names.
pub(super) fn sync_all(dir: &Path) -> Result<(), IndexError> {
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    // sled writes `conf` once and never syncs it; torn, it keeps the database from opening.
    for path in [&file(dir), &dir.join("conf"), &dir.join("blobs"), dir, parent] {
        File::open(path).and_then(|file| file.sync_all()).map_err(|error| IndexError::io(path, error))?;
    }
    Ok(())
}

/// The file, once sled has let go of it: its threads may hold it a little longer than the database was.
pub(super) fn wait_until_closed(dir: &Path) -> Result<File, IndexError> {
    let path = file(dir);
    let file = File::options().read(true).write(true).open(&path);
    let locked = file.and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| IndexError::io(&path, error))
}

/// After a failed sync: the kernel holds what it could not write for written, and would never write it. So all
/// that it has is written anew, in place and the same.
pub(super) fn rewrite(dir: &Path, file: &File) -> Result<(), IndexError> {
    let write = || -> io::Result<()> {
        let mut buffer = vec![0; 1024 * 1024];
        let mut at = 0;
        loop {
            let read = file.read_at(&mut buffer, at)?;
            if read == 0 {
                return file.sync_data();
            }
            file.write_all_at(&buffer[..read], at)?;
            at += read as u64;
        }
    };
    write().map_err(|error| IndexError::io(&self::file(dir), error))
}
