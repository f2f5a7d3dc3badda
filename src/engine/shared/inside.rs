//! The runs that are in one instance: until when each may be there, who waits for it, and what of the processor it is
//! charged. What looks at them is the instance's own task and, while it computes, each tick of the epoch.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use wasmtime::component::GuestTaskId;

use super::{Answer, Ask, Asked, Caller, Load};
use crate::engine::call::Call;
use crate::engine::epoch::Ticking;
use crate::engine::meter::{Meter, cpu_time};
use crate::engine::output::Capture;
use crate::engine::run::FREE_TICKS;
use crate::engine::trap::{TimedOut, Unwanted};

/// How long after its time a run may keep an instance from noticing that it is over, in a call of the host that lets
/// nothing else go on.
const STUCK: Duration = Duration::from_millis(100);

/// All of them.
pub(super) struct Inside {
    runs: Mutex<Runs>,
    load: Arc<Load>,
    /// Ticks since it was last entered of its own accord.
    ticks: AtomicU32,
    /// It has given its thread up in the middle, at a tick.
    has_yielded: AtomicBool,
}

struct Runs {
    all: Vec<Present>,
    /// When the last of all that ever were in it is over. What a run leaves going may go on until then.
    latest: Instant,
    /// Processor time of the thread when it was last divided.
    divided: Duration,
    /// The run that was found computing past its time.
    overdue: Option<Key>,
    next: Key,
}

/// One run.
pub(super) struct Present {
    key: Key,
    /// What the store calls it, once it has begun.
    task: Option<GuestTaskId>,
    until: Instant,
    pub(super) log: Capture,
    pub(super) meter: Meter,
    pub(super) answer: oneshot::Sender<Answer>,
    caller: Arc<Caller>,
}

/// What is left of a run that was taken in.
pub(super) struct Entered {
    pub(super) key: Key,
    pub(super) call: Call,
    pub(super) caller: Arc<Caller>,
    pub(super) ticking: Ticking,
}

/// What tells the runs of an instance from each other.
pub(super) type Key = u64;

impl Inside {
    /// None yet.
    pub(super) fn empty(load: Arc<Load>) -> Self {
        let (all, latest, divided) = (Vec::new(), Instant::now(), Duration::ZERO);
        let runs = Mutex::new(Runs { all, latest, divided, overdue: None, next: 0 });
        Self { runs, load, ticks: AtomicU32::new(0), has_yielded: AtomicBool::new(false) }
    }

    /// Takes a run in.
    pub(super) fn enter(&self, ask: Ask) -> Entered {
        let Ask { asked: Asked { call, log, meter, until, ticking }, answer, caller } = ask;
        let mut runs = self.lock();
        let key = runs.next;
        runs.next += 1;
        runs.latest = runs.latest.max(until);
        let present = Present { key, task: None, until, log, meter, answer, caller: Arc::clone(&caller) };
        runs.all.push(present);
        Entered { key, call, caller, ticking }
    }

    /// A run begins, and the store calls it so.
    pub(super) fn begins(&self, key: Key, task: GuestTaskId) {
        if let Some(present) = self.lock().all.iter_mut().find(|present| present.key == key) {
            present.task = Some(task);
            present.meter.instantiated();
        }
    }

    /// Lets a run go.
    pub(super) fn leave(&self, key: Key) -> Option<Present> {
        let left = {
            let mut runs = self.lock();
            let at = runs.all.iter().position(|present| present.key == key)?;
            runs.all.swap_remove(at)
        };
        self.load.held.fetch_sub(1, Ordering::Relaxed);
        Some(left)
    }

    /// Lets all go.
    pub(super) fn clear(&self) -> Vec<Present> {
        std::mem::take(&mut self.lock().all)
    }

    /// Those whose run is that of one of these tasks, the youngest first; or that was found past its time.
    pub(super) fn culprit(&self, mut stack: impl Iterator<Item = GuestTaskId>) -> Option<Key> {
        let runs = self.lock();
        runs.overdue.or_else(|| stack.find_map(|task| runs.of(task)).map(|present| present.key))
    }

    /// What is looked at while it computes: whose time is up, and whether anybody waits for what it does.
    pub(super) fn tick(&self, mut stack: impl Iterator<Item = GuestTaskId>) -> wasmtime::Result<()> {
        let (now, mut runs) = (Instant::now(), self.lock());
        if runs.are_unwanted() {
            return Err(Unwanted.into());
        }
        let (key, until) = match stack.find_map(|task| runs.of(task)) {
            Some(present) => (Some(present.key), present.until),
            None => (None, runs.latest),
        };
        if now >= until {
            runs.overdue = key;
            return Err(TimedOut.into());
        }
        Ok(())
    }

    /// Counts a tick. Returns whether it has been computing for long.
    pub(super) fn is_long_now(&self) -> bool {
        let is_long = self.ticks.fetch_add(1, Ordering::Relaxed) >= FREE_TICKS;
        if is_long {
            self.load.is_long.store(true, Ordering::Relaxed);
        }
        is_long
    }

    /// It gives its thread up, and will go on where it was.
    pub(super) fn yields(&self) {
        self.has_yielded.store(true, Ordering::Relaxed);
    }

    /// Whether it has been computing for long.
    pub(super) fn is_long(&self) -> bool {
        self.load.is_long.load(Ordering::Relaxed)
    }

    /// When it is to be ended from outside, because it has not noticed that nobody waits for some of its runs: at once if
    /// nobody waits for any, and a while after the time of the first of them. `None` where all is well.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        let runs = self.lock();
        if runs.are_unwanted() {
            return Some(Instant::now());
        }
        runs.all.iter().filter(|present| present.caller.is_gone()).map(|present| present.until + STUCK).min()
    }

    /// Counts the processor time of the instance, and divides it among the runs in it.
    pub(super) async fn counted<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if !self.has_yielded.swap(false, Ordering::Relaxed) {
                self.ticks.store(0, Ordering::Relaxed);
                self.load.is_long.store(false, Ordering::Relaxed);
            }
            self.load.is_polled.store(true, Ordering::Relaxed);
            self.lock().divided = cpu_time();
            let polled = work.as_mut().poll(context);
            self.divide();
            if !self.has_yielded.load(Ordering::Relaxed) {
                self.load.is_long.store(false, Ordering::Relaxed); // what waits is there for others
            }
            self.load.is_polled.store(false, Ordering::Relaxed);
            polled
        })
        .await
    }

    /// Charges each run with an equal part of what was used since this was last done.
    pub(super) fn divide(&self) {
        let mut runs = self.lock();
        let Ok(count @ 1..) = u32::try_from(runs.all.len()) else { return };
        let now = cpu_time();
        let part = now.saturating_sub(std::mem::replace(&mut runs.divided, now)) / count;
        runs.all.iter().for_each(|present| present.meter.has_computed(part));
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    fn of(&self, task: GuestTaskId) -> Option<&Present> {
        self.all.iter().find(|present| present.task == Some(task))
    }

    /// Whether all who waited have gone.
    fn are_unwanted(&self) -> bool {
        !self.all.is_empty() && self.all.iter().all(|present| present.caller.is_gone())
    }
}
