use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

use super::*;
use crate::model::invocation::Mode;
use crate::model::names::{FunctionId, InvocationId};
use crate::model::place::Priority;
use crate::model::time::Timestamp;
use crate::store::embedded::entry::{Facts, Standing};
use crate::store::embedded::state::Shared;
use crate::store::journal::{Disk, DiskFile, FileSystem, Known, Position, Settings};
use crate::store::sled::Index;

/// Whether syncs of the journal go through, or wait until they may.
#[derive(Debug, Default)]
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
    /// How many have come by, and whether those that are let through fail.
    syncs: AtomicUsize,
    is_broken: AtomicBool,
}

impl Gate {
    fn set(&self, is_shut: bool) {
        *self.is_shut.lock().unwrap() = is_shut;
        self.opened.notify_all();
    }

    fn pass(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        let is_shut = self.is_shut.lock().unwrap();
        drop(self.opened.wait_while(is_shut, |is_shut| *is_shut).unwrap());
        if self.is_broken.load(Ordering::SeqCst) { Err(io::Error::other("broken on purpose")) } else { Ok(()) }
    }
}

/// The real disk behind a gate.
#[derive(Debug)]
struct Gated(Arc<Gate>);

#[derive(Debug)]
struct GatedFile(Arc<dyn DiskFile>, Arc<Gate>);

impl Gated {
    fn file(&self, file: io::Result<Arc<dyn DiskFile>>) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(GatedFile(file?, Arc::clone(&self.0))))
    }
}

impl Disk for Gated {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.file(FileSystem.create(path))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.file(FileSystem.open(path))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        FileSystem.create_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        FileSystem.sync_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        FileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        FileSystem.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        FileSystem.list(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        FileSystem.free_bytes(dir)
    }
}

impl DiskFile for GatedFile {
    fn bytes(&self) -> io::Result<u64> {
        self.0.bytes()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // Segments are prepared when the journal's own thread comes to it: that is no sync of what was written.
        if thread::current().name() != Some("journal-prepare") {
            self.1.pass()?;
        }
        self.0.sync()
    }

    fn forget_cached(&self) {
        self.0.forget_cached();
    }
}

fn writer(dir: &Path, gate: &Arc<Gate>) -> Writer {
    let settings = Settings { segment_bytes: 65_536, reserve: 1, max_bytes: u64::MAX, min_free_bytes: 0 };
    let disk = Arc::new(Gated(Arc::clone(gate)));
    let journal = Journal::open(&dir.join("journal"), disk, settings, &Known::default(), &mut |_, _| Ok(())).unwrap();
    let index = Arc::new(Index::open(&dir.join("index"), 1 << 20, false).unwrap());
    let shared = Arc::new(Shared::new(Position::START, None, HashMap::default()));
    let view = View { shared, index, reader: journal.reader() };
    Writer::start(journal, view, Arc::new(Tally::default())).unwrap()
}

/// Writes the record of an invocation that waits.
fn put(id: u8, record: &[u8], when: Durability) -> (Job, oneshot::Receiver<Answer>) {
    let at = Timestamp::from_ms(7);
    let standing =
        Standing::Waiting { version: None, priority: Priority::Normal, due: at, expires: at, payload_bytes: 0 };
    let facts = Facts { function: FunctionId::from_bytes([1; 16]), accepted: at, mode: Mode::Async, standing };
    let changes = vec![Prepared::PutInvocation {
        id: InvocationId::from_bytes([id; 16]),
        facts,
        record: record.to_vec(),
        in_place: false,
    }];
    let (answer, answered) = oneshot::channel();
    (Job { changes, when, since: Instant::now(), answer }, answered)
}

fn record(view: &View, id: u8) -> Option<Vec<u8>> {
    let entry = view.entry(InvocationId::from_bytes([id; 16])).unwrap()?;
    view.read(entry.record, String::new).unwrap().map(Vec::from)
}

#[test]
fn a_claim_is_answered_and_shown_before_the_sync_that_others_of_its_gathering_wait_for() {
    let (folder, gate) = (tempfile::tempdir().unwrap(), Arc::new(Gate::default()));
    let mut writer = writer(folder.path(), &gate);
    let view = writer.view.clone();
    let [accepted, claimed_anew] = [1, 2].map(|id| put(id, b"accepted", Durability::Synced));
    writer.commit(vec![accepted.0, claimed_anew.0], || 0);

    let (new, mut new_answer) = put(3, b"accepted", Durability::Synced);
    let (claim, claimed) = put(1, b"claimed", Durability::Written);
    let (cancel, mut cancelled) = put(2, b"cancelled", Durability::Synced);
    let (late, mut late_answer) = put(2, b"claimed", Durability::Written);
    gate.set(true);
    let committing = thread::spawn(move || {
        writer.commit(vec![new, claim, cancel, late], || 0);
        writer
    });
    claimed.blocking_recv().unwrap().unwrap();
    assert_eq!(record(&view, 1).unwrap(), b"claimed");
    assert_eq!(record(&view, 2).unwrap(), b"accepted", "what a claim rests on is not durable, so it waits with that");
    assert_eq!(record(&view, 3), None);
    for waiting in [&mut new_answer, &mut cancelled, &mut late_answer] {
        assert!(waiting.try_recv().is_err());
    }

    gate.set(false);
    drop(committing.join().unwrap());
    for waiting in [new_answer, cancelled, late_answer] {
        waiting.blocking_recv().unwrap().unwrap();
    }
    assert_eq!([1, 2, 3].map(|id| record(&view, id).unwrap()), [&b"claimed"[..], b"claimed", b"accepted"]);
    assert!(view.shared.lock().claimed.is_empty());
}

/// A writer, one that was accepted and is durable, and two gatherings behind it whose syncs the gate holds up.
struct Held {
    folder: tempfile::TempDir,
    gate: Arc<Gate>,
    writer: Writer,
    view: View,
    /// Of four groups: an acceptance and a claim, the claim of that acceptance and another one.
    answers: Vec<oneshot::Receiver<Answer>>,
}

fn held() -> Held {
    let (folder, gate) = (tempfile::tempdir().unwrap(), Arc::new(Gate::default()));
    let mut writer = writer(folder.path(), &gate);
    let view = writer.view.clone();
    writer.commit(vec![put(1, b"accepted", Durability::Synced).0], || 0);
    gate.set(true);
    let mut answers = Vec::new();
    let mut commit = |jobs: [(Job, oneshot::Receiver<Answer>); 2]| {
        let (jobs, answered): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
        answers.extend(answered);
        writer.commit(jobs, || usize::MAX);
    };
    commit([put(2, b"accepted", Durability::Synced), put(1, b"claimed", Durability::Synced)]);
    commit([put(2, b"claimed", Durability::Written), put(3, b"accepted", Durability::Synced)]);
    Held { folder, gate, writer, view, answers }
}

#[test]
fn what_is_written_during_a_sync_rests_on_what_waits_for_it_and_is_shown_and_answered_after_it() {
    let Held { folder: _folder, gate, mut writer, view, mut answers } = held();
    assert_eq!([1, 2, 3].map(|id| record(&view, id)), [Some(b"accepted".to_vec()), None, None]);
    assert!(answers.iter_mut().all(|answer| answer.try_recv().is_err()));
    gate.set(false);
    for answer in answers {
        answer.blocking_recv().unwrap().unwrap();
    }
    assert_eq!([1, 2, 3].map(|id| record(&view, id).unwrap()), [&b"claimed"[..], b"claimed", b"accepted"]);
    assert!(view.shared.lock().claimed.is_empty());

    let (last, answer) = put(3, b"cancelled", Durability::Synced);
    writer.commit(vec![last], || 0);
    answer.blocking_recv().unwrap().unwrap();
    assert_eq!(record(&view, 3).unwrap(), b"cancelled");
    let syncs = gate.syncs.load(Ordering::SeqCst);
    writer.close();
    assert_eq!(gate.syncs.load(Ordering::SeqCst), syncs, "nothing was left to sync");
}

#[test]
fn what_was_written_behind_a_sync_that_fails_fails_with_it_and_is_never_shown() {
    let Held { folder: _folder, gate, mut writer, view, answers } = held();
    gate.is_broken.store(true, Ordering::SeqCst);
    gate.set(false);
    for answer in answers {
        let failed = answer.blocking_recv().unwrap().unwrap_err();
        assert!(matches!(&failed, StoreError::Unknown(why) if why.contains("broken on purpose")), "{failed}");
    }
    let (late, answer) = put(4, b"accepted", Durability::Synced);
    writer.commit(vec![late], || 0);
    let refused = answer.blocking_recv().unwrap().unwrap_err();
    assert!(matches!(refused, StoreError::Stopped(_)), "{refused}");
    assert_eq!([1, 2, 3, 4].map(|id| record(&view, id)), [Some(b"accepted".to_vec()), None, None, None]);
    writer.close();
}
