//! The questions that a store answers, on threads that may block. Changes nothing; what it finds damaged it names.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::entry::{Entry, part_index};
use super::stage::Before as _;
use super::view::{View, behind, unknown_row};
use super::window::Known;
use crate::model::function::{Function, Version};
use crate::model::invocation::Invocation;
use crate::model::names::{Digest, FunctionId, InvocationId, VersionNumber};
use crate::model::place::{Lane, Place, Turn};
use crate::model::time::Timestamp;
use crate::store::counts::Counts;
use crate::store::{IdempotencyKey, KeyUse, Live, Part, Settled, SettledQuery, StoreError, keys, record};

impl View {
    pub(super) fn invocation(&self, id: InvocationId) -> Result<Option<Invocation>, StoreError> {
        let what = || format!("invocation {id}");
        let bytes = self.value(what, || Ok(self.entry(id)?.map(|entry| entry.record)))?;
        bytes.map(|bytes| record::decode(&bytes, what)).transpose()
    }

    pub(super) fn blob(&self, id: InvocationId, part: Part) -> Result<Option<Bytes>, StoreError> {
        let what = || format!("the {} of invocation {id}", part_name(part));
        let look = || Ok(self.entry(id)?.and_then(|entry| entry.parts[part_index(part)]));
        self.value(what, look)
    }

    /// An invocation that was written so recently that its record is in memory. Never waits for a disk.
    pub(super) fn recent_invocation(&self, id: InvocationId) -> Option<Result<Option<Invocation>, StoreError>> {
        let known = self.shared.lock().entry(id)?;
        let Some(entry) = known else { return Some(Ok(None)) };
        let bytes = self.reader.recent(entry.record)?;
        Some(record::decode(&bytes, || format!("invocation {id}")).map(Some))
    }

    /// Bytes that were written so recently that they are in memory. Never waits for a disk.
    pub(super) fn recent_blob(&self, id: InvocationId, part: Part) -> Known<Bytes> {
        let known = self.shared.lock().entry(id)?;
        match known.and_then(|entry| entry.parts[part_index(part)]) {
            Some(span) => self.reader.recent(span).map(Some),
            None => Some(None),
        }
    }

    pub(super) fn settled(&self, query: SettledQuery) -> Result<Vec<Settled>, StoreError> {
        let from = keys::settled_from(query.function, query.kind, Timestamp::from_ms(0));
        let to = keys::settled_from(query.function, query.kind, query.before);
        let of = keys::settled_of(query.function, query.kind);
        let (floor, sealed) = {
            let state = self.shared.lock();
            (state.floor(&of), state.sealed())
        };
        let floor = floor.as_ref().map_or(from.as_slice(), <[u8; _]>::as_slice).min(&to);
        let rows = self.rows_above(floor, &from, &to, query.limit);
        let read = |(key, value): &(Vec<u8>, Vec<u8>)| {
            let (at, id) = keys::read_settled(key)?;
            Some(Settled { at, id, bytes: u64::from_be_bytes(value.as_slice().try_into().ok()?) })
        };
        let settled = rows.map(|row| row.and_then(|row| read(&row).ok_or_else(|| unknown_row(&row.0))));
        let settled = settled.collect::<Result<Vec<_>, _>>()?;
        if let Some(Settled { at, id, .. }) = settled.first() {
            let mut state = self.shared.lock();
            if state.sealed() == sealed {
                state.raise_floor(of, keys::settled(query.function, query.kind, *at, *id));
            }
        }
        Ok(settled)
    }

    pub(super) fn waiting(&self, lane: Lane, after: Option<Turn>, limit: usize) -> Result<Vec<Place>, StoreError> {
        let prefix = keys::lane(lane);
        let from = after.map_or_else(|| prefix.clone(), |turn| behind(&keys::waiting(lane, turn)));
        let to = behind(&prefix);
        if from >= to {
            return Ok(Vec::new());
        }
        let read = |(key, value): &(Vec<u8>, Vec<u8>)| {
            let (lane, (due, id)) = keys::read_waiting(key)?;
            let expires = Timestamp::from_ms(u64::from_be_bytes(value.as_slice().try_into().ok()?));
            Some(Place { id, lane, due, expires })
        };
        let rows = self.first_rows(&from, &to, limit);
        rows.map(|row| row.and_then(|row| read(&row).ok_or_else(|| unknown_row(&row.0)))).collect()
    }

    pub(super) fn too_old(&self, now: Timestamp, limit: usize) -> Result<Vec<Place>, StoreError> {
        let (from, to) = (vec![keys::EXPIRY], keys::from_time(keys::EXPIRY, now));
        let read = |(key, value): &(Vec<u8>, Vec<u8>)| {
            let (expires, id) = keys::read_expiry(key)?;
            let (lane, due) = value.split_at_checked(keys::LANE_BYTES)?;
            let due = Timestamp::from_ms(u64::from_be_bytes(due.try_into().ok()?));
            Some(Place { id, lane: keys::read_lane(lane)?, due, expires })
        };
        let rows = self.first_rows(&from, &to, limit);
        rows.map(|row| row.and_then(|row| read(&row).ok_or_else(|| unknown_row(&row.0)))).collect()
    }

    pub(super) fn key_use(&self, key: IdempotencyKey) -> Result<Option<KeyUse>, StoreError> {
        self.key(key)
    }

    pub(super) fn keys_over(&self, now: Timestamp, limit: usize) -> Result<Vec<IdempotencyKey>, StoreError> {
        let (from, to) = (vec![keys::KEY_END], keys::from_time(keys::KEY_END, now));
        let rows = self.first_rows(&from, &to, limit);
        rows.map(|row| row.and_then(|(key, _)| keys::read_key_end(&key).ok_or_else(|| unknown_row(&key)))).collect()
    }

    pub(super) fn scan(&self) -> Result<Live, StoreError> {
        let mut functions: BTreeMap<FunctionId, (Function, BTreeMap<VersionNumber, Version>)> = BTreeMap::new();
        for row in self.rows(&[keys::FUNCTION], &[keys::FUNCTION + 1]) {
            let (key, _) = row?;
            let id = keys::read_function(&key).ok_or_else(|| unknown_row(&key))?;
            let function = self.decoded(&key, || format!("function {id}"))?;
            functions.extend(function.map(|function| (id, (function, BTreeMap::new()))));
        }
        for row in self.rows(&[keys::VERSION], &[keys::VERSION + 1]) {
            let (key, _) = row?;
            let (id, number) = keys::read_version(&key).ok_or_else(|| unknown_row(&key))?;
            let version = self.decoded(&key, || format!("version {number} of function {id}"))?;
            match functions.get_mut(&id) {
                Some((_, versions)) => versions.extend(version.map(|version| (number, version))),
                None => {
                    tracing::warn!(function = %id, version = %number, "a version without its function is passed over");
                }
            }
        }
        Ok(Live { lanes: self.lanes()?, functions: functions.into_values().collect() })
    }

    /// Every lane in which something stands: the first of each is looked at, and what comes behind the lane.
    fn lanes(&self) -> Result<Vec<Lane>, StoreError> {
        let (mut from, to) = (vec![keys::WAITING], vec![keys::WAITING + 1]);
        let mut lanes = Vec::new();
        while let Some(row) = self.first_rows(&from, &to, 1).next() {
            let (key, _) = row?;
            let (lane, _) = keys::read_waiting(&key).ok_or_else(|| unknown_row(&key))?;
            from = behind(&keys::lane(lane));
            lanes.push(lane);
        }
        Ok(lanes)
    }

    /// The modules that versions are of.
    pub(super) fn modules(&self) -> Result<BTreeSet<Digest>, StoreError> {
        let mut digests = BTreeSet::new();
        for row in self.rows(&[keys::VERSION], &[keys::VERSION + 1]) {
            let version: Option<Version> = self.decoded(&row?.0, || "a version".to_owned())?;
            digests.extend(version.map(|version| version.digest));
        }
        Ok(digests)
    }

    /// Counts what is there; what was accepted and has settled is taken as it is known.
    pub(super) fn recount(&self) -> Result<BTreeMap<FunctionId, Counts>, StoreError> {
        let mut counts: BTreeMap<FunctionId, Counts> = BTreeMap::new();
        for tag in [keys::LIVE, keys::DONE] {
            for row in self.rows(&[tag], &[tag + 1]) {
                let (key, value) = row?;
                let entry = Entry::read(&value).ok_or_else(|| unknown_row(&key))?;
                counts.entry(entry.facts.function).or_default().change(None, entry.counted());
            }
        }
        for (function, known) in &self.shared.lock().counts {
            let counted = counts.entry(*function).or_default();
            (counted.accepted, counted.settled) = (known.accepted, known.settled);
        }
        Ok(counts)
    }
}

pub(super) fn part_name(part: Part) -> &'static str {
    match part {
        Part::Payload => "payload",
        Part::Result => "result",
        Part::Log => "log",
    }
}
