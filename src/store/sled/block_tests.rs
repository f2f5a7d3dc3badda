//! Blocks say what was put into them, and bytes that are no block are refused.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::sled::pack::Entries;

/// Keys that share much with their neighbours, and values of all lengths.
fn map() -> impl Strategy<Value = BTreeMap<Vec<u8>, Vec<u8>>> {
    let key = prop_oneof![3 => 0..12_usize, 1 => 100..=MAX_KEY_BYTES]
        .prop_flat_map(|length| prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(255)], length));
    let value = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 250..=MAX_VALUE_BYTES),
    ];
    prop::collection::btree_map(key, value, 1..120)
}

fn entries(map: &BTreeMap<Vec<u8>, Vec<u8>>, are_new: bool) -> Entries {
    let mut entries = Entries::default();
    for (key, value) in map {
        entries.push(key, value, are_new);
    }
    entries
}

type Decoded = Vec<(Vec<u8>, Vec<u8>)>;

fn decoded(block: &[u8]) -> Result<Decoded, Garbage> {
    let mut entries = Vec::new();
    read(block, |key, value| entries.push((key.to_vec(), value.to_vec())))?;
    Ok(entries)
}

/// A block of these entries.
fn block_of(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = Builder::default();
    let mut last: &[u8] = b"";
    for (key, value) in entries {
        builder.push(shared_bytes(last, key.as_bytes()), key.as_bytes(), value.as_bytes());
        last = key.as_bytes();
    }
    builder.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn blocks_hold_what_was_divided_among_them_and_are_within_their_bounds(map in map(), are_new: bool) {
        let entries = entries(&map, are_new);
        let pieces = entries.pack();
        let mut all = Vec::new();
        for piece in &pieces {
            prop_assert!(piece.block.len() <= MAX_BLOCK_BYTES);
            let held = decoded(&piece.block)?;
            prop_assert!((1..=MAX_BLOCK_ENTRIES).contains(&held.len()));
            prop_assert_eq!(held.len(), piece.entries.len());
            all.extend(held);
        }
        prop_assert_eq!(all, map.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_key_is_found_in_a_block_exactly_if_it_is_there(map in map(), probes in map()) {
        for piece in entries(&map, false).pack() {
            let held: BTreeMap<_, _> = decoded(&piece.block)?.into_iter().collect();
            for key in map.keys().chain(probes.keys()) {
                prop_assert_eq!(find(&piece.block, key)?, held.get(key).map(Vec::as_slice));
            }
        }
    }

    #[test]
    fn garbage_is_refused_or_read_but_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), key: Vec<u8>) {
        let _ = decoded(&bytes);
        let _ = find(&bytes, &key);
    }

    #[test]
    fn what_is_read_of_a_damaged_block_is_still_in_order(map in map(), at: prop::sample::Index, to: u8) {
        for mut piece in entries(&map, false).pack() {
            let at = at.index(piece.block.len());
            piece.block[at] = to;
            if let Ok(held) = decoded(&piece.block) {
                prop_assert!(held.is_sorted_by(|(a, _), (b, _)| a < b));
            }
            for key in map.keys() {
                let _ = find(&piece.block, key);
            }
        }
    }

    #[test]
    fn a_block_that_is_cut_short_is_refused(map in map(), at: prop::sample::Index) {
        let piece = entries(&map, false).pack().remove(0);
        prop_assert!(decoded(&piece.block[..at.index(piece.block.len())]).is_err());
    }
}

#[test]
fn what_keys_share_is_kept_once() {
    let block = block_of(&[("function/a", "1"), ("function/b", "2")]);
    assert_eq!(block.len(), 1 + (3 + 10 + 1) + (3 + 1 + 1));
}

#[test]
fn garbage_is_refused_with_what_is_wrong() {
    let check = |block: &[u8], complaint: &str| assert_eq!(decoded(block).unwrap_err().to_string(), complaint);
    check(b"", "it is empty");
    check(&[0], "its number of entries is out of bounds");
    check(&[65], "its number of entries is out of bounds");
    check(&[1, 0, 2, 0, b'a'], "it is cut short");
    check(&[1, 0, 1, 0, b'a', b'b'], "something follows its last entry");
    check(&[1, 1, 1, 0, b'a'], "a key is longer than what it is made of");
    check(&[2, 0, 1, 0, b'b', 0, 1, 0, b'a'], "its keys are not in order");
    check(&[2, 0, 1, 0, b'b', 1, 0, 0], "a key is longer than what it is made of");
    check(&[&[1, 0, 129, 0][..], &[b'a'; 129]].concat(), "a key is too long");
    check(&[&[1, 0, 0, 255, 2][..], &[b'a'; 257]].concat(), "a value is too long");
}

#[test]
fn entries_that_grow_at_their_end_fill_blocks_and_others_are_halved() {
    let check = |count: u32, is_new: fn(u32) -> bool, pieces: &[usize]| {
        let mut entries = Entries::default();
        (0..count).for_each(|number| entries.push(&number.to_be_bytes(), b"value", is_new(number)));
        let packed: Vec<_> = entries.pack().into_iter().map(|piece| piece.entries.len()).collect();
        assert_eq!(packed, pieces);
    };
    check(64, |_| false, &[64]);
    check(65, |number| number == 64, &[64, 1]);
    check(200, |_| true, &[64, 64, 64, 8]);
    check(65, |number| number == 10, &[33, 32]);
    check(150, |number| number < 100, &[50, 50, 50]);
}
