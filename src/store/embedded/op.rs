//! One group as the journal keeps it: the values first, then what they are for. Replay needs nothing else: each
//! change says what was there before, so counts and rows come out the same however far the index had come.
//!
//! | part of a frame | what it is                                               |
//! | --------------- | -------------------------------------------------------- |
//! | values          | as the journal lays them, each with its own header       |
//! | changes         | one after the other, see [`Op::write`]                   |
//! | 4 bytes         | length of the changes, big-endian                        |

use super::entry::{Entry, take};
use crate::model::names::InvocationId;
use crate::store::journal::{FrameWriter, Span};

/// A change as it took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one, and a box for each would cost more")]
pub(super) enum Op {
    /// An invocation came, moved or went.
    Invocation { id: InvocationId, net: Net<Entry> },
    /// The record of a function or a version came, was replaced or went.
    Record { key: Vec<u8>, net: Net<Span> },
    /// A row that points to nothing was written or removed.
    Row { key: Vec<u8>, value: Option<Vec<u8>> },
}

/// What was there before and what is there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net<T> {
    pub(super) before: Option<T>,
    pub(super) now: Option<T>,
}

const INVOCATION: u8 = 1;
const RECORD: u8 = 2;
const ROW: u8 = 3;

/// Writes changes behind the values of a frame.
pub(super) fn write_all(ops: &[Op], buffer: &mut Vec<u8>, frame: &mut FrameWriter<'_>) {
    buffer.clear();
    for op in ops {
        op.write(buffer);
    }
    let length = u32::try_from(buffer.len()).expect("a group is smaller than a segment");
    frame.bytes(buffer);
    frame.bytes(&length.to_be_bytes());
}

/// The changes of a frame; `None` when it is none of ours.
pub(super) fn read_all(frame: &[u8]) -> Option<Vec<Op>> {
    let (rest, length) = frame.split_last_chunk()?;
    let start = rest.len().checked_sub(u32::from_be_bytes(*length) as usize)?;
    let mut changes = &rest[start..];
    let mut ops = Vec::new();
    while !changes.is_empty() {
        ops.push(Op::read(&mut changes)?);
    }
    Some(ops)
}

impl Op {
    /// | kind | then |
    /// | --- | --- |
    /// | 1 | id, 16; flags: 1 there was an entry, 2 there is one; those entries |
    /// | 2 | key, 1 + n; flags as above; those spans, 12 each |
    /// | 3 | key, 1 + n; flag: 2 there is a value; the value, 1 + n |
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Invocation { id, net } => {
                bytes.push(INVOCATION);
                bytes.extend(id.as_bytes());
                bytes.push(net.flags());
                net.both().for_each(|entry| entry.write(bytes));
            }
            Self::Record { key, net } => {
                bytes.push(RECORD);
                write_short(key, bytes);
                bytes.push(net.flags());
                net.both().for_each(|span| bytes.extend(span.to_bytes()));
            }
            Self::Row { key, value } => {
                bytes.push(ROW);
                write_short(key, bytes);
                bytes.push(if value.is_some() { 2 } else { 0 });
                if let Some(value) = value {
                    write_short(value, bytes);
                }
            }
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let [kind] = take(bytes)?;
        match kind {
            INVOCATION => {
                let id = InvocationId::from_bytes(take(bytes)?);
                Some(Self::Invocation { id, net: Net::read(bytes, Entry::take)? })
            }
            RECORD => {
                let key = read_short(bytes)?;
                Some(Self::Record { key, net: Net::read(bytes, |bytes| take(bytes).map(Span::from_bytes))? })
            }
            ROW => {
                let key = read_short(bytes)?;
                let [flags] = take(bytes)?;
                let value = if flags & 2 == 0 { None } else { Some(read_short(bytes)?) };
                Some(Self::Row { key, value })
            }
            _ => None,
        }
    }
}

impl<T: Copy> Net<T> {
    fn both(&self) -> impl Iterator<Item = T> {
        self.before.into_iter().chain(self.now)
    }

    fn flags(&self) -> u8 {
        u8::from(self.before.is_some()) | (u8::from(self.now.is_some()) << 1)
    }

    fn read(bytes: &mut &[u8], one: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Self> {
        let [flags] = take(bytes)?;
        let before = if flags & 1 == 0 { None } else { Some(one(bytes)?) };
        let now = if flags & 2 == 0 { None } else { Some(one(bytes)?) };
        Some(Self { before, now })
    }
}

/// Bytes with their length before them, at most 255: keys and values of rows are.
fn write_short(short: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(u8::try_from(short.len()).expect("rows are small"));
    bytes.extend_from_slice(short);
}

fn read_short(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let [length] = take(bytes)?;
    let (short, rest) = bytes.split_at_checked(usize::from(length))?;
    *bytes = rest;
    Some(short.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::invocation::Mode;
    use crate::model::names::FunctionId;
    use crate::model::outcome::OutcomeKind;
    use crate::model::time::Timestamp;
    use crate::store::embedded::entry::{Facts, Standing};

    #[test]
    fn changes_are_read_back_from_behind_the_values_of_a_frame() {
        let span = Span { segment: 1, offset: 2, bytes: 3 };
        let facts = Facts {
            function: FunctionId::from_bytes([7; 16]),
            accepted: Timestamp::from_ms(5),
            mode: Mode::Sync,
            standing: Standing::Done { kind: OutcomeKind::Failed, at: Timestamp::from_ms(9) },
        };
        let entry = Entry { record: span, parts: [None, Some(span), None], facts };
        let ops = [
            Op::Invocation { id: InvocationId::from_bytes([1; 16]), net: Net { before: None, now: Some(entry) } },
            Op::Invocation { id: InvocationId::from_bytes([2; 16]), net: Net { before: Some(entry), now: None } },
            Op::Record { key: b"fkey".to_vec(), net: Net { before: Some(span), now: Some(span) } },
            Op::Row { key: b"kkey".to_vec(), value: Some(b"value".to_vec()) },
            Op::Row { key: b"kkey".to_vec(), value: None },
        ];
        let mut changes = Vec::new();
        for op in &ops {
            op.write(&mut changes);
        }
        let length = u32::try_from(changes.len()).unwrap().to_be_bytes();
        let frame = [b"values that nobody looks at", changes.as_slice(), &length].concat();
        assert_eq!(read_all(&frame).as_deref(), Some(&ops[..]));
        assert_eq!(read_all(b"\0\0\0\x09"), None);
    }
}
