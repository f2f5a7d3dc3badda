//! What is asked of an invocation that is there: to stop, to run now, to be waited for. It may stand in line, in
//! somebody's hands, or in the store alone.

use std::sync::Arc;
use std::time::Duration;

use super::turn::Hold;
use super::{Dispatch, Held, Parts, deliver, step};
use crate::model::invocation::{Event, Invocation, State};
use crate::model::names::InvocationId;
use crate::model::place::Place;
use crate::store::{Change, Durability, Group, StoreError};

/// What cancelling did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelAsked {
    /// It waits for a step to settle it as cancelled; look again.
    Underway,
    /// Nothing of that id waits or runs.
    NotLive,
}

impl Dispatch {
    /// Asks for an invocation to be cancelled: what waits is taken out of the queue, what runs is cut short.
    pub async fn cancel(&self, id: InvocationId) -> Result<CancelAsked, StoreError> {
        let parts = &self.parts;
        if parts.cancel(&mut parts.held(), id, None) {
            return Ok(CancelAsked::Underway);
        }
        let Some(place) = parts.needs.store.invocation(id).await?.as_ref().and_then(Invocation::place) else {
            return Ok(CancelAsked::NotLive);
        };
        parts.cancel(&mut parts.held(), id, Some(place));
        Ok(CancelAsked::Underway)
    }

    /// Makes an invocation that waits due now, durably, and returns it as it then is. `None` when it does not wait:
    /// it runs, has settled, or is not there.
    pub async fn run_now(&self, id: InvocationId) -> Result<Option<Invocation>, StoreError> {
        let parts = self.parts.clone();
        let Some(place) = parts.needs.store.invocation(id).await?.as_ref().and_then(Invocation::place) else {
            return Ok(None);
        };
        let expedited = async move {
            let hold = {
                let mut held = parts.held();
                if held.contains_key(&id) {
                    return Ok(None);
                }
                let place = parts.line().remove(id).unwrap_or(place);
                Hold::of(&parts, &mut held, place)
            };
            expedite(&parts, id, hold).await
        };
        // Whoever asked may go away; what is held must come back into line.
        let expedited = self.parts.needs.tasks.see_through("run now", expedited).await;
        expedited.unwrap_or_else(|| Err(StoreError::Unknown("the step that was to write it ended early".to_owned())))
    }

    /// Has what was given up of its deliveries tried again, durably, and returns it as it then is. `None` where nothing
    /// of it was, or something else of it is still on its way.
    pub async fn redeliver(&self, id: InvocationId) -> Result<Option<Invocation>, StoreError> {
        let parts = self.parts.clone();
        let redelivered = async move { deliver::redeliver(&parts, id).await };
        let redelivered = self.parts.needs.tasks.see_through("redeliver", redelivered).await;
        redelivered.unwrap_or_else(|| Err(StoreError::Unknown("the step that was to write it ended early".to_owned())))
    }

    /// Waits until an invocation has settled, at most `patience` and not behind the end of the process, and returns it as
    /// it then is. `None` when there is none of that id.
    pub async fn wait(&self, id: InvocationId, patience: Duration) -> Result<Option<Invocation>, StoreError> {
        let store = &self.parts.needs.store;
        let Some(waiter) = self.parts.waiters.register(id) else { return store.invocation(id).await };
        let until = tokio::time::Instant::now() + patience;
        loop {
            let settled = waiter.settled();
            let found = store.invocation(id).await?;
            let pending = found.as_ref().is_some_and(|invocation| invocation.outcome().is_none());
            if !pending {
                return Ok(found);
            }
            tokio::select! {
                () = settled => (),
                () = tokio::time::sleep_until(until) => return Ok(found),
                () = self.parts.needs.tasks.stopping().cancelled() => return Ok(found),
            }
        }
    }
}

impl Parts {
    /// Has an invocation cancelled that is held, in line, or `known` to be in the store; says whether it is.
    fn cancel(self: &Arc<Self>, held: &mut Held, id: InvocationId, known: Option<Place>) -> bool {
        if let Some(cut) = held.get(&id) {
            cut.cancel();
            return true;
        }
        let place = self.line().remove(id).or(known);
        if let Some(place) = place {
            self.begin(held, place, step::Task::Cancel);
        }
        place.is_some()
    }
}

/// Makes an invocation due now and puts it back in line, or says that it does not wait.
async fn expedite(parts: &Parts, id: InvocationId, mut hold: Hold) -> Result<Option<Invocation>, StoreError> {
    let Some(mut invocation) = parts.needs.store.invocation(id).await? else {
        hold.gone();
        return Ok(None);
    };
    // One that runs and is in nobody's hands was cut short, and is due as it is.
    let waits = matches!(invocation.state, State::Queued { .. });
    if waits && invocation.apply(&Event::Expedited, parts.needs.clock.now()).is_ok() {
        let group = Group(vec![Change::PutInvocation(Box::new(invocation.clone()))]);
        parts.needs.store.commit(group, Durability::Synced).await?;
    }
    match invocation.place() {
        Some(place) => hold.back(place),
        None => hold.gone(),
    }
    Ok(invocation.outcome().is_none().then_some(invocation))
}
