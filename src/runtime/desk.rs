//! Where guests ask the runtime for something: each request becomes a use case, on the runtime's own threads, with the
//! guest's chain and trace carried on. Whether the guest may ask was decided before.

use std::sync::Weak;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{Ask, Error, Parts, Runtime};
use crate::dispatch::NotAccepted;
use crate::engine::asks::{Asked, Asks, Invoked, NotDone, Order, Pairs, Queueing};
use crate::engine::call::{Identity, Input};
use crate::key_value::{KeyValue, KeyValueError};
use crate::model::bounds;
use crate::model::names::{InvalidId, InvocationId};
use crate::model::time::When;
use crate::registry::RegistryError;
use crate::store::{Pair, PairStore};
use crate::tasks::Tasks;
use crate::worker::Slots;

/// Where guests ask. It exists before the runtime does, which runs them; who asks before it is open waits.
pub struct Desk {
    /// Weak: the runtime has the worker, and the worker has this.
    runtime: watch::Sender<Option<Weak<Parts>>>,
    /// The runtime's threads: what is started on a guest's would end with the guest.
    home: Handle,
    tasks: Tasks,
}

impl Desk {
    /// A desk of the async runtime that this is called in.
    pub fn new(tasks: Tasks) -> Self {
        Self { runtime: watch::Sender::new(None), home: Handle::current(), tasks }
    }

    /// Has `runtime` answer from now on.
    pub fn open(&self, runtime: &Runtime) {
        self.runtime.send_replace(Some(std::sync::Arc::downgrade(&runtime.parts)));
    }

    pub(super) async fn runtime(&self) -> Result<Runtime, NotDone> {
        let mut open = self.runtime.subscribe();
        let parts = open.wait_for(Option::is_some).await.ok().and_then(|parts| parts.as_ref()?.upgrade());
        parts.map(|parts| Runtime { parts }).ok_or_else(stopping)
    }

    /// Has a use case carried out, for as long as somebody waits for it.
    async fn carried_out<T, F>(&self, work: impl FnOnce(Runtime) -> F) -> Result<T, NotDone>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let work = work(self.runtime().await?);
        self.tasks.at(&self.home, work).await.ok_or_else(stopping)?.map_err(not_done)
    }

    /// The same for what is done to a key-value store.
    async fn with_pairs<T, F>(&self, of: Pairs, work: impl FnOnce(KeyValue, PairStore) -> F) -> Result<T, NotDone>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, KeyValueError>> + Send + 'static,
    {
        let store = PairStore { namespace: of.caller.namespace.clone(), name: of.store };
        let work = work(self.runtime().await?.parts.key_value.clone(), store);
        let done = self.tasks.at(&self.home, work).await.ok_or_else(stopping)?;
        done.map_err(|error| NotDone::Unavailable(error.to_string()))
    }
}

impl Asks for Desk {
    fn invoke(&self, order: Order) -> Asked<'_, Invoked> {
        Box::pin(async move {
            let ask = ask(order)?;
            let answered = self.carried_out(|runtime| async move { runtime.invoke(ask).await }).await?;
            Ok(Invoked { id: answered.id.to_string(), reply: answered.reply })
        })
    }

    fn enqueue(&self, order: Order, queueing: Queueing) -> Asked<'_, String> {
        Box::pin(async move {
            let Queueing { delay, priority, idempotency_key } = queueing;
            let when = if delay.is_zero() { When::Now } else { When::After(delay) };
            if delay > bounds::MAX_AHEAD {
                return Err(not_done(Error::TooFarAhead { ahead: delay }));
            }
            let ask = Ask { when, priority, idempotency_key, ..ask(order)? };
            let accepted = self.carried_out(|runtime| async move { runtime.accept(ask).await }).await?;
            Ok(accepted.id.to_string())
        })
    }

    fn get_pairs(&self, of: Pairs, keys: Vec<String>) -> Asked<'_, Vec<Option<Bytes>>> {
        Box::pin(self.with_pairs(of, |all, store| async move { all.get(store, keys).await }))
    }

    fn has_pair(&self, of: Pairs, key: String) -> Asked<'_, bool> {
        Box::pin(self.with_pairs(of, |all, store| async move { all.exists(store, key).await }))
    }

    fn list_pairs(&self, of: Pairs, after: Option<u64>, limit: usize) -> Asked<'_, (Vec<String>, Option<u64>)> {
        Box::pin(self.with_pairs(of, move |all, store| page(all, store, after, limit)))
    }

    fn change_pairs(&self, of: Pairs, changes: Vec<(String, Option<Bytes>)>) -> Asked<'_, ()> {
        Box::pin(self.with_pairs(of, |all, store| async move { all.change(store, changes).await }))
    }

    fn increment(&self, of: Pairs, key: String, delta: u64) -> Asked<'_, u64> {
        Box::pin(self.with_pairs(of, move |all, store| async move { all.increment(store, key, delta).await }))
    }
}

/// Whether a page of a list has another behind it is seen by the one more that is asked for.
async fn page(
    all: KeyValue,
    store: PairStore,
    after: Option<u64>,
    limit: usize,
) -> Result<(Vec<String>, Option<u64>), KeyValueError> {
    let mut pairs = all.list(store, after, limit + 1).await?;
    let goes_on = pairs.len() > limit;
    pairs.truncate(limit);
    let next = pairs.last().filter(|_| goes_on).map(Pair::place);
    Ok((pairs.into_iter().map(|pair| pair.key).collect(), next))
}

/// What the guest's order is to the runtime, one step further than the guest is.
fn ask(order: Order) -> Result<Ask, NotDone> {
    let Order { caller, path, qualifier, payload, content_type } = order;
    let chain = chain(&caller).map_err(|error| NotDone::Unavailable(format!("a bug: {error}")))?;
    Ok(Ask {
        content_type,
        traceparent: caller.traceparent.clone(),
        chain,
        ..Ask::now(path, qualifier, Input::Payload(payload))
    })
}

/// The guest's own invocation stands at the end, or functions that call each other would never be too many.
fn chain(caller: &Identity) -> Result<Vec<InvocationId>, InvalidId> {
    caller.chain.iter().chain([&caller.invocation]).map(|id| id.parse()).collect()
}

fn stopping() -> NotDone {
    NotDone::Unavailable("the runtime is stopping".to_owned())
}

fn not_done(error: Error) -> NotDone {
    let message = error.to_string();
    let retry_after = error.retry_after();
    match error {
        Error::Function { id, failure, answer, .. } => {
            let (id, kind) = (id.to_string(), failure.kind.as_str());
            NotDone::Failed { id, kind, message: failure.message, answer }
        }
        Error::HopLimit { .. } => NotDone::HopLimit(message),
        Error::PayloadTooLarge { .. } => NotDone::TooLarge(message),
        Error::Registry(RegistryError::FunctionUnknown(_) | RegistryError::VersionUnknown { .. }) => {
            NotDone::NotFound(message)
        }
        Error::HeadTooLarge { .. }
        | Error::IdempotencyConflict { .. }
        | Error::IdempotencyKey
        | Error::PayloadMisfit(_)
        | Error::TooFarAhead { .. }
        | Error::NotAccepted(NotAccepted::KeyConflict(_)) => NotDone::BadRequest(message),
        Error::Disabled(_)
        | Error::Overloaded { .. }
        | Error::NotAccepted(
            NotAccepted::FunctionFull(_)
            | NotAccepted::FunctionBytesFull(_)
            | NotAccepted::NamespaceFull(_)
            | NotAccepted::NamespaceBytesFull(_)
            | NotAccepted::RuntimeFull(_)
            | NotAccepted::RuntimeBytesFull(_),
        ) => NotDone::Overloaded { message, retry_after: retry_after.unwrap_or(Slots::retry_after()) },
        Error::Access(_)
        | Error::AlreadySettled { .. }
        | Error::Connection(_)
        | Error::ConnectionUnknown { .. }
        | Error::Denied(_)
        | Error::File(_)
        | Error::Image(_)
        | Error::Interrupted
        | Error::InvocationUnknown(_)
        | Error::KeyValue(_)
        | Error::MessageQueue(_)
        | Error::NoSchema { .. }
        | Error::NotADeadLetter(_)
        | Error::NotAllowed(_)
        | Error::NotAccepted(NotAccepted::Stopping | NotAccepted::Store(_))
        | Error::NotLoaded(_)
        | Error::NotQueued { .. }
        | Error::NotSettled(_)
        | Error::Object(_)
        | Error::ObjectUnknown { .. }
        | Error::NothingToRedeliver(_)
        | Error::PairUnknown { .. }
        | Error::PayloadNotKept(_)
        | Error::Registry(_)
        | Error::SecretUnknown { .. }
        | Error::Store(_)
        | Error::Stream(_)
        | Error::Topic(_)
        | Error::Trigger(_)
        | Error::Vault(_) => {
            tracing::warn!(%message, "what a function asked for could not be done");
            NotDone::Unavailable(message)
        }
    }
}
