//! The keys of what queues keep. Every key but a queue's own begins with the queue's id, 16 bytes, which is never used
//! again: so what is left of a queue that was deleted belongs to no other.
//!
//! | table | key after the queue's id | value | lives |
//! | --- | --- | --- | --- |
//! | `Queue` | (no id) namespace, 0, name | settings | until it is deleted |
//! | `Message` | number, 8 | the message | until it is deleted or its retention ends |
//! | `MessageOrder` | `F`, number, 8 | its flight | from its first receive on |
//! | `MessageOrder` | `R`, due in ms, 8; number, 8; bytes, 4; group, 8 | its past in other queues | until its first receive |
//! | `MessageOrder` | `T` | nothing that is read: each receive writes over it, see `receive` | as long as the queue |
//! | `Deduplication` | `d`, digest, 16 | which message was sent | 5 minutes |
//! | `Deduplication` | `t`, until in ms, 8; digest, 16 | nothing | as long as its `d` |
//! | `Deduplication` | `i`, id of a message, 16 | its number | as long as the message |
//!
//! A message is received in the order of `R`, so the head of the queue is the head of a range. Its number tells when it
//! was sent: milliseconds shifted by [`NUMBER_SHIFT`], and a count.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::model::message_queue::QueuePath;
use crate::model::time::Timestamp;
use crate::store::{DocumentKey, DocumentRange, Table};

/// Numbers of messages within one millisecond: more than anybody sends.
const NUMBER_SHIFT: u32 = 20;

/// What tells one message of a queue from the others; later ones have higher numbers.
pub(super) type Number = u64;

/// The first number that a message sent at `at` can have.
pub(super) fn number_at(at: Timestamp) -> Number {
    at.as_ms().min(u64::MAX >> NUMBER_SHIFT) << NUMBER_SHIFT
}

/// When a message of that number was sent.
pub(super) fn sent_at(number: Number) -> Timestamp {
    Timestamp::from_ms(number >> NUMBER_SHIFT)
}

/// Where a message stands that was never received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) due: Timestamp,
    pub(super) number: Number,
    pub(super) bytes: u32,
    /// Which messages it must not overtake; 0 in standard queues.
    pub(super) group: u64,
}

/// The 8 bytes that a message group is told by. Two groups that share them are one to the queue, which only keeps more order.
pub(super) fn group(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    u64::from_be_bytes(digest[..8].try_into().unwrap_or_default()).max(1)
}

pub(super) fn queue(path: &QueuePath) -> DocumentKey {
    let key = [path.namespace.as_str().as_bytes(), &[0], path.name.as_str().as_bytes()].concat();
    // A name of 80 behind a namespace of 63 does not fit a key: the digest stands for it, and the document says which.
    let key =
        if key.len() <= crate::model::bounds::MAX_DOCUMENT_KEY_BYTES { key } else { Sha256::digest(&key).to_vec() };
    DocumentKey::new(Table::Queue, key)
}

pub(super) fn queues() -> DocumentRange {
    DocumentRange::of(Table::Queue, &[])
}

fn of(table: Table, queue: Uuid, parts: &[&[u8]]) -> DocumentKey {
    DocumentKey::new(table, [&queue.as_bytes()[..], &parts.concat()].concat())
}

pub(super) fn message(queue: Uuid, number: Number) -> DocumentKey {
    of(Table::Message, queue, &[&number.to_be_bytes()])
}

/// Messages of numbers below `end`.
pub(super) fn messages_before(queue: Uuid, end: Number) -> DocumentRange {
    let to = message(queue, end).key().to_vec();
    DocumentRange { to: Some(to), ..DocumentRange::of(Table::Message, queue.as_bytes()) }
}

/// The number in the key of a message.
pub(super) fn number(key: &DocumentKey) -> Option<Number> {
    Some(u64::from_be_bytes(*key.key().last_chunk()?))
}

pub(super) fn flight(queue: Uuid, number: Number) -> DocumentKey {
    of(Table::MessageOrder, queue, &[b"F", &number.to_be_bytes()])
}

pub(super) fn flights(queue: Uuid) -> DocumentRange {
    DocumentRange::of(Table::MessageOrder, of(Table::MessageOrder, queue, &[b"F"]).key())
}

pub(super) fn tally(queue: Uuid) -> DocumentKey {
    of(Table::MessageOrder, queue, &[b"T"])
}

pub(super) fn row(queue: Uuid, row: Row) -> DocumentKey {
    let Row { due, number, bytes, group } = row;
    let parts: [&[u8]; 5] =
        [b"R", &due.as_ms().to_be_bytes(), &number.to_be_bytes(), &bytes.to_be_bytes(), &group.to_be_bytes()];
    of(Table::MessageOrder, queue, &parts)
}

pub(super) fn rows(queue: Uuid) -> DocumentRange {
    DocumentRange::of(Table::MessageOrder, of(Table::MessageOrder, queue, &[b"R"]).key())
}

/// Rows from this one on.
pub(super) fn rows_from(queue: Uuid, first: Row) -> DocumentRange {
    DocumentRange { from: row(queue, first).key().to_vec(), ..rows(queue) }
}

/// Reads what [`row`] writes.
pub(super) fn read_row(key: &DocumentKey) -> Option<Row> {
    let rest = key.key().get(17..)?;
    let number = |from: usize| Some(u64::from_be_bytes(rest.get(from..from + 8)?.try_into().ok()?));
    let bytes = u32::from_be_bytes(rest.get(16..20)?.try_into().ok()?);
    Some(Row { due: Timestamp::from_ms(number(0)?), number: number(8)?, bytes, group: number(20)? })
}

/// The first 16 bytes of a digest: what a deduplication id is kept as.
pub(super) type DeduplicationDigest = [u8; 16];

/// What is kept of a deduplication id.
pub(super) fn deduplication_digest(deduplication: &str) -> DeduplicationDigest {
    let digest = Sha256::digest(deduplication.as_bytes());
    digest[..16].try_into().unwrap_or_default()
}

pub(super) fn deduplication(queue: Uuid, digest: &DeduplicationDigest) -> DocumentKey {
    of(Table::Deduplication, queue, &[b"d", digest])
}

pub(super) fn deduplication_end(queue: Uuid, until: Timestamp, digest: &DeduplicationDigest) -> DocumentKey {
    of(Table::Deduplication, queue, &[b"t", &until.as_ms().to_be_bytes(), digest])
}

/// Deduplication ids of `queue` whose time ended before `now`.
pub(super) fn deduplications_over(queue: Uuid, now: Timestamp) -> DocumentRange {
    let from = of(Table::Deduplication, queue, &[b"t"]);
    let to = of(Table::Deduplication, queue, &[b"t", &now.as_ms().to_be_bytes()]);
    DocumentRange { to: Some(to.key().to_vec()), ..DocumentRange::of(Table::Deduplication, from.key()) }
}

/// The digest in the key of a deduplication's end.
pub(super) fn read_deduplication_digest(key: &DocumentKey) -> Option<DeduplicationDigest> {
    key.key().last_chunk().copied()
}

pub(super) fn named(queue: Uuid, id: Uuid) -> DocumentKey {
    of(Table::Deduplication, queue, &[b"i", id.as_bytes()])
}

/// The queue that a key of any table but `Queue` belongs to.
pub(super) fn owner(key: &DocumentKey) -> Option<Uuid> {
    key.key().first_chunk().map(|id| Uuid::from_bytes(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written_and_stands_in_the_order_of_its_time() {
        let id = Uuid::from_u128(7);
        let at = |due, number| Row { due: Timestamp::from_ms(due), number, bytes: 70_000, group: group("g") };
        for written in [at(0, 1), at(u64::MAX, u64::MAX), at(1, 0)] {
            assert_eq!(read_row(&row(id, written)), Some(written));
        }
        assert!(row(id, at(1, 9)) < row(id, at(2, 3)) && row(id, at(2, 3)) < row(id, at(2, 4)));
        assert!(flight(id, u64::MAX) < row(id, at(0, 0)));
    }

    #[test]
    fn a_number_tells_when_its_message_was_sent() {
        let at = Timestamp::from_ms(1_790_000_000_123);
        assert_eq!(sent_at(number_at(at)), at);
        assert_eq!(sent_at(number_at(at) + 999), at);
    }

    #[test]
    fn the_longest_names_have_keys_of_their_own() {
        let path = |name: &str| QueuePath { namespace: "n".repeat(63).parse().unwrap(), name: name.parse().unwrap() };
        assert_ne!(queue(&path(&"a".repeat(80))), queue(&path(&"b".repeat(80))));
    }
}
