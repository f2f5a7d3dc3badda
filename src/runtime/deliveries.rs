//! Use cases around deliveries: which are pending or dead, try the dead ones again, and the keys of webhooks.

use std::time::Duration;

use futures::StreamExt as _;

use super::{Error, Filter, Runtime};
use crate::model::bounds::{self, within};
use crate::model::invocation::{Delivery, Invocation};
use crate::model::names::{FunctionPath, InvocationId, Namespace};
use crate::outbound::SigningKey;
use crate::registry::RegistryError;
use crate::store::Cursor;

/// Invocations whose deliveries one call has tried again at the same time: their commits share syncs.
const AT_ONCE: usize = 64;

/// Where a delivery stands that has not been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be tried.
    Pending,
    /// It was given up.
    Dead,
}

/// Which deliveries are meant. Each part that is given narrows it.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Those that stand there.
    pub state: Option<DeliveryState>,
    /// Those to this destination, as it is written.
    pub target: Option<String>,
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// What they are like.
    pub wanted: Wanted,
    /// Those of functions of this namespace.
    pub namespace: Option<Namespace>,
    /// Those of this function.
    pub function: Option<FunctionPath>,
    /// From behind this place.
    pub after: Option<Cursor>,
    /// Of how many invocations at most.
    pub limit: usize,
}

/// Part of the list of deliveries.
#[derive(Clone, Debug, Default)]
pub struct DeliveryPage {
    /// The deliveries, those of the newest invocation first.
    pub deliveries: Vec<Undone>,
    /// Where to go on; `None` at the end. A page may be short and have more behind it.
    pub next: Option<Cursor>,
}

/// A delivery that has not been made.
#[derive(Clone, Debug)]
pub struct Undone {
    /// Of which invocation.
    pub invocation: InvocationId,
    /// Of which function.
    pub path: FunctionPath,
    /// Where it stands.
    pub state: DeliveryState,
    /// The delivery.
    pub delivery: Delivery,
}

/// What became of dead deliveries that were to be tried again.
#[derive(Debug, Default)]
pub struct Redriven {
    /// Invocations whose deliveries are tried again.
    pub done: usize,
    /// Those that could not be changed, and why.
    pub failed: Vec<(InvocationId, Error)>,
    /// Where to go on; `None` when all have been looked at.
    pub next: Option<Cursor>,
}

impl DeliveryState {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Dead => "dead",
        }
    }
}

impl Wanted {
    /// Those of an invocation.
    pub fn of(&self, invocation: &Invocation) -> Vec<Undone> {
        let (pending, dead) = invocation.deliveries();
        let undone = |state| {
            move |delivery: &Delivery| Undone {
                invocation: invocation.id,
                path: invocation.target.path.clone(),
                state,
                delivery: delivery.clone(),
            }
        };
        let all =
            pending.iter().map(undone(DeliveryState::Pending)).chain(dead.iter().map(undone(DeliveryState::Dead)));
        all.filter(|it| {
            self.state.is_none_or(|state| state == it.state)
                && self.target.as_ref().is_none_or(|target| *target == it.delivery.to.to_string())
        })
        .collect()
    }
}

impl DeliveryFilter {
    fn filter(&self) -> Filter {
        Filter {
            namespace: self.namespace.clone(),
            function: self.function.clone(),
            deliveries: Some(self.wanted.clone()),
            after: self.after,
            limit: self.limit,
            ..Filter::default()
        }
    }
}

impl Runtime {
    /// Deliveries that have not been made, those of the newest invocations first.
    pub async fn deliveries(&self, filter: DeliveryFilter) -> Result<DeliveryPage, Error> {
        let page = self.list(filter.filter()).await?;
        let deliveries = page.invocations.iter().flat_map(|invocation| filter.wanted.of(invocation)).collect();
        Ok(DeliveryPage { deliveries, next: page.next })
    }

    /// Has the dead deliveries of an invocation tried again, and returns it as it then is.
    pub async fn redeliver(&self, id: InvocationId) -> Result<Invocation, Error> {
        if let Some(invocation) = self.parts.dispatch.redeliver(id).await? {
            return Ok(invocation);
        }
        self.invocation(id).await?;
        Err(Error::NothingToRedeliver(id))
    }

    /// Has dead deliveries tried again, of as many invocations as the filter says. Looks at no more than
    /// [`bounds::MAX_SCANNED`] records or so: the caller goes on from where it ended.
    pub async fn redeliver_many(&self, filter: DeliveryFilter) -> Result<Redriven, Error> {
        let wanted = Wanted { state: Some(DeliveryState::Dead), ..filter.wanted.clone() };
        let page = self.list(DeliveryFilter { wanted, ..filter }.filter()).await?;
        let mut redriven = Redriven { next: page.next, ..Redriven::default() };
        let each = page.invocations.into_iter().map(|invocation| invocation.id);
        let each = each.map(|id| async move { (id, self.redeliver(id).await) }); // each is seen through by itself
        let mut ended = futures::stream::iter(each).buffer_unordered(AT_ONCE);
        while let Some((id, done)) = ended.next().await {
            match done {
                Ok(_) => redriven.done += 1,
                Err(error) => redriven.failed.push((id, error)),
            }
        }
        Ok(redriven)
    }

    /// The keys that the webhooks of a namespace are signed with now, the newest first.
    pub async fn webhook_keys(&self, namespace: &Namespace) -> Result<Vec<SigningKey>, Error> {
        Ok(self.parts.webhooks.keys(namespace).await?)
    }

    /// Makes a new key for the webhooks of a namespace; those before sign for `overlap` longer.
    pub async fn rotate_webhook_keys(
        &self,
        namespace: &Namespace,
        overlap: Duration,
    ) -> Result<Vec<SigningKey>, Error> {
        within("overlap", overlap.as_secs(), &bounds::KEY_OVERLAP_S).map_err(RegistryError::Range)?;
        let (webhooks, namespace) = (self.parts.webhooks.clone(), namespace.clone());
        let rotated = async move { webhooks.rotate(&namespace, overlap).await };
        let rotated = self.parts.tasks.see_through("rotate", rotated).await;
        rotated.map_or(Err(Error::Interrupted), |keys| Ok(keys?))
    }
}
