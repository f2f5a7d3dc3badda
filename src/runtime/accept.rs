//! Leaving work to the queue: accept, once for each idempotency key, and repeat what has settled.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{Accepted, Ask, Error, Runtime};
use crate::clock::{self, Clock};
use crate::dispatch::{Acceptance, Keyed, NotAccepted};
use crate::engine::call::Input;
use crate::model::bounds;
use crate::model::bounds::MAX_REQUEST_HEAD_BYTES;
use crate::model::destination::{Outside, Terms};
use crate::model::function::{Function, Version};
use crate::model::invocation::{Invocation, Lineage, Mode, PayloadInfo, Policy, Request, RequestHead, State, Target};
use crate::model::names::{Digest, FunctionId, InvocationId, Qualifier};
use crate::model::place::Priority;
use crate::model::time::When;
use crate::store::{IdempotencyKey, Part};

/// What is to be queued, once its function is known.
struct Order {
    request: Request,
    lineage: Lineage,
    payload: Bytes,
    when: When,
    priority: Priority,
    keyed: Option<Keyed>,
    callback: Option<Outside>,
    /// The settled invocation that it takes the place of.
    in_place_of: Option<InvocationId>,
}

impl Runtime {
    /// Accepts an invocation to be run later. When this returns, it would survive a power cut. With an idempotency key
    /// that was used for the same request, within [`bounds::KEY_WINDOW`], it is the invocation that was accepted then,
    /// whatever has become of it: also when it has failed or expired, or when its record is gone.
    pub async fn accept(&self, ask: Ask) -> Result<Accepted, Error> {
        let (function, version) = self.resolve(&ask, bounds::MAX_ASYNC_PAYLOAD_BYTES)?;
        let keyed = ask.idempotency_key.as_deref().map(|key| keyed(&ask, function.id, key)).transpose()?;
        if let Some(callback) = &ask.callback {
            self.parts.registry.target_exists(&ask.path.namespace, callback, &Terms::default()).await?;
        }
        let Ask { input, content_type, traceparent, attributes, chain, when, priority, callback, .. } = ask;
        let (payload, head) = match input {
            Input::Payload(payload) => (payload, None),
            Input::Request(request) => {
                let head = request.head();
                (request.body, Some(head))
            }
        };
        if let Some(bytes) = head.as_ref().map(RequestHead::bytes).filter(|bytes| *bytes > MAX_REQUEST_HEAD_BYTES) {
            return Err(Error::HeadTooLarge { bytes });
        }
        let info = PayloadInfo { bytes: payload.len() as u64, content_type };
        let request = Request { payload: info, traceparent, attributes, head };
        let lineage = Lineage { chain, retry_of: None };
        let order = Order { request, lineage, payload, when, priority, keyed, callback, in_place_of: None };
        Box::pin(self.enqueue(&function, &version, order)).await // large, as an invocation that is run at once is
    }

    /// Accepts a new invocation with the payload of a settled one, with the function's present configuration.
    pub async fn retry(&self, id: InvocationId) -> Result<Accepted, Error> {
        self.repeat(self.invocation(id).await?, None).await
    }

    /// As [`retry`](Self::retry). The settled one that it is `in_place_of` is removed in the same commit.
    pub(super) async fn repeat(
        &self,
        settled: Invocation,
        in_place_of: Option<InvocationId>,
    ) -> Result<Accepted, Error> {
        let id = settled.id;
        if settled.outcome().is_none() {
            return Err(Error::NotSettled(id));
        }
        if settled.mode == Mode::Sync {
            return Err(Error::PayloadNotKept(id));
        }
        let payload = self.parts.store.blob(id, Part::Payload).await?.ok_or(Error::InvocationUnknown(id))?;
        let (function, version) = self.present(&settled)?;
        let Invocation { request, lineage, priority, policy: Policy { callback, .. }, .. } = settled;
        let lineage = Lineage { retry_of: Some(id), ..lineage };
        let (when, keyed) = (When::Now, None);
        let order = Order { request, lineage, payload, when, priority, keyed, callback, in_place_of };
        self.enqueue(&function, &version, order).await
    }

    /// What would run if `old` were repeated now: its version of its function, whatever that is called now; or, where that
    /// is gone, the latest of the function that has its name.
    pub(super) fn present(&self, old: &Invocation) -> Result<(Arc<Function>, Arc<Version>), Error> {
        let registry = &self.parts.registry;
        let own = registry.function_by_id(old.target.function);
        let function = own.map_or_else(|| registry.function(&old.target.path), Ok)?;
        if function.disabled {
            return Err(Error::Disabled(function.path.clone()));
        }
        let same = old.target.version.filter(|_| function.id == old.target.function);
        let qualifier = same.map_or(Qualifier::Latest, Qualifier::Version);
        Ok(registry.resolve(&function.path, &qualifier)?)
    }

    async fn enqueue(&self, function: &Function, version: &Version, order: Order) -> Result<Accepted, Error> {
        self.check_fits(version, &order.payload).await?;
        let now = self.parts.clock.now();
        let due = order.when.due(now);
        if due.since(now) > bounds::MAX_AHEAD {
            return Err(Error::TooFarAhead { ahead: due.since(now) });
        }
        let target = Target { function: function.id, path: function.path.clone(), version: Some(version.number) };
        let invocation = Invocation {
            id: Clock::invocation_id_at(now),
            target: target.clone(),
            mode: Mode::Async,
            accepted: now,
            first_due: due,
            request: order.request,
            lineage: order.lineage,
            policy: Policy {
                config: function.config_of(version.number),
                hop_limit: self.parts.hop_limit,
                callback: order.callback,
                invoker: None,
            },
            priority: order.priority,
            spread: clock::spread(),
            attempts: Vec::new(),
            state: State::Queued { due, attempt: NonZeroU32::MIN },
            result: None,
        };
        let id = invocation.id;
        let dispatch = &self.parts.dispatch;
        let accepted = match order.in_place_of {
            Some(old) => dispatch.accept_in_place_of(old, invocation, order.payload).await.map(|()| Acceptance::New),
            None => dispatch.accept(invocation, order.payload, order.keyed).await,
        };
        match accepted {
            Ok(Acceptance::New) => Ok(Accepted { id, target, replayed: false }),
            Ok(Acceptance::Replayed(id)) => self.replayed(id, target).await,
            Err(NotAccepted::KeyConflict(id)) => Err(Error::IdempotencyConflict { id }),
            Err(refused) => Err(Error::NotAccepted(refused)),
        }
    }

    /// What was accepted before. Where its record is gone, what would run now stands for what ran then.
    async fn replayed(&self, id: InvocationId, now: Target) -> Result<Accepted, Error> {
        let target = self.parts.store.invocation(id).await?.map_or(now, |invocation| invocation.target);
        Ok(Accepted { id, target, replayed: true })
    }
}

/// The key, and the digest of everything that makes a request the same. Where it comes from (its trace and its chain)
/// is no part of that: whoever tries again may do so from elsewhere.
fn keyed(ask: &Ask, function: FunctionId, key: &str) -> Result<Keyed, Error> {
    if !(1..=bounds::MAX_KEY_BYTES).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::IdempotencyKey);
    }
    // Headers of a request are left out: proxies add some that differ with each try.
    let head = if let Input::Request(request) = &ask.input { Some(request.head()) } else { None };
    let payload = ask.input.bytes();
    let when = match ask.when {
        When::Now => String::new(),
        When::After(delay) => format!("after {delay:?}"),
        When::At(at) => format!("at {at}"),
    };
    let qualifier = ask.qualifier.to_string();
    let mut attributes: Vec<_> = ask.attributes.iter().collect();
    attributes.sort();
    let named = attributes.into_iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    let parts = [qualifier.as_bytes(), payload, ask.content_type.as_bytes(), when.as_bytes()];
    // No attribute is called that: a header holds no NUL.
    let callback = ask.callback.as_ref().map(|to| [b"\0callback".as_slice(), to.target.as_bytes()]);
    let sent = head.as_ref().map(|head| [b"\0request".as_slice(), head.method.as_bytes(), head.target.as_bytes()]);
    let further = named.chain(callback.into_iter().flatten()).chain(sent.into_iter().flatten());
    let mut digest = Sha256::new_with_prefix(function.as_bytes());
    for part in parts.into_iter().chain([ask.priority.as_str().as_bytes()]).chain(further) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let key = IdempotencyKey { function, digest: Digest::from_bytes(Sha256::digest(key).into()) };
    Ok(Keyed { key, request: Digest::from_bytes(digest.finalize().into()) })
}
