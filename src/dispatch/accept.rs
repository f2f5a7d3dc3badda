//! The way in: what an idempotency key says, whether there is room, and the commit.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::keys::Keyed;
use super::quota::{Over, Scope, Wanted};
use super::refused::{Full, NotAccepted};
use super::turn::Hold;
use super::{Dispatch, Parts};
use crate::model::bounds;
use crate::model::invocation::Invocation;
use crate::model::names::InvocationId;
use crate::store::{Change, Durability, Group, KeyUse, Part, StoreError};

/// What became of an acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is in the queue.
    New,
    /// The same was asked before, under the same idempotency key, and became this invocation.
    Replayed(InvocationId),
}

impl Dispatch {
    /// Accepts an asynchronous invocation. Returns once it would survive a power cut; only then may a client
    /// be told so. A caller that goes away meanwhile changes nothing.
    pub async fn accept(
        &self,
        invocation: Invocation,
        payload: Bytes,
        keyed: Option<Keyed>,
    ) -> Result<Acceptance, NotAccepted> {
        let parts = self.parts.clone();
        let accepted = async move {
            let Some(keyed) = keyed else {
                return parts.take_in(invocation, payload, Vec::new()).await.map(|()| Acceptance::New);
            };
            let _turn = parts.keys.turn(&keyed.key).await;
            match parts.needs.store.key(keyed.key).await.map_err(NotAccepted::Store)? {
                Some(used) if used.until < parts.needs.clock.now() => (),
                Some(used) if used.request == keyed.request => return Ok(Acceptance::Replayed(used.id)),
                Some(used) => return Err(NotAccepted::KeyConflict(used.id)),
                None => (),
            }
            let until = parts.needs.clock.now() + bounds::KEY_WINDOW;
            let used = KeyUse { id: invocation.id, request: keyed.request, until };
            let note = Change::PutKey(keyed.key, used);
            parts.take_in(invocation, payload, vec![note]).await.map(|()| Acceptance::New)
        };
        let accepted = self.parts.needs.tasks.see_through("accept", accepted).await;
        accepted.unwrap_or(Err(NotAccepted::Stopping))
    }

    /// Accepts an invocation with all that changes with it, both or neither. Where one of its id was accepted before, only
    /// the changes are made.
    pub async fn accept_with(
        &self,
        invocation: Invocation,
        payload: Bytes,
        also: Vec<Change>,
    ) -> Result<(), NotAccepted> {
        let parts = self.parts.clone();
        let accepted = async move {
            let store = &parts.needs.store;
            if store.invocation(invocation.id).await.map_err(NotAccepted::Store)?.is_some() {
                return store.commit(Group(also), Durability::Synced).await.map_err(NotAccepted::Store);
            }
            parts.take_in(invocation, payload, also).await
        };
        let accepted = self.parts.needs.tasks.see_through("accept", accepted).await;
        accepted.unwrap_or(Err(NotAccepted::Stopping))
    }

    /// Accepts an invocation in the place of `old`, which has settled and is removed in the same commit: no crash
    /// leaves both of them, or neither.
    pub async fn accept_in_place_of(
        &self,
        old: InvocationId,
        invocation: Invocation,
        payload: Bytes,
    ) -> Result<(), NotAccepted> {
        let parts = self.parts.clone();
        let accepted = async move { parts.take_in(invocation, payload, vec![Change::RemoveInvocation(old)]).await };
        let accepted = self.parts.needs.tasks.see_through("accept", accepted).await;
        accepted.unwrap_or(Err(NotAccepted::Stopping))
    }
}

impl Parts {
    /// `also` is what changes with it, in the same commit.
    async fn take_in(
        self: &Arc<Self>,
        invocation: Invocation,
        payload: Bytes,
        also: Vec<Change>,
    ) -> Result<(), NotAccepted> {
        let Some(place) = invocation.place() else { return Ok(()) }; // what has ended already waits for nothing
        let (id, function, bytes) = (invocation.id, invocation.target.function, invocation.request.payload.bytes);
        let _moving = self.quota.moving(function);
        self.make_room(&invocation)?;

        // In our hands until it stands in line: it may be read there before the commit is answered.
        let mut hold = Hold::of(self, &mut self.held(), place);
        hold.gone();
        let mut group = vec![Change::PutInvocation(Box::new(invocation)), Change::PutBlob(id, Part::Payload, payload)];
        group.extend(also);
        let kept = self.needs.store.commit(Group(group), Durability::Synced).await;
        match &kept {
            Ok(()) => hold.back(place),
            // What may have been kept has to be looked for, or it would lie there until the next start.
            Err(StoreError::Unknown(_)) => {
                self.unsure().insert(id, (function, bytes));
                hold.back(place);
            }
            Err(error) => {
                self.quota.give_back(function, bytes);
                if matches!(error, StoreError::Stopped(_)) {
                    self.needs.tasks.stop(); // it takes nothing any more: the next start takes up what is kept
                }
            }
        }
        kept.map_err(NotAccepted::Store)
    }

    fn make_room(&self, invocation: &Invocation) -> Result<(), NotAccepted> {
        let target = &invocation.target;
        let bytes = invocation.request.payload.bytes;
        let wanted = Wanted { function: target.function, namespace: &target.path.namespace, bytes };
        let of_functions = self.quota.of_functions();
        let capacity = self.needs.registry.read(|catalogue| {
            catalogue.function(target.function).map_or(of_functions, |function| function.queue.capacity(of_functions))
        });
        let reserved = self.quota.reserve(wanted, capacity, self.needs.clock.now());
        reserved.map_err(|Over { scope, refused, limit, there, retry_after }| {
            refused(Full { limit, there, oldest: self.oldest(scope, wanted), retry_after })
        })
    }

    /// How long the oldest of those that a limit is about has been due.
    fn oldest(&self, scope: Scope, wanted: Wanted<'_>) -> Option<Duration> {
        let ages = self.ages();
        match scope {
            Scope::Function => ages.get(&wanted.function).copied(),
            Scope::Namespace => {
                let functions = self.quota.functions_of(wanted.namespace);
                functions.iter().filter_map(|function| ages.get(function)).max().copied()
            }
            Scope::Runtime => ages.values().max().copied(),
        }
    }
}
