//! What a crash has torn is dropped; what was acknowledged is refused when it is damaged.

use super::*;

fn file(segment: u32) -> String {
    format!("{segment:08}.seg")
}

/// Groups of one segment with a sync after each but the last.
fn torn(disk: &TestDisk) -> (Vec<Position>, Settings) {
    let settings = settings(16_384);
    let (mut journal, _) = open(disk, settings, None).unwrap();
    let mut ends = Vec::new();
    for byte in 0..5_u8 {
        journal.sync().unwrap();
        ends.push(write(&mut journal, &[&[byte; 900], b"end"]).unwrap());
    }
    (ends, settings)
}

#[test]
fn every_torn_sector_of_the_last_group_drops_it_and_nothing_else() {
    let disk = TestDisk::new();
    let (ends, settings) = torn(&disk);
    let (start, end) = (ends[3].offset as usize, ends[4].offset as usize);
    for at in (start..start + 32 + 4 + 900 + 4 + 3).step_by(41) {
        for damage in [|byte: u8| byte ^ 0x10, |byte: u8| !byte] {
            let disk = disk.copy();
            disk.tamper(&file(ends[4].segment), |bytes| bytes[at] = damage(bytes[at]));
            let (_, shown) = open(&disk, settings, None).unwrap();
            assert_eq!(shown.len(), 4, "byte {at}");
        }
    }
    for cut in (start..end).step_by(512) {
        let disk = disk.copy();
        disk.tamper(&file(ends[4].segment), |bytes| bytes[cut..end].fill(0));
        let (mut journal, shown) = open(&disk, settings, None).unwrap();
        assert_eq!((shown.len(), journal.end()), (4, ends[3]), "from {cut}");
        // Twice: what was dropped once is never taken in later, and what follows is found.
        write(&mut journal, &[b"after"]).unwrap();
        journal.sync().unwrap();
        drop(journal);
        let (_, shown) = open(&disk, settings, None).unwrap();
        assert_eq!(shown.last().unwrap().1, [b"after"]);
        assert_eq!(shown.len(), 5, "from {cut}");
    }
}

#[test]
fn groups_behind_a_torn_one_that_were_not_acknowledged_are_dropped_with_it() {
    let disk = TestDisk::new();
    let settings = settings(4_096);
    let (mut journal, _) = open(&disk, settings, None).unwrap();
    let synced = write(&mut journal, &[b"synced"]).unwrap();
    journal.sync().unwrap();
    // Into two more segments, none of it synced.
    for _ in 0..8 {
        write(&mut journal, &[&[1; 1_000]]).unwrap();
    }
    drop(journal);
    disk.tamper(&file(synced.segment), |bytes| bytes[synced.offset as usize + 100] ^= 1);
    for _ in 0..3 {
        let (mut journal, shown) = open(&disk, settings, Some(synced)).unwrap();
        assert!(shown.iter().all(|(_, frames)| frames == &[b"new"]), "{shown:?}");
        write(&mut journal, &[b"new"]).unwrap();
        journal.sync().unwrap();
    }
    assert_eq!(open(&disk, settings, None).unwrap().1.len(), 4);
}

#[test]
fn a_damaged_group_that_was_acknowledged_is_refused() {
    let disk = TestDisk::new();
    let (ends, settings) = torn(&disk);
    // The last two are not known to be: nothing was written after they were synced.
    for index in 0..3_usize {
        let offset = if index == 0 { 512 } else { ends[index - 1].offset };
        for within in [0, 9, 20, 30, 500] {
            let disk = disk.copy();
            disk.tamper(&file(ends[0].segment), |bytes| bytes[offset as usize + within] ^= 1);
            let place = format!("{} is damaged at offset {offset}", file(ends[0].segment));
            check_refusal(open(&disk, settings, None), &[&place, "was synced", "restore the directory from a backup"]);
        }
    }
}

#[test]
fn a_refused_journal_is_left_as_it_was() {
    let disk = TestDisk::new();
    let (ends, settings) = torn(&disk);
    disk.tamper(&file(ends[0].segment), |bytes| bytes[600] ^= 1);
    let before = disk.names();
    refusal(open(&disk, settings, None));
    assert_eq!(disk.names(), before);
    disk.tamper(&file(ends[0].segment), |bytes| bytes[600] ^= 1);
    assert_eq!(open(&disk, settings, None).unwrap().1.len(), 5);
}

/// Three segments, all synced, with a group behind them that says so.
fn chain(disk: &TestDisk) -> (Vec<Position>, Settings) {
    let settings = settings(4_096);
    let (mut journal, _) = open(disk, settings, None).unwrap();
    let mut ends = Vec::new();
    for byte in 0..7_u8 {
        ends.push(write(&mut journal, &[&[byte; 1_400]]).unwrap());
        journal.sync().unwrap();
    }
    (ends, settings)
}

#[test]
fn the_last_group_of_a_segment_is_acknowledged_by_the_next_segment() {
    let disk = TestDisk::new();
    let (ends, settings) = chain(&disk);
    disk.tamper(&file(ends[1].segment), |bytes| bytes[ends[0].offset as usize + 40] ^= 1);
    let place = format!("{} is damaged at offset {}", file(ends[0].segment), ends[0].offset);
    check_refusal(open(&disk, settings, None), &[&place]);
}

#[test]
fn the_first_group_of_a_segment_is_acknowledged_by_the_next_one() {
    let disk = TestDisk::new();
    let (ends, settings) = chain(&disk);
    disk.tamper(&file(ends[2].segment), |bytes| bytes[512] ^= 1);
    let place = format!("{} is damaged at offset 512", file(ends[2].segment));
    check_refusal(open(&disk, settings, None), &[&place]);
}

#[test]
fn a_missing_segment_is_named() {
    let disk = TestDisk::new();
    let (ends, settings) = chain(&disk);
    for (missing, applied) in [(ends[0], None), (ends[2], None), (ends[2], Some(ends[0])), (ends[2], Some(ends[2]))] {
        let disk = disk.copy();
        disk.delete(&file(missing.segment));
        let name = format!("{} is missing", file(missing.segment));
        check_refusal(open(&disk, settings, applied), &[&name, "restore"]);
    }
}

#[test]
fn a_position_behind_the_end_is_refused() {
    let disk = TestDisk::new();
    let (ends, settings) = chain(&disk);
    let last = ends[6];
    let behind = [
        Position { offset: last.offset + 512, ..last },
        Position { segment: last.segment + 1, offset: 512 },
        Position { segment: last.segment + 9, offset: 1_024 },
    ];
    for applied in behind {
        let told = format!("taken in up to {applied}");
        check_refusal(open(&disk, settings, Some(applied)), &["ends at", &told, "its end is missing"]);
    }
    check_refusal(open(&TestDisk::new(), settings, Some(last)), &["its end is missing"]);
    let start = Position { offset: 512, ..last };
    check_refusal(open(&disk, settings, Some(start)), &["between groups"]);
    let within = Position { offset: ends[5].offset - 512, ..ends[5] };
    check_refusal(open(&disk, settings, Some(within)), &["between groups"]);
}

#[test]
fn an_end_before_what_was_durable_and_a_needed_segment_that_is_gone_are_refused_and_change_nothing() {
    let disk = TestDisk::new();
    let (ends, settings) = chain(&disk);
    let applied = Some(ends[4]);
    let open = |known: Known| {
        let shared = Arc::new(disk.clone());
        Journal::open(Path::new(DIR), shared, settings, &known, &mut |_, _| Ok(()))
    };
    let before = disk.names();
    let behind = Position { offset: ends[6].offset + 512, ..ends[6] };
    let refused = open(Known { applied, reached: Some(behind), ..Known::default() });
    check_refusal(refused, &[&format!("taken in up to {behind}"), "its end is missing"]);
    let refused = open(Known { applied, needed: vec![ends[0].segment, 77], ..Known::default() });
    check_refusal(refused, &["segment 77", &format!("{} is missing", file(77))]);
    assert_eq!(disk.names(), before);
    open(Known { applied, reached: Some(ends[6]), needed: vec![ends[0].segment] }).unwrap();
}

#[test]
fn files_that_are_not_the_journals_are_refused() {
    let disk = TestDisk::new();
    let (ends, settings) = chain(&disk);
    for name in ["notes.txt", "00000001.seg.bak", "1.seg"] {
        let disk = disk.copy();
        disk.put(&format!("{DIR}/{name}"), b"");
        check_refusal(open(&disk, settings, None), &[name, "is no file of the journal"]);
    }
    let of_another_number = disk.copy();
    of_another_number.tamper(&file(ends[0].segment), |bytes| {
        bytes[..512].copy_from_slice(&super::super::format::segment_header(900, 4_096));
    });
    check_refusal(open(&of_another_number, settings, None), &["is no file of the journal"]);
    disk.put(&format!("{DIR}/00000900.seg"), b"a letter to somebody");
    check_refusal(open(&disk, settings, None), &["00000900.seg is no file of the journal"]);
}

#[test]
fn another_format_is_refused() {
    let disk = TestDisk::new();
    let (ends, settings) = chain(&disk);
    disk.tamper(&file(ends[0].segment), |bytes| {
        bytes[11] = 9;
        let crc = crc32fast::hash(&bytes[..20]);
        bytes[20..24].copy_from_slice(&crc.to_be_bytes());
    });
    check_refusal(open(&disk, settings, None), &["has format 9", "knows format 1"]);
}

#[test]
fn a_segment_that_was_cut_short_is_refused() {
    let disk = TestDisk::new();
    let (ends, settings) = chain(&disk);
    disk.tamper(&file(ends[0].segment), |bytes| bytes.truncate(2_048));
    check_refusal(open(&disk, settings, None), &["2048 bytes in place of 4096"]);
}

#[test]
fn a_segment_without_a_header_is_a_spare_unless_something_is_in_it() {
    let disk = TestDisk::new();
    let (ends, settings) = chain(&disk);
    disk.put(&format!("{DIR}/00000900.seg"), &[0; 4_096]);
    disk.put(&format!("{DIR}/00000901.seg"), &[]);
    disk.put(&format!("{DIR}/spare-00000902.new"), &[0; 700]);
    disk.put(&format!("{DIR}/spare-00000903.seg"), &[1; 700]);
    let (mut journal, shown) = open(&disk, settings, None).unwrap();
    assert_eq!(shown.len(), 7);
    assert!(write(&mut journal, &[b"next"]).unwrap().segment > 903, "a number is never used again");
    drop(journal);
    disk.tamper(&file(ends[0].segment), |bytes| bytes[..512].fill(0));
    check_refusal(open(&disk, settings, None), &["its header is gone"]);
}
