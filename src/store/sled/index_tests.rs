//! The index over a real database: it is a map, also for who reads while it is written, after a failure and
//! after being opened again; and it refuses what it cannot read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use ::sled::Batch;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const CACHE_BYTES: u64 = 16 * 1024 * 1024;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// How many batches and syncs still succeed.
#[derive(Debug)]
struct Luck {
    batches: AtomicUsize,
    syncs: AtomicUsize,
}

impl Luck {
    fn new() -> Arc<Self> {
        Arc::new(Self { batches: AtomicUsize::new(usize::MAX), syncs: AtomicUsize::new(usize::MAX) })
    }

    fn take(left: &AtomicUsize) -> bool {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

struct Unlucky {
    luck: Arc<Luck>,
    own: Own,
}

impl Disk for Unlucky {
    fn apply(&mut self, tree: &Tree, batch: Batch) -> Result<(), IndexError> {
        if Luck::take(&self.luck.batches) { tree.apply(batch) } else { Err(IndexError::damaged("out of luck")) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if Luck::take(&self.luck.syncs) { self.own.sync() } else { Err(io::Error::other("out of luck")) }
    }
}

fn unlucky(dir: &TempDir, luck: &Arc<Luck>) -> Index {
    let luck = Arc::clone(luck);
    let open: OpenDisk = Box::new(move |dir| Ok(Box::new(Unlucky { luck: Arc::clone(&luck), own: Own::open(dir)? })));
    Index::open_with(dir.path(), CACHE_BYTES, false, open).unwrap()
}

impl Index {
    fn take_in(
        &self,
        changes: impl IntoIterator<Item = Change>,
        mark: &[u8],
        extra: &[Change],
    ) -> Result<(), IndexError> {
        self.apply(&changes.into_iter().collect(), mark, extra)
    }
}

fn open(dir: &TempDir) -> Index {
    Index::open(dir.path(), CACHE_BYTES, false).unwrap()
}

/// The database itself, as another program opens it.
fn raw(dir: &TempDir, insert: &[(&[u8], &[u8])]) {
    let db = ::sled::open(dir.path()).unwrap();
    for (key, value) in insert {
        db.insert(key, *value).unwrap();
    }
    drop(db);
    disk::wait_until_closed(dir.path()).unwrap();
}

fn numbered(number: u32, value: &str) -> Change {
    (number.to_be_bytes().to_vec(), Some(value.as_bytes().to_vec()))
}

fn all(index: &Index) -> Map {
    index.range(Unbounded, Unbounded, Direction::Up).collect::<Result<_, _>>().unwrap()
}

#[track_caller]
fn check_refused(dir: &TempDir, expected: bool, sentence: &str) {
    let error = Index::open(dir.path(), CACHE_BYTES, expected).unwrap_err().to_string();
    assert!(error.contains(sentence), "{error}");
}

fn change(map: &mut Map, changes: &[Change]) {
    for (key, value) in changes {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..3000_u16).prop_map(|number| number.to_be_bytes().to_vec()),
        1 => prop::collection::vec(prop_oneof![Just(0), Just(254), Just(255)], 0..7),
    ]
}

fn windows() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let value = prop::option::weighted(0.6, prop::collection::vec(any::<u8>(), 0..60));
    let window = prop::collection::btree_map(key(), value, 0..400).prop_map(|window| window.into_iter().collect());
    prop::collection::vec(window, 1..8)
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![key().prop_map(Included), key().prop_map(Excluded), Just(Unbounded)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_index_is_a_map(
        windows in windows(),
        ranges in prop::collection::vec((bound(), bound()), 5),
        probes in prop::collection::vec(key(), 20),
    ) {
        let dir = tempfile::tempdir()?;
        let (mut index, mut map) = (open(&dir), Map::new());
        for (number, window) in windows.into_iter().enumerate() {
            change(&mut map, &window);
            let mark = number.to_be_bytes();
            index.take_in(window, &mark, &[numbered(7, "seven")])?;
            prop_assert_eq!(index.mark()?, Some(mark.to_vec()));
            for (from, to) in &ranges {
                let is_inside = |key: &[u8]| {
                    (match from { Included(from) => key >= from.as_slice(), Excluded(from) => key > from.as_slice(), Unbounded => true })
                        && (match to { Included(to) => key <= to.as_slice(), Excluded(to) => key < to.as_slice(), Unbounded => true })
                };
                let mut expected: Vec<_> = map.clone().into_iter().filter(|(key, _)| is_inside(key)).collect();
                let range = |direction| {
                    let range = index.range(from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice), direction);
                    range.collect::<Result<Vec<_>, _>>()
                };
                prop_assert_eq!(range(Direction::Up)?, expected.clone());
                expected.reverse();
                prop_assert_eq!(range(Direction::Down)?, expected);
            }
            for key in probes.iter().chain(map.keys()) {
                prop_assert_eq!(index.get(key)?, map.get(key).cloned());
            }
            let checked = index.check(&mut |_| ())?;
            prop_assert_eq!((checked.entries, checked.metas), (map.len() as u64, 1));
            if number % 3 == 1 {
                drop(index);
                index = Index::open(dir.path(), CACHE_BYTES, true)?;
            }
        }
    }
}

#[test]
fn who_reads_while_windows_are_written_gets_each_entry_that_stays_exactly_once() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir);
    // Every tenth stays. The others come and go, so that blocks are divided and joined all the time.
    let stays = |number: &u32| number.is_multiple_of(10);
    index.take_in((0..20_000).filter(stays).map(|number| numbered(number, "stays")), b"", &[]).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for direction in [Direction::Up, Direction::Down] {
            let (index, is_over) = (&index, &is_over);
            scope.spawn(move || {
                let mut rounds = 0;
                while !is_over.load(Ordering::SeqCst) || rounds < 2 {
                    let entries = index.range(Unbounded, Unbounded, direction).map(Result::unwrap);
                    let staying = entries.filter(|(_, value)| value == b"stays").map(|(key, _)| key);
                    let mut staying: Vec<_> = staying.collect();
                    if direction == Direction::Down {
                        staying.reverse();
                    }
                    assert!(
                        staying.iter().eq((0..20_000_u32)
                            .filter(stays)
                            .map(u32::to_be_bytes)
                            .collect::<Vec<_>>()
                            .iter())
                    );
                    rounds += 1;
                }
            });
        }
        for round in 0..30_u32 {
            let part = (round * 1777) % 10_000..(round * 1777) % 10_000 + 8_000;
            let moving: Vec<_> = part.filter(|number| !stays(number)).collect();
            index.take_in(moving.iter().map(|number| numbered(*number, "comes")), b"", &[]).unwrap();
            let gone = moving.iter().map(|number| (number.to_be_bytes().to_vec(), None));
            index.take_in(gone, b"", &[]).unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert_eq!(all(&index).len(), 2_000);
}

#[test]
fn a_window_that_was_cut_short_and_is_repeated_ends_as_if_it_had_not_been() {
    let window = || {
        let put = (0..150_000_u32).filter(|number| number % 3 != 0);
        let removed = (0..150_000_u32).filter(|number| number % 3 == 0);
        let mut window: Vec<_> = put.map(|number| numbered(number, "after")).collect();
        window.extend(removed.map(|number| (number.to_be_bytes().to_vec(), None)));
        window.sort();
        window
    };
    for batches in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let luck = Luck::new();
        let index = unlucky(&dir, &luck);
        index.take_in((0..100_000).step_by(2).map(|number| numbered(number, "before")), b"1", &[]).unwrap();
        luck.batches.store(batches, Ordering::SeqCst);
        let failed = index.take_in(window(), b"2", &[numbered(1, "extra")]);
        assert!(failed.is_err(), "it takes {batches} batches");
        luck.batches.store(usize::MAX, Ordering::SeqCst);
        index.reopen().unwrap();
        assert_eq!((index.mark().unwrap(), index.meta(&1_u32.to_be_bytes()).unwrap()), (Some(b"1".to_vec()), None));
        index.check(&mut |_| ()).unwrap();
        index.take_in(window(), b"2", &[numbered(1, "extra")]).unwrap();
        assert_eq!(index.mark().unwrap(), Some(b"2".to_vec()));
        assert_eq!(index.metas(&[]).unwrap(), [(1_u32.to_be_bytes().to_vec(), b"extra".to_vec())]);
        let expected = window().into_iter().filter_map(|(key, value)| Some((key, value?)));
        assert_eq!(all(&index), expected.collect());
        index.check(&mut |_| ()).unwrap();
    }
}

#[test]
fn after_a_failed_sync_nothing_is_answered_until_it_is_opened_again_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let luck = Luck::new();
    let index = unlucky(&dir, &luck);
    index.take_in((0..5_000).map(|number| numbered(number, "kept")), b"1", &[]).unwrap();
    luck.syncs.store(0, Ordering::SeqCst);
    let error = index.take_in([numbered(9_000, "unknown")], b"2", &[]).unwrap_err();
    assert!(error.to_string().contains("out of luck"), "{error}");
    luck.syncs.store(usize::MAX, Ordering::SeqCst);

    let failed = IndexError::Failed(error.to_string());
    assert_eq!(index.take_in([numbered(1, "later")], b"3", &[]), Err(failed.clone()));
    assert_eq!(index.get(b"key"), Err(failed.clone()));
    assert_eq!(index.mark(), Err(failed.clone()));
    let range: Vec<_> = index.range(Unbounded, Unbounded, Direction::Up).collect();
    assert_eq!(range, [Err(failed)]);

    index.reopen().unwrap();
    index.take_in([numbered(9_000, "known")], b"2", &[]).unwrap();
    assert_eq!(all(&index).len(), 5_001);
    drop(index);
    assert_eq!(all(&open(&dir)).len(), 5_001);
}

#[test]
fn a_reader_that_is_under_way_when_it_fails_ends_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let luck = Luck::new();
    let index = unlucky(&dir, &luck);
    index.take_in((0..5_000).map(|number| numbered(number, "value")), b"", &[]).unwrap();
    let mut range = index.range(Unbounded, Unbounded, Direction::Up);
    assert!(range.next().unwrap().is_ok());
    luck.syncs.store(0, Ordering::SeqCst);
    assert!(index.take_in([numbered(1, "other")], b"", &[]).is_err());
    let rest: Vec<_> = range.collect();
    assert!(rest.len() < 100, "it went on over {} entries", rest.len());
    assert!(matches!(rest.last(), Some(Err(IndexError::Failed(_)))));
}

#[test]
fn an_index_that_cannot_be_opened_again_stays_failed_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let luck = Luck::new();
    let index = unlucky(&dir, &luck);
    index.take_in([numbered(1, "value")], b"1", &[]).unwrap();
    luck.syncs.store(0, Ordering::SeqCst);
    index.take_in([numbered(2, "value")], b"2", &[]).unwrap_err();
    luck.syncs.store(usize::MAX, Ordering::SeqCst);
    let (file, aside) = (dir.path().join("db"), dir.path().join("aside"));
    fs::rename(&file, &aside).unwrap();
    index.reopen().unwrap_err();
    assert!(matches!(index.get(b"key"), Err(IndexError::Failed(_))));
    assert!(matches!(index.take_in([], b"3", &[]), Err(IndexError::Failed(_))));
    fs::rename(&aside, &file).unwrap();
    index.reopen().unwrap();
    assert_eq!(index.get(&1_u32.to_be_bytes()).unwrap(), Some(b"value".to_vec()));
}

#[test]
fn an_index_that_has_not_failed_can_be_opened_again_too() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir);
    index.take_in((0..1_000).map(|number| numbered(number, "value")), b"1", &[]).unwrap();
    index.reopen().unwrap();
    index.take_in([numbered(1_000, "value")], b"2", &[]).unwrap();
    assert_eq!(all(&index).len(), 1_001);
    assert!(index.disk_bytes().unwrap() > 1_001);
}

#[test]
fn what_breaks_the_rules_is_refused_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir);
    let check = |changes: Vec<Change>, mark: &[u8], extra: &[Change], what: &str| {
        let error = index.take_in(changes, mark, extra).unwrap_err().to_string();
        assert!(error.contains(what) && error.ends_with("nothing was changed"), "{error}");
    };
    check(vec![numbered(2, ""), numbered(1, "")], b"", &[], "is not of a larger one");
    check(vec![numbered(1, ""), numbered(1, "")], b"", &[], "is not of a larger one");
    check(vec![(vec![b'k'; 129], None)], b"", &[], "a key is too long");
    check(vec![(vec![], Some(vec![b'v'; 257]))], b"", &[], "the value under this key is too long");
    check(vec![], &[b'm'; 1025], &[], "the mark is too long");
    check(vec![], b"", &[(vec![], Some(vec![b'v'; 1025]))], "the value under this key is too long");
    assert_eq!(all(&index), Map::new());
    let largest = (vec![b'k'; 128], Some(vec![b'v'; 256]));
    index.take_in([largest], &[b'm'; 1024], &[(vec![b'k'; 128], Some(vec![b'v'; 1024]))]).unwrap();
    assert_eq!(all(&index).len(), 1);
}

#[test]
fn no_page_ever_leaves_the_file_that_is_synced() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir);
    // The largest entries there are, in blocks that come and go all over the place.
    let entry = |number: u32| {
        let key = [&number.wrapping_mul(2_654_435_761).to_be_bytes()[..], &[b'k'; 124]].concat();
        (key, vec![number.to_le_bytes()[0]; 256])
    };
    for round in 0..30_u32 {
        let mut window: BTreeMap<_, _> =
            (round * 1_000..round * 1_000 + 2_000).map(entry).map(|(key, value)| (key, Some(value))).collect();
        window.extend((0..round * 900).map(|number| (entry(number).0, None)));
        index.take_in(window, &round.to_be_bytes(), &[]).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0);
    }
    index.check(&mut |_| ()).unwrap();
}

#[test]
fn a_directory_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    check_refused(&dir, false, "notes.txt holds another program's data: use an empty directory");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let dir = tempfile::tempdir().unwrap();
    raw(&dir, &[(b"their", b"data")]);
    check_refused(&dir, false, "another program's");
}

#[test]
fn an_index_of_another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    raw(&dir, &[(&keys::META_FORMAT, &9_u32.to_be_bytes())]);
    check_refused(&dir, true, "is in format 9 and this program reads format 1: use a program that reads 9");
}

#[test]
fn an_index_that_was_there_and_is_not_any_more_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    check_refused(&dir, true, "has lost what it held: restore it from a backup");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    raw(&dir, &[]);
    check_refused(&dir, true, "has lost what it held: restore it from a backup");
}

#[test]
fn a_damaged_database_is_refused_or_found_out_by_a_check_and_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir);
    index.take_in((0..50_000).map(|number| numbered(number, "value")), b"1", &[]).unwrap();
    drop(index);
    let whole = fs::read(dir.path().join("db")).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 12) {
        let mut damaged = whole.clone();
        let end = damaged.len().min(at + 4096);
        damaged[at..end].fill(0xa5);
        fs::write(dir.path().join("db"), &damaged).unwrap();
        for snapshot in fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if snapshot.file_name().unwrap().to_str().unwrap().starts_with("snap.") {
                fs::remove_file(snapshot).unwrap();
            }
        }
        if let Ok(index) = Index::open(dir.path(), CACHE_BYTES, true) {
            let _ = index.check(&mut |_| ());
        }
    }
    fs::write(dir.path().join("conf"), "torn in the middle").unwrap();
    check_refused(&dir, true, "damaged");
}

#[test]
fn a_snapshot_that_a_kill_has_cut_short_does_not_keep_it_from_opening() {
    for content in [&b""[..], b"some of a snapshot, and no more"] {
        let dir = tempfile::tempdir().unwrap();
        open(&dir).take_in([numbered(1, "value")], b"1", &[]).unwrap();
        let unfinished = dir.path().join("snap.FFFFFFFFFFFFFFFF.generating");
        fs::write(&unfinished, content).unwrap();
        let index = Index::open(dir.path(), CACHE_BYTES, true).unwrap();
        assert_eq!(index.mark().unwrap(), Some(b"1".to_vec()));
        assert!(!unfinished.exists());
    }
}

#[test]
fn a_check_finds_blocks_that_are_not_in_order_and_keys_that_are_none_of_ours() {
    let check = |key: &[u8], value: &[u8], what: &str| {
        let dir = tempfile::tempdir().unwrap();
        let index = open(&dir);
        index.take_in((0..200).map(|number| numbered(number, "value")), b"1", &[]).unwrap();
        drop(index);
        raw(&dir, &[(key, value)]);
        let error = open(&dir).check(&mut |_| ()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    check(&[3, 0, 0, 0, 70], &[1, 0, 4, 0, 0, 0, 0, 70], "the block before holds entries that belong here");
    check(&[3, 9], &[1, 0, 1, 0, 8], "it holds entries that belong to the block before");
    check(&[3, 9], &[1, 0, 1], "it is cut short");
    check(&[3, 9], &[0; 4000], "it has 4000 bytes, more than any may have");
    check(&[9], b"value", "is none that this program writes");
    check(&[0, 1], b"value", "is none that this program writes");
}
