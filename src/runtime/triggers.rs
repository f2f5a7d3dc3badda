//! Use cases around triggers; and what triggers ask of the runtime, which is to accept what they start.

use std::num::NonZeroU32;

use super::{Accepted, Desk, Error, Runtime};
use crate::access::Caller;
use crate::clock;
use crate::dispatch::NotAccepted;
use crate::model::invocation::{Invocation, Lineage, Mode, PayloadInfo, Policy, Request, State, Target};
use crate::model::names::{Namespace, TriggerName};
use crate::model::place::Priority;
use crate::model::trigger::Trigger;
use crate::registry::RegistryError;
use crate::store::StoreError;
use crate::triggers::{NotStarted, Order, Shown, Starting, Starts, Wanted};

impl Runtime {
    /// Makes a trigger, or changes the one of that name. Returns whether it is new.
    pub async fn put_trigger(
        &self,
        caller: &Caller,
        namespace: Namespace,
        name: TriggerName,
        wanted: Wanted,
    ) -> Result<(Shown, bool), Error> {
        self.check_wanted(caller, &namespace, &wanted)?;
        Ok(self.parts.triggers.put(namespace, name, wanted).await?)
    }

    fn check_wanted(&self, caller: &Caller, namespace: &Namespace, wanted: &Wanted) -> Result<(), Error> {
        let (target, _) = wanted.function.clone().within(namespace);
        self.check_trigger(caller, namespace, (wanted.service_account.as_ref(), wanted.kind.queue(), &target))
    }

    /// Makes a trigger where there is none of that name.
    pub async fn make_trigger(
        &self,
        caller: &Caller,
        namespace: Namespace,
        name: TriggerName,
        wanted: Wanted,
    ) -> Result<Shown, Error> {
        self.check_wanted(caller, &namespace, &wanted)?;
        Ok(self.parts.triggers.make(namespace, name, wanted).await?)
    }

    /// A trigger.
    pub fn trigger(&self, namespace: &Namespace, name: &TriggerName) -> Result<Shown, Error> {
        Ok(self.parts.triggers.show(namespace, name)?)
    }

    /// Triggers of a namespace in order of their names, from behind `after`, at most `limit`.
    pub fn triggers(&self, namespace: &Namespace, after: Option<&TriggerName>, limit: usize) -> Vec<Shown> {
        self.parts.triggers.list(namespace, after, limit)
    }

    /// Switches a trigger on or off.
    pub async fn enable_trigger(
        &self,
        caller: &Caller,
        namespace: Namespace,
        name: TriggerName,
        enabled: bool,
    ) -> Result<Shown, Error> {
        if enabled {
            self.may_fire(caller, &namespace, &name)?;
        }
        Ok(self.parts.triggers.enable(namespace, name, enabled).await?)
    }

    /// Deletes a trigger.
    pub async fn delete_trigger(&self, namespace: Namespace, name: TriggerName) -> Result<(), Error> {
        Ok(self.parts.triggers.delete(namespace, name).await?)
    }

    /// Fires a timer now, once more than its schedule says, whether or not it is enabled.
    pub async fn fire_trigger(
        &self,
        caller: &Caller,
        namespace: Namespace,
        name: TriggerName,
    ) -> Result<Accepted, Error> {
        self.may_fire(caller, &namespace, &name)?;
        let runtime = self.clone();
        let fired = async move {
            let triggers = &runtime.parts.triggers;
            let by_hand = triggers.by_hand(&namespace, &name).await?;
            let (id, target) = runtime.start(by_hand.order.clone()).await?;
            triggers.fired_by_hand(&by_hand, id);
            Ok(Accepted { id, target, replayed: false })
        };
        // Both or neither, also when the caller goes away between them.
        self.parts.tasks.see_through("fire", fired).await.unwrap_or(Err(Error::Interrupted))
    }

    /// Whether somebody may have this trigger invoke: as if they had set it.
    fn may_fire(&self, caller: &Caller, namespace: &Namespace, name: &TriggerName) -> Result<(), Error> {
        let Trigger { service_account, kind, target, .. } = self.trigger(namespace, name)?.trigger;
        self.check_trigger(caller, namespace, (service_account.as_ref(), kind.queue(), &target.path))
    }

    /// Accepts what a trigger starts. Whether the payload fits is not looked at: a message that does not would stay in its
    /// queue for ever; so it is a failure of the invocation, as it is in a chain.
    async fn start(&self, order: Order) -> Result<(crate::model::names::InvocationId, Target), Error> {
        let Order { id, target, due, payload, content_type, attributes, also, acting } = order;
        let unknown =
            || RegistryError::VersionUnknown { path: target.path.clone(), qualifier: target.qualifier.clone() };
        let registry = &self.parts.registry;
        let (function, version) = match registry.resolve_id_to_run(target.id, &target.qualifier) {
            Some(found) => found,
            None if registry.read(|all| all.function(target.id).is_some()) => return Err(unknown().into()),
            None => return Err(RegistryError::FunctionUnknown(target.path).into()),
        };
        if function.disabled {
            return Err(Error::Disabled(function.path.clone()));
        }
        if let Some(acting) = &acting {
            self.check_acting(acting, &function.path)?;
        }
        let target = Target { function: function.id, path: function.path.clone(), version: Some(version.number) };
        let payload_info = PayloadInfo { bytes: payload.len() as u64, content_type };
        let invocation = Invocation {
            id,
            target: target.clone(),
            mode: Mode::Async,
            accepted: self.parts.clock.now(),
            first_due: due,
            request: Request { payload: payload_info, traceparent: None, attributes, head: None },
            lineage: Lineage::default(),
            policy: Policy {
                config: function.config_of(version.number),
                hop_limit: self.parts.hop_limit,
                callback: None,
                invoker: None,
            },
            priority: Priority::default(),
            spread: clock::spread(),
            attempts: Vec::new(),
            state: State::Queued { due, attempt: NonZeroU32::MIN },
            result: None,
        };
        self.parts.dispatch.accept_with(invocation, payload, also).await.map_err(Error::NotAccepted)?;
        Ok((id, target))
    }
}

impl Starts for Desk {
    fn start(&self, order: Order) -> Starting<'_> {
        Box::pin(async move {
            let stopping = || NotStarted::Refused { why: "the runtime is stopping".to_owned(), after: None };
            let runtime = self.runtime().await.map_err(|_| stopping())?;
            runtime.start(order).await.map(|_| ()).map_err(|error| not_started(&error))
        })
    }
}

fn not_started(error: &Error) -> NotStarted {
    let why = error.to_string();
    match error {
        Error::Registry(RegistryError::FunctionUnknown(path)) => NotStarted::Gone(format!(
            "the function `{path}` that it invokes was deleted: deploy it and make the trigger again, or delete the trigger"
        )),
        Error::Denied(_) | Error::Registry(RegistryError::VersionUnknown { .. }) => NotStarted::Gone(why),
        Error::NotAccepted(NotAccepted::Store(StoreError::Stopped(_) | StoreError::Unknown(_))) => {
            NotStarted::Refused { why, after: None }
        }
        other => NotStarted::Refused { why, after: other.retry_after() },
    }
}
