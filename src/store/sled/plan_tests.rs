//! What a window makes of the blocks that are there.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use proptest::prelude::*;

use super::*;
use crate::store::sled::block::{MAX_BLOCK_BYTES, MAX_BLOCK_ENTRIES};
use crate::store::sled::changes::Changes;
use crate::store::sled::index::Change;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Blocks in memory, by place.
#[derive(Clone, Debug, Default)]
struct Memory(Map);

impl Blocks for Memory {
    type Block = Vec<u8>;

    fn at_or_before(&self, key: &[u8]) -> Found<Vec<u8>> {
        Ok(owned(self.0.range(..=key.to_vec()).next_back()))
    }

    fn before(&self, key: &[u8]) -> Found<Vec<u8>> {
        Ok(owned(self.0.range(..key.to_vec()).next_back()))
    }

    fn after(&self, key: Option<&[u8]>) -> Found<Vec<u8>> {
        let from = key.map_or(Unbounded, |key| Excluded(key.to_vec()));
        Ok(owned(self.0.range((from, Unbounded)).next()))
    }
}

fn owned(found: Option<(&Vec<u8>, &Vec<u8>)>) -> Option<(Vec<u8>, Vec<u8>)> {
    found.map(|(key, value)| (key.clone(), value.clone()))
}

impl Memory {
    fn write(&mut self, (place, block): Write) {
        match block {
            Some(block) => self.0.insert(place, block),
            None => self.0.remove(&place),
        };
    }

    /// All entries, having seen that the blocks are in order.
    #[track_caller]
    fn entries(&self) -> Map {
        let mut entries = Map::new();
        for (place, block) in &self.0 {
            assert!(block.len() <= MAX_BLOCK_BYTES);
            let held = Entries::read(block).unwrap();
            assert!(entries.last_key_value().is_none_or(|(last, _)| last < place), "{place:?} is behind its block");
            assert!(held.get(0).unwrap().0 >= place.as_slice(), "{place:?} is behind its first entry");
            entries.extend(held.iter().map(|(key, value)| (key.to_vec(), value.to_vec())));
        }
        entries
    }

    /// Writes a window, each step when it is known.
    fn window(&mut self, changes: &[Change]) {
        for step in self.plan(changes) {
            step.together.into_iter().chain(step.apart).for_each(|write| self.write(write));
        }
    }

    fn plan(&self, changes: &[Change]) -> Vec<Step> {
        let changes = changes.iter().cloned().collect::<Changes>();
        let mut plan = Plan::new(self, changes.all());
        std::iter::from_fn(|| plan.next().unwrap()).collect()
    }
}

/// Ten thousand keys that come close to each other.
fn key() -> impl Strategy<Value = Vec<u8>> {
    (0..10_000_u16).prop_map(|number| format!("key/{number:05}").into_bytes())
}

fn window() -> impl Strategy<Value = Vec<Change>> {
    let value = || prop::option::weighted(0.6, prop::collection::vec(any::<u8>(), 0..100));
    let scattered = prop::collection::btree_map(key(), value(), 0..60);
    let close = (key(), prop::collection::vec(value(), 0..400)).prop_map(|(first, values)| {
        let follow = |(number, value): (usize, _)| {
            (
                [first.as_slice(), &[u8::try_from(number / 8).unwrap(), u8::try_from(number % 8).unwrap()]].concat(),
                value,
            )
        };
        values.into_iter().enumerate().map(follow).collect()
    });
    let removed = (0..10_000_u16, 0..3_000_u16).prop_map(|(first, count)| {
        (first..first + count).map(|number| (format!("key/{number:05}").into_bytes(), None)).collect()
    });
    prop_oneof![3 => scattered, 2 => close, 1 => removed]
        .prop_map(|window: BTreeMap<_, _>| window.into_iter().collect())
}

fn change(map: &mut Map, changes: &[Change]) {
    for (key, value) in changes {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}

fn sequence(numbers: impl IntoIterator<Item = u32>) -> Vec<Change> {
    numbers.into_iter().map(|number| (number.to_be_bytes().to_vec(), Some(b"value".to_vec()))).collect()
}

fn removal(numbers: impl IntoIterator<Item = u32>) -> Vec<Change> {
    numbers.into_iter().map(|number| (number.to_be_bytes().to_vec(), None)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn windows_give_what_a_map_gives(windows in prop::collection::vec(window(), 1..12)) {
        let (mut blocks, mut map) = (Memory::default(), Map::new());
        for window in windows {
            // Planned before anything is written, or step by step: it makes no difference.
            let mut stepwise = blocks.clone();
            let changes = window.as_slice();
            let held = changes.iter().cloned().collect::<Changes>();
            let mut rest = Plan::new(&blocks, held.all());
            while let Some(step) = rest.next()? {
                step.together.into_iter().chain(step.apart).for_each(|write| stepwise.write(write));
            }
            blocks.window(changes);
            prop_assert_eq!(&blocks.0, &stepwise.0);
            change(&mut map, changes);
            prop_assert_eq!(blocks.entries(), map.clone());
        }
    }

    #[test]
    fn blocks_are_in_order_after_every_write_and_a_repeated_window_ends_the_same(
        before in prop::collection::vec(window(), 0..5),
        window in window(),
        stop: prop::sample::Index,
    ) {
        let (mut blocks, mut map) = (Memory::default(), Map::new());
        for window in &before {
            blocks.window(window);
            change(&mut map, window);
        }
        // The moments at which a crash can come.
        let mut moments = vec![blocks.clone()];
        for step in blocks.plan(&window) {
            step.together.into_iter().for_each(|write| blocks.write(write));
            moments.push(blocks.clone());
            for write in step.apart {
                blocks.write(write);
                moments.push(blocks.clone());
            }
        }
        let changed: Vec<_> = window.iter().map(|(key, _)| key.clone()).collect();
        let mut kept = map.clone();
        kept.retain(|key, _| !changed.contains(key));
        for moment in &moments {
            let mut entries = moment.entries();
            entries.retain(|key, _| !changed.contains(key));
            prop_assert_eq!(&entries, &kept);
        }
        change(&mut map, &window);
        let cut = &mut moments[stop.index(moments.len())].clone();
        cut.window(&window);
        prop_assert_eq!(cut.entries(), map);
    }
}

#[test]
fn entries_that_come_in_order_leave_full_blocks() {
    let mut blocks = Memory::default();
    for window in 0..100 {
        blocks.window(&sequence(window * 100..window * 100 + 100));
    }
    assert_eq!(blocks.entries().len(), 10_000);
    assert_eq!(blocks.0.len(), 10_000_usize.div_ceil(MAX_BLOCK_ENTRIES));
}

#[test]
fn a_large_insertion_between_two_entries_of_a_block_needs_few_writes_at_once() {
    let mut blocks = Memory::default();
    blocks.window(&sequence([0, 1, 1_000_000, 1_000_001]));
    let steps = blocks.plan(&sequence(1000..100_000));
    assert_eq!(steps.len(), 1);
    assert!(steps[0].together.len() <= 3, "{}", steps[0].together.len());
    assert!(steps[0].apart.len() > 1000);
}

#[test]
fn a_window_that_changes_nothing_writes_nothing() {
    let mut blocks = Memory::default();
    blocks.window(&sequence(0..1000));
    assert_eq!(blocks.plan(&sequence(100..900)), []);
    assert_eq!(blocks.plan(&removal(2000..3000)), []);
}

#[test]
fn blocks_that_become_small_are_joined_whichever_way_they_are_emptied() {
    let check = |order: &dyn Fn(u32) -> u32, at_once: usize| {
        let mut blocks = Memory::default();
        blocks.window(&sequence(0..64_000));
        // One in twenty stays.
        let mut gone: Vec<_> = (0..64_000).map(order).filter(|number| number % 20 != 0).collect();
        for numbers in gone.chunks_mut(at_once) {
            numbers.sort_unstable();
            blocks.window(&removal(numbers.iter().copied()));
        }
        assert_eq!(blocks.entries().len(), 3_200);
        assert!(blocks.0.len() <= 3_200 * 3 / MAX_BLOCK_ENTRIES, "{} blocks", blocks.0.len());
    };
    for at_once in [100, 64_000] {
        check(&|number| number, at_once);
        check(&|number| 63_999 - number, at_once);
        check(&|number| number * 7919 % 64_000, at_once);
    }
}

#[test]
fn a_queue_that_is_emptied_from_the_front_leaves_no_block() {
    let mut blocks = Memory::default();
    blocks.window(&sequence(0..10_000));
    for window in 0..100 {
        blocks.window(&removal(window * 100..window * 100 + 100));
    }
    assert_eq!(blocks.0, Map::new());
}
