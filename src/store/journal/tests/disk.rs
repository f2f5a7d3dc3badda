//! A disk in memory that fails when told to and can lose its power. Each file is two images: what a read shows, and
//! what is durable. A power cut keeps of every unsynced sector the old or the new, and of the unsynced changes of
//! names those up to some point.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::journal::disk::{Disk, DiskFile};

const SECTOR: usize = 512;

/// What was asked of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Create,
    Open,
    Read,
    Write,
    Sync,
    SyncDir,
    Rename,
    Remove,
}

/// How it fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// With an error; nothing is done.
    Error(io::ErrorKind),
    /// A write takes only so many bytes.
    Short(usize),
}

type Faults = Box<dyn FnMut(Asked, &str) -> Option<Fault> + Send>;

/// The disk.
#[derive(Clone)]
pub(super) struct TestDisk(Arc<State>);

struct State {
    names: Mutex<Names>,
    faults: Mutex<Option<Faults>>,
    free: AtomicU64,
}

#[derive(Default)]
struct Names {
    now: BTreeMap<PathBuf, Arc<TestFile>>,
    durable: BTreeMap<PathBuf, Arc<TestFile>>,
    /// Changes since the last sync of the folder.
    changes: Vec<Renaming>,
}

/// A name that has come or gone.
#[derive(Clone)]
enum Renaming {
    Come(PathBuf, Arc<TestFile>),
    Gone(PathBuf),
    /// Both at once.
    Moved(PathBuf, PathBuf, Arc<TestFile>),
}

struct TestFile {
    disk: Mutex<std::sync::Weak<State>>,
    name: Mutex<String>,
    images: Mutex<Images>,
}

#[derive(Clone, Default)]
struct Images {
    now: Vec<u8>,
    durable: Vec<u8>,
}

impl TestDisk {
    pub(super) fn new() -> Self {
        let free = AtomicU64::new(u64::MAX);
        Self(Arc::new(State { names: Mutex::default(), faults: Mutex::default(), free }))
    }

    pub(super) fn set_free(&self, bytes: u64) {
        self.0.free.store(bytes, Ordering::Relaxed);
    }

    /// From now on this decides which requests fail.
    pub(super) fn fail(&self, faults: impl FnMut(Asked, &str) -> Option<Fault> + Send + 'static) {
        *lock(&self.0.faults) = Some(Box::new(faults));
    }

    pub(super) fn heal(&self) {
        *lock(&self.0.faults) = None;
    }

    /// What would be there after the power went: `keep` says of each unsynced piece whether the disk had it.
    pub(super) fn after_power_cut(&self, mut keep: impl FnMut() -> bool) -> Self {
        let names = lock(&self.0.names);
        let mut left = names.durable.clone();
        for change in &names.changes {
            if !keep() {
                break;
            }
            change.apply(&mut left);
        }
        let disk = Self::new();
        let survivors = left.into_iter().map(|(path, file)| {
            let kept = lock(&file.images).cut(&mut keep);
            let images = Mutex::new(Images { now: kept.clone(), durable: kept });
            let weak = Mutex::new(Arc::downgrade(&disk.0));
            (path, Arc::new(TestFile { disk: weak, name: Mutex::new(lock(&file.name).clone()), images }))
        });
        let survivors: BTreeMap<_, _> = survivors.collect();
        *lock(&disk.0.names) = Names { now: survivors.clone(), durable: survivors, changes: Vec::new() };
        disk
    }

    /// The same disk as another one, so that one can be changed.
    pub(super) fn copy(&self) -> Self {
        self.after_power_cut(|| true)
    }

    /// The bytes of a file, to be changed behind everybody's back.
    pub(super) fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let file =
            lock(&self.0.names).now.iter().find(|(path, _)| path.ends_with(name)).map(|(_, file)| Arc::clone(file));
        let file = file.unwrap_or_else(|| panic!("no {name}"));
        let mut images = lock(&file.images);
        change(&mut images.now);
        images.durable = images.now.clone();
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) {
        let images = Mutex::new(Images { now: bytes.to_vec(), durable: bytes.to_vec() });
        let file = TestFile { disk: Mutex::new(Arc::downgrade(&self.0)), name: Mutex::new(path.to_owned()), images };
        lock(&self.0.names).now.insert(PathBuf::from(path), Arc::new(file));
    }

    pub(super) fn delete(&self, name: &str) {
        lock(&self.0.names).now.retain(|path, _| !path.ends_with(name));
    }

    pub(super) fn names(&self) -> Vec<String> {
        lock(&self.0.names).now.keys().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }
}

impl State {
    fn ask(&self, asked: Asked, name: &str) -> io::Result<Option<usize>> {
        match lock(&self.faults).as_mut().and_then(|faults| faults(asked, name)) {
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::Short(bytes)) => Ok(Some(bytes)),
            None => Ok(None),
        }
    }
}

impl Renaming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Arc<TestFile>>) {
        match self {
            Self::Come(path, file) => drop(names.insert(path.clone(), Arc::clone(file))),
            Self::Gone(path) => drop(names.remove(path)),
            Self::Moved(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), Arc::clone(file));
            }
        }
    }
}

impl Names {
    fn change(&mut self, change: Renaming) {
        change.apply(&mut self.now);
        self.changes.push(change);
    }

    fn file(&self, path: &Path) -> io::Result<Arc<TestFile>> {
        self.now.get(path).map(Arc::clone).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Images {
    /// What a power cut leaves.
    fn cut(&self, keep: &mut impl FnMut() -> bool) -> Vec<u8> {
        let mut left = self.durable.clone();
        if self.now.len() != left.len() && keep() {
            left.resize(self.now.len(), 0);
        }
        for (index, sector) in left.chunks_mut(SECTOR).enumerate() {
            let start = index * SECTOR;
            let Some(new) = self.now.get(start..start + sector.len()) else { continue };
            if new != sector && keep() {
                sector.copy_from_slice(new);
            }
        }
        left
    }
}

impl std::fmt::Debug for TestDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.names())
    }
}

impl std::fmt::Debug for TestFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", lock(&self.name))
    }
}

impl Disk for TestDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let name = name(path);
        self.0.ask(Asked::Create, &name)?;
        let mut names = lock(&self.0.names);
        if names.now.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let disk = Mutex::new(Arc::downgrade(&self.0));
        let file = Arc::new(TestFile { disk, name: Mutex::new(name), images: Mutex::default() });
        names.change(Renaming::Come(path.to_owned(), Arc::clone(&file)));
        Ok(file)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.0.ask(Asked::Open, &name(path))?;
        let file = lock(&self.0.names).file(path)?;
        Ok(file)
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.ask(Asked::SyncDir, &name(dir))?;
        let mut names = lock(&self.0.names);
        names.durable = names.now.clone();
        names.changes.clear();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.ask(Asked::Rename, &name(from))?;
        let mut names = lock(&self.0.names);
        let file = names.file(from)?;
        *lock(&file.name) = name(to);
        names.change(Renaming::Moved(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.ask(Asked::Remove, &name(path))?;
        let mut names = lock(&self.0.names);
        names.file(path)?;
        names.change(Renaming::Gone(path.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        Ok(lock(&self.0.names).now.keys().filter(|path| path.parent() == Some(dir)).map(|path| name(path)).collect())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.free.load(Ordering::Relaxed))
    }
}

impl TestFile {
    fn ask(&self, asked: Asked) -> io::Result<Option<usize>> {
        let disk = lock(&self.disk).upgrade();
        let name = lock(&self.name).clone();
        disk.map_or(Ok(None), |disk| disk.ask(asked, &name))
    }
}

impl DiskFile for TestFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(lock(&self.images).now.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.ask(Asked::Read)?;
        let images = lock(&self.images);
        let rest = images.now.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let read = rest.len().min(bytes.len());
        bytes[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let taken = self.ask(Asked::Write)?.unwrap_or(bytes.len()).min(bytes.len());
        let start = usize::try_from(offset).unwrap();
        let mut images = lock(&self.images);
        let end = images.now.len().max(start + taken);
        images.now.resize(end, 0);
        images.now[start..start + taken].copy_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn sync(&self) -> io::Result<()> {
        self.ask(Asked::Sync)?;
        let mut images = lock(&self.images);
        images.durable = images.now.clone();
        Ok(())
    }

    fn forget_cached(&self) {}
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
