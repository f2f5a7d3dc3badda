//! How fast it is, on the disk of this machine. Asked for by name: it takes seconds, and says nothing where other
//! work runs beside it.

use super::*;
use crate::model::bounds;
use crate::store::journal::FileSystem;

#[test]
#[ignore = "measures; run it in release, alone: cargo test --release --lib store::journal::tests::speed -- --ignored --nocapture"]
fn groups_are_written_and_synced_at_the_speed_of_the_disk() {
    for (frames, bytes, rounds) in [(1, 700, 20_000), (16, 700, 20_000), (256, 700, 8_000), (256, 4_096, 1_500)] {
        measure(frames, bytes, rounds);
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures real time")]
#[expect(clippy::print_stderr, clippy::cast_precision_loss, reason = "figures for whoever asked for them")]
fn measure(frames: u64, bytes: usize, rounds: u64) {
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let settings =
        Settings { segment_bytes: bounds::SEGMENT_BYTES, reserve: 2, max_bytes: u64::MAX, min_free_bytes: 1 << 30 };
    let mut journal =
        Journal::open(&dir.path().join("journal"), Arc::new(FileSystem), settings, None, &mut |_, _| Ok(())).unwrap();
    let segments = journal.segments();
    let value = vec![7; bytes];
    let mut write = |count: u64| {
        for _ in 0..count {
            let mut draft = journal.begin(usize::try_from(frames).unwrap() * (bytes + 32)).unwrap();
            for key in 0..frames {
                draft.push(|frame| {
                    frame.bytes(&key.to_be_bytes());
                    frame.value(&value);
                });
            }
            journal.write(draft).unwrap();
            journal.sync().unwrap();
            let all = segments.list();
            all.iter().rev().skip(2).for_each(|(number, _)| segments.release(*number));
        }
    };
    write(rounds / 4);
    let start = std::time::Instant::now();
    write(rounds);
    let seconds = start.elapsed().as_secs_f64();
    let rate = |count: u64| count as f64 / seconds;
    eprintln!(
        "{frames:>4} frames of {bytes:>5} B: {:>9.0} frames/s, {:>7.0} groups/s, {:>5.0} MB/s",
        rate(frames * rounds),
        rate(rounds),
        rate(frames * rounds) * bytes as f64 / 1e6
    );
}
