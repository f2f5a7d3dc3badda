//! Writing, syncing, and finding all of it again.

use super::*;

#[test]
fn what_was_written_is_shown_again_in_order() {
    let disk = TestDisk::new();
    let (mut journal, shown) = open(&disk, settings(4_096), None).unwrap();
    assert_eq!((shown.len(), journal.end()), (0, Position::START));
    let first = write(&mut journal, &[b"a", b"", b"bc"]).unwrap();
    let second = write(&mut journal, &[&[7; 1_000]]).unwrap();
    assert!(first < second);
    drop(journal);
    let (journal, shown) = open(&disk, settings(4_096), None).unwrap();
    let frames = vec![b"a".to_vec(), b"".to_vec(), b"bc".to_vec()];
    assert_eq!(shown, [(first, frames), (second, vec![vec![7; 1_000]])]);
    assert_eq!((journal.end(), journal.synced()), (second, second));
}

#[test]
fn only_what_is_behind_the_position_is_shown() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let ends: Vec<_> = (0..40_u8).map(|byte| write(&mut journal, &[&[byte; 300]]).unwrap()).collect();
    drop(journal);
    for (index, applied) in ends.iter().enumerate() {
        let (_, shown) = open(&disk.copy(), settings(4_096), Some(*applied)).unwrap();
        let shown: Vec<_> = shown.into_iter().map(|(end, _)| end).collect();
        assert_eq!(shown, ends[index + 1..]);
    }
}

#[test]
fn a_new_session_begins_a_new_segment() {
    let disk = TestDisk::new();
    let mut segments = Vec::new();
    for session in 0..4_usize {
        let (mut journal, shown) = open(&disk, settings(4_096), None).unwrap();
        assert_eq!(shown.len(), session);
        segments.push(write(&mut journal, &[b"session"]).unwrap().segment);
    }
    assert!(segments.is_sorted_by(|before, after| before < after), "{segments:?}");
}

#[test]
fn sessions_that_write_nothing_use_up_no_segments() {
    let disk = TestDisk::new();
    for _ in 0..5 {
        let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
        drop(journal.begin(1, Purpose::Copy).unwrap());
        assert_eq!(journal.segments().list(), []);
    }
    assert!(disk.names().len() <= 4, "{disk:?}");
}

#[test]
fn groups_of_every_size_go_over_the_end_of_a_segment() {
    for size in (0..4_096_usize - 512 - 32 - 4).step_by(97) {
        let disk = TestDisk::new();
        let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
        let ends: Vec<_> = (0..8).map(|_| write(&mut journal, &[&vec![1; size.saturating_sub(4)]]).unwrap()).collect();
        journal.sync().unwrap();
        drop(journal);
        let (journal, shown) = open(&disk, settings(4_096), None).unwrap();
        assert_eq!(shown.into_iter().map(|(end, _)| end).collect::<Vec<_>>(), ends, "size {size}");
        let written = journal.segments().list();
        for (number, bytes) in written {
            let last = ends.iter().filter(|end| end.segment == number).max().unwrap();
            assert_eq!(bytes, last.offset, "size {size}");
        }
    }
}

#[test]
fn a_frame_that_fits_no_segment_is_refused_and_changes_nothing() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    check_refusal(journal.begin(4_096, Purpose::Copy), &["4096 bytes do not fit", "holds 3548", "nothing was changed"]);
    let mut draft = journal.begin(0, Purpose::Copy).unwrap();
    draft.push(|frame| frame.bytes(&[0; 4_096]));
    check_refusal(journal.write(draft), &["do not fit"]);
    write(&mut journal, &[&[1; 3_544]]).unwrap();
    drop(journal);
    assert_eq!(open(&disk, settings(4_096), None).unwrap().1.len(), 1);
}

#[test]
fn a_draft_without_frames_writes_nothing() {
    let (mut journal, _) = open(&TestDisk::new(), settings(4_096), None).unwrap();
    let end = write(&mut journal, &[b"one"]).unwrap();
    assert_eq!(write(&mut journal, &[]).unwrap(), end);
    assert_eq!(journal.segments().stats().groups, 1);
}

#[test]
fn of_two_drafts_for_one_place_only_the_first_is_written() {
    let (mut journal, _) = open(&TestDisk::new(), settings(4_096), None).unwrap();
    let (mut one, mut other) = (journal.begin(1, Purpose::Copy).unwrap(), journal.begin(1, Purpose::Copy).unwrap());
    one.push(|frame| frame.bytes(b"1"));
    other.push(|frame| frame.bytes(b"2"));
    journal.write(one).unwrap();
    check_refusal(journal.write(other), &["begin it again"]);
    write(&mut journal, &[b"3"]).unwrap();
}

#[test]
fn a_sync_covers_the_segments_before_the_current_one() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let ends: Vec<_> = (0..4).map(|_| write(&mut journal, &[&[1; 3_000]]).unwrap()).collect();
    assert_eq!(journal.synced(), Position::START);
    journal.sync().unwrap();
    assert_eq!(journal.synced(), ends[3]);
    drop(journal);
    let (_, shown) = open(&disk.after_power_cut(|| false), settings(4_096), None).unwrap();
    assert_eq!(shown.len(), 4);
}

#[test]
fn a_group_that_replay_does_not_take_in_stops_the_opening() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    write(&mut journal, &[b"one"]).unwrap();
    drop(journal);
    let refuse = &mut |end, _: super::super::Group<'_>| Err(JournalError::Refused { end, detail: "no".to_owned() });
    let opened = Journal::open(Path::new(DIR), Arc::new(disk), settings(4_096), &Known::default(), refuse);
    check_refusal(opened, &["was not taken in: no"]);
}

#[test]
fn segments_of_odd_sizes_are_refused() {
    for bytes in [0, 512, 4_095, 4_097] {
        check_refusal(open(&TestDisk::new(), settings(bytes), None), &["use a multiple of 512"]);
    }
}

#[test]
fn segments_of_another_size_are_read_and_not_used_again() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let span = put(&mut journal, b"small").unwrap();
    drop(journal);
    let (mut journal, shown) = open(&disk, settings(8_192), None).unwrap();
    assert_eq!(shown.len(), 1);
    put(&mut journal, &[1; 7_000]).unwrap();
    assert_eq!(journal.reader().read(span).unwrap().unwrap(), b"small".as_slice());
    drop(journal);
    assert_eq!(open(&disk, settings(4_096), None).unwrap().1.len(), 2);
}

#[test]
fn the_real_file_system_keeps_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("journal");
    let open = |shown: &mut Vec<Position>| {
        let disk = Arc::new(super::super::FileSystem);
        Journal::open(&dir, disk, settings(65_536), &Known::default(), &mut |end, _| {
            shown.push(end);
            Ok(())
        })
    };
    let mut shown = Vec::new();
    let mut journal = open(&mut shown).unwrap();
    let spans: Vec<_> = (0..50_u8).map(|byte| put(&mut journal, &[byte; 5_000]).unwrap()).collect();
    journal.sync().unwrap();
    let (reader, end) = (journal.reader(), journal.end());
    drop(journal);
    let check = |reader: &super::super::Reader| {
        for (byte, span) in spans.iter().enumerate() {
            assert_eq!(reader.read(*span).unwrap().unwrap(), vec![u8::try_from(byte).unwrap(); 5_000]);
        }
    };
    check(&reader);
    let journal = open(&mut shown).unwrap();
    assert_eq!((shown.len(), shown.last()), (50, Some(&end)));
    check(&journal.reader());
    let first = journal.segments().list()[0].0;
    journal.segments().release(first);
    assert_eq!(journal.reader().read(spans[0]).unwrap(), None);
}

#[test]
fn what_is_written_while_a_sync_is_under_way_is_covered_by_the_next_one() {
    let disk = TestDisk::new();
    let (mut journal, _) = open(&disk, settings(4_096), None).unwrap();
    let first = write(&mut journal, &[&[1; 3_000]]).unwrap();
    let before = journal.unsynced();
    let second = write(&mut journal, &[&[2; 3_000]]).unwrap();
    let after = journal.unsynced();
    assert_eq!(before.sync().unwrap(), first);
    assert_eq!(journal.synced(), first);
    assert_eq!(after.sync().unwrap(), second);
    assert_eq!(before.sync().unwrap(), second, "more is durable by now");
    drop(journal);
    let (_, shown) = open(&disk.after_power_cut(|| false), settings(4_096), None).unwrap();
    assert_eq!(shown.len(), 2);
}
