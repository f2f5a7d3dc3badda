//! Values by their spans, whole segments by their frames, and both while segments are given away.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::store::journal::Room;

#[test]
fn a_value_is_read_before_and_after_the_sync_and_after_reopening() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let mut draft = journal.begin(100, Purpose::Copy).unwrap();
    let spans = draft.push(|frame| {
        frame.bytes(b"key");
        (frame.value(b"first"), frame.value(b""))
    });
    journal.write(draft).unwrap();
    let check = |journal: &Journal| {
        assert_eq!(journal.reader().read(spans.0).unwrap().unwrap(), b"first".as_slice());
        assert_eq!(journal.reader().read(spans.1).unwrap().unwrap(), b"".as_slice());
    };
    check(&journal);
    journal.sync().unwrap();
    check(&journal);
    drop(journal);
    check(&open(&disk, settings(4_096), None).unwrap().0);
}

#[test]
fn a_damaged_value_is_told_and_the_others_are_read() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(8_192), None).unwrap();
    let spans = [1, 2, 3].map(|byte| put(&mut journal, &[byte; 900]).unwrap());
    let applied = journal.end();
    drop(journal);
    disk.tamper(&format!("{:08}.seg", spans[1].segment), |bytes| bytes[spans[1].offset as usize + 20] ^= 1);
    let (journal, _) = open(&disk, settings(8_192), Some(applied)).unwrap();
    let reader = journal.reader();
    let offset = format!("at offset {}", spans[1].offset);
    check_refusal(reader.read(spans[1]), &["seg is damaged", &offset, "900 bytes", "restore"]);
    assert_eq!(reader.read(spans[2]).unwrap().unwrap(), vec![3; 900]);
    check_refusal(reader.read(Span { offset: 8_000, ..spans[2] }), &["behind its last group"]);
}

#[test]
fn every_frame_of_a_finished_segment_is_shown() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let spans: Vec<_> = (0..20_u8).map(|byte| put(&mut journal, &[byte; 700]).unwrap()).collect();
    let check = |journal: &Journal| {
        let first = spans[0].segment;
        let mut seen = Vec::new();
        assert!(journal.reader().frames(first, &mut |frame| seen.push(*frame.bytes().last().unwrap())).unwrap());
        let expected = (0..).zip(&spans).filter(|(_, span)| span.segment == first).map(|(byte, _)| byte);
        assert_eq!(seen, expected.collect::<Vec<u8>>());
        assert!(!journal.reader().frames(9_999, &mut |_| ()).unwrap());
    };
    check(&journal);
    drop(journal);
    check(&open(&disk, settings(4_096), None).unwrap().0);
}

#[test]
fn a_segment_behind_a_released_one_still_knows_its_frames_after_reopening() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let spans: Vec<_> = (0..20_u8).map(|byte| put(&mut journal, &[byte; 700]).unwrap()).collect();
    journal.sync().unwrap();
    let (segments, applied) = (journal.segments(), journal.end());
    let listed = segments.list();
    segments.release(listed[1].0);
    wait_until(|| !disk.names().contains(&format!("{:08}.seg", listed[1].0)));
    drop(journal);
    let (journal, shown) = open(&disk, settings(4_096), Some(applied)).unwrap();
    assert_eq!(shown.len(), 0);
    let left: Vec<_> = listed.iter().copied().filter(|segment| *segment != listed[1]).collect();
    assert_eq!(journal.segments().list(), left);
    let mut frames = 0;
    for (number, _) in left {
        assert!(journal.reader().frames(number, &mut |_| frames += 1).unwrap());
    }
    assert_eq!(frames, spans.iter().filter(|span| span.segment != listed[1].0).count());
}

#[test]
fn a_released_segment_is_not_read_and_its_file_is_used_again() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let first = put(&mut journal, &[1; 3_000]).unwrap();
    let last = put(&mut journal, &[2; 3_000]).unwrap();
    journal.sync().unwrap();
    journal.segments().release(first.segment);
    assert_eq!(journal.reader().read(first).unwrap(), None);
    assert!(!journal.reader().frames(first.segment, &mut |_| ()).unwrap());
    for _ in 0..20 {
        let span = put(&mut journal, &[3; 3_000]).unwrap();
        journal.sync().unwrap();
        journal.segments().release(span.segment);
    }
    assert_eq!(journal.reader().read(last).unwrap().unwrap(), vec![2; 3_000]);
    assert!(disk.names().len() < 14, "{disk:?}");
}

#[test]
fn the_segment_of_the_last_synced_group_is_given_away_only_when_there_is_a_later_one() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let end = write(&mut journal, &[b"last"]).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let (journal, _) = open(&disk, settings(4_096), Some(end)).unwrap();
    journal.segments().release(end.segment);
    drop(journal);
    let (mut journal, shown) = open(&disk, settings(4_096), Some(end)).unwrap();
    assert_eq!(shown.len(), 0);
    journal.segments().release(end.segment);
    let later = write(&mut journal, &[b"later"]).unwrap();
    journal.sync().unwrap();
    wait_until(|| !disk.names().contains(&format!("{:08}.seg", end.segment)));
    drop(journal);
    assert_eq!(open(&disk, settings(4_096), Some(end)).unwrap().1.len(), 1);
    assert_eq!(open(&disk, settings(4_096), Some(later)).unwrap().1.len(), 0);
}

#[test]
fn old_groups_of_a_recycled_segment_are_never_shown() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let (mut expected, mut applied) = (None, None);
    for round in 0..30_u8 {
        // The first groups are as long as those of the round before, so the old ones stand where new ones would.
        let mut last = None;
        for byte in 0..(6 - round % 3) {
            last = Some((write(&mut journal, &[&[round, byte], &[0; 400]]).unwrap(), [round, byte]));
        }
        journal.sync().unwrap();
        applied = expected.map(|(end, _)| end);
        expected = last;
        // As far as it is taken in, and no further: replay starts in the segment where that ends.
        let taken_in = applied.map_or(0, |applied: Position| applied.segment);
        for (number, _) in journal.segments().list().into_iter().filter(|(number, _)| *number < taken_in) {
            journal.segments().release(number);
        }
    }
    let (end, mark) = expected.unwrap();
    drop(journal);
    let (_, shown) = open(&disk, settings(4_096), applied).unwrap();
    assert_eq!(shown.last().map(|(end, frames)| (*end, frames[0].clone())), Some((end, mark.to_vec())));
    assert!(shown.iter().all(|(_, frames)| frames[0][0] == mark[0]), "{shown:?}");
}

#[test]
fn values_are_read_while_segments_are_recycled_under_the_reader() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let (reader, segments) = (journal.reader(), journal.segments());
    let (spans, ended) = (std::sync::Mutex::new(Vec::new()), AtomicBool::new(false));
    let (mut gone, mut found) = (0_usize, 0_usize);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for count in 0..2_000_u32 {
                let value = count.to_be_bytes().repeat(100);
                let span = put(&mut journal, &value).unwrap();
                journal.sync().unwrap();
                let mut spans = spans.lock().unwrap();
                spans.push((span, count));
                if count % 8 == 0 {
                    let all = segments.list();
                    all.iter().rev().skip(2).for_each(|(number, _)| segments.release(*number));
                }
            }
            ended.store(true, Ordering::Release);
        });
        let mut turn = 0_usize;
        while !ended.load(Ordering::Acquire) {
            let picked = {
                let spans = spans.lock().unwrap();
                turn += 1;
                spans.len().checked_sub(1 + turn % 24).map(|index| spans[index])
            };
            let Some((span, count)) = picked else { continue };
            match reader.read(span).unwrap() {
                Some(value) => {
                    assert_eq!(value, count.to_be_bytes().repeat(100));
                    found += 1;
                }
                None => gone += 1,
            }
        }
    });
    assert!(found > 0, "{found} found, {gone} gone");
    assert_eq!(reader.read(spans.lock().unwrap()[0].0).unwrap(), None);
    assert_eq!(segments.room(), Room::Plenty);
}

/// Waits for the thread that prepares. It needs no time of its own, so this yields.
#[track_caller]
pub(super) fn wait_until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..1_000_000 {
        if is_so() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("it never was so");
}
