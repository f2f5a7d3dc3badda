//! The loop: looks at what is due, takes it in hand while it fits, and lets it go when its step has ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Held, Parts, step};
use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::model::place::Place;
use crate::model::time::Timestamp;
use crate::store::Room;
use crate::tasks::OnExit;
use crate::worker::{NoSlot, Slot};

/// The longest pause between two looks at what is due: a lost wake-up, or a machine that was asleep, costs this and
/// never an invocation.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// When an invocation that could not be read or written is tried again.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(5);

/// When one that is damaged is looked at again, and told of again. Nothing mends it while the store is open, but a disk
/// that read wrongly may read rightly the next time.
const DAMAGED_PAUSE: Duration = Duration::from_secs(3_600);

/// An invocation in somebody's hands. When it is dropped, by a panic too, the invocation is let go: unless something
/// else was said it is put aside, to be tried again later.
pub(super) struct Hold {
    parts: Arc<Parts>,
    place: Place,
    end: End,
}

/// Where an invocation goes that is let go.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Its state is not known for sure: aside, for a while.
    Aside,
    /// There.
    Back(Place),
    /// It cannot be read: aside, for long.
    Damaged,
    /// Nowhere: it has settled, or was never there.
    Gone,
}

impl Hold {
    /// Takes in hand what nobody has.
    pub(super) fn of(parts: &Arc<Parts>, held: &mut Held, place: Place) -> Self {
        held.insert(place.id, CancellationToken::new());
        Self::new(parts, place)
    }

    /// What was taken in hand.
    fn new(parts: &Arc<Parts>, place: Place) -> Self {
        Self { parts: parts.clone(), place, end: End::Aside }
    }

    pub(super) const fn id(&self) -> InvocationId {
        self.place.id
    }

    /// It stands there again.
    pub(super) fn back(&mut self, place: Place) {
        self.end = End::Back(place);
    }

    /// It cannot be read, however often that is tried.
    pub(super) fn damaged(&mut self) {
        self.end = End::Damaged;
    }

    /// It stands nowhere any more.
    pub(super) fn gone(&mut self) {
        self.end = End::Gone;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.parts.finish(self.place, self.end);
    }
}

impl Parts {
    pub(super) async fn work(self: Arc<Self>) {
        let stopping = self.needs.tasks.stopping().clone();
        loop {
            let pause = self.turn();
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.needs.wake.notified() => (),
                () = tokio::time::sleep(pause) => (),
            }
        }
    }

    /// Starts everything that is due and fits, and has read what runs low; returns how long to wait, in real time,
    /// before looking again.
    fn turn(self: &Arc<Self>) -> Duration {
        let now = self.needs.clock.now();
        for freed in self.needs.slots.freed() {
            self.line().freed(freed.function, freed.version);
        }
        let room = self.needs.store.room();
        let mut more = true;
        while more {
            more = !self.closed.load(Ordering::SeqCst) && self.start_one(now, room);
        }
        self.refill();
        let next = self.line().next_look(now).map_or(LOOK_AGAIN, |at| self.needs.clock.real(at.since(now)));
        next.clamp(Duration::from_millis(1), LOOK_AGAIN)
    }

    /// Starts a step for one that is too old or due and fits; returns whether there was one.
    fn start_one(self: &Arc<Self>, now: Timestamp, room: Room) -> bool {
        // Both locks over the move, always in this order: whoever cancels finds it in one place or the other.
        let mut held = self.held();
        let mut line = self.line();
        let taken = match self.expiring.clone().try_acquire_owned() {
            Ok(permit) => line.take_expired(now).map(|place| (place, step::Task::Expire(permit))),
            Err(_) => None,
        };
        let taken = taken.or_else(|| {
            let slots = self.needs.slots.any_free() && self.can_be_written(room, &held);
            let (place, slot) = slots.then(|| line.take(now, |place| self.slot_for(place))).flatten()?;
            Some((place, step::Task::Run(slot)))
        });
        drop(line);
        let Some((place, task)) = taken else { return false };
        if !held.contains_key(&place.id) {
            self.begin(&mut held, place, task); // else whoever has it says where it stands
        }
        drop(held);
        true
    }

    /// Whether what an attempt comes to can be written down, as far as that can be known: while only the reserve is left
    /// few run at once, and none when what has happened already does not fit. What waits is looked at again with
    /// each step that ends, and after [`LOOK_AGAIN`].
    fn can_be_written(&self, room: Room, held: &Held) -> bool {
        match room {
            Room::Plenty => true,
            Room::ReserveOnly => {
                held.len() < bounds::MAX_STEPS_IN_RESERVE && self.unwritten.load(Ordering::Relaxed) == 0
            }
            Room::None => false,
        }
    }

    fn slot_for(&self, place: &Place) -> Result<Slot, NoSlot> {
        let version = place.lane.version.and_then(|number| self.needs.registry.version(place.lane.function, number));
        self.needs.slots.try_take(place.lane.function, version.as_deref())
    }

    /// Puts an invocation that is in nobody's hands and not in line into those of a step.
    pub(super) fn begin(self: &Arc<Self>, held: &mut Held, place: Place, task: step::Task) {
        let cut = CancellationToken::new();
        held.insert(place.id, cut.clone());
        let parts = self.clone();
        // Made in the task: one that is dropped before it runs, with its runtime, must not ask for the lock we have.
        let run = async move { step::run(&parts, Hold::new(&parts, place), task, cut).await };
        self.needs.tasks.spawn("step", OnExit::Ignore, run);
    }

    /// Lets an invocation go. Whoever asked for it to be cancelled too late for the step has not asked in vain.
    fn finish(self: &Arc<Self>, place: Place, end: End) {
        let mut held = self.held();
        let cancelled = held.remove(&place.id).is_some_and(|cut| cut.is_cancelled());
        // After a panic it is put aside first: what panics each time must not do so without a pause.
        let cancelled = cancelled && !self.closed.load(Ordering::SeqCst) && !std::thread::panicking();
        match end {
            End::Back(place) if cancelled => self.begin(&mut held, place, step::Task::Cancel),
            End::Aside if cancelled => self.begin(&mut held, place, step::Task::Cancel),
            End::Back(back) => self.line().release(place.id, place.lane, Some(back)),
            End::Aside => self.line().put_aside(place, self.needs.clock.now() + STORE_PAUSE),
            End::Damaged => self.line().put_damaged_aside(place, self.needs.clock.now() + DAMAGED_PAUSE),
            End::Gone => self.line().release(place.id, place.lane, None),
        }
        drop(held);
        self.needs.wake.notify_one();
    }
}
