//! What is made, changed and deleted: one at a time with all else that changes what leads where, so that no two of them
//! close a cycle together. A caller that goes away does not stop a change half way.

use std::future::Future;
use std::sync::{Arc, PoisonError};

use super::live::{Live, Shown};
use super::{TriggerError, Triggers, edges, kept, owner};
use crate::model::bounds;
use crate::model::destination::FunctionTarget;
use crate::model::message_queue::QueuePath;
use crate::model::names::{Namespace, TriggerName};
use crate::model::reference::FunctionReference;
use crate::model::trigger::{Kind, Progress, Trigger};
use crate::registry::Changing;
use crate::store::{Durability, Group};

/// A trigger as somebody asks for it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it watches.
    pub kind: Kind,
    /// What it invokes; a function without a namespace is in that of the trigger.
    pub function: FunctionReference,
    /// Whether it does so from now on.
    pub enabled: bool,
}

impl Triggers {
    /// Makes a trigger, or changes the one of that name. Returns whether it is new. A timer that is changed, or switched
    /// on, begins with the next time that comes.
    pub async fn put(
        &self,
        namespace: Namespace,
        name: TriggerName,
        wanted: Wanted,
    ) -> Result<(Shown, bool), TriggerError> {
        self.set(namespace, name, wanted, false).await
    }

    /// Makes a trigger, where there is none of that name.
    pub async fn make(&self, namespace: Namespace, name: TriggerName, wanted: Wanted) -> Result<Shown, TriggerError> {
        Ok(self.set(namespace, name, wanted, true).await?.0)
    }

    async fn set(
        &self,
        namespace: Namespace,
        name: TriggerName,
        wanted: Wanted,
        only_new: bool,
    ) -> Result<(Shown, bool), TriggerError> {
        self.see_through(move |triggers| async move {
            let needs = &triggers.parts.needs;
            check(&wanted.kind)?;
            let changing = needs.registry.changing().await;
            let (path, qualifier) = wanted.function.within(&namespace);
            let (function, _) = needs.registry.resolve(&path, &qualifier)?;
            if let Kind::Queue(source) = &wanted.kind {
                needs.queues.describe(&QueuePath { namespace: namespace.clone(), name: source.queue.clone() })?;
            }
            let target = FunctionTarget { id: function.id, path, qualifier };
            let before = triggers.live(&namespace, &name).ok();
            if only_new && before.is_some() {
                return Err(TriggerError::Exists { namespace, name });
            }
            if before.is_none() && triggers.read(std::collections::BTreeMap::len) >= bounds::MAX_TRIGGERS {
                return Err(TriggerError::TooMany);
            }
            let now = needs.clock.now();
            let was = before.as_ref().map(|live| live.trigger());
            let trigger = Trigger {
                id: was.map_or_else(|| needs.clock.trigger_id(), |was| was.id),
                created: was.map_or(now, |was| was.created),
                namespace,
                name,
                kind: wanted.kind,
                target,
                enabled: wanted.enabled,
                updated: now,
            };
            let is_new = before.is_none();
            Ok((triggers.replace(&changing, before, trigger).await?, is_new))
        })
        .await
    }

    /// Switches a trigger on or off. Doing it twice is doing it once.
    pub async fn enable(&self, namespace: Namespace, name: TriggerName, enabled: bool) -> Result<Shown, TriggerError> {
        self.see_through(move |triggers| async move {
            let needs = &triggers.parts.needs;
            let changing = needs.registry.changing().await;
            let before = triggers.live(&namespace, &name)?;
            if before.trigger().enabled == enabled {
                return Ok(before.shown(needs));
            }
            let trigger = Trigger { enabled, updated: needs.clock.now(), ..before.trigger().clone() };
            triggers.replace(&changing, Some(before), trigger).await
        })
        .await
    }

    /// Deletes a trigger. What it has started goes on.
    pub async fn delete(&self, namespace: Namespace, name: TriggerName) -> Result<(), TriggerError> {
        self.see_through(move |triggers| async move {
            let needs = &triggers.parts.needs;
            let changing = needs.registry.changing().await;
            let live = triggers.live(&namespace, &name)?;
            live.end().await;
            let _turn = live.turn().await;
            let group = Group(kept::remove(live.trigger()).into());
            if let Err(error) = needs.store.commit(group, Durability::Synced).await {
                live.begin(needs);
                return Err(error.into());
            }
            changing.publish(owner(&namespace, &name), Vec::new());
            triggers.parts.all.write().unwrap_or_else(PoisonError::into_inner).remove(&(namespace, name));
            Ok(())
        })
        .await
    }

    /// Puts a trigger in place of the one that was there: looked at, kept, and then watched.
    async fn replace(
        &self,
        changing: &Changing,
        before: Option<Arc<Live>>,
        trigger: Trigger,
    ) -> Result<Shown, TriggerError> {
        let needs = &self.parts.needs;
        let (owner, edges) = (owner(&trigger.namespace, &trigger.name), edges(&trigger));
        changing.check(&owner, &edges)?;
        let mut _turn = None;
        if let Some(before) = &before {
            // What it fires for is written down before it is looked how far it has come.
            before.end().await;
            _turn = Some(before.turn().await);
        }
        let progress = match &before {
            Some(before) => Progress { through: trigger.updated, error: None, ..before.progress() },
            None => Progress::beginning(trigger.updated),
        };
        let group = Group(vec![kept::put(&trigger), kept::put_progress(trigger.id, &progress)]);
        if let Err(error) = needs.store.commit(group, Durability::Synced).await {
            if let Some(before) = &before {
                before.begin(needs);
            }
            return Err(error.into());
        }
        changing.publish(owner, edges);
        let key = (trigger.namespace.clone(), trigger.name.clone());
        let live = Arc::new(Live::new(trigger, progress));
        self.parts.all.write().unwrap_or_else(PoisonError::into_inner).insert(key, live.clone());
        live.begin(needs);
        Ok(live.shown(needs))
    }

    async fn see_through<T, F>(&self, change: impl FnOnce(Self) -> F) -> Result<T, TriggerError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, TriggerError>> + Send + 'static,
    {
        let done = self.parts.needs.tasks.see_through("trigger", change(self.clone())).await;
        done.unwrap_or(Err(TriggerError::Interrupted))
    }
}

/// What can be told without looking.
fn check(kind: &Kind) -> Result<(), TriggerError> {
    match kind {
        Kind::Timer(timer) => {
            let bytes = timer.payload.as_ref().map_or(0, |payload| payload.bytes.len());
            if bytes > bounds::MAX_TIMER_PAYLOAD_BYTES { Err(TriggerError::Payload(bytes)) } else { Ok(()) }
        }
        Kind::Queue(source) => Ok(source.check()?),
    }
}
