//! The local object store: files below one folder, `NAMESPACE/BUCKET/KEY`. An object that was put is there whole and would
//! survive a power cut; one whose days are over is deleted. Knows no deliveries.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use object_store::local::LocalFileSystem;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard, Notify, OnceCell};

use super::{expiry, files};
use crate::clock::Clock;
use crate::model::bounds;
use crate::model::names::Namespace;
use crate::model::object::{BucketName, ObjectKey};
use crate::model::time::Timestamp;
use crate::store::{Durability, Store, StoreError};
use crate::tasks::{OnExit, Tasks};

/// The objects of a runtime that are kept on its own disk. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Objects {
    parts: Arc<Parts>,
}

struct Parts {
    home: Home,
    folder: OnceCell<Folder>,
    store: Arc<dyn Store>,
    clock: Clock,
    /// Told when an object is to end sooner than all others.
    sooner: Notify,
    /// Whoever changes an object holds the lock that its path falls to: its end and its file change together.
    locks: [Mutex<()>; LOCKS],
}

/// Where the folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// In a folder of the system's for such, and gone with the process.
    Fleeting,
    /// Here; it is made when it is first needed.
    Folder(PathBuf),
}

struct Folder {
    path: PathBuf,
    files: LocalFileSystem,
    /// Removes it when the process ends.
    _fleeting: Option<TempDir>,
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Whose bucket.
    pub namespace: Namespace,
    /// The bucket.
    pub bucket: BucketName,
    /// The object.
    pub key: ObjectKey,
}

/// An object without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is called.
    pub key: ObjectKey,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub written: Timestamp,
    /// When it is deleted; `None` for never.
    pub expires: Option<Timestamp>,
}

/// The content of an object, on its way.
pub struct Content {
    /// How many bytes will come.
    pub bytes: u64,
    /// The pieces.
    pub pieces: BoxStream<'static, Result<Bytes, ObjectError>>,
}

/// Why an object could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The disk is needed for what was accepted.
    #[error(
        "the disk has only {free} bytes free, and {kept} are kept for what was accepted: make room, or delete objects"
    )]
    Full {
        /// Bytes that are free.
        free: u64,
        /// Bytes that stay free.
        kept: u64,
    },
    /// The system did not do it.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        cause: String,
    },
    /// When it ends could not be kept or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Locks that objects share.
const LOCKS: usize = 64;
/// Objects whose end is looked at together.
const PAGE: usize = 100;
/// The longest sleep between two looks at what has ended, which also bounds how late what could not be deleted is tried
/// again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl Place {
    /// Its path below the folder of the store.
    pub(super) fn path(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.bucket, self.key)
    }
}

impl Objects {
    /// The objects below `home`, whose ends are in `store`.
    pub fn new(home: Home, store: Arc<dyn Store>, clock: Clock) -> Self {
        let (folder, sooner) = (OnceCell::new(), Notify::new());
        let locks = std::array::from_fn(|_| Mutex::new(()));
        Self { parts: Arc::new(Parts { home, folder, store, clock, sooner, locks }) }
    }

    /// Starts deleting what has ended.
    pub fn start(&self, tasks: &Tasks) {
        let (objects, stopping) = (self.clone(), tasks.stopping().clone());
        tasks.spawn("objects", OnExit::Shutdown, async move {
            loop {
                let pause = objects.sweep().await;
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = objects.parts.sooner.notified() => (),
                    () = objects.parts.clock.sleep(pause) => (),
                }
            }
        });
    }

    /// Puts an object in place of the one that is there, for so many days; 0 is for ever.
    pub async fn put(&self, place: &Place, content: Bytes, days: u16) -> Result<(), ObjectError> {
        let parts = &self.parts;
        let folder = parts.folder().await?;
        folder.check_room(content.len() as u64).await?;
        let _changing = parts.lock(place).await;
        let before = expiry::of(&*parts.store, place).await?;
        let end = expiry::end(parts.clock.now(), days);
        // Its end is known before it is there: a crash in between leaves the end of an object that is not there.
        parts.commit(expiry::change(place, before, end)).await?;
        let path =
            object_store::path::Path::parse(place.path()).map_err(|error| failed("no file is called so", error))?;
        let put = folder.files.put(&path, content.into()).await;
        put.map_err(|error| failed(format!("the object `{}` cannot be written", place.key), error))?;
        if end.is_some() {
            parts.sooner.notify_one();
        }
        Ok(())
    }

    /// The content of an object; `None` where there is none.
    pub async fn get(&self, place: &Place) -> Result<Option<Content>, ObjectError> {
        if !self.parts.is_there(place).await? {
            return Ok(None);
        }
        let folder = self.parts.folder().await?;
        let path =
            object_store::path::Path::parse(place.path()).map_err(|error| failed("no file is called so", error))?;
        let unread = |error| failed("the object cannot be read", error);
        match folder.files.get(&path).await {
            Ok(found) => {
                Ok(Some(Content { bytes: found.meta.size, pieces: found.into_stream().map_err(unread).boxed() }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unread(error)),
        }
    }

    /// The buckets of a namespace, in order: those that have an object.
    pub async fn buckets(&self, namespace: &Namespace) -> Result<Vec<BucketName>, ObjectError> {
        let folder = self.parts.folder().await?.path.join(namespace.as_str());
        blocking(move || files::folders(&folder)).await
    }

    /// Objects of a bucket whose keys begin with `prefix`, from behind the key `after`, at most `limit`: folder by folder,
    /// each in order.
    pub async fn list(
        &self,
        namespace: &Namespace,
        bucket: &BucketName,
        prefix: &str,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<Object>, ObjectError> {
        let folder = self.parts.folder().await?.path.join(namespace.as_str()).join(bucket.as_str());
        let (prefix, after) = (prefix.to_owned(), after.map(|key| key.as_str().to_owned()));
        let found = blocking(move || files::below(&folder, &prefix, after.as_deref(), limit)).await?;
        let mut objects = Vec::with_capacity(found.len());
        for files::Found { key, bytes, written } in found {
            let place = Place { namespace: namespace.clone(), bucket: bucket.clone(), key };
            let expires = expiry::of(&*self.parts.store, &place).await?;
            objects.push(Object { key: place.key, bytes, written, expires });
        }
        Ok(objects)
    }

    /// Deletes an object. Returns whether it was there.
    pub async fn remove(&self, place: &Place) -> Result<bool, ObjectError> {
        let _changing = self.parts.lock(place).await;
        let before = expiry::of(&*self.parts.store, place).await?;
        let was_there = self.parts.is_there(place).await? && self.parts.delete(place).await?;
        self.parts.commit(expiry::change(place, before, None)).await?;
        Ok(was_there)
    }

    /// Deletes what has ended, and says when to look again.
    async fn sweep(&self) -> Duration {
        match self.parts.swept().await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, "it is not known which objects have ended; they are looked at again in a minute");
                LOOK_AGAIN
            }
        }
    }
}

impl Parts {
    /// What cannot be deleted stays due, and keeps nothing else from being deleted.
    async fn swept(&self) -> Result<Duration, StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = expiry::next(&*self.store, after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            for (key, end) in page {
                let now = self.clock.now();
                if end.at > now {
                    return Ok(end.at.since(now).min(LOOK_AGAIN));
                }
                if let Err(error) = self.end(&end).await {
                    tracing::warn!(object = end.of.path(), %error, "an object that has ended could not be deleted");
                }
                after = Some(key);
            }
            if is_last {
                return Ok(LOOK_AGAIN);
            }
        }
    }

    /// Deletes one that has ended, unless it was written again since it was looked at.
    async fn end(&self, end: &expiry::End) -> Result<(), ObjectError> {
        let _changing = self.lock(&end.of).await;
        if expiry::of(&*self.store, &end.of).await? == Some(end.at) {
            self.delete(&end.of).await?;
            self.commit(expiry::change(&end.of, Some(end.at), None)).await?;
        }
        Ok(())
    }

    async fn is_there(&self, place: &Place) -> Result<bool, ObjectError> {
        let (root, path) = (self.folder().await?.path.clone(), place.path());
        blocking(move || files::is_there(&root, &path)).await
    }

    /// Returns whether it was there. When this returns it would not come back after a power cut.
    async fn delete(&self, place: &Place) -> Result<bool, ObjectError> {
        let (root, path) = (self.folder().await?.path.clone(), place.path());
        blocking(move || files::delete(&root, &path)).await
    }

    async fn commit(&self, group: crate::store::Group) -> Result<(), StoreError> {
        if group.0.is_empty() { Ok(()) } else { self.store.commit(group, Durability::Synced).await }
    }

    async fn lock(&self, place: &Place) -> MutexGuard<'_, ()> {
        let at = place.path().bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        self.locks[at % LOCKS].lock().await
    }

    async fn folder(&self) -> Result<&Folder, ObjectError> {
        let home = self.home.clone();
        self.folder.get_or_try_init(|| blocking(move || Folder::made(&home))).await
    }
}

impl Folder {
    fn made(home: &Home) -> io::Result<Self> {
        let (path, fleeting) = match home {
            Home::Fleeting => {
                let made = TempDir::new()?;
                (made.path().to_owned(), Some(made))
            }
            Home::Folder(path) => {
                std::fs::create_dir_all(path)?;
                files::sync(path.parent().unwrap_or(Path::new(".")))?;
                (path.clone(), None)
            }
        };
        let files = LocalFileSystem::new_with_prefix(&path).map_err(io::Error::other)?.with_fsync(true);
        Ok(Self { path, files, _fleeting: fleeting })
    }

    async fn check_room(&self, bytes: u64) -> Result<(), ObjectError> {
        let path = self.path.clone();
        let free = blocking(move || {
            let disk = rustix::fs::statvfs(&path)?;
            Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
        });
        let (free, kept) = (free.await?, bounds::MIN_FREE_BYTES);
        if free < kept.saturating_add(bytes) { Err(ObjectError::Full { free, kept }) } else { Ok(()) }
    }
}

/// Does what waits for the disk on a thread for such.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, ObjectError> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
    done.map_err(|error| failed("the folder of objects cannot be used", error))
}

fn failed(what: impl Into<String>, cause: impl std::fmt::Display) -> ObjectError {
    ObjectError::Io { what: what.into(), cause: cause.to_string() }
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
