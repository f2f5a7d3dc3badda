//! The pump: brings what has settled to destinations outside the runtime, each target in an order of its own.
//!
//! What is to be brought stands as documents (`stand`), written in the commit that settles, so there is nothing to
//! recover: whatever stands there is due. Memory holds the targets alone (`lanes`). A try is a task (`attempt`), whose
//! end is an event like any other: applied, and committed with the document moved or removed.

mod attempt;
mod lanes;
mod stand;
mod tally;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

pub(super) use stand::Stand;
pub use tally::{DeliveryTarget, TargetFigures};

use super::Parts;
use super::turn::{LOOK_AGAIN, STORE_PAUSE};
use crate::model::bounds;
use crate::model::invocation::{Event, Invocation};
use crate::model::names::InvocationId;
use crate::store::{Change, DocumentRange, Durability, Group, Room, StoreError, Table};
use crate::tasks::OnExit;
use lanes::{Lanes, Turn};
use tally::Tally;

/// Locks over the look at an invocation and its change; each is for many.
const LOCKS: usize = 64;
/// Documents that are read at once where all are counted.
const PAGE: usize = 4_096;
/// Between two counts of all that waits.
const COUNT_ROUND: Duration = Duration::from_secs(60);

/// Figures of deliveries, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFigures {
    /// Those that are to be tried, as last counted.
    pub pending: u64,
    /// Those that are under way.
    pub under_way: u64,
    /// Tries that have ended.
    pub tries: u64,
    /// Deliveries that were made.
    pub delivered: u64,
    /// Deliveries that were given up.
    pub given_up: u64,
}

/// What the pump works with.
pub(super) struct Deliveries {
    lanes: Mutex<Lanes>,
    wake: Notify,
    /// By invocation: two deliveries of one may end at the same moment.
    changing: [tokio::sync::Mutex<()>; LOCKS],
    /// Bytes that tries may hold.
    room: Arc<Semaphore>,
    pending: AtomicI64,
    tries: AtomicU64,
    delivered: AtomicU64,
    given_up: AtomicU64,
    tally: Tally,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self {
            lanes: Mutex::default(),
            wake: Notify::new(),
            changing: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
            room: Arc::new(Semaphore::new(bounds::MAX_DELIVERY_BYTES as usize)),
            pending: AtomicI64::new(0),
            tries: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            tally: Tally::default(),
        }
    }
}

impl Deliveries {
    /// These stand in the store now.
    pub(super) fn note(&self, stands: &[Stand]) {
        if stands.is_empty() {
            return;
        }
        let mut lanes = self.lanes();
        for stand in stands {
            lanes.note(stand.target, stand.due);
        }
        drop(lanes);
        self.pending.fetch_add(i64::try_from(stands.len()).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Whether nothing is under way.
    pub(super) fn rest(&self) -> bool {
        self.lanes().under_way() == 0
    }

    pub(super) fn figures(&self) -> DeliveryFigures {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DeliveryFigures {
            pending: u64::try_from(self.pending.load(Ordering::Relaxed)).unwrap_or(0),
            under_way: self.lanes().under_way() as u64,
            tries: count(&self.tries),
            delivered: count(&self.delivered),
            given_up: count(&self.given_up),
        }
    }

    pub(super) fn figures_of_targets(&self) -> Vec<(DeliveryTarget, TargetFigures)> {
        self.tally.figures()
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn turn_of(&self, id: InvocationId) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing[usize::from(id.as_bytes()[15]) % LOCKS].lock().await
    }
}

/// Goes on until the process stops.
pub(super) async fn pump(parts: Arc<Parts>) {
    let stopping = parts.needs.tasks.stopping().clone();
    let mut known = false;
    loop {
        if !known || parts.deliveries.lanes().look_up_more() {
            known = look_up(&parts).await.is_ok();
        }
        let pause = turn(&parts).await;
        tokio::select! {
            () = stopping.cancelled() => return,
            () = parts.deliveries.wake.notified() => (),
            () = tokio::time::sleep(pause) => (),
        }
    }
}

/// Finds every target that something stands for: by the first that stands there, and from there past the others.
async fn look_up(parts: &Parts) -> Result<(), StoreError> {
    let mut range = DocumentRange::of(Table::Delivery, b"");
    loop {
        let first = parts.needs.store.document_keys(range.clone(), 1).await;
        let first =
            first.inspect_err(|error| tracing::error!(%error, "deliveries cannot be looked up; trying again"))?;
        let Some(key) = first.first() else { return Ok(()) };
        match Stand::read(key.key()) {
            Some(stand) => {
                parts.deliveries.lanes().note(stand.target, stand.due);
                range = range.after(&[&stand.target[..], &[u8::MAX; 26]].concat());
            }
            None => range = range.after(key.key()),
        }
    }
}

/// Begins what is due and fits; returns how long to wait, in real time, before looking again.
async fn turn(parts: &Arc<Parts>) -> Duration {
    loop {
        let now = parts.needs.clock.now();
        let closed = parts.closed.load(Ordering::SeqCst) || parts.needs.store.room() == Room::None;
        let Some(turn) = (if closed { None } else { parts.deliveries.lanes().take(now) }) else {
            let next = parts.deliveries.lanes().next_look(now).filter(|_| !closed);
            let pause = next.map_or(LOOK_AGAIN, |at| parts.needs.clock.real(at.since(now)));
            return pause.clamp(Duration::from_millis(1), LOOK_AGAIN);
        };
        if let Err(error) = begin(parts, turn).await {
            tracing::error!(%error, "deliveries to a target cannot be read; trying again");
            parts.deliveries.lanes().note(turn.target, now + STORE_PAUSE);
            return STORE_PAUSE;
        }
    }
}

/// Begins what is due to one target.
async fn begin(parts: &Arc<Parts>, turn: Turn) -> Result<(), StoreError> {
    let range = DocumentRange::of(Table::Delivery, &turn.target);
    let keys = parts.needs.store.document_keys(range, turn.free + turn.under_way + 1).await?;
    let (mut begun, mut next) = (Vec::new(), None);
    let now = parts.needs.clock.now();
    let mut lanes = parts.deliveries.lanes();
    for stand in keys.iter().filter_map(|key| Stand::read(key.key())) {
        if begun.len() == turn.free || stand.due > now {
            next = Some(stand.due);
            break;
        }
        if lanes.begin(&stand) {
            begun.push(stand);
        }
    }
    lanes.read(turn.target, next);
    drop(lanes);
    for stand in begun {
        let parts_of_task = parts.clone();
        let run = async move { attempt::run(&parts_of_task, stand).await };
        parts.needs.tasks.spawn("delivery", OnExit::Ignore, run);
    }
    Ok(())
}

/// Counts what waits, now and then, so that the figure is true also of what was there before the start.
pub(super) async fn count(parts: Arc<Parts>) {
    let stopping = parts.needs.tasks.stopping().clone();
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => (),
        }
        let started = tokio::time::Instant::now();
        let before = parts.deliveries.pending.load(Ordering::Relaxed);
        match counted(&parts).await {
            Ok(found) => {
                // What has changed meanwhile may or may not be in it; the next count is at rest, or the one after.
                let moved = parts.deliveries.pending.load(Ordering::Relaxed) - before;
                parts.deliveries.pending.fetch_add(found - before - moved, Ordering::Relaxed);
            }
            Err(error) => tracing::error!(%error, "deliveries cannot be counted; trying again"),
        }
        pause = COUNT_ROUND.max(started.elapsed() * 50);
    }
}

async fn counted(parts: &Parts) -> Result<i64, StoreError> {
    let (mut range, mut count) = (DocumentRange::of(Table::Delivery, b""), 0);
    loop {
        let keys = parts.needs.store.document_keys(range.clone(), PAGE).await?;
        count += i64::try_from(keys.len()).unwrap_or(i64::MAX);
        match keys.last() {
            Some(last) if keys.len() == PAGE => range = range.after(last.key()),
            _ => return Ok(count),
        }
    }
}

/// Has what was given up of an invocation tried again, durably. `None` where there is nothing of the kind.
pub(super) async fn redeliver(parts: &Parts, id: InvocationId) -> Result<Option<Invocation>, StoreError> {
    let _turn = parts.deliveries.turn_of(id).await;
    let Some(mut invocation) = parts.needs.store.invocation(id).await? else { return Ok(None) };
    if invocation.apply(&Event::Redeliver, parts.needs.clock.now()).is_err() {
        return Ok(None);
    }
    let stands = Stand::all_of(&invocation);
    let mut group: Vec<_> = stands.iter().map(Stand::put).collect();
    group.push(Change::ReplaceInvocation(Box::new(invocation.clone())));
    parts.needs.store.commit(Group(group), Durability::Synced).await?;
    parts.deliveries.note(&stands); // of one that was removed meanwhile, they go with their first try
    Ok(Some(invocation))
}
