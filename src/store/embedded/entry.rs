//! What the index says of one invocation: where its record and its parts stand in the journal, and as much of its
//! state as the rows of the index are made of. Only the form: what moves an entry is decided in `stage`.

use crate::model::invocation::{Invocation, Mode, State};
use crate::model::names::{FunctionId, InvocationId, VersionNumber};
use crate::model::outcome::OutcomeKind;
use crate::model::place::{Lane, Priority};
use crate::model::time::Timestamp;
use crate::store::counts::Counted;
use crate::store::journal::Span;
use crate::store::{Part, keys};

/// An invocation as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its record stands.
    pub(super) record: Span,
    /// Where its parts stand, in the order of [`Part::ALL`].
    pub(super) parts: [Option<Span>; 3],
    /// What of its state the rows are made of.
    pub(super) facts: Facts,
}

/// As much of an invocation as the rows of the index are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) function: FunctionId,
    pub(super) accepted: Timestamp,
    pub(super) mode: Mode,
    pub(super) standing: Standing,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In the queue, or running.
    Waiting {
        version: Option<VersionNumber>,
        priority: Priority,
        due: Timestamp,
        expires: Timestamp,
        payload_bytes: u64,
    },
    /// Settled, and its record is on the way out.
    Delivering { kind: OutcomeKind },
    /// Settled.
    Done { kind: OutcomeKind, at: Timestamp },
}

impl Facts {
    pub(super) fn of(invocation: &Invocation) -> Self {
        let standing = match (&invocation.state, invocation.place()) {
            (State::Done { outcome, at, .. }, _) => {
                let (kind, at) = invocation.kept_as().unwrap_or((outcome.kind(), *at));
                Standing::Done { kind, at }
            }
            (State::Delivering { outcome, .. }, _) => Standing::Delivering { kind: outcome.kind() },
            (_, place) => {
                let Lane { version, priority, .. } = place.map_or_else(|| lane_of(invocation), |place| place.lane);
                Standing::Waiting {
                    version,
                    priority,
                    due: place.map_or(invocation.first_due, |place| place.due),
                    expires: invocation.expires(),
                    payload_bytes: invocation.request.payload.bytes,
                }
            }
        };
        let Invocation { accepted, mode, .. } = *invocation;
        Self { function: invocation.target.function, accepted, mode, standing }
    }
}

fn lane_of(invocation: &Invocation) -> Lane {
    let target = &invocation.target;
    Lane { function: target.function, version: target.version, priority: invocation.priority }
}

/// The index of a part in [`Entry::parts`].
pub(super) fn part_index(part: Part) -> usize {
    match part {
        Part::Payload => 0,
        Part::Result => 1,
        Part::Log => 2,
    }
}

impl Entry {
    /// Everything of it that stands in the journal.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        std::iter::once(self.record).chain(self.parts.into_iter().flatten())
    }

    /// Bytes of all that is kept of it.
    pub(super) fn bytes(&self) -> u64 {
        self.spans().map(|span| u64::from(span.bytes)).sum()
    }

    pub(super) fn counted(&self) -> Option<Counted> {
        match (self.facts.standing, self.facts.mode) {
            (Standing::Delivering { kind } | Standing::Done { kind, .. }, _) => {
                Some(Counted::Settled { kind, bytes: self.bytes() })
            }
            (Standing::Waiting { payload_bytes, .. }, Mode::Async) => Some(Counted::Live { payload_bytes }),
            (Standing::Waiting { .. }, Mode::Sync) => None,
        }
    }

    /// The row of it under a tag of the index, where it has one.
    pub(super) fn row(&self, id: InvocationId, tag: u8) -> Option<Row> {
        let mut key = Vec::with_capacity(keys::key_bytes(tag));
        self.key(id, tag, &mut key).then(|| {
            let mut value = Vec::new();
            self.value(tag, &mut value);
            (key, value)
        })
    }

    /// The key of the row under [`keys::SETTLED`], where it has one.
    pub(super) fn settled_key(&self, id: InvocationId) -> Option<keys::SettledKey> {
        let Standing::Done { kind, at } = self.facts.standing else { return None };
        Some(keys::settled(self.facts.function, kind, at, id))
    }

    /// Writes the key of that row in place of what `key` holds. `false` where there is no such row.
    pub(super) fn key(&self, id: InvocationId, tag: u8, key: &mut Vec<u8>) -> bool {
        let Facts { function, accepted, standing, .. } = self.facts;
        key.clear();
        key.push(tag);
        match (tag, standing) {
            (keys::LIVE, Standing::Waiting { .. } | Standing::Delivering { .. })
            | (keys::DONE, Standing::Done { .. }) => (),
            (keys::TIME, _) if id.time() != Some(accepted) => key.extend(accepted.as_ms().to_be_bytes()),
            (keys::WAITING, Standing::Waiting { version, priority, due, .. }) => {
                key.extend(keys::lane_bytes(Lane { function, version, priority }));
                key.extend(due.as_ms().to_be_bytes());
            }
            (keys::EXPIRY, Standing::Waiting { expires, .. }) => key.extend(expires.as_ms().to_be_bytes()),
            (keys::SETTLED, Standing::Done { kind, at }) => {
                key.clear();
                key.extend(keys::settled(function, kind, at, id));
                return true;
            }
            _ => return false,
        }
        key.extend(id.as_bytes());
        true
    }

    /// Writes the value of the row under a tag in place of what `value` holds.
    pub(super) fn value(&self, tag: u8, value: &mut Vec<u8>) {
        let function = self.facts.function;
        value.clear();
        match (tag, self.facts.standing) {
            (keys::TIME, _) => value.extend_from_slice(function.as_bytes()),
            (keys::WAITING, Standing::Waiting { expires, .. }) => value.extend(expires.as_ms().to_be_bytes()),
            (keys::EXPIRY, Standing::Waiting { version, priority, due, .. }) => {
                value.extend(keys::lane_bytes(Lane { function, version, priority }));
                value.extend(due.as_ms().to_be_bytes());
            }
            (keys::SETTLED, _) => value.extend(self.bytes().to_be_bytes()),
            _ => self.write(value),
        }
    }

    /// The tags under which an invocation can have rows, in order.
    pub(super) const TAGS: [u8; 6] = [keys::DONE, keys::LIVE, keys::SETTLED, keys::TIME, keys::WAITING, keys::EXPIRY];

    /// | bytes | what |
    /// | --- | --- |
    /// | 1 | standing: 0 waiting, 1 delivering, 2 done; +16 synchronous; +32, +64, +128: it has that part |
    /// | 12 each | spans of the record and of the parts it has |
    /// | 16, 8 | function, accepted |
    /// | 4, 1, 8, 8, 8 | waiting: version or 0, priority, due, expires, bytes of the payload |
    /// | 1 | delivering: kind |
    /// | 1, 8 | done: kind, settled |
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let standing = match self.facts.standing {
            Standing::Waiting { .. } => 0,
            Standing::Delivering { .. } => 1,
            Standing::Done { .. } => 2,
        };
        let sync = if self.facts.mode == Mode::Sync { 16 } else { 0 };
        let parts = (0..3).filter(|part| self.parts[*part].is_some()).map(|part| 32 << part).sum::<u8>();
        bytes.push(standing | sync | parts);
        self.spans().for_each(|span| bytes.extend(span.to_bytes()));
        bytes.extend(self.facts.function.as_bytes());
        bytes.extend(self.facts.accepted.as_ms().to_be_bytes());
        match self.facts.standing {
            Standing::Waiting { version, priority, due, expires, payload_bytes } => {
                bytes.extend(version.map_or(0, VersionNumber::get).to_be_bytes());
                bytes.push(priority as u8);
                for number in [due.as_ms(), expires.as_ms(), payload_bytes] {
                    bytes.extend(number.to_be_bytes());
                }
            }
            Standing::Delivering { kind } => bytes.push(kind as u8),
            Standing::Done { kind, at } => {
                bytes.push(kind as u8);
                bytes.extend(at.as_ms().to_be_bytes());
            }
        }
    }

    /// The entry as the value of a row.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        self.write(&mut bytes);
        bytes
    }

    /// `None` when the bytes are no entry.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let entry = Self::take(&mut rest)?;
        rest.is_empty().then_some(entry)
    }

    /// Reads an entry off the front of `bytes`.
    pub(super) fn take(bytes: &mut &[u8]) -> Option<Self> {
        let [flags] = take(bytes)?;
        let record = Span::from_bytes(take(bytes)?);
        let mut parts = [None; 3];
        for (index, part) in parts.iter_mut().enumerate() {
            if flags & (32 << index) != 0 {
                *part = Some(Span::from_bytes(take(bytes)?));
            }
        }
        let function = FunctionId::from_bytes(take(bytes)?);
        let accepted = time(bytes)?;
        let standing = match flags & 15 {
            0 => Standing::Waiting {
                version: VersionNumber::new(u32::from_be_bytes(take(bytes)?)),
                priority: *Priority::ALL.get(usize::from(take::<1>(bytes)?[0]))?,
                due: time(bytes)?,
                expires: time(bytes)?,
                payload_bytes: u64::from_be_bytes(take(bytes)?),
            },
            1 => Standing::Delivering { kind: kind(bytes)? },
            2 => Standing::Done { kind: kind(bytes)?, at: time(bytes)? },
            _ => return None,
        };
        let mode = if flags & 16 == 0 { Mode::Async } else { Mode::Sync };
        Some(Self { record, parts, facts: Facts { function, accepted, mode, standing } })
    }
}

/// A row of the index: key and value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// The next bytes, taken off the front.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn time(bytes: &mut &[u8]) -> Option<Timestamp> {
    take(bytes).map(u64::from_be_bytes).map(Timestamp::from_ms)
}

fn kind(bytes: &mut &[u8]) -> Option<OutcomeKind> {
    OutcomeKind::ALL.get(usize::from(take::<1>(bytes)?[0])).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(standing: Standing, parts: [Option<Span>; 3]) -> Entry {
        let span = Span { segment: 1, offset: 2, bytes: 3 };
        let (function, accepted) = (FunctionId::from_bytes([7; 16]), Timestamp::from_ms(5));
        Entry { record: span, parts, facts: Facts { function, accepted, mode: Mode::Async, standing } }
    }

    fn waiting() -> Standing {
        let at = Timestamp::from_ms;
        let (version, priority) = (VersionNumber::new(9), Priority::Low);
        Standing::Waiting { version, priority, due: at(6), expires: at(7), payload_bytes: 8 }
    }

    #[test]
    fn an_entry_is_read_back_and_fits_a_row() {
        let span = Some(Span { segment: u32::MAX, offset: 5, bytes: 9 });
        let done = Standing::Done { kind: OutcomeKind::Cancelled, at: Timestamp::from_ms(9) };
        for standing in [waiting(), Standing::Delivering { kind: OutcomeKind::Failed }, done] {
            for parts in [[None; 3], [span; 3], [None, span, None], [span, None, span]] {
                let entry = entry(standing, parts);
                assert_eq!(Entry::read(&entry.to_bytes()), Some(entry));
                assert!(entry.to_bytes().len() < 128);
            }
        }
    }

    #[test]
    fn what_is_no_entry_is_not_read() {
        let whole = entry(waiting(), [None; 3]).to_bytes();
        assert_eq!(Entry::read(&whole[1..]), None);
        assert_eq!(Entry::read(&[whole.as_slice(), b"x"].concat()), None);
        for end in 0..whole.len() {
            assert_eq!(Entry::read(&whole[..end]), None);
        }
    }

    #[test]
    fn an_invocation_has_rows_for_where_it_stands_and_no_others() {
        let id = InvocationId::from_bytes([1; 16]);
        let tags =
            |entry: Entry| Entry::TAGS.into_iter().filter(|tag| entry.row(id, *tag).is_some()).collect::<Vec<_>>();
        assert_eq!(tags(entry(waiting(), [None; 3])), *b"qtwx");
        let done = Standing::Done { kind: OutcomeKind::Failed, at: Timestamp::from_ms(9) };
        assert_eq!(tags(entry(done, [None; 3])), *b"drt");
        let new = InvocationId::new(Timestamp::from_ms(5), [1; 10]);
        assert!(entry(waiting(), [None; 3]).row(new, keys::TIME).is_none(), "its id tells the time");
    }
}
