//! The few things that the journal asks of a file system, so that tests can be a file system that fails. All file
//! access of this room goes through here. Decides nothing: what a failure means is known to the caller.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::Advice;

/// A file system.
pub(in crate::store) trait Disk: Debug + Send + Sync {
    /// A new file, for reading and writing.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// A file that is there, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a folder, unless it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Bytes that are free for this program where the folder is.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
}

/// An open file. It is the same one however it is renamed.
pub(in crate::store) trait DiskFile: Debug + Send + Sync {
    /// Bytes of the file.
    fn bytes(&self) -> io::Result<u64>;

    /// Reads what there is from the offset on, up to the buffer's length, and says how much it was.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// One write. It may be short.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes what was written durable: `fdatasync`.
    fn sync(&self) -> io::Result<()>;

    /// Lets go of what is cached of the file, so that it is read from the disk itself.
    fn forget_cached(&self);
}

/// The real one.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct FileSystem;

impl Disk for FileSystem {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).create_new(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let system = rustix::fs::statvfs(dir)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

impl DiskFile for File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            match std::os::unix::fs::FileExt::read_at(self, &mut bytes[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn forget_cached(&self) {
        // A hint: where it is not taken, what is read is what the kernel has.
        let _ = rustix::fs::fadvise(self, 0, None, Advice::DontNeed);
    }
}
