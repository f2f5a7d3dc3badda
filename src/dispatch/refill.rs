//! What stands in the store alone: lanes that run low are filled from there, and what grows too old behind their
//! horizons is looked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::line::Refill;
use super::turn::STORE_PAUSE;
use super::{MAX_EXPIRING, Parts, step};
use crate::model::place::Place;
use crate::store::StoreError;
use crate::tasks::OnExit;

/// Pause between two looks for what is too old behind the horizons.
const LOOK_FOR_OVERDUE: Duration = Duration::from_secs(1);

impl Parts {
    /// Has more read of the lanes that run low.
    pub(super) fn refill(self: &Arc<Self>) {
        loop {
            let Some(refill) = self.line().begin_refill() else { return };
            self.needs.tasks.spawn("refill", OnExit::Ignore, self.clone().read_more(refill));
        }
    }

    async fn read_more(self: Arc<Self>, Refill { lane, after, limit }: Refill) {
        let read = self.needs.store.waiting(lane, Some(after), limit).await;
        if let Err(error) = &read {
            tracing::error!(function = %lane.function, %error, "the queue could not be read; trying again");
            tokio::select! {
                () = tokio::time::sleep(STORE_PAUSE) => (),
                () = self.needs.tasks.stopping().cancelled() => return,
            }
        }
        let held = self.held(); // before the line, and over both: it must not stand in two places
        self.line().finish_refill(lane, read.ok(), |id| held.contains_key(&id));
        drop(held);
        self.needs.wake.notify_one();
    }

    /// Has settled what is too old and not in memory, as long as anything is not.
    pub(super) async fn settle_overdue(self: Arc<Self>) {
        let stopping = self.needs.tasks.stopping().clone();
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.needs.clock.sleep(LOOK_FOR_OVERDUE) => (),
            }
            if !self.line().has_more() {
                continue;
            }
            match self.overdue().await {
                Ok(places) => self.expire(places).await,
                Err(error) => {
                    tracing::error!(%error, "what is too old could not be looked for; trying again");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    async fn overdue(&self) -> Result<Vec<Place>, StoreError> {
        // What runs or is put aside stands first, however long, and what is in memory is settled from there.
        let limit = self.held().len() + self.line().aside() + 4 * MAX_EXPIRING;
        self.needs.store.too_old(self.needs.clock.now(), limit).await
    }

    /// Has these settled, so many at once.
    async fn expire(self: &Arc<Self>, places: Vec<Place>) {
        for place in places {
            let Ok(permit) = self.expiring.clone().acquire_owned().await else { return }; // it is never closed
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            let mut held = self.held();
            if !held.contains_key(&place.id) && !self.line().contains(place.id) {
                self.line().remove(place.id); // it may have come while its lane is being filled
                self.begin(&mut held, place, step::Task::Expire(permit));
            }
        }
    }
}
