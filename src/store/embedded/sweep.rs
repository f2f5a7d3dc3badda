//! Removes the files that a crash left without a record. Off the start path: it may take as long as it likes.
//!
//! Safe beside commits, because a file of an earlier session to which nothing points will never be pointed to
//! again, and those of this session are left alone.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use ::sled::Db;

use super::files::{self, Files};
use super::value::Value;

/// A sweep that is going on. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Sweep {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sweep {
    pub(super) fn start(db: Db, files: Arc<Files>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread =
            thread::Builder::new().name("store-sweep".to_owned()).spawn(move || match sweep(&db, &files, &asked) {
                Ok(0) => (),
                Ok(removed) => tracing::info!(removed, "files that a crash had left were removed"),
                Err(error) => tracing::warn!(%error, "files that a crash left may have stayed"),
            })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::warn!("the sweep for files that a crash left has panicked");
        }
    }
}

fn sweep(db: &Db, files: &Files, stop: &AtomicBool) -> io::Result<usize> {
    let mut removed = 0;
    for folder in fs::read_dir(files.dir())? {
        let folder = folder?;
        if folder.file_type()?.is_dir() {
            removed += sweep_folder(db, files, &folder.path(), stop)?;
        }
    }
    Ok(removed)
}

fn sweep_folder(db: &Db, files: &Files, folder: &Path, stop: &AtomicBool) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = entry?.file_name();
        let Some((key, file)) = name.to_str().and_then(files::read_name) else { continue };
        if files.is_of_this_session(file) {
            continue;
        }
        let kept = db.get(&key)?.and_then(|kept| Value::file_of(&kept));
        let needed = kept.is_some_and(|kept| (kept.session, kept.sequence) == (file.session, file.sequence));
        if !needed {
            files.remove(&key, file);
            removed += 1;
        }
    }
    Ok(removed)
}
