//! A disk that fails, and one that is full.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::disk::{Asked, Fault};
use super::reads::wait_until;
use super::*;
use crate::store::journal::Room;

/// Fails this one kind of request on segments, once.
fn fail_once(disk: &TestDisk, what: Asked, fault: Fault) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    disk.fail(move |now, name| {
        let is_meant = now == what && !name.starts_with("spare");
        (is_meant && count.fetch_add(1, Ordering::Relaxed) == 0).then_some(fault)
    });
    asked
}

/// A journal that has written one group and has its next segment ready, so that nothing but the test asks the disk.
fn quiet(disk: &TestDisk) -> Journal {
    let (mut journal, _) = open(disk, settings(4_096), None).unwrap();
    write(&mut journal, &[b"first"]).unwrap();
    journal.sync().unwrap();
    wait_until(|| journal.segments().stats().spares >= 2);
    journal
}

#[test]
fn who_syncs_behind_a_failed_sync_fails_too() {
    let disk = TestDisk::new();
    let mut journal = quiet(&disk);
    let synced = journal.synced();
    write(&mut journal, &[b"second"]).unwrap();
    let one = journal.unsynced();
    write(&mut journal, &[b"third"]).unwrap();
    let other = journal.unsynced();
    let syncs = fail_once(&disk, Asked::Sync, Fault::Error(ErrorKind::Other));
    check_refusal(one.sync(), &["may or may not have taken effect", "sync"]);
    check_refusal(other.sync(), &["takes nothing more", "restart the process"]);
    assert_eq!((journal.synced(), syncs.load(Ordering::Relaxed)), (synced, 1));
}

#[test]
fn after_a_failed_sync_nothing_is_synced_or_written_again() {
    let disk = TestDisk::new();
    let mut journal = quiet(&disk);
    let synced = journal.synced();
    write(&mut journal, &[b"second"]).unwrap();
    let syncs = fail_once(&disk, Asked::Sync, Fault::Error(ErrorKind::Other));
    check_refusal(journal.sync(), &["may or may not have taken effect", "sync"]);
    check_refusal(journal.sync(), &["takes nothing more", "restart the process"]);
    check_refusal(journal.begin(1, Purpose::Copy), &["takes nothing more", "nothing was changed"]);
    assert_eq!(journal.synced(), synced);
    drop(journal);
    assert_eq!(syncs.load(Ordering::Relaxed), 1, "the descriptor is not synced again");
    disk.heal();
    let shown = open(&disk, settings(4_096), None).unwrap().1.len();
    assert_eq!(shown, 2, "what was written was there after all");
}

#[test]
fn after_a_failed_or_a_short_write_nothing_is_written_again() {
    for fault in
        [Fault::Error(ErrorKind::Other), Fault::Error(ErrorKind::StorageFull), Fault::Short(512), Fault::Short(0)]
    {
        let disk = TestDisk::new();
        let mut journal = quiet(&disk);
        let end = journal.end();
        fail_once(&disk, Asked::Write, fault);
        check_refusal(write(&mut journal, &[&[1; 900]]), &["may or may not", "a write of 1024 bytes"]);
        check_refusal(write(&mut journal, &[b"after"]), &["takes nothing more"]);
        assert_eq!(journal.end(), end);
        drop(journal);
        disk.heal();
        assert_eq!(open(&disk, settings(4_096), None).unwrap().1.len(), 1);
    }
}

#[test]
fn a_draft_that_was_begun_before_the_failure_is_not_written_either() {
    let disk = TestDisk::new();
    let mut journal = quiet(&disk);
    let (mut one, mut other) = (journal.begin(1, Purpose::Copy).unwrap(), journal.begin(1, Purpose::Copy).unwrap());
    one.push(|frame| frame.bytes(b"1"));
    other.push(|frame| frame.bytes(b"2"));
    fail_once(&disk, Asked::Write, Fault::Short(100));
    refusal(journal.write(one));
    check_refusal(journal.write(other), &["takes nothing more"]);
}

#[test]
fn a_full_disk_leaves_the_reserve_and_then_nothing_and_is_looked_at_again() {
    let disk = TestDisk::new();
    let settings = Settings { reserve: 2, min_free_bytes: 1_000, ..settings(4_096) };
    let (mut journal, _) = open(&disk, settings, None).unwrap();
    write(&mut journal, &[&[0; 2_900]]).unwrap();
    wait_until(|| journal.segments().stats().spares >= 3);
    assert_eq!(journal.room(), Room::Plenty);
    disk.set_free(4_500);
    write(&mut journal, &[&[1; 2_900]]).unwrap();
    wait_until(|| journal.room() == Room::ReserveOnly);
    for _ in 0..2 {
        write(&mut journal, &[&[2; 2_900]]).unwrap();
    }
    assert_eq!(journal.room(), Room::CopiesOnly);
    let end = journal.end();
    check_refusal(
        write(&mut journal, &[&[3; 2_900]]),
        &["4500 bytes free, and 4596 are needed", "nothing was changed"],
    );
    assert_eq!(journal.end(), end, "and the segment that is being written stays");
    write(&mut journal, &[b"small"]).unwrap_or_else(|_| panic!("what fits the rest of the segment is still taken"));
    disk.set_free(1_000_000);
    wait_until(|| journal.room() == Room::Plenty);
    write(&mut journal, &[&[4; 2_900]]).unwrap();
    journal.sync().unwrap();
    drop(journal);
    assert_eq!(open(&disk, settings, None).unwrap().1.len(), 6);
}

#[test]
fn of_the_reserve_the_last_segments_are_left_to_what_makes_room() {
    let disk = TestDisk::new();
    let settings = Settings { reserve: 3, max_bytes: 5 * 4_096, ..settings(4_096) };
    let (mut journal, _) = open(&disk, settings, None).unwrap();
    let mut fill = |purpose| {
        let mut written = 0;
        while let Ok(mut draft) = journal.begin(3_400, purpose) {
            draft.push(|frame| frame.bytes(&[1; 3_400]));
            journal.write(draft).unwrap();
            written += 1;
        }
        (written, journal.room())
    };
    assert_eq!(fill(Purpose::Change), (3, Room::ReserveOnly));
    assert_eq!(fill(Purpose::Removal), (1, Room::RemovalsOnly));
    assert_eq!(fill(Purpose::Change), (0, Room::RemovalsOnly));
    assert_eq!(fill(Purpose::Copy), (1, Room::CopiesOnly));
    assert_eq!(fill(Purpose::Removal), (0, Room::CopiesOnly));
}

#[test]
fn the_reserve_is_filled_up_where_nothing_else_may_be_taken() {
    let disk = TestDisk::new();
    let settings = Settings { reserve: 3, min_free_bytes: 1_000, ..settings(4_096) };
    disk.set_free(5_000);
    let (mut journal, _) = open(&disk, settings, None).unwrap();
    wait_until(|| journal.room() == Room::ReserveOnly && journal.segments().stats().spares == 3);
    write(&mut journal, &[b"small"]).unwrap();
    wait_until(|| journal.room() == Room::ReserveOnly && journal.segments().stats().spares == 3);
}

#[test]
fn a_full_journal_has_room_again_when_something_is_released() {
    let disk = TestDisk::new();
    let settings = Settings { max_bytes: 4 * 4_096, ..settings(4_096) };
    let (mut journal, _) = open(&disk, settings, None).unwrap();
    let mut ends = Vec::new();
    while let Ok(end) = write(&mut journal, &[&[1; 3_400]]) {
        ends.push(end);
    }
    assert_eq!(ends.len(), 4);
    assert_eq!(journal.room(), Room::CopiesOnly);
    check_refusal(journal.begin(3_000, Purpose::Copy), &["16384 bytes, and may take up 16384"]);
    journal.sync().unwrap();
    journal.segments().release(ends[0].segment);
    wait_until(|| journal.room() == Room::RemovalsOnly);
    journal.segments().release(ends[1].segment);
    wait_until(|| journal.room() == Room::Plenty);
    write(&mut journal, &[&[1; 3_400]]).unwrap();
    assert!(journal.segments().stats().bytes_on_disk <= 4 * 4_096);
}

#[test]
fn whatever_fails_while_a_segment_is_prepared_is_tried_again_and_leaves_nothing() {
    for what in [Asked::Create, Asked::Write, Asked::Sync, Asked::SyncDir, Asked::Rename] {
        let disk = TestDisk::new();
        let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
        write(&mut journal, &[b"first"]).unwrap();
        wait_until(|| journal.segments().stats().spares >= 2);
        disk.fail(move |now, name| {
            let is_meant = now == what && (name.starts_with("spare") || what == Asked::SyncDir);
            is_meant.then_some(Fault::Error(ErrorKind::StorageFull))
        });
        let mut written = 1;
        let refused = loop {
            match write(&mut journal, &[&[1; 3_400]]) {
                Ok(_) => written += 1,
                Err(error) => break error.to_string(),
            }
        };
        assert!(written <= 4 && refused.contains("no room for another segment"), "{what:?}: {written}, {refused}");
        assert_eq!(journal.room(), Room::CopiesOnly);
        disk.heal();
        wait_until(|| journal.room() == Room::Plenty);
        write(&mut journal, &[&[2; 3_400]]).unwrap();
        journal.sync().unwrap();
        drop(journal);
        assert_eq!(open(&disk, settings(4_096), None).unwrap().1.len(), written + 1, "{what:?}");
        assert!(disk.names().iter().all(|name| !name.contains(".new")), "{disk:?}");
    }
}

#[test]
fn a_segment_that_cannot_be_read_is_an_error_that_passes() {
    let disk = TestDisk::new();
    let mut journal = quiet(&disk);
    let span = put(&mut journal, b"value").unwrap();
    drop(journal);
    disk.fail(|asked, _| (asked == Asked::Read).then_some(Fault::Error(ErrorKind::Other)));
    check_refusal(open(&disk, settings(4_096), None), &["it cannot be read"]);
    disk.heal();
    let (journal, _) = open(&disk, settings(4_096), None).unwrap();
    disk.fail(|asked, name| {
        (asked == Asked::Read && !name.starts_with("spare")).then_some(Fault::Error(ErrorKind::Other))
    });
    check_refusal(journal.reader().read(span), &["it cannot be read"]);
    disk.heal();
    assert_eq!(journal.reader().read(span).unwrap().unwrap(), b"value".as_slice());
}
