//! What lies under which key of sled.
//!
//! ```text
//! 0          the format: 4 bytes, big-endian
//! 1          the mark of the last whole window
//! 2 key      a value beside the entries
//! 3 place    a block
//! ```
//!
//! A byte of 255 in a key or place is followed by a 0, which keeps the order: sled 0.34 loses its way, going
//! down, at neighbours of which one has four such bytes in a row where the other one ends.

/// The format of what is written here, blocks included.
pub(super) const FORMAT: u32 = 1;

pub(super) const META_FORMAT: [u8; 1] = [0];
pub(super) const META_MARK: [u8; 1] = [1];

/// Values beside the entries.
pub(super) const META: u8 = 2;
/// Blocks of entries.
pub(super) const BLOCK: u8 = 3;

/// The key of sled for a key or place.
pub(super) fn key(prefix: u8, bytes: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + bytes.len());
    key.push(prefix);
    for byte in bytes {
        key.push(*byte);
        if *byte == u8::MAX {
            key.push(0);
        }
    }
    key
}

/// The key or place that stands for, if [`key`] makes it with that prefix.
pub(super) fn read(prefix: u8, key: &[u8]) -> Option<Vec<u8>> {
    let mut rest = key.strip_prefix(&[prefix])?;
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((byte, behind)) = rest.split_first() {
        bytes.push(*byte);
        rest = if *byte == u8::MAX { behind.strip_prefix(&[0])? } else { behind };
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_read_back_and_keep_their_order(
            a in prop::collection::vec(prop_oneof![Just(0), Just(254), Just(255), any::<u8>()], 0..8),
            b in prop::collection::vec(prop_oneof![Just(0), Just(254), Just(255), any::<u8>()], 0..8),
        ) {
            prop_assert_eq!(read(BLOCK, &key(BLOCK, &a)), Some(a.clone()));
            prop_assert_eq!(read(META, &key(BLOCK, &a)), None);
            prop_assert_eq!(key(BLOCK, &a).cmp(&key(BLOCK, &b)), a.cmp(&b));
        }
    }

    #[test]
    fn keys_that_are_not_written_so_are_none() {
        assert_eq!(read(BLOCK, &[BLOCK, 255]), None);
        assert_eq!(read(BLOCK, &[BLOCK, 255, 1]), None);
        assert_eq!(read(BLOCK, &[]), None);
    }
}
