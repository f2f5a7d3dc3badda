//! Core dumps of attempts: one for each invocation, that of its latest attempt that left one. They are for looking into a
//! failure soon after it: kept in files that only their owner reads, not synced, bounded in number and in bytes, and gone
//! when the record of their invocation is. What is in one is the engine's to know.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::store::Store;
use crate::tasks::{OnExit, Tasks};

/// The core dumps. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct CoreDumps(Arc<Parts>);

struct Parts {
    place: Place,
    /// The oldest first.
    kept: Mutex<VecDeque<Kept>>,
}

/// Where they are.
enum Place {
    Folder(PathBuf),
    Memory,
}

#[derive(Clone, Debug)]
struct Kept {
    id: InvocationId,
    bytes: u64,
    /// Itself, where it is in memory alone.
    dump: Option<Bytes>,
    /// Whether it was here when it was last looked whether its invocation still is: a record may be written after it.
    is_settled: bool,
}

const SUFFIX: &str = "wasmcore";
const UNFINISHED: &str = "unfinished-";
/// Between two looks at which invocations are gone.
const LOOK: Duration = Duration::from_secs(30);

impl CoreDumps {
    /// Those in `folder`, which is made when the first is kept; or in memory. One that cannot be read is left out.
    pub fn open(folder: Option<PathBuf>) -> Self {
        let kept = folder.as_deref().map(found).unwrap_or_default();
        let place = folder.map_or(Place::Memory, Place::Folder);
        Self(Arc::new(Parts { place, kept: Mutex::new(kept) }))
    }

    /// Has those go, from time to time, whose invocations are no longer in `store`.
    pub fn follow(&self, store: Arc<dyn Store>, tasks: &Tasks) {
        let (dumps, stopping) = (self.clone(), tasks.stopping().clone());
        tasks.spawn("core dumps", OnExit::Shutdown, async move {
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(LOOK) => dumps.forget_removed(&*store).await,
                }
            }
        });
    }

    /// Keeps the dump of an invocation, in place of an earlier one of it. That it could not is logged: it costs nobody
    /// anything but the look.
    pub async fn keep(&self, id: InvocationId, dump: Bytes) {
        let parts = Arc::clone(&self.0);
        let kept = spawn_blocking(move || parts.keep(id, dump)).await;
        if let Err(error) = kept.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            tracing::warn!(invocation = %id, %error, "a core dump cannot be kept");
        }
    }

    /// The dump of an invocation, if there is one.
    pub async fn get(&self, id: InvocationId) -> io::Result<Option<Bytes>> {
        let parts = Arc::clone(&self.0);
        spawn_blocking(move || parts.get(id)).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    async fn forget_removed(&self, store: &dyn Store) {
        let ids: Vec<_> = self.0.lock().iter_mut().map(Kept::settle).collect();
        for id in ids.into_iter().flatten() {
            if matches!(store.invocation(id).await, Ok(None)) {
                let parts = Arc::clone(&self.0);
                drop(spawn_blocking(move || parts.forget(id)).await); // it logs
            }
        }
    }
}

impl Kept {
    /// The invocation, if this has been here for a while.
    fn settle(&mut self) -> Option<InvocationId> {
        std::mem::replace(&mut self.is_settled, true).then_some(self.id)
    }
}

impl Parts {
    fn keep(&self, id: InvocationId, dump: Bytes) -> io::Result<()> {
        let bytes = dump.len() as u64;
        let most = match &self.place {
            Place::Folder(folder) => {
                write(folder, &path(folder, id), &dump)?;
                bounds::MAX_KEPT_DUMP_BYTES
            }
            Place::Memory => bounds::MAX_DUMP_BYTES_IN_MEMORY,
        };
        let in_memory = matches!(self.place, Place::Memory).then_some(dump);
        let mut kept = self.lock();
        kept.retain(|other| other.id != id);
        kept.push_back(Kept { id, bytes, dump: in_memory, is_settled: false });
        let mut gone = Vec::new();
        while kept.len() > bounds::MAX_CORE_DUMPS || kept.iter().map(|dump| dump.bytes).sum::<u64>() > most {
            gone.extend(kept.pop_front());
        }
        drop(kept);
        for dump in gone {
            self.remove(dump.id);
        }
        Ok(())
    }

    fn get(&self, id: InvocationId) -> io::Result<Option<Bytes>> {
        let found = self.lock().iter().find(|dump| dump.id == id).cloned();
        let Some(found) = found else { return Ok(None) };
        let Place::Folder(folder) = &self.place else { return Ok(found.dump) };
        match fs::read(path(folder, id)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None), // it gave way meanwhile
            Err(error) => Err(error),
        }
    }

    fn forget(&self, id: InvocationId) {
        self.lock().retain(|dump| dump.id != id);
        self.remove(id);
    }

    fn remove(&self, id: InvocationId) {
        let Place::Folder(folder) = &self.place else { return };
        match fs::remove_file(path(folder, id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(invocation = %id, %error, "a core dump cannot be removed");
            }
            _ => (),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path(folder: &Path, id: InvocationId) -> PathBuf {
    folder.join(format!("{id}.{SUFFIX}"))
}

/// Whole or not at all, and for its owner's eyes: what a guest had in memory may be secret.
fn write(folder: &Path, path: &Path, dump: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(dump)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// What is in a folder, the oldest first, after a crash's leavings are gone from it.
fn found(folder: &Path) -> VecDeque<Kept> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            drop(fs::remove_file(&path)); // it is of no use, and in nobody's way
            continue;
        }
        let id = path.file_stem().and_then(|name| name.to_str()?.parse::<InvocationId>().ok());
        if let (Some(id), Ok(meta)) = (id, entry.metadata())
            && path.extension().is_some_and(|extension| extension == SUFFIX)
        {
            kept.push((meta.modified().ok(), Kept { id, bytes: meta.len(), dump: None, is_settled: true }));
        }
    }
    kept.sort_by_key(|(modified, _)| *modified);
    kept.into_iter().map(|(_, dump)| dump).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::store::memory::MemoryStore;

    fn id(n: u8) -> InvocationId {
        InvocationId::from_bytes([n; 16])
    }

    #[tokio::test]
    async fn a_dump_is_there_after_a_restart_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("core-dumps");
        let dumps = CoreDumps::open(Some(folder.clone()));
        assert_eq!(dumps.get(id(1)).await.unwrap(), None);
        assert!(!folder.exists(), "nothing is made before there is one");
        dumps.keep(id(1), Bytes::from_static(b"first")).await;
        dumps.keep(id(1), Bytes::from_static(b"second")).await;
        fs::write(folder.join("unfinished-1"), b"half").unwrap();
        let dumps = CoreDumps::open(Some(folder.clone()));
        assert_eq!(dumps.get(id(1)).await.unwrap().unwrap(), "second");
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&files[0])), (0o700, 0o600));
    }

    #[tokio::test]
    async fn those_that_are_oldest_give_way_wherever_they_are() {
        let folder = tempfile::tempdir().unwrap();
        for place in [None, Some(folder.path().to_owned())] {
            let dumps = CoreDumps::open(place);
            for n in 0..=u8::MAX {
                dumps.keep(id(n), Bytes::from_static(b"dump")).await;
            }
            dumps.keep(InvocationId::from_bytes([7; 16]), Bytes::from_static(b"again")).await;
            dumps.keep(InvocationId::from_bytes(std::array::from_fn(|n| u8::try_from(n).unwrap())), Bytes::new()).await;
            assert_eq!(dumps.0.lock().len(), bounds::MAX_CORE_DUMPS);
            assert_eq!(dumps.get(id(0)).await.unwrap(), None);
            assert_eq!(dumps.get(id(7)).await.unwrap().unwrap(), "again");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), bounds::MAX_CORE_DUMPS);
    }

    #[tokio::test]
    async fn a_dump_goes_with_the_record_of_its_invocation_but_not_before_that_can_be_there() {
        let (dumps, store) = (CoreDumps::open(None), MemoryStore::default());
        dumps.keep(id(1), Bytes::from_static(b"dump")).await;
        dumps.forget_removed(&store).await;
        assert!(dumps.get(id(1)).await.unwrap().is_some(), "its record may be on the way");
        dumps.forget_removed(&store).await;
        assert_eq!(dumps.get(id(1)).await.unwrap(), None);
    }
}
