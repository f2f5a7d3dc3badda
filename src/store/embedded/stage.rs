//! Turns the changes of one group into values in a frame and into what they change. Decides what each change
//! means, given what is there; knows no thread and no file.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::change::Prepared;
use super::entry::{Entry, Facts, Standing, part_index};
use super::op::{Net, Op};
use super::window::ById;
use crate::model::names::{FunctionId, InvocationId};
use crate::store::journal::{FrameWriter, Span};
use crate::store::{IdempotencyKey, KeyUse, StoreError, keys};

/// An attempt that begins: nothing but the state of one invocation that is there.
pub(super) type Claim = (InvocationId, Entry);

/// What is there before a group: everything that was committed, and the groups in front of it.
pub(super) trait Before {
    fn entry(&self, id: InvocationId) -> Result<Option<Entry>, StoreError>;
    fn record(&self, key: &[u8]) -> Result<Option<Span>, StoreError>;
    /// The keys of the versions of a function.
    fn versions(&self, function: FunctionId) -> Result<Vec<Vec<u8>>, StoreError>;
    fn key(&self, key: IdempotencyKey) -> Result<Option<KeyUse>, StoreError>;
}

/// Writes the values of a group into a frame, and adds to `ops` what it changes.
pub(super) fn stage(
    changes: &[Prepared],
    before: &impl Before,
    frame: &mut FrameWriter<'_>,
    ops: &mut Vec<Op>,
) -> Result<(), StoreError> {
    let mut staging = Staging {
        before,
        invocations: Vec::with_capacity(1),
        places: HashMap::default(),
        records: BTreeMap::new(),
        rows: Vec::new(),
    };
    changes.iter().try_for_each(|change| staging.take(change, frame))?;
    staging.finish(ops);
    Ok(())
}

/// So many invocations are found by looking through them.
const FEW: usize = 8;

/// A group so far.
struct Staging<'a, B> {
    before: &'a B,
    invocations: Vec<(InvocationId, Draft)>,
    /// Where each of them stands there, once they are more than [`FEW`]: a group of retention's has a thousand.
    places: HashMap<InvocationId, usize, ById>,
    records: BTreeMap<Vec<u8>, Net<Span>>,
    rows: Vec<Op>,
}

/// An invocation as the group so far leaves it.
struct Draft {
    before: Option<Entry>,
    record: Option<(Span, Facts)>,
    parts: [Option<Span>; 3],
}

impl<B: Before> Staging<'_, B> {
    fn take(&mut self, change: &Prepared, frame: &mut FrameWriter<'_>) -> Result<(), StoreError> {
        match change {
            Prepared::PutInvocation { id, facts, record, in_place } => {
                let draft = self.invocation(*id)?;
                if draft.record.is_some() || !in_place {
                    draft.record = Some((frame.value(record), *facts));
                }
            }
            Prepared::PutBlob { id, part, bytes } => {
                let span = frame.value(bytes);
                self.invocation(*id)?.parts[part_index(*part)] = Some(span);
            }
            Prepared::RemoveInvocation(id) => {
                let draft = self.invocation(*id)?;
                // It may have been redelivered since whoever removes it has looked.
                if draft.record.is_some_and(|(_, facts)| matches!(facts.standing, Standing::Done { .. })) {
                    (draft.record, draft.parts) = (None, [None; 3]);
                }
            }
            Prepared::PutRecord { key, record } => {
                let span = frame.value(record);
                self.record(key)?.now = Some(span);
            }
            Prepared::RemoveRecord(key) => self.record(key)?.now = None,
            Prepared::PutPair { key, record, value } => {
                let span = frame.value(record);
                self.record(key)?.now = Some(span);
                let span = frame.value(value);
                self.record(&keys::other_of_pair(key))?.now = Some(span);
            }
            Prepared::RemovePair(key) => {
                self.record(key)?.now = None;
                self.record(&keys::other_of_pair(key))?.now = None;
            }
            Prepared::RemoveFunction(id) => self.remove_function(*id)?,
            Prepared::PutKey(key, used) => self.put_key(*key, Some(used))?,
            Prepared::RemoveKey(key) => self.put_key(*key, None)?,
            Prepared::MoveInvocation { id, values } => self.move_invocation(*id, values, frame)?,
            Prepared::MoveRecord { key, from, record } => {
                if self.record(key)?.now == Some(*from) {
                    let span = frame.value(record);
                    self.record(key)?.now = Some(span);
                }
            }
        }
        Ok(())
    }

    fn invocation(&mut self, id: InvocationId) -> Result<&mut Draft, StoreError> {
        let place = match self.place(id) {
            Some(place) => place,
            None => self.add(id)?,
        };
        Ok(&mut self.invocations[place].1)
    }

    fn place(&self, id: InvocationId) -> Option<usize> {
        if self.invocations.len() <= FEW {
            return self.invocations.iter().rposition(|(known, _)| *known == id);
        }
        self.places.get(&id).copied()
    }

    /// Begins with an invocation as it is before the group.
    fn add(&mut self, id: InvocationId) -> Result<usize, StoreError> {
        let before = self.before.entry(id)?;
        let record = before.map(|entry| (entry.record, entry.facts));
        let parts = before.map_or([None; 3], |entry| entry.parts);
        let place = self.invocations.len();
        self.invocations.push((id, Draft { before, record, parts }));
        if place == FEW {
            self.places.extend((0..).zip(&self.invocations).map(|(place, (id, _))| (*id, place)));
        } else if place > FEW {
            self.places.insert(id, place);
        }
        Ok(place)
    }

    fn record(&mut self, key: &[u8]) -> Result<&mut Net<Span>, StoreError> {
        if !self.records.contains_key(key) {
            let before = self.before.record(key)?;
            self.records.insert(key.to_vec(), Net { before, now: before });
        }
        Ok(self.records.get_mut(key).expect("it was just put there"))
    }

    fn remove_function(&mut self, id: FunctionId) -> Result<(), StoreError> {
        let prefix = keys::versions_of(id);
        let mut gone = self.before.versions(id)?;
        gone.extend(self.records.keys().filter(|key| key.starts_with(&prefix)).cloned());
        gone.push(keys::function(id));
        gone.iter().try_for_each(|key| {
            self.record(key)?.now = None;
            Ok(())
        })
    }

    fn put_key(&mut self, key: IdempotencyKey, used: Option<&KeyUse>) -> Result<(), StoreError> {
        if let Some(old) = self.key(key)? {
            self.rows.push(Op::Row { key: keys::key_end(old.until, key), value: None });
        }
        self.rows.push(Op::Row { key: keys::idempotency(key), value: used.map(|used| key_use_bytes(*used)) });
        self.rows.extend(used.map(|used| Op::Row { key: keys::key_end(used.until, key), value: Some(Vec::new()) }));
        Ok(())
    }

    /// What a key is used for as the group so far leaves it.
    fn key(&self, key: IdempotencyKey) -> Result<Option<KeyUse>, StoreError> {
        let row = keys::idempotency(key);
        let put = self.rows.iter().rev().find_map(|op| match op {
            Op::Row { key, value } if *key == row => Some(value.as_deref().and_then(read_key_use)),
            _ => None,
        });
        put.map_or_else(|| self.before.key(key), Ok)
    }

    fn move_invocation(
        &mut self,
        id: InvocationId,
        values: &[(Span, Bytes)],
        frame: &mut FrameWriter<'_>,
    ) -> Result<(), StoreError> {
        let draft = self.invocation(id)?;
        for (from, bytes) in values {
            if let Some((span, _)) = &mut draft.record
                && span == from
            {
                *span = frame.value(bytes);
            }
            for part in draft.parts.iter_mut().filter(|part| **part == Some(*from)) {
                *part = Some(frame.value(bytes));
            }
        }
        Ok(())
    }

    fn finish(self, ops: &mut Vec<Op>) {
        let invocations = self.invocations.into_iter().filter_map(|(id, Draft { before, record, parts })| {
            // Bytes of an invocation that is not there belong to nobody.
            let now = record.map(|(record, facts)| Entry { record, parts, facts });
            (before != now).then_some(Op::Invocation { id, net: Net { before, now } })
        });
        let records = self.records.into_iter().filter(|(_, net)| net.before != net.now);
        let records = records.map(|(key, net)| Op::Record { key, net });
        ops.extend(invocations);
        ops.extend(records);
        ops.extend(self.rows);
    }
}

pub(super) fn key_use_bytes(used: KeyUse) -> Vec<u8> {
    [&used.id.as_bytes()[..], used.request.as_bytes(), &used.until.as_ms().to_be_bytes()].concat()
}

pub(super) fn read_key_use(bytes: &[u8]) -> Option<KeyUse> {
    let mut bytes: &[u8] = bytes;
    let id = InvocationId::from_bytes(super::entry::take(&mut bytes)?);
    let request = crate::model::names::Digest::from_bytes(super::entry::take(&mut bytes)?);
    let until = crate::model::time::Timestamp::from_ms(u64::from_be_bytes(super::entry::take(&mut bytes)?));
    bytes.is_empty().then_some(KeyUse { id, request, until })
}

/// What a group comes to when it does nothing but change an invocation that waits into one that does: an attempt that
/// begins, above all. That changes no row but the entry's own.
pub(super) fn claim(ops: &[Op]) -> Option<Claim> {
    let [Op::Invocation { id, net: Net { before: Some(before), now: Some(now) } }] = ops else { return None };
    let waits = |entry: &Entry| matches!(entry.facts.standing, Standing::Waiting { .. });
    (waits(before) && before.facts == now.facts).then_some((*id, *now))
}

fn is_kept_for_others(key: &[u8]) -> bool {
    match keys::read_document(key) {
        Some(document) => !document.table.moves_on(),
        None => matches!(key.first(), Some(&(keys::SECRET | keys::PAIR | keys::PAIR_VALUE))),
    }
}

/// Whether a group brings something new and moves nothing on that is there: such is refused when little room is left,
/// also where something goes for it. What follows from accepted work, and changes of functions (to resume a queue,
/// say), is taken while there is any.
pub(super) fn is_new_work(ops: &[Op]) -> bool {
    let was_and_is = |op: &Op| match op {
        Op::Invocation { net, .. } => (net.before.is_some(), net.now.is_some()),
        // What people and guests keep can be written over without end: that is new each time.
        Op::Record { key, net } if is_kept_for_others(key) => (false, net.now.is_some()),
        Op::Record { net, .. } => (net.before.is_some(), net.now.is_some()),
        Op::Row { .. } => (false, false),
    };
    let has = |wanted| ops.iter().map(was_and_is).any(|found| found == wanted);
    has((false, true)) && !has((true, true))
}
