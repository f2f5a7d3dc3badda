//! What is synced when, and what a failed write means.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::*;
use crate::model::names::{FunctionId, InvocationId};
use crate::model::time::Timestamp;
use crate::store::{Cursor, keys, record};

/// A committer over a real database, and how often it has asked for a sync.
struct World {
    committer: Committer,
    db: Db,
    syncs: Arc<AtomicUsize>,
    dir: TempDir,
}

/// A world whose syncs answer what `sync` says about their number, the first being 0.
fn world(mut sync: impl FnMut(usize) -> io::Result<()> + Send + 'static) -> World {
    let dir = tempfile::tempdir().unwrap();
    let payloads = dir.path().join("payloads");
    fs::create_dir(&payloads).unwrap();
    Files::create_folders(&payloads).unwrap();
    let db = ::sled::Config::new().path(dir.path().join("db")).open().unwrap();
    let syncs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&syncs);
    let sync = Box::new(move || sync(counted.fetch_add(1, Ordering::SeqCst)));
    let committer = Committer::start(db.clone(), Arc::new(Files::new(payloads)), sync).unwrap();
    World { committer, db, syncs, dir }
}

impl World {
    fn submit(&self, key: &[u8], bytes: usize, when: Durability) -> oneshot::Receiver<Answer> {
        let op = Op::PutBlob { key: key.to_vec(), bytes: vec![b'x'; bytes].into() };
        self.committer.submit(vec![op], when).unwrap()
    }

    fn commit(&self, key: &[u8], bytes: usize, when: Durability) -> Answer {
        self.submit(key, bytes, when).blocking_recv().unwrap()
    }

    fn syncs(&self) -> usize {
        self.syncs.load(Ordering::SeqCst)
    }

    fn files(&self) -> usize {
        let folders = fs::read_dir(self.dir.path().join("payloads")).unwrap();
        folders.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
    }
}

#[test]
fn synced_is_synced_before_it_is_answered_and_written_is_not() {
    let world = world(|_| Ok(()));
    world.commit(b"p1", 10, Durability::Written).unwrap();
    assert_eq!(world.syncs(), 0);
    world.commit(b"p2", 10, Durability::Synced).unwrap();
    assert_eq!(world.syncs(), 1);
}

#[test]
fn what_was_only_written_is_synced_at_the_end() {
    let world = world(|_| Ok(()));
    world.commit(b"p1", 10, Durability::Written).unwrap();
    drop(world.committer);
    assert_eq!(world.syncs.load(Ordering::SeqCst), 1);
}

#[test]
fn what_was_handed_over_is_carried_out_before_the_end_though_nobody_waits() {
    let world = world(|_| Ok(()));
    for key in 0..100u8 {
        drop(world.submit(&[b'p', key], 10, Durability::Synced));
    }
    drop(world.committer);
    assert_eq!(world.db.len(), 100);
}

#[test]
fn those_that_wait_share_one_sync() {
    let gate = Arc::new(Mutex::new(()));
    let closed = Arc::clone(&gate);
    let world = world(move |_| {
        drop(closed.lock());
        Ok(())
    });
    let hold = gate.lock().unwrap();
    let first = world.submit(b"p0", 10, Durability::Synced);
    while world.syncs() == 0 {
        thread::yield_now();
    }
    let rest: Vec<_> = (1..=50).map(|key| world.submit(&[b'p', key], 10, Durability::Synced)).collect();
    drop(hold);
    assert!(rest.into_iter().chain([first]).all(|answer| answer.blocking_recv().unwrap().is_ok()));
    assert_eq!(world.syncs(), 2);
}

#[test]
fn groups_that_are_committed_together_build_on_one_another() {
    let gate = Arc::new(Mutex::new(()));
    let closed = Arc::clone(&gate);
    let world = world(move |_| {
        drop(closed.lock());
        Ok(())
    });
    let id = |byte| InvocationId::from_bytes([byte; 16]);
    let put = |byte, done| Op::PutInvocation {
        at: Cursor(Timestamp::from_ms(1), id(byte)),
        function: FunctionId::from_bytes([9; 16]),
        done,
        record: record::encode(&BTreeMap::from([("accepted", Timestamp::from_ms(1))])),
    };
    let groups = [put(1, false), put(2, false), put(1, true), put(2, true), Op::RemoveInvocation(id(1)), put(2, false)];
    let hold = gate.lock().unwrap();
    let first = world.submit(b"p0", 10, Durability::Synced);
    while world.syncs() == 0 {
        thread::yield_now();
    }
    let rest = groups.map(|op| world.committer.submit(vec![op], Durability::Synced).unwrap());
    drop(hold);
    assert!(rest.into_iter().chain([first]).all(|answer| answer.blocking_recv().unwrap().is_ok()));
    let left: Vec<_> = world.db.iter().keys().map(|key| key.unwrap().to_vec()).collect();
    let expected = [b"p0".to_vec(), keys::live(id(2)), keys::time(Cursor(Timestamp::from_ms(1), id(2)))];
    assert_eq!((left.as_slice(), world.syncs()), (expected.as_slice(), 2));
}

#[test]
fn after_a_failed_sync_nothing_is_synced_or_written_again() {
    let world = world(|_| Err(io::Error::other("the disk is gone")));
    let answer = world.commit(b"p1", 10, Durability::Synced);
    assert!(matches!(&answer, Err(StoreError::Unknown(reason)) if reason.contains("the disk is gone")), "{answer:?}");
    for _ in 0..3 {
        let answer = world.commit(b"p2", 10, Durability::Synced);
        assert!(matches!(&answer, Err(StoreError::Stopped(reason)) if reason.contains("the disk is gone")));
    }
    assert_eq!(world.db.get(b"p2").unwrap(), None);
    drop(world.committer);
    assert_eq!(world.syncs.load(Ordering::SeqCst), 1);
}

#[test]
fn a_group_whose_file_cannot_be_written_is_refused_alone() {
    let world = world(|_| Ok(()));
    fs::remove_dir_all(world.dir.path().join("payloads")).unwrap();
    let large = world.commit(b"p1", 1 << 20, Durability::Synced);
    assert!(matches!(&large, Err(StoreError::Refused(reason)) if reason.contains("payloads")), "{large:?}");
    assert_eq!(world.db.get(b"p1").unwrap(), None);
    world.commit(b"p2", 10, Durability::Synced).unwrap();
}

#[test]
fn a_refused_group_leaves_none_of_its_changes_and_files() {
    let world = world(|_| Ok(()));
    world.commit(b"p0", 1 << 20, Durability::Synced).unwrap();
    let small = Op::PutBlob { key: b"p1".to_vec(), bytes: b"small".as_slice().into() };
    let large = |key: &[u8]| Op::PutBlob { key: key.to_vec(), bytes: vec![0; 1 << 20].into() };
    let too_long = [&b"p"[..], &[0; 200]].concat(); // its file's name is longer than a file system takes
    let group = vec![small, large(b"p2"), large(&too_long)];
    let answer = world.committer.submit(group, Durability::Synced).unwrap().blocking_recv().unwrap();
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    assert_eq!((world.db.len(), world.files()), (1, 1));
}

#[test]
fn a_file_that_a_written_commit_made_needless_stays_until_the_next_sync() {
    let world = world(|_| Ok(()));
    world.commit(b"p1", 1 << 20, Durability::Synced).unwrap();
    world.commit(b"p1", 10, Durability::Written).unwrap();
    assert_eq!(world.files(), 1);
    world.commit(b"p2", 10, Durability::Synced).unwrap();
    assert_eq!((world.syncs(), world.files()), (2, 0));
}

#[test]
fn past_the_bound_a_commit_is_refused() {
    let gate = Arc::new(Mutex::new(()));
    let closed = Arc::clone(&gate);
    let world = world(move |_| {
        drop(closed.lock());
        Ok(())
    });
    let hold = gate.lock().unwrap();
    let mut waiting = Vec::new();
    let refused = loop {
        let op = Op::PutBlob { key: b"p".to_vec(), bytes: b"x".as_slice().into() };
        match world.committer.submit(vec![op], Durability::Synced) {
            Ok(answer) => waiting.push(answer),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, StoreError::Refused(_)));
    assert!(waiting.len() >= bounds::MAX_WAITING_COMMITS);
    drop(hold);
    assert!(waiting.into_iter().all(|answer| answer.blocking_recv().unwrap().is_ok()));
}
