//! Compiled code on disk: mapped into memory at a restart, instead of compiled again.
//!
//! A file is whole or absent: it is written under another name, synced, and renamed. What this engine did not
//! write itself, with these very settings, it does not read; what wasmtime refuses is deleted and compiled again.
//! Whoever can write here can run native code as this process, so the directory is its owner's alone.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, DirBuilder};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};

use super::code::Code;
use super::trap;
use crate::model::bounds;
use crate::model::names::Digest;

/// A directory of compiled code.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    settings: u64,
}

const UNFINISHED: &str = "unfinished-";
const SUFFIX: &str = "cwasm";

impl Disk {
    /// Opens the directory, creates it where it is missing, and removes what a crash left unfinished.
    pub(super) fn open(dir: &Path, engine: &Engine) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        refuse_if_others_write(dir)?;
        let mut settings = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        Ok(Self { dir: dir.to_owned(), settings: settings.finish() })
    }

    /// The code of a module, if it is here and usable.
    pub(super) fn load(&self, engine: &Engine, digest: Digest) -> Option<Code> {
        let path = self.path(digest);
        let kind = Engine::detect_precompiled_file(&path).ok()?;
        match kind.map(|kind| map(engine, &path, kind)) {
            Some(Ok(code)) => return Some(code),
            Some(Err(error)) => {
                tracing::warn!(path = %path.display(), error = trap::told(&error), "compiled code is unusable: compiling again");
            }
            None => tracing::warn!(path = %path.display(), "compiled code is damaged: compiling again"),
        }
        drop(fs::remove_file(&path)); // the next writer replaces it anyway
        None
    }

    /// Keeps the code of a module. That it could not is logged: it costs the next start time and nothing else.
    pub(super) fn save(&self, digest: Digest, code: &Code) {
        let path = self.path(digest);
        if let Err(error) = self.write(&path, code) {
            tracing::warn!(path = %path.display(), %error, "cannot keep compiled code");
        }
    }

    fn write(&self, path: &Path, code: &Code) -> io::Result<()> {
        let bytes = match code {
            Code::Component(component) => component.serialize(),
            Code::Core(module) => module.serialize(),
        };
        let bytes = bytes.map_err(|error| io::Error::other(trap::told(&error)))?;
        self.make_room(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
        let mut file = unfinished(&self.dir)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the oldest code until `more` bytes fit. Code that is in use stays mapped.
    fn make_room(&self, more: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            files.push((meta.modified()?, meta.len(), entry.path()));
        }
        files.sort();
        let mut bytes = files.iter().map(|(_, size, _)| size).sum::<u64>().saturating_add(more);
        for (_, size, path) in files {
            if bytes <= bounds::MAX_COMPILED_BYTES {
                break;
            }
            if path.extension().is_some_and(|extension| extension == SUFFIX) {
                fs::remove_file(path)?;
                bytes -= size;
            }
        }
        Ok(())
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}-{:016x}.{SUFFIX}", self.settings))
    }
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

/// A file that becomes compiled code once it is whole; it goes when dropped before.
fn unfinished(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir)
}

fn map(engine: &Engine, path: &Path, kind: Precompiled) -> wasmtime::Result<Code> {
    #[expect(unsafe_code, reason = "mapping compiled code is what makes a cold start fast")]
    // SAFETY: wasmtime takes the file for what `serialize` wrote. Only this program writes into the directory, where
    // no other user can (checked when it was opened), it renames whole files only, and the name holds the digest of the module and
    // the hash of the settings it was compiled with. wasmtime checks its own version and settings besides.
    unsafe {
        match kind {
            Precompiled::Component => Component::deserialize_file(engine, path).map(Code::Component),
            Precompiled::Module => Module::deserialize_file(engine, path).map(Code::Core),
        }
    }
}
