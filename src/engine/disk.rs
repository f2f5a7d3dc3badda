//! Compiled code on disk: mapped into memory when it is needed, instead of compiled again.
//!
//! A file is whole or absent: it is written under another name, synced, and renamed. Before one is mapped, its owner, its
//! mode and its end ([`Seal`]) are looked at, and wasmtime compares version and settings; what does not fit is deleted
//! and compiled again, what cannot be read now is left alone. The code itself is not hashed: that would read what mapping
//! leaves on disk until it runs.
//! Whoever can write here can run native code as this process, so the directory is its owner's alone.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use tempfile::NamedTempFile;
use wasmtime::Engine;

use super::build::CodeId;
use super::code::Mapped;
use super::seal::{self, SEAL_BYTES, Seal};
use super::trap;
use crate::model::bounds;

/// A directory of compiled code.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    /// Bytes of all that is in it; looked up anew when they are too many.
    bytes: Mutex<u64>,
}

const UNFINISHED: &str = "unfinished-";
const SUFFIX: &str = "cwasm";

/// The name of a module's code in a directory of compiled code.
pub(super) fn name(settings: u64, id: CodeId) -> String {
    let debug_info = if id.build.debug_info { "-debug" } else { "" };
    format!("{}-{settings:016x}{debug_info}.{SUFFIX}", id.digest)
}

impl Disk {
    /// Opens the directory, creates it where it is missing, and removes what a crash left unfinished.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        create(dir)?;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        refuse_if_others_write(dir)?;
        let disk = Self { dir: dir.to_owned(), bytes: Mutex::new(0) };
        *disk.bytes.lock().unwrap_or_else(PoisonError::into_inner) = disk.files()?.iter().map(|file| file.bytes).sum();
        Ok(disk)
    }

    /// The code of a module, if it is here and usable.
    pub(super) fn load(&self, engine: &Engine, id: CodeId) -> Option<Mapped> {
        let path = self.path(engine, id);
        match check(&path, engine, id).and_then(|()| Ok(Mapped::map(engine, &path)?)) {
            Ok(code) => {
                touch(&path);
                Some(code)
            }
            Err(Unusable::Missing) => None,
            Err(Unusable::Not(why)) => {
                tracing::warn!(path = %path.display(), why, "compiled code is unusable: compiling again");
                drop(fs::remove_file(&path)); // the next writer replaces it anyway
                None
            }
            Err(Unusable::Unreadable(why)) => {
                tracing::warn!(path = %path.display(), why, "compiled code cannot be read now: compiling again");
                None
            }
        }
    }

    /// A file that becomes compiled code once it is whole; it goes when dropped before.
    pub(super) fn draft(&self) -> io::Result<NamedTempFile> {
        match unfinished(&self.dir) {
            // Somebody has cleared it away: it is a cache.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(&self.dir)?;
                unfinished(&self.dir)
            }
            draft => draft,
        }
    }

    /// Keeps a draft as the code of a module. That it could not is logged: it costs the next start time and nothing else.
    pub(super) fn keep(&self, engine: &Engine, id: CodeId, draft: NamedTempFile) {
        let path = self.path(engine, id);
        if let Err(error) = self.persist(&path, draft) {
            tracing::warn!(path = %path.display(), %error, "cannot keep compiled code");
        }
    }

    fn persist(&self, path: &Path, draft: NamedTempFile) -> io::Result<()> {
        let bytes = draft.as_file().metadata()?.len();
        draft.as_file().sync_all()?;
        self.make_room(bytes)?;
        draft.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Counts `more` bytes, and removes what was not used for longest until they fit. Code that is in use stays mapped.
    fn make_room(&self, more: u64) -> io::Result<()> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *bytes = bytes.saturating_add(more);
        if *bytes <= bounds::MAX_COMPILED_BYTES {
            return Ok(());
        }
        let mut files = self.files()?;
        files.sort_by_key(|file| file.used);
        *bytes = files.iter().map(|file| file.bytes).sum::<u64>().saturating_add(more);
        for file in files {
            if *bytes <= bounds::MAX_COMPILED_BYTES {
                break;
            }
            fs::remove_file(file.path)?;
            *bytes -= file.bytes;
        }
        Ok(())
    }

    fn files(&self) -> io::Result<Vec<Kept>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == SUFFIX)
                && let Ok(meta) = fs::symlink_metadata(&path)
            {
                files.push(Kept { used: (meta.atime(), meta.atime_nsec()), bytes: meta.len(), path });
            }
        }
        Ok(files)
    }

    fn path(&self, engine: &Engine, id: CodeId) -> PathBuf {
        self.dir.join(name(seal::settings(engine), id))
    }
}

struct Kept {
    used: (i64, i64),
    bytes: u64,
    path: PathBuf,
}

/// Why a file is not mapped.
enum Unusable {
    Missing,
    /// It is not what it should be.
    Not(String),
    /// The system did not give it, which may pass.
    Unreadable(String),
}

impl Unusable {
    fn not(why: &str) -> Self {
        Self::Not(why.to_owned())
    }
}

impl From<wasmtime::Error> for Unusable {
    fn from(error: wasmtime::Error) -> Self {
        match trap::of_the_system(&error) {
            Some(_) => Self::Unreadable(trap::told(&error)),
            None => Self::Not(trap::told(&error)),
        }
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Unreadable(error.to_string()) }
    }
}

/// Looks at everything about a file but its code.
fn check(path: &Path, engine: &Engine, id: CodeId) -> Result<(), Unusable> {
    let open = rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let mut file = File::from(open.map_err(io::Error::from)?);
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(Unusable::not("it is no regular file"));
    }
    if meta.mode() & 0o022 != 0 || ![rustix::process::geteuid().as_raw(), 0].contains(&meta.uid()) {
        return Err(Unusable::not("other users can write to it"));
    }
    let mut end = [0; SEAL_BYTES];
    let code = meta.len().checked_sub(SEAL_BYTES as u64).ok_or_else(|| Unusable::not("it is cut short"))?;
    file.seek(SeekFrom::Start(code))?;
    file.read_exact(&mut end)?;
    let found = Seal::read(&end).ok_or_else(|| Unusable::not("it is cut short, or was not written by this program"))?;
    if found != Seal::of(code, seal::settings(engine), id) {
        return Err(Unusable::not("it was compiled from another module, or with other settings"));
    }
    Ok(())
}

/// Says that a file was used now. Without it the file goes earlier than it should.
fn touch(path: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let same = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access: now, last_modification: same };
    let _ = rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW);
}

/// The owner of a new file here is this process; root could write anyway.
fn refuse_if_others_write(dir: &Path) -> io::Result<()> {
    let own = unfinished(dir)?.as_file().metadata()?.uid();
    let meta = fs::metadata(dir)?;
    let others = meta.mode() & 0o022 != 0 || ![own, 0].contains(&meta.uid());
    if others {
        let message = "other users can write here, and could have this process run their code: make it mode 0700";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}

fn create(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn unfinished(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir)
}
