//! What a file may hold after a power cut: all that was synced, and of what was written since any part, sector by
//! sector, in any order across sectors. Within a sector writes arrive in their order: it holds what some prefix of
//! its writes left. Where the file ends is as old as some earlier instant since the sync.

use std::collections::HashMap;

use crate::cli::bench::random::Random;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// A file: what is safe, and what was done to it since.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Resize { bytes: u64 },
}

/// How much of what was not synced is there after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Survival {
    /// None of it: nothing was written back early.
    Nothing,
    /// All of it: what a death of the process leaves.
    Everything,
    /// Of each file and name all or nothing.
    Whole,
    /// Of each sector some of it.
    Torn,
}

impl Survival {
    pub(super) fn draw(random: &mut Random) -> Self {
        match random.within(&(0..=9)) {
            0..2 => Self::Nothing,
            2 => Self::Everything,
            3..5 => Self::Whole,
            _ => Self::Torn,
        }
    }
}

impl Content {
    pub(super) fn write(&mut self, offset: u64, bytes: Vec<u8>) {
        self.unsynced.push(Change::Write { offset, bytes });
    }

    pub(super) fn resize(&mut self, bytes: u64) {
        self.unsynced.push(Change::Resize { bytes });
    }

    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Write { offset, bytes } => put(&mut self.synced, offset, &bytes),
                Change::Resize { bytes } => self.synced.resize(index(bytes), 0),
            }
        }
    }

    /// With everything that was done.
    pub(super) fn whole(&self) -> Vec<u8> {
        let mut whole = self.clone();
        whole.sync();
        whole.synced
    }

    /// What is there after a cut.
    pub(super) fn survive(&self, survival: Survival, random: &mut Random) -> Vec<u8> {
        match survival {
            Survival::Everything => self.whole(),
            Survival::Whole if random.one_in(2) => self.whole(),
            Survival::Nothing | Survival::Whole => self.synced.clone(),
            Survival::Torn => self.torn(random),
        }
    }

    fn torn(&self, random: &mut Random) -> Vec<u8> {
        let mut content = self.synced.clone();
        let changes = self.unsynced.len() as u64;
        // Changes from here on did not move the end of the file.
        let end_moves = random.within(&(0..=changes));
        let mut sectors: HashMap<u64, u64> = HashMap::new();
        for (place, change) in (0..).zip(&self.unsynced) {
            match change {
                Change::Resize { bytes } if place < end_moves => content.resize(index(*bytes), 0),
                // What is written behind a cut of the file that did not happen has nowhere to be.
                Change::Resize { bytes } if index(*bytes) < content.len() => break,
                Change::Resize { .. } => (),
                Change::Write { offset, bytes } => {
                    let end = offset + bytes.len() as u64;
                    if place < end_moves && index(end) > content.len() {
                        content.resize(index(end), 0);
                    }
                    for (offset, part) in by_sector(*offset, bytes) {
                        let reached = sectors.entry(offset / SECTOR_BYTES).or_insert_with(|| prefix(changes, random));
                        let room = content.len().saturating_sub(index(offset)).min(part.len());
                        if place < *reached {
                            put(&mut content, offset, &part[..room]);
                        }
                    }
                }
            }
        }
        content
    }
}

/// How many of `changes` reached a sector: none, all, or some.
fn prefix(changes: u64, random: &mut Random) -> u64 {
    match random.within(&(0..=2)) {
        0 => 0,
        1 => changes,
        _ => random.within(&(0..=changes)),
    }
}

fn by_sector(offset: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let first = index(SECTOR_BYTES - offset % SECTOR_BYTES).min(bytes.len());
    let (head, rest) = bytes.split_at(first);
    let behind = (offset + first as u64..).step_by(index(SECTOR_BYTES));
    std::iter::once((offset, head)).chain(behind.zip(rest.chunks(index(SECTOR_BYTES))))
}

fn put(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (index(offset), index(offset) + bytes.len());
    if bytes.is_empty() {
        return;
    }
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("files that are recorded fit in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every content of up to three sectors that some cut leaves, each sector as its first byte, `.` where it is zero.
    fn survivors(content: &Content) -> Vec<String> {
        let shown = |bytes: Vec<u8>| -> String {
            bytes.chunks(512).map(|sector| if sector[0] == 0 { '.' } else { char::from(sector[0]) }).collect()
        };
        let mut all: Vec<_> =
            (0..2_000).map(|seed| shown(content.survive(Survival::Torn, &mut Random::new(seed)))).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    #[test]
    fn what_was_synced_survives_every_cut() {
        let mut content = Content::default();
        content.write(0, vec![b'a'; 1_024]);
        content.sync();
        assert_eq!(survivors(&content), ["aa"]);
    }

    #[test]
    fn each_sector_holds_what_a_prefix_of_its_writes_left_and_the_end_is_some_earlier_one() {
        let mut content = Content::default();
        content.write(0, vec![b'a'; 1_024]);
        content.sync();
        content.write(0, vec![b'b'; 1_024]);
        content.write(512, vec![b'c'; 1_024]);
        let expected = ["aa", "aa.", "aac", "ab", "ab.", "abc", "ac", "ac.", "acc"];
        let expected: Vec<_> = expected.iter().flat_map(|all| [(*all).to_owned(), all.replacen('a', "b", 1)]).collect();
        let mut expected: Vec<_> = expected.into_iter().collect();
        expected.sort_unstable();
        assert_eq!(survivors(&content), expected);
        assert_eq!(content.whole().len(), 1_536);
        assert_eq!(content.survive(Survival::Nothing, &mut Random::new(1)), vec![b'a'; 1_024]);
    }

    #[test]
    fn what_was_cut_off_is_there_whole_or_gone() {
        let mut content = Content::default();
        content.write(0, vec![b'a'; 1_024]);
        content.sync();
        content.resize(0);
        content.write(0, vec![b'b'; 512]);
        assert_eq!(survivors(&content), ["", ".", "aa", "b"]);
    }
}
