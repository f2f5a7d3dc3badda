//! The key table of the embedded store: which keys there are, how they sort and what stands behind them.
//! Knows no database and no record's inside.
//!
//! One tree. A key is its tag, one byte, and what the table says, numbers in big-endian so that keys sort like
//! what they name. A tag is never used again for something else.
//!
//! | tag | key after the tag                       | value                | lives                               |
//! | --- | --------------------------------------- | -------------------- | ----------------------------------- |
//! | `m` | name                                    | by name              | as long as the store                |
//! | `f` | function id, 16                         | [`Function`]         | until the function is removed       |
//! | `v` | function id, 16; number, 4              | [`Version`]          | until the function is removed       |
//! | `q` | invocation id, 16                       | [`Invocation`]       | until it is `Done`                  |
//! | `d` | invocation id, 16                       | [`Invocation`]       | until retention ends or it is redelivered |
//! | `t` | accepted, ms, 8; invocation id, 16      | function id, 16      | as long as the invocation           |
//! | `p` | invocation id, 16; part, 1              | bytes                | as long as the invocation           |
//!
//! An invocation stands under exactly one of `q` and `d`: the commit that writes one removes the other. Its
//! time of acceptance and its function never change, so its `t` is written once. `m` has one name, `format`:
//! the version of this table as a number of four bytes.
//!
//! [`Function`]: crate::model::function::Function
//! [`Invocation`]: crate::model::invocation::Invocation
//! [`Version`]: crate::model::function::Version

use crate::model::names::{FunctionId, InvocationId, VersionNumber};
use crate::model::time::Timestamp;

use super::{Cursor, Part};

/// The version of the table; one more when a tag changes its meaning, not when one is added.
pub(super) const FORMAT: u32 = 1;
/// Where [`FORMAT`] is kept.
pub(super) const META_FORMAT: &[u8] = b"mformat";

pub(super) const FUNCTION: u8 = b'f';
pub(super) const VERSION: u8 = b'v';
pub(super) const LIVE: u8 = b'q';
pub(super) const DONE: u8 = b'd';
pub(super) const TIME: u8 = b't';
pub(super) const PART: u8 = b'p';

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

/// Before every entry accepted at `instant` or later, behind all earlier ones.
pub(super) fn time_from(instant: Timestamp) -> Vec<u8> {
    key(TIME, &[&instant.as_ms().to_be_bytes()])
}

/// Behind every entry of the time index.
pub(super) fn time_end() -> Vec<u8> {
    vec![TIME + 1]
}

pub(super) fn part(id: InvocationId, part: Part) -> Vec<u8> {
    let byte = match part {
        Part::Payload => 1,
        Part::Result => 2,
        Part::Log => 3,
    };
    key(PART, &[id.as_bytes(), &[byte]])
}

/// The id in a key under [`FUNCTION`]; `None` when it is no such key.
pub(super) fn read_function(key: &[u8]) -> Option<FunctionId> {
    let id = key.strip_prefix(&[FUNCTION])?;
    id.try_into().ok().map(FunctionId::from_bytes)
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
    let (ms, id) = key.strip_prefix(&[TIME])?.split_first_chunk()?;
    let id = InvocationId::from_bytes(id.try_into().ok()?);
    Some(Cursor(Timestamp::from_ms(u64::from_be_bytes(*ms)), id))
}

fn key(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[tag], parts.concat().as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> InvocationId {
        InvocationId::from_bytes([byte; 16])
    }

    #[test]
    fn keys_are_read_back() {
        let function_id = FunctionId::from_bytes([9; 16]);
        let number = VersionNumber::new(0x0102).unwrap();
        let cursor = Cursor(Timestamp::from_ms(77), id(1));
        assert_eq!(read_function(&function(function_id)), Some(function_id));
        assert_eq!(read_version(&version(function_id, number)), Some((function_id, number)));
        assert_eq!(read_invocation(&live(id(1))), Some(id(1)));
        assert_eq!(read_invocation(&done(id(1))), Some(id(1)));
        assert_eq!(read_time(&time(cursor)), Some(cursor));
    }

    #[test]
    fn a_key_that_is_none_of_the_table_is_not_read() {
        for key in [&b""[..], b"q", b"t1234567", b"tooshort", b"x0123456789abcdef", b"v0123456789abcdef\0\0\0\0"] {
            assert_eq!(read_function(key), None);
            assert_eq!(read_version(key), None);
            assert_eq!(read_invocation(key), None);
            assert_eq!(read_time(key), None);
        }
    }

    #[test]
    fn the_time_index_sorts_by_time_and_then_by_id() {
        let at = Timestamp::from_ms;
        let keys = [
            time_from(at(255)),
            time(Cursor(at(255), id(1))),
            time(Cursor(at(255), id(2))),
            time_from(at(256)),
            time(Cursor(at(256), id(0))),
            time(Cursor(at(u64::MAX), id(255))),
            time_end(),
        ];
        assert!(keys.is_sorted());
    }
}
