//! The bytes of a block: entries in ascending order of their keys, each without what its key shares with the
//! key before. Pure. Bytes that are no block are refused with what is wrong with them.
//!
//! ```text
//! block  number of entries: 1 byte, 1 to 64; entries
//! entry  shared bytes: 1   other bytes of the key: 1   bytes of the value: 1, or 255 and 1 more
//!        the other bytes of the key   the value
//! ```
//!
//! There is one form for given entries: what is shared is all that is shared. So a search need not look at
//! the bytes of a key that shares more, or less, with its neighbour than the searched one.

use std::cmp::Ordering;

use super::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// The largest block. sled moves a page of about 128 KiB to a file that it never syncs, and a page holds up to
/// some 20 neighbours: so a block stays well below a twentieth of that.
pub(super) const MAX_BLOCK_BYTES: usize = 3 * 1024;
/// The most entries of a block: a search goes through half of them.
pub(super) const MAX_BLOCK_ENTRIES: usize = 64;
/// The bytes before the first entry.
pub(super) const HEADER_BYTES: usize = 1;
/// The value's length says that a second byte belongs to it.
const LONG: u8 = 255;

/// What is wrong with bytes that are no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Garbage(&'static str);

/// An entry as it stands in a block.
struct Raw<'a> {
    shared: usize,
    suffix: &'a [u8],
    value: &'a [u8],
}

/// Goes through the entries of a block.
struct Reader<'a> {
    left: u8,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(block: &'a [u8]) -> Result<Self, Garbage> {
        let (&left, rest) = block.split_first().ok_or(Garbage("it is empty"))?;
        if left == 0 || usize::from(left) > MAX_BLOCK_ENTRIES {
            return Err(Garbage("its number of entries is out of bounds"));
        }
        Ok(Self { left, rest })
    }

    fn next(&mut self) -> Result<Option<Raw<'a>>, Garbage> {
        if self.left == 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(Garbage("something follows its last entry")) };
        }
        self.left -= 1;
        let &[shared, suffix, value, ref rest @ ..] = self.rest else { return Err(Garbage("it is cut short")) };
        self.rest = rest;
        let value = if value == LONG { usize::from(LONG) + usize::from(self.take(1)?[0]) } else { value.into() };
        let suffix = self.take(suffix.into())?;
        let value = self.take(value)?;
        if value.len() > MAX_VALUE_BYTES {
            return Err(Garbage("a value is too long"));
        }
        Ok(Some(Raw { shared: shared.into(), suffix, value }))
    }

    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Garbage> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Garbage("it is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }
}

/// The value under `key` in `block`. Sees only such damage as it comes across.
pub(super) fn find<'a>(block: &'a [u8], key: &[u8]) -> Result<Option<&'a [u8]>, Garbage> {
    let mut reader = Reader::new(block)?;
    // How much `key` shares with the entry before, which is smaller.
    let mut matched = 0;
    while let Some(entry) = reader.next()? {
        match entry.shared.cmp(&matched) {
            Ordering::Greater => (), // it differs from `key` where the entry before does
            Ordering::Less => return Ok(None),
            Ordering::Equal => {
                let rest = &key[matched..];
                match entry.suffix.cmp(rest) {
                    Ordering::Equal => return Ok(Some(entry.value)),
                    Ordering::Greater => return Ok(None),
                    Ordering::Less => matched += shared_bytes(entry.suffix, rest),
                }
            }
        }
    }
    Ok(None)
}

/// Decodes `block` and calls `each` with every key and value, in order. All that can be wrong is seen.
pub(super) fn read<'a>(block: &'a [u8], mut each: impl FnMut(&[u8], &'a [u8])) -> Result<(), Garbage> {
    let mut reader = Reader::new(block)?;
    let mut key = Vec::with_capacity(MAX_KEY_BYTES);
    let mut is_first = true;
    while let Some(entry) = reader.next()? {
        let Some(&replaced) = key.get(entry.shared) else {
            // It goes on where the key before ends.
            if entry.shared > key.len() || (entry.suffix.is_empty() && !is_first) {
                return Err(Garbage("a key is longer than what it is made of"));
            }
            extend(&mut key, &entry)?;
            each(&key, entry.value);
            is_first = false;
            continue;
        };
        if entry.suffix.first().is_none_or(|first| *first <= replaced) {
            return Err(Garbage("its keys are not in order"));
        }
        extend(&mut key, &entry)?;
        each(&key, entry.value);
    }
    Ok(())
}

fn extend(key: &mut Vec<u8>, entry: &Raw<'_>) -> Result<(), Garbage> {
    key.truncate(entry.shared);
    key.extend_from_slice(entry.suffix);
    if key.len() > MAX_KEY_BYTES { Err(Garbage("a key is too long")) } else { Ok(()) }
}

/// Makes a block.
#[derive(Debug, Default)]
pub(super) struct Builder {
    bytes: Vec<u8>,
    entries: u8,
}

impl Builder {
    /// Whether an entry still fits that shares `shared` bytes with the one before.
    pub(super) fn has_room(&self, shared: usize, key: &[u8], value: &[u8]) -> bool {
        usize::from(self.entries) < MAX_BLOCK_ENTRIES
            && self.bytes.len().max(HEADER_BYTES) + entry_bytes(shared, key.len(), value.len()) <= MAX_BLOCK_BYTES
    }

    /// Adds an entry that [fits](Self::has_room). `shared` is 0 for the first one.
    pub(super) fn push(&mut self, shared: usize, key: &[u8], value: &[u8]) {
        if self.entries == 0 {
            self.bytes.push(0);
        }
        self.entries += 1;
        let suffix = &key[shared..];
        self.bytes.extend_from_slice(&[byte(shared), byte(suffix.len())]);
        match value.len().checked_sub(LONG.into()) {
            None => self.bytes.push(byte(value.len())),
            Some(more) => self.bytes.extend_from_slice(&[LONG, byte(more)]),
        }
        self.bytes.extend_from_slice(suffix);
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The block, of one entry at least.
    pub(super) fn finish(mut self) -> Vec<u8> {
        debug_assert!(self.entries > 0, "a block of no entries");
        if let Some(header) = self.bytes.first_mut() {
            *header = self.entries;
        }
        self.bytes
    }
}

/// The bytes that an entry takes.
pub(super) fn entry_bytes(shared: usize, key: usize, value: usize) -> usize {
    3 + usize::from(value >= LONG.into()) + (key - shared) + value
}

/// How many bytes two keys share in front.
pub(super) fn shared_bytes(a: &[u8], b: &[u8]) -> usize {
    // Neighbours share twenty bytes and more, so eight are compared at a time.
    let whole = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0).take_while(|(a, b)| a == b).count() * 8;
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(a, b)| a == b).count()
}

/// A length whose bound keeps it below 256.
fn byte(length: usize) -> u8 {
    debug_assert!(length < 256, "{length} was to be refused before");
    u8::try_from(length).unwrap_or(u8::MAX)
}

#[cfg(test)]
#[path = "block_tests.rs"]
mod tests;
