//! The key table of the embedded store's index: which rows there are, how they sort and what stands behind them.
//! Knows no database and no journal.
//!
//! A key is its tag, one byte, and what the table says, numbers in big-endian so that keys sort like what they
//! name. A tag is never used again for something else. Rows are small: what is large stands in the journal, and a
//! row says where (a span).
//!
//! | tag | key after the tag                               | value                    | lives                            |
//! | --- | ----------------------------------------------- | ------------------------ | -------------------------------- |
//! | `f` | function id, 16                                 | span of the function     | until the function is removed    |
//! | `v` | function id, 16; number, 4                      | span of the version      | until the function is removed    |
//! | `q` | invocation id, 16                               | entry                    | until it is `Done`               |
//! | `d` | invocation id, 16                               | entry                    | until retention ends or it is redelivered |
//! | `t` | accepted, ms, 8; invocation id, 16              | function id, 16          | as long as the invocation, where its id does not tell the time |
//! | `w` | lane, 21; due, ms, 8; invocation id, 16         | expires, ms, 8           | while it stands in the queue     |
//! | `x` | expires, ms, 8; invocation id, 16               | lane, 21; due, ms, 8     | while it stands in the queue     |
//! | `r` | function id, 16; kind, 1; settled, ms, 8; invocation id, 16 | bytes kept, 8 | while it is `Done`               |
//! | `k` | function id, 16; digest, 32                     | use of the key           | until its time is over           |
//! | `u` | until, ms, 8; function id, 16; digest, 32       | nothing                  | as long as its `k`               |
//! | `y` | length, 1, and bytes of a namespace; bytes of a name | span of the secret  | until the secret is removed      |
//! | `p` | store, 16; pair, 32                             | span of the pair, which says its key and store | until the pair is removed |
//! | `b` | store, 16; pair, 32                             | span of the pair's value | as long as its `p`               |
//! | `o` | table, 1; key, up to 120                        | span of the document     | until the document is removed    |
//!
//! A store is the first half of the SHA-256 of its namespace and name, a pair the SHA-256 of its key: both may be longer
//! than a key of the index.
//!
//! A lane is a function id, 16; a version's number or 0, 4; a priority, 1. An invocation stands under exactly one
//! of `q` and `d`. Beside the rows, as metas: `c` function id, 16: its counts; `s` segment, 4: bytes in it that
//! rows point to; and the mark: how far the journal has been applied.

use sha2::{Digest as _, Sha256};

use crate::model::names::{Digest, FunctionId, InvocationId, Namespace, SecretName, VersionNumber};
use crate::model::outcome::OutcomeKind;
use crate::model::place::{Lane, Priority, Turn};
use crate::model::time::Timestamp;

use super::{Cursor, DocumentKey, IdempotencyKey, PairStore, Table};

/// The version of the table; one more when a tag changes its meaning, not when one is added. Format 1 had records
/// in the database itself.
pub(super) const FORMAT: u32 = 2;

pub(super) const FUNCTION: u8 = b'f';
pub(super) const VERSION: u8 = b'v';
pub(super) const LIVE: u8 = b'q';
pub(super) const DONE: u8 = b'd';
pub(super) const TIME: u8 = b't';
pub(super) const WAITING: u8 = b'w';
pub(super) const EXPIRY: u8 = b'x';
pub(super) const SETTLED: u8 = b'r';
pub(super) const KEY: u8 = b'k';
pub(super) const KEY_END: u8 = b'u';
pub(super) const SECRET: u8 = b'y';
pub(super) const PAIR: u8 = b'p';
pub(super) const PAIR_VALUE: u8 = b'b';
pub(super) const DOCUMENT: u8 = b'o';

/// Metas.
pub(super) const COUNTS: u8 = b'c';
pub(super) const SEGMENT: u8 = b's';

pub(super) const LANE_BYTES: usize = 21;
const STORE_BYTES: usize = 16;

/// Bytes of a key of a row of an invocation, by its tag.
pub(super) const fn key_bytes(tag: u8) -> usize {
    1 + 16
        + match tag {
            TIME | EXPIRY => 8,
            WAITING => LANE_BYTES + 8,
            SETTLED => 16 + 1 + 8,
            _ => 0,
        }
}

/// A key under [`SETTLED`].
pub(super) type SettledKey = [u8; key_bytes(SETTLED)];

/// What all such keys of a function and a kind start with.
pub(super) type SettledOf = [u8; 18];

pub(super) fn function(id: FunctionId) -> Vec<u8> {
    key(FUNCTION, &[id.as_bytes()])
}

pub(super) fn version(id: FunctionId, number: VersionNumber) -> Vec<u8> {
    key(VERSION, &[id.as_bytes(), &number.get().to_be_bytes()])
}

/// What the keys of all versions of a function start with.
pub(super) fn versions_of(id: FunctionId) -> Vec<u8> {
    key(VERSION, &[id.as_bytes()])
}

pub(super) fn live(id: InvocationId) -> Vec<u8> {
    key(LIVE, &[id.as_bytes()])
}

pub(super) fn done(id: InvocationId) -> Vec<u8> {
    key(DONE, &[id.as_bytes()])
}

pub(super) fn time(Cursor(accepted, id): Cursor) -> Vec<u8> {
    key(TIME, &[&accepted.as_ms().to_be_bytes(), id.as_bytes()])
}

pub(super) fn waiting(lane: Lane, (due, id): Turn) -> Vec<u8> {
    key(WAITING, &[&lane_bytes(lane), &due.as_ms().to_be_bytes(), id.as_bytes()])
}

/// What the keys of all that stands in a lane start with.
pub(super) fn lane(lane: Lane) -> Vec<u8> {
    key(WAITING, &[&lane_bytes(lane)])
}

/// Before everything of a function that ended like this at `at` or later, behind all that did before.
pub(super) fn settled_from(function: FunctionId, kind: OutcomeKind, at: Timestamp) -> Vec<u8> {
    key(SETTLED, &[function.as_bytes(), &[kind as u8], &at.as_ms().to_be_bytes()])
}

pub(super) fn settled(function: FunctionId, kind: OutcomeKind, at: Timestamp, id: InvocationId) -> SettledKey {
    let mut key = [SETTLED; key_bytes(SETTLED)];
    key[1..17].copy_from_slice(function.as_bytes());
    key[17] = kind as u8;
    key[18..26].copy_from_slice(&at.as_ms().to_be_bytes());
    key[26..].copy_from_slice(id.as_bytes());
    key
}

pub(super) fn settled_of(function: FunctionId, kind: OutcomeKind) -> SettledOf {
    let mut key = [SETTLED; 18];
    key[1..17].copy_from_slice(function.as_bytes());
    key[17] = kind as u8;
    key
}

/// One for each kind.
pub(super) fn settled_of_all(function: FunctionId) -> impl Iterator<Item = SettledOf> {
    OutcomeKind::ALL.into_iter().map(move |kind| settled_of(function, kind))
}

/// The id in a key under [`SETTLED`].
pub(super) fn settled_id(key: &SettledKey) -> InvocationId {
    let mut id = [0; 16];
    id.copy_from_slice(&key[26..]);
    InvocationId::from_bytes(id)
}

pub(super) fn idempotency(of: IdempotencyKey) -> Vec<u8> {
    key(KEY, &[of.function.as_bytes(), of.digest.as_bytes()])
}

pub(super) fn key_end(until: Timestamp, of: IdempotencyKey) -> Vec<u8> {
    key(KEY_END, &[&until.as_ms().to_be_bytes(), of.function.as_bytes(), of.digest.as_bytes()])
}

/// What the keys of all secrets of a namespace start with.
pub(super) fn secrets_of(namespace: &Namespace) -> Vec<u8> {
    let namespace = namespace.as_str().as_bytes();
    let length = u8::try_from(namespace.len()).expect("a namespace has at most 63 bytes");
    key(SECRET, &[&[length], namespace])
}

pub(super) fn secret(namespace: &Namespace, name: &SecretName) -> Vec<u8> {
    [&secrets_of(namespace), name.as_str().as_bytes()].concat()
}

/// What the keys of all pairs of a store start with, under one of the two tags that pairs have.
pub(super) fn pairs_of(tag: u8, store: &PairStore) -> Vec<u8> {
    // Neither name has a slash, so no two stores are written alike.
    let digest = Sha256::digest(format!("{}/{}", store.namespace, store.name));
    key(tag, &[&digest[..STORE_BYTES]])
}

pub(super) fn pair(tag: u8, store: &PairStore, of: &str) -> Vec<u8> {
    [&pairs_of(tag, store)[..], &Sha256::digest(of)].concat()
}

/// The key of a pair's value, from that of the pair itself, and the other way round.
pub(super) fn other_of_pair(key: &[u8]) -> Vec<u8> {
    let mut other = key.to_vec();
    if let Some(tag) = other.first_mut() {
        *tag = if *tag == PAIR { PAIR_VALUE } else { PAIR };
    }
    other
}

pub(super) fn document(of: &DocumentKey) -> Vec<u8> {
    document_from(of.table, of.key())
}

/// The first key of a table that is `from` or behind it.
pub(super) fn document_from(table: Table, from: &[u8]) -> Vec<u8> {
    key(DOCUMENT, &[&[table as u8], from])
}

/// What stands behind everything of a table.
pub(super) fn behind_documents(table: Table) -> Vec<u8> {
    key(DOCUMENT, &[&[table as u8 + 1]])
}

/// The key in a key under [`DOCUMENT`].
pub(super) fn read_document(key: &[u8]) -> Option<DocumentKey> {
    let (table, key) = key.strip_prefix(&[DOCUMENT])?.split_first()?;
    DocumentKey::read(Table::of_number(*table)?, key)
}

pub(super) fn counts(function: FunctionId) -> Vec<u8> {
    key(COUNTS, &[function.as_bytes()])
}

pub(super) fn segment(number: u32) -> Vec<u8> {
    key(SEGMENT, &[&number.to_be_bytes()])
}

/// The first key of a tag that is at `instant` or later, where a time comes first.
pub(super) fn from_time(tag: u8, instant: Timestamp) -> Vec<u8> {
    key(tag, &[&instant.as_ms().to_be_bytes()])
}

pub(super) fn lane_bytes(lane: Lane) -> [u8; LANE_BYTES] {
    let mut bytes = [0; LANE_BYTES];
    bytes[..16].copy_from_slice(lane.function.as_bytes());
    bytes[16..20].copy_from_slice(&lane.version.map_or(0, VersionNumber::get).to_be_bytes());
    bytes[20] = lane.priority as u8;
    bytes
}

pub(super) fn read_lane(bytes: &[u8]) -> Option<Lane> {
    let (function, rest) = bytes.split_first_chunk()?;
    let (version, priority) = rest.split_first_chunk()?;
    let [priority] = priority else { return None };
    Some(Lane {
        function: FunctionId::from_bytes(*function),
        version: VersionNumber::new(u32::from_be_bytes(*version)),
        priority: *Priority::ALL.get(usize::from(*priority))?,
    })
}

/// The id in a key under [`FUNCTION`].
pub(super) fn read_function(key: &[u8]) -> Option<FunctionId> {
    key.strip_prefix(&[FUNCTION])?.try_into().ok().map(FunctionId::from_bytes)
}

/// The id and number in a key under [`VERSION`].
pub(super) fn read_version(key: &[u8]) -> Option<(FunctionId, VersionNumber)> {
    let (id, number) = key.strip_prefix(&[VERSION])?.split_first_chunk()?;
    let number = u32::from_be_bytes(number.try_into().ok()?);
    Some((FunctionId::from_bytes(*id), VersionNumber::new(number)?))
}

/// The id in a key under [`LIVE`] or [`DONE`].
pub(super) fn read_invocation(key: &[u8]) -> Option<InvocationId> {
    let (LIVE | DONE, id) = key.split_first().map(|(tag, id)| (*tag, id))? else { return None };
    id.try_into().ok().map(InvocationId::from_bytes)
}

/// The place in a key under [`TIME`].
pub(super) fn read_time(key: &[u8]) -> Option<Cursor> {
    read_at(TIME, key).map(|(at, id)| Cursor(at, id))
}

/// The time and the id in a key under [`EXPIRY`].
pub(super) fn read_expiry(key: &[u8]) -> Option<(Timestamp, InvocationId)> {
    read_at(EXPIRY, key)
}

/// The lane and the turn in a key under [`WAITING`].
pub(super) fn read_waiting(key: &[u8]) -> Option<(Lane, Turn)> {
    let (lane, turn) = key.strip_prefix(&[WAITING])?.split_at_checked(LANE_BYTES)?;
    Some((read_lane(lane)?, read_turn(turn)?))
}

/// The time and the id in a key under [`SETTLED`].
pub(super) fn read_settled(key: &[u8]) -> Option<(Timestamp, InvocationId)> {
    read_turn(key.strip_prefix(&[SETTLED])?.get(17..)?)
}

/// The key in a key under [`KEY_END`].
pub(super) fn read_key_end(key: &[u8]) -> Option<IdempotencyKey> {
    let (function, digest) = key.strip_prefix(&[KEY_END])?.get(8..)?.split_first_chunk()?;
    Some(IdempotencyKey {
        function: FunctionId::from_bytes(*function),
        digest: Digest::from_bytes(digest.try_into().ok()?),
    })
}

/// The id in a meta under [`COUNTS`].
pub(super) fn read_counts(key: &[u8]) -> Option<FunctionId> {
    key.strip_prefix(&[COUNTS])?.try_into().ok().map(FunctionId::from_bytes)
}

/// The number in a meta under [`SEGMENT`].
pub(super) fn read_segment(key: &[u8]) -> Option<u32> {
    key.strip_prefix(&[SEGMENT])?.try_into().ok().map(u32::from_be_bytes)
}

fn read_at(tag: u8, key: &[u8]) -> Option<(Timestamp, InvocationId)> {
    read_turn(key.strip_prefix(&[tag])?)
}

fn read_turn(bytes: &[u8]) -> Option<(Timestamp, InvocationId)> {
    let (ms, id) = bytes.split_first_chunk()?;
    Some((Timestamp::from_ms(u64::from_be_bytes(*ms)), InvocationId::from_bytes(id.try_into().ok()?)))
}

fn key(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(tag);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> InvocationId {
        InvocationId::from_bytes([byte; 16])
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn some_lane(version: u32, priority: Priority) -> Lane {
        Lane { function: FunctionId::from_bytes([9; 16]), version: VersionNumber::new(version), priority }
    }

    #[test]
    fn keys_are_read_back() {
        let function_id = FunctionId::from_bytes([9; 16]);
        let number = VersionNumber::new(0x0102).unwrap();
        let lane = some_lane(7, Priority::Low);
        let used = IdempotencyKey { function: function_id, digest: Digest::from_bytes([3; 32]) };
        assert_eq!(read_function(&function(function_id)), Some(function_id));
        assert_eq!(read_version(&version(function_id, number)), Some((function_id, number)));
        assert_eq!(read_invocation(&live(id(1))), Some(id(1)));
        assert_eq!(read_invocation(&done(id(1))), Some(id(1)));
        assert_eq!(read_time(&time(Cursor(at(77), id(1)))), Some(Cursor(at(77), id(1))));
        assert_eq!(read_waiting(&waiting(lane, (at(5), id(2)))), Some((lane, (at(5), id(2)))));
        assert_eq!(read_expiry(&[from_time(EXPIRY, at(5)), vec![2; 16]].concat()), Some((at(5), id(2))));
        let settled = [settled_from(function_id, OutcomeKind::Expired, at(8)), vec![2; 16]].concat();
        assert_eq!(read_settled(&settled), Some((at(8), id(2))));
        assert_eq!(read_key_end(&key_end(at(8), used)), Some(used));
        assert_eq!(read_counts(&counts(function_id)), Some(function_id));
        assert_eq!(read_segment(&segment(7)), Some(7));
    }

    #[test]
    fn a_key_that_is_none_of_the_table_is_not_read() {
        for key in [&b""[..], b"q", b"t1234567", b"tooshort", b"x0123456789abcdef", b"v0123456789abcdef\0\0\0\0"] {
            assert_eq!(read_function(key), None);
            assert_eq!(read_version(key), None);
            assert_eq!(read_invocation(key), None);
            assert_eq!(read_time(key), None);
            assert_eq!(read_waiting(key), None);
            assert_eq!(read_expiry(key), None);
            assert_eq!(read_settled(key), None);
            assert_eq!(read_key_end(key), None);
        }
    }

    #[test]
    fn a_lane_sorts_by_due_time_and_then_by_id_and_lies_apart_from_others() {
        let turn = |ms, n| waiting(some_lane(2, Priority::Normal), (at(ms), id(n)));
        let keys = [
            waiting(some_lane(2, Priority::High), (at(u64::MAX), id(255))),
            lane(some_lane(2, Priority::Normal)),
            turn(255, 1),
            turn(255, 2),
            turn(256, 0),
            lane(some_lane(2, Priority::Low)),
            lane(some_lane(3, Priority::High)),
        ];
        assert!(keys.is_sorted());
    }
}
