//! Random groups, random syncs, and the power goes: everything synced is there, groups are whole, and nothing else
//! is shown. Several times in a row on one disk, with segments released in between.

use proptest::prelude::*;

use super::*;

/// What a session does before the power goes.
#[derive(Clone, Debug)]
enum Step {
    /// A group with frames of these sizes.
    Group(Vec<usize>),
    Sync,
    /// Releases the oldest segment, if it was taken in and synced.
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(0_usize..1_500, 1..4).prop_map(Step::Group),
        3 => Just(Step::Sync),
        1 => Just(Step::Release),
    ]
}

/// A session, and a seed for what the disk keeps of it and how likely it keeps a piece, in 256ths.
fn session() -> impl Strategy<Value = (Vec<Step>, u64, u8)> {
    (prop::collection::vec(step(), 0..25), any::<u64>(), prop_oneof![Just(0), Just(255), any::<u8>()])
}

/// What should be in the journal.
#[derive(Default)]
struct Model {
    /// Groups in their order, with where they end and a value of each.
    groups: Vec<(Position, Vec<Vec<u8>>, Span)>,
    /// How many of them were synced.
    synced: usize,
    /// How many are taken in, and need not be shown any more.
    applied: usize,
    count: u64,
}

impl Model {
    fn applied(&self) -> Option<Position> {
        self.applied.checked_sub(1).map(|last| self.groups[last].0)
    }

    fn run(&mut self, journal: &mut Journal, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Group(sizes) => self.write(journal, sizes),
                Step::Sync => {
                    journal.sync().unwrap();
                    self.synced = self.groups.len();
                }
                Step::Release => self.release(journal),
            }
        }
    }

    fn write(&mut self, journal: &mut Journal, sizes: &[usize]) {
        let mut draft = journal.begin(sizes.iter().map(|size| size + 40).sum(), Purpose::Copy).unwrap();
        let (mut frames, mut span) = (Vec::new(), None);
        for size in sizes {
            self.count += 1;
            let mut bytes = vec![u8::try_from(self.count % 251).unwrap(); *size];
            bytes.extend_from_slice(&self.count.to_be_bytes());
            span = Some(draft.push(|frame| {
                frame.bytes(b"k");
                frame.value(&bytes)
            }));
            frames.push(bytes);
        }
        let end = journal.write(draft).unwrap().end;
        self.groups.push((end, frames, span.unwrap()));
    }

    fn release(&mut self, journal: &Journal) {
        self.applied = self.synced;
        let (Some(applied), Some((oldest, _))) = (self.applied(), journal.segments().list().first().copied()) else {
            return;
        };
        if oldest < applied.segment {
            journal.segments().release(oldest);
        }
    }

    /// What is shown has to be what was written, without a gap, and at least what was synced.
    fn check(&mut self, journal: &Journal, shown: &Shown) {
        let behind = &self.groups[self.applied..];
        assert!(shown.len() <= behind.len(), "{} groups, of which {} were written", shown.len(), behind.len());
        assert!(self.applied + shown.len() >= self.synced, "{} of {} synced", self.applied + shown.len(), self.synced);
        for ((end, frames), (expected_end, expected, span)) in shown.iter().zip(behind) {
            assert_eq!(end, expected_end);
            // One byte of a key and eight of the value's header.
            let values: Vec<_> = frames.iter().map(|frame| frame[9..].to_vec()).collect();
            assert_eq!(&values, expected);
            assert_eq!(journal.reader().read(*span).unwrap().as_deref(), expected.last().map(Vec::as_slice));
        }
        self.groups.truncate(self.applied + shown.len());
        self.synced = self.groups.len();
    }
}

/// Bits that look random.
fn bits(seed: u64, likely: u8) -> impl FnMut() -> bool {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        likely == 255 || ((state >> 24) & 0xff) < u64::from(likely)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_power_cut_leaves_is_what_was_synced_and_perhaps_more(
        sessions in prop::collection::vec(session(), 1..6),
    ) {
        let mut disk = TestDisk::new();
        let mut model = Model::default();
        for (steps, seed, likely) in sessions {
            let (mut journal, shown) = open(&disk, settings(8_192), model.applied()).unwrap();
            model.check(&journal, &shown);
            model.run(&mut journal, &steps);
            drop(journal);
            disk = disk.after_power_cut(bits(seed, likely));
        }
        let (journal, shown) = open(&disk, settings(8_192), model.applied()).unwrap();
        model.check(&journal, &shown);
    }
}
