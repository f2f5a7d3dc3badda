//! Files for values that are too large for the database: their names, writing, syncing, reading. Which of
//! them are valid is not known here: the database points to those.
//!
//! `payloads/SS/TAG-KEY-SESSION-SEQUENCE`, all but the tag in hexadecimal; `KEY` is the key behind its tag, so
//! an invocation's files are found by its id. `SS` comes from the sequence: files written together lie in one
//! folder, and one sync of it makes all their names durable.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::value::FileRef;

/// How many folders the files are spread over: a million files are some 60,000 in each, which file systems with
/// indexed folders take with ease, and to make more of them would be felt when a store is made.
const FOLDERS: u64 = 16;

/// The folder of the files, and what this session calls its own.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    session: u64,
    next: AtomicU64,
}

/// Files that were written and not yet synced, with the folders that hold their names.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

impl Files {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, session: Uuid::new_v4().as_u64_pair().0, next: AtomicU64::new(0) }
    }

    /// Makes the folders for files in `dir`. Durable once `dir` has been synced; done once for a store, so that
    /// no later write has to ask whether its folder would survive a power cut.
    pub(super) fn create_folders(dir: &Path) -> io::Result<()> {
        (0..FOLDERS).try_for_each(|folder| match fs::create_dir(dir.join(folder_name(folder))) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the file was written since the store was opened.
    pub(super) fn is_of_this_session(&self, file: FileRef) -> bool {
        file.session == self.session
    }

    /// Writes a new file. It is durable once `unsynced` has been synced. A failure leaves none.
    pub(super) fn write(&self, key: &[u8], bytes: &[u8], unsynced: &mut Unsynced) -> io::Result<FileRef> {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        let file = FileRef { session: self.session, sequence, bytes: bytes.len() as u64 };
        let folder = self.folder(file);
        let path = folder.join(name(key, file));
        let written =
            OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut new| new.write_all(bytes));
        if let Err(error) = written {
            drop(fs::remove_file(&path)); // what stays is an orphan, which the next sweep removes
            return Err(error);
        }
        unsynced.folders.insert(folder);
        unsynced.files.insert(path);
        Ok(file)
    }

    /// The bytes of a file; one that has another size than it was written with is damaged.
    pub(super) fn read(&self, key: &[u8], file: FileRef) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // One byte more than it should have shows that it has grown, however much it has.
        File::open(self.path(key, file))?.take(file.bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == file.bytes {
            return Ok(bytes);
        }
        let detail = format!("its file has {} bytes in place of {}", bytes.len(), file.bytes);
        Err(io::Error::new(ErrorKind::InvalidData, detail))
    }

    /// Removes a file that nothing points to. Not durable: one that comes back is an orphan.
    pub(super) fn remove(&self, key: &[u8], file: FileRef) {
        match fs::remove_file(self.path(key, file)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(%error, path = %self.path(key, file).display(), "a file no longer needed stays");
            }
            Ok(()) | Err(_) => (),
        }
    }

    pub(super) fn path(&self, key: &[u8], file: FileRef) -> PathBuf {
        self.folder(file).join(name(key, file))
    }

    fn folder(&self, file: FileRef) -> PathBuf {
        self.dir.join(folder_name((file.sequence >> 8) % FOLDERS))
    }
}

impl Unsynced {
    pub(super) fn append(&mut self, mut other: Self) {
        self.files.append(&mut other.files);
        self.folders.append(&mut other.folders);
    }

    /// Makes the files and their names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.files.iter().chain(&self.folders).try_for_each(|path| File::open(path)?.sync_all())
    }
}

fn folder_name(folder: u64) -> String {
    format!("{folder:02x}")
}

fn name(key: &[u8], file: FileRef) -> String {
    let (tag, rest) = key.split_at_checked(1).unwrap_or_default();
    format!("{}-{}-{:016x}-{:016x}", String::from_utf8_lossy(tag), Hex(rest), file.session, file.sequence)
}

/// Bytes in hexadecimal.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The key and the file that a name stands for; the size is not in it. `None` for a name that is not ours.
pub(super) fn read_name(name: &str) -> Option<(Vec<u8>, FileRef)> {
    let mut parts = name.split('-');
    let (tag, rest) = (parts.next()?, parts.next()?);
    let (session, sequence) = (parts.next()?, parts.next()?);
    let number = |text| u64::from_str_radix(text, 16).ok();
    let file = FileRef { session: number(session)?, sequence: number(sequence)?, bytes: 0 };
    let mut key = tag.as_bytes().to_vec();
    for pair in rest.as_bytes().chunks(2) {
        key.push(u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?);
    }
    (tag.len() == 1 && parts.next().is_none()).then_some((key, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_tells_its_key() {
        let file = FileRef { session: u64::MAX, sequence: 258, bytes: 0 };
        let key = b"p0123456789abcdef\x02".to_vec();
        assert_eq!(read_name(&name(&key, file)), Some((key, file)));
    }

    #[test]
    fn a_name_that_is_not_ours_is_not_read() {
        for name in ["", "notes.txt", "p-00", "p-00-1", "pp-00-1-2", "p-0g-1-2", "p-00-1-2-3", "p-ä0-1-2"] {
            assert_eq!(read_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_file_is_read_back_and_one_of_another_size_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().to_owned());
        Files::create_folders(dir.path()).unwrap();
        let mut unsynced = Unsynced::default();
        let file = files.write(b"pkey", b"bytes", &mut unsynced).unwrap();
        assert_eq!((unsynced.files.len(), unsynced.folders.len()), (1, 1));
        unsynced.sync().unwrap();
        assert_eq!(files.read(b"pkey", file).unwrap(), b"bytes");
        fs::write(files.path(b"pkey", file), b"byte").unwrap();
        assert!(files.read(b"pkey", file).unwrap_err().to_string().contains("4 bytes in place of 5"));
        files.remove(b"pkey", file);
        assert_eq!(files.read(b"pkey", file).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
