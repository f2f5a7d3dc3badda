//! The journal from outside, on a disk that fails when told to.

mod damage;
mod disk;
mod failures;
mod power;
mod reads;
mod writes;

use std::path::Path;
use std::sync::Arc;

use super::{Journal, JournalError, Known, Position, Purpose, Settings, Span};
use disk::TestDisk;

const DIR: &str = "/data/journal";

fn settings(segment_bytes: u32) -> Settings {
    Settings { segment_bytes, reserve: 1, max_bytes: u64::MAX, min_free_bytes: 0 }
}

/// What replay showed: where each group ends, and its frames.
type Shown = Vec<(Position, Vec<Vec<u8>>)>;

fn open(disk: &TestDisk, settings: Settings, applied: Option<Position>) -> Result<(Journal, Shown), JournalError> {
    let mut shown = Shown::new();
    let disk = Arc::new(disk.clone());
    let journal =
        Journal::open(Path::new(DIR), disk, settings, &Known { applied, ..Known::default() }, &mut |end, group| {
            shown.push((end, group.frames().map(|frame| frame.bytes().to_vec()).collect()));
            Ok(())
        })?;
    Ok((journal, shown))
}

/// One group of frames that are nothing but bytes.
fn write(journal: &mut Journal, frames: &[&[u8]]) -> Result<Position, JournalError> {
    let most = frames.iter().map(|frame| frame.len() + 4).sum();
    let mut draft = journal.begin(most, Purpose::Copy)?;
    for frame in frames {
        draft.push(|writer| writer.bytes(frame));
    }
    Ok(journal.write(draft)?.end)
}

/// One group that is one value.
fn put(journal: &mut Journal, value: &[u8]) -> Result<Span, JournalError> {
    let mut draft = journal.begin(value.len() + super::Draft::VALUE_OVERHEAD, Purpose::Copy)?;
    let span = draft.push(|frame| frame.value(value));
    journal.write(draft)?;
    Ok(span)
}

/// The sentence of a refusal.
#[track_caller]
fn refusal<T>(result: Result<T, JournalError>) -> String {
    result.err().expect("a refusal").to_string()
}

#[track_caller]
fn check_refusal<T>(result: Result<T, JournalError>, parts: &[&str]) {
    let sentence = refusal(result);
    for part in parts {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
}
