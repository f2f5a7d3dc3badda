//! The data directory: what lies where, whose it is, and who has it open. Refuses what it does not know
//! rather than writing into it. Knows no database but its folder's name.
//!
//! ```text
//! FORMAT       `tidemill-store 2`; written last, so where it stands the rest was made whole
//! LOCK         held by the process that has the directory open
//! journal/     what was committed, in segments
//! index/       where in the journal everything stands
//! modules/     DIGEST.wasm
//! ```

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::store::{StoreError, keys};

/// Owned by others in the same directory, or put there by the file system.
const NOT_OURS: [&str; 5] = ["cache", "lost+found", "objects", "secret.key", "secret.key.unfinished"];
/// What in the directory is the store.
pub(super) const PARTS: [&str; 6] = ["FORMAT", UNFINISHED, "LOCK", "journal", "index", "modules"];
/// What `FORMAT` is called while it is written.
const UNFINISHED: &str = "FORMAT.new";
const WORD: &str = "tidemill-store";

/// A data directory that this process has to itself.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
    /// Whether `FORMAT` was found.
    whole: bool,
    /// Held until this is dropped.
    lock: File,
}

impl Layout {
    /// Takes the directory, creating it where there is none.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        let refused = |detail: String| refused(root, detail);
        let failed = |error: io::Error| refused(error.to_string());
        create(root).map_err(failed)?;
        check_owner(root).map_err(failed)?.map_err(refused)?;
        let lock = locked(root)?;
        let whole = check_format(root).map_err(failed)?.map_err(refused)?;
        let layout = Self { root: root.to_owned(), whole, lock };
        let missing = [layout.journal(), layout.index()].into_iter().find(|dir| whole && !dir.is_dir());
        if let Some(dir) = missing {
            let hint = "`tidemill store repair` saves what is left, or restore it from a backup";
            return Err(layout.refused(format!("its folder {} is missing: {hint}", dir.display())));
        }
        for dir in [layout.journal(), layout.index(), layout.modules()] {
            create(&dir).map_err(failed)?;
        }
        Ok(layout)
    }

    /// Takes a directory that holds a store, and makes nothing there.
    pub(super) fn existing(root: &Path) -> Result<Self, StoreError> {
        let failed = |error: io::Error| refused(root, error.to_string());
        match fs::metadata(root.join("FORMAT")) {
            Ok(format) if format.is_file() => (),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            Ok(_) | Err(_) => {
                return Err(refused(root, "it holds no store: there is no file FORMAT in it".to_owned()));
            }
        }
        let whole = check_format(root).map_err(failed)?.map_err(|detail| refused(root, detail))?;
        let lock = locked(root)?;
        Ok(Self { root: root.to_owned(), whole, lock })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes everything made so far durable, then says so in `FORMAT`.
    pub(super) fn complete(&mut self) -> io::Result<()> {
        for path in [self.journal(), self.index(), self.modules()] {
            File::open(path)?.sync_all()?;
        }
        // Under its name only when it is whole: a power cut may leave anything of what is being written.
        let unfinished = self.root.join(UNFINISHED);
        fs::write(&unfinished, format!("{WORD} {}\n", keys::FORMAT))?;
        File::open(&unfinished)?.sync_all()?;
        fs::rename(unfinished, self.root.join("FORMAT"))?;
        File::open(&self.root)?.sync_all()?;
        self.whole = true;
        Ok(())
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    pub(super) fn modules(&self) -> PathBuf {
        self.root.join("modules")
    }

    /// The error that says why it is not opened.
    pub(super) fn refused(&self, detail: impl Into<String>) -> StoreError {
        refused(&self.root, detail.into())
    }

    /// The lock alone, for as long as something in the directory is in use.
    pub(super) fn into_lock(self) -> File {
        self.lock
    }
}

fn refused(root: &Path, detail: String) -> StoreError {
    StoreError::Open { path: root.display().to_string(), detail }
}

/// Creates a directory that only its owner may enter, durably, and those above it.
fn create(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    create(parent)?;
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists || !dir.is_dir() => Err(error),
        Ok(()) | Err(_) => File::open(parent)?.sync_all(),
    }
}

/// Whether the directory is ours or may become ours; the inner error says why not.
fn check_owner(root: &Path) -> io::Result<Result<(), String>> {
    if root.join("FORMAT").exists() {
        return Ok(Ok(()));
    }
    let foreign = foreign(root, |name| PARTS.contains(&name) || NOT_OURS.contains(&name))?;
    Ok(foreign.map_or(Ok(()), |path| {
        let path = path.display();
        Err(format!("it holds something else (`{path}`): use an empty directory, or one of tidemill's"))
    }))
}

/// Something in `dir` whose name is not `known`.
fn foreign(dir: &Path, known: impl Fn(&str) -> bool) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(&known) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// The lock of a directory that nobody has open.
fn locked(root: &Path) -> Result<File, StoreError> {
    let lock = take(&root.join("LOCK")).map_err(|error| refused(root, error.to_string()))?;
    let open = "another process has it open: stop that one, or use another data directory";
    lock.ok_or_else(|| refused(root, open.to_owned()))
}

/// The lock, unless somebody has it.
fn take(path: &Path) -> io::Result<Option<File>> {
    let lock = File::options().create(true).truncate(false).write(true).open(path)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the directory says that it is whole; the inner error refuses what it says.
fn check_format(root: &Path) -> io::Result<Result<bool, String>> {
    let text = match fs::read(root.join("FORMAT")) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ok(false)),
        Err(error) => return Err(error),
    };
    let version = text.trim().strip_prefix(WORD).and_then(|version| version.trim().parse::<u32>().ok());
    Ok(match version {
        Some(keys::FORMAT) => Ok(true),
        Some(other) => Err(other_format(other)),
        None if text.trim().is_empty() => Ok(false), // its creation was cut short by a power cut
        None => Err(format!("its FORMAT file says `{:.40}`: expected `{WORD} {}`", text.trim(), keys::FORMAT)),
    })
}

/// Why a store in the format `other` is not opened.
pub(super) fn other_format(other: u32) -> String {
    format!("it is in format {other} and this program reads format {}: use a program that reads {other}", keys::FORMAT)
}
