//! What is done to a store, drawn at random: a few numbers, to which the model's state gives their meaning. So a
//! sequence that is cut shorter still is one that makes sense.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tidemill::model::destination::{Destination, Outside, OutsideKind};
use tidemill::model::invocation::{Event, Invocation, Lease, Mode, PayloadInfo, State, Undelivered};
use tidemill::model::names::{Edge, InvocationId, SecretName};
use tidemill::model::outcome::{Failure, FailureKind};
use tidemill::model::place::Priority;
use tidemill::model::secret::{Sealed, Secret};
use tidemill::store::{Change, Pair, Part};
use uuid::Uuid;

use super::super::values::{function, function_id, number, queued, version};
use super::model::{Model, document_key, key, namespace, pair_store, time};

/// Something to do. Which invocation is meant, and details, come from `salt`.
#[derive(Clone, Debug)]
pub(super) struct Action {
    kind: Kind,
    bytes: usize,
    pub(super) salt: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Accept,
    AcceptMany,
    RecordSync,
    Claim,
    End,
    Deliver,
    Remove,
    Functions,
    Keys,
    Secrets,
    Pairs,
    Documents,
    Read,
    Reopen,
    Crash,
}

/// What that means for the store.
pub(super) enum Step {
    /// Groups that are handed over one behind the other.
    Commit(Vec<Vec<Change>>),
    Read,
    Reopen,
    Crash,
}

pub(super) fn strategy() -> impl Strategy<Value = Action> {
    let kind = prop_oneof![
        8 => Just(Kind::Accept),
        3 => Just(Kind::AcceptMany),
        2 => Just(Kind::RecordSync),
        8 => Just(Kind::Claim),
        10 => Just(Kind::End),
        3 => Just(Kind::Deliver),
        5 => Just(Kind::Remove),
        3 => Just(Kind::Functions),
        3 => Just(Kind::Keys),
        5 => Just(Kind::Secrets),
        6 => Just(Kind::Pairs),
        6 => Just(Kind::Documents),
        6 => Just(Kind::Read),
        2 => Just(Kind::Reopen),
        2 => Just(Kind::Crash),
    ];
    let bytes = prop_oneof![5 => 0..600usize, 2 => 600..9_000usize, 1 => 9_000..200_000usize];
    (kind, bytes, any::<u64>()).prop_map(|(kind, bytes, salt)| Action { kind, bytes, salt })
}

impl Action {
    /// The step that it is in the model's present state.
    pub(super) fn step(&self, model: &mut Model) -> Step {
        model.now += self.salt % 700;
        Step::Commit(match self.kind {
            Kind::Accept => vec![self.accept(model, 0)],
            Kind::AcceptMany => (0..=self.salt % 12).map(|n| self.accept(model, n)).collect(),
            Kind::RecordSync => vec![self.record_sync(model)],
            Kind::Claim => vec![self.claim(model)],
            Kind::End => vec![self.end(model)],
            Kind::Deliver => vec![self.deliver(model)],
            Kind::Remove => vec![self.remove(model)],
            Kind::Functions => vec![self.functions()],
            Kind::Keys => vec![self.keys(model)],
            Kind::Secrets => vec![self.secrets(model)],
            Kind::Documents => vec![self.documents()],
            Kind::Pairs => (0..=self.digit(6, 3)).map(|n| self.pairs(n)).collect(),
            Kind::Read => return Step::Read,
            Kind::Reopen => return Step::Reopen,
            Kind::Crash => return Step::Crash,
        })
    }

    /// A digit of the salt, less than `below`.
    pub(super) fn digit(&self, place: u32, below: u64) -> u64 {
        (self.salt >> (place * 6)) % below
    }

    fn blob(&self, id: InvocationId, part: Part, bytes: usize) -> Change {
        let first = u8::try_from(self.salt % 251).unwrap();
        Change::PutBlob(id, part, (0..bytes).map(|n| first.wrapping_add(u8::try_from(n % 251).unwrap())).collect())
    }

    fn invocation(&self, model: &mut Model) -> Invocation {
        model.accepted += 1;
        // In no order that has to do with time, as ids of chains are.
        let scattered = model.accepted.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        let mut id = [0; 16];
        id[..8].copy_from_slice(&scattered);
        let now = model.time();
        let mut invocation = Invocation { id: InvocationId::from_bytes(id), accepted: now, ..queued(0, 0) };
        invocation.first_due = now + Duration::from_millis(self.digit(1, 4) * 400);
        invocation.target.function = function_id(u8::try_from(self.digit(2, 3)).unwrap());
        invocation.target.version = (self.digit(3, 8) > 0).then(|| number(1 + u32::from(self.digit(3, 2) == 1)));
        invocation.priority = Priority::ALL[usize::try_from(self.digit(4, 3)).unwrap()];
        invocation.policy.config.max_event_age = Duration::from_secs(1 + self.digit(5, 6));
        if self.digit(6, 5) == 0 {
            let outside = Outside { kind: OutsideKind::Queue, target: "q".to_owned() };
            invocation.policy.config.destinations.on_success = Some(Destination::Outside(outside));
        }
        invocation.state = State::Queued { due: invocation.first_due, attempt: NonZeroU32::MIN };
        invocation
    }

    fn accept(&self, model: &mut Model, n: u64) -> Vec<Change> {
        let mut invocation = self.invocation(model);
        let bytes = self.bytes / usize::try_from(n + 1).unwrap();
        invocation.request.payload.bytes = bytes as u64;
        let mut group = vec![self.blob(invocation.id, Part::Payload, bytes), put(&invocation)];
        if self.digit(7, 2) == 0 {
            group.reverse();
        }
        if self.digit(8, 3) == 0 {
            let n = u8::try_from(model.accepted % 100).unwrap();
            let (key, used) = key(n, invocation.id, model.time() + Duration::from_secs(self.digit(9, 20)));
            group.push(Change::PutKey(key, used));
        }
        group
    }

    /// A synchronous invocation is written once, when it is done.
    fn record_sync(&self, model: &mut Model) -> Vec<Change> {
        let mut invocation = Invocation { mode: Mode::Sync, ..self.invocation(model) };
        invocation.policy.config.destinations.on_success = None;
        let due = invocation.first_due;
        invocation.apply(&Event::Claimed(lease()), due).unwrap();
        invocation.apply(&self.ended(), due + Duration::from_millis(1)).unwrap();
        if invocation.outcome().is_none() {
            invocation.apply(&Event::Cancelled, due + Duration::from_millis(1)).unwrap();
        }
        vec![put(&invocation), self.blob(invocation.id, Part::Log, self.bytes)]
    }

    /// The invocation that is meant among those that are `wanted`.
    fn pick(&self, model: &Model, wanted: impl Fn(&Invocation) -> bool) -> Option<Invocation> {
        let wanted: Vec<_> = model.invocations.values().filter(|invocation| wanted(invocation)).collect();
        let which = usize::try_from(self.salt / 64).unwrap_or_default().checked_rem(wanted.len())?;
        Some(wanted[which].clone())
    }

    fn claim(&self, model: &mut Model) -> Vec<Change> {
        let picked = self.pick(model, |invocation| matches!(invocation.state, State::Queued { .. }));
        let Some(mut invocation) = picked else { return Vec::new() };
        let State::Queued { due, .. } = invocation.state else { return Vec::new() };
        model.now = model.now.max(due.as_ms() - time(0).as_ms());
        invocation.apply(&Event::Claimed(lease()), model.time()).unwrap();
        vec![put(&invocation)]
    }

    fn ended(&self) -> Event {
        match self.digit(1, 6) {
            0 => Event::Ended(Err(Failure::retry(FailureKind::Trap, "again"))),
            1 => Event::Interrupted,
            2 => Event::GivenBack,
            3 => Event::Cancelled,
            _ => Event::Ended(Ok(())),
        }
    }

    /// An attempt ends: later, or settled with what follows from it.
    fn end(&self, model: &mut Model) -> Vec<Change> {
        let picked = self.pick(model, |invocation| matches!(invocation.state, State::Running { .. }));
        let Some(mut invocation) = picked else { return Vec::new() };
        invocation.apply(&self.ended(), model.time()).unwrap();
        let mut group = Vec::new();
        if self.digit(2, 3) > 0 {
            group.push(self.blob(invocation.id, Part::Log, self.bytes / 3));
        }
        if invocation.outcome().is_some() && self.ended() == Event::Ended(Ok(())) {
            invocation.result = Some(PayloadInfo { bytes: self.bytes as u64, content_type: String::new() });
            group.push(self.blob(invocation.id, Part::Result, self.bytes));
        }
        group.push(put(&invocation));
        if invocation.outcome().is_some() && self.digit(3, 2) == 0 {
            let mut next = self.invocation(model);
            next.id = invocation.id.next(Edge::OnSuccess);
            next.lineage.chain = vec![invocation.id];
            next.request.payload.bytes = 7;
            group.push(Change::PutBlob(next.id, Part::Payload, Bytes::from_static(b"passing")));
            group.push(put(&next));
        }
        group
    }

    fn deliver(&self, model: &mut Model) -> Vec<Change> {
        let is_given_up = |state: &State| matches!(state, State::Done { undelivered, .. } if !undelivered.is_empty());
        let picked = self.pick(model, |invocation| {
            matches!(invocation.state, State::Delivering { .. }) || is_given_up(&invocation.state)
        });
        let Some(mut invocation) = picked else { return Vec::new() };
        let undelivered = |retry_at| Err(Undelivered { retry_at, error: "nobody answers".to_owned() });
        let event = match (&invocation.state, self.digit(1, 3)) {
            (State::Delivering { deliveries, .. }, how) => {
                let end = match how {
                    0 => Ok(()),
                    1 => undelivered(None),
                    _ => undelivered(Some(model.time() + Duration::from_secs(1))),
                };
                Event::Delivered(deliveries[0].way, end)
            }
            _ => Event::Redeliver,
        };
        invocation.apply(&event, model.time()).unwrap();
        vec![put(&invocation)]
    }

    fn remove(&self, model: &mut Model) -> Vec<Change> {
        let picked = self.pick(model, |invocation| matches!(invocation.state, State::Done { .. }));
        let mut group: Vec<_> = picked.iter().map(|invocation| Change::RemoveInvocation(invocation.id)).collect();
        if self.digit(1, 8) == 0 {
            group.push(Change::RemoveInvocation(InvocationId::from_bytes([0xee; 16]))); // there is none
        }
        if self.digit(1, 8) == 1 {
            // Whoever was late: what is gone does not come back, and what is not done does not go.
            group.extend(picked.iter().map(|gone| Change::ReplaceInvocation(Box::new(gone.clone()))));
            let waiting = self.pick(model, |invocation| !matches!(invocation.state, State::Done { .. }));
            group.extend(waiting.iter().map(|waiting| Change::RemoveInvocation(waiting.id)));
        }
        group
    }

    fn functions(&self) -> Vec<Change> {
        let n = u8::try_from(self.digit(1, 3)).unwrap();
        let versions = 1..=u32::try_from(self.digit(2, 3)).unwrap();
        match self.digit(0, 4) {
            0 => vec![Change::RemoveFunction(function_id(n))],
            1 => versions.map(|v| Change::RemoveVersion(function_id(n), number(v))).collect(),
            _ => std::iter::once(Change::PutFunction(Box::new(function(n))))
                .chain(versions.map(|v| Change::PutVersion(function_id(n), Box::new(version(v)))))
                .collect(),
        }
    }

    fn keys(&self, model: &mut Model) -> Vec<Change> {
        let over = model.keys.iter().filter(|(_, used)| used.until < model.time());
        over.take(usize::try_from(self.digit(1, 5)).unwrap()).map(|(key, _)| Change::RemoveKey(*key)).collect()
    }
}

impl Action {
    fn secrets(&self, model: &Model) -> Vec<Change> {
        let namespace = namespace(self.digit(1, 2));
        let name: SecretName = ["a", "b", "password"][usize::try_from(self.digit(2, 3)).unwrap()].parse().unwrap();
        if self.digit(3, 2) == 0 {
            let kept = model.secrets.keys().nth(usize::try_from(self.digit(4, 3)).unwrap()).cloned();
            let (namespace, name) = kept.unwrap_or((namespace, name));
            return vec![Change::RemoveSecret(namespace, name)];
        }
        let sealed = Sealed(self.salt.to_be_bytes().repeat(1 + self.bytes / 64));
        let (created, updated) = (model.time(), model.time());
        vec![Change::PutSecret(Box::new(Secret { namespace, name, created, updated, sealed }))]
    }

    /// Several pairs of one store in one group: new, written over, removed, and some of it twice.
    fn pairs(&self, n: u64) -> Vec<Change> {
        let store = pair_store(self.digit(1, 4));
        let one = |place: u64| {
            let key = format!("{}-{}", self.digit(2, 6) + place, "k".repeat(usize::try_from(place * 300).unwrap()));
            if (self.salt >> (n + place)).is_multiple_of(4) {
                return Change::RemovePair(store.clone(), key);
            }
            let bytes = if place == 0 { self.bytes } else { self.bytes % 50 };
            let value = Bytes::from(vec![u8::try_from((self.salt + n) % 251).unwrap(); bytes]);
            let pair = Pair { store: store.clone(), key, bytes: value.len() as u64 };
            Change::PutPair(Box::new(pair), value)
        };
        (0..=self.digit(3, 4)).map(one).collect()
    }
}

impl Action {
    /// Several documents of one or two tables in one group: new, written over, removed, and some of it twice.
    fn documents(&self) -> Vec<Change> {
        let one = |place: u64| {
            let key = document_key(self.digit(1, 3) + place % 2, self.digit(2, 5) + place);
            if (self.salt >> place).is_multiple_of(4) {
                return Change::RemoveDocument(key);
            }
            let bytes = if place == 0 { self.bytes } else { self.bytes % 50 };
            Change::PutDocument(key, Bytes::from(vec![u8::try_from((self.salt + place) % 251).unwrap(); bytes]))
        };
        (0..=self.digit(3, 5)).map(one).collect()
    }
}

fn put(invocation: &Invocation) -> Change {
    Change::PutInvocation(Box::new(invocation.clone()))
}

fn lease() -> Lease {
    Lease { owner: Uuid::from_bytes([1; 16]) }
}
