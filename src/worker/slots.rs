//! The places in which attempts run: so many in all, so many of a function, so many of a version. Synchronous callers
//! and the queue share them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::limit::{Limit, Permit};
use super::waiting::Waiting;
use crate::model::bounds;
use crate::model::function::Version;
use crate::model::names::{FunctionId, VersionNumber};

/// The places in which attempts run. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Slots {
    parts: Arc<SlotParts>,
}

struct SlotParts {
    all: Arc<Limit>,
    functions: Mutex<HashMap<FunctionId, Arc<Limit>>>,
    versions: Mutex<HashMap<(FunctionId, VersionNumber), Arc<Limit>>>,
    waiting: Mutex<Waiting>,
    refused: Mutex<Refused>,
    /// Somebody looked for any slot at all in vain.
    wanted: AtomicBool,
    /// Told when a slot is free that was looked for in vain.
    freed: Arc<Notify>,
}

/// What a slot was looked for in vain.
#[derive(Default)]
struct Refused {
    looked_for: HashSet<Freed>,
    freed: Vec<Freed>,
}

/// A function, or a version of it, that has a slot again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Freed {
    /// The function.
    pub function: FunctionId,
    /// The version whose own limit it was; `None` for the function's.
    pub version: Option<VersionNumber>,
}

/// Whose limit is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// The runtime's.
    Runtime,
    /// The function's.
    Function,
    /// The version's.
    Version,
}

/// A place to run one attempt in. Dropping it gives it back.
pub struct Slot {
    /// What was taken of each limit, until it is given back, and whose that is: `None` for the runtime's.
    permits: Vec<(Option<Permit>, Option<Freed>)>,
    parts: Arc<SlotParts>,
}

/// What a function has that is limited by the runtime alone.
const UNLIMITED: usize = *bounds::CONCURRENCY.end() as usize;

impl Slots {
    /// `concurrency` slots; `freed` is told when one is given back that was looked for in vain.
    pub fn new(concurrency: u32, freed: Arc<Notify>) -> Self {
        let parts = SlotParts {
            all: Limit::new(concurrency as usize),
            functions: Mutex::default(),
            versions: Mutex::default(),
            waiting: Mutex::default(),
            refused: Mutex::default(),
            wanted: AtomicBool::new(false),
            freed,
        };
        Self { parts: Arc::new(parts) }
    }

    /// Changes how many attempts run at once. What runs goes on.
    pub fn set_concurrency(&self, concurrency: NonZeroU32) {
        self.parts.all.set(concurrency.get() as usize);
        self.parts.freed.notify_one();
    }

    /// How many attempts may run at once.
    pub fn concurrency(&self) -> NonZeroU32 {
        u32::try_from(self.parts.all.limit()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }

    /// Changes how many attempts of a function run at once, over all versions; `None` leaves it to the other limits.
    /// What runs goes on.
    pub fn limit_function(&self, function: FunctionId, concurrency: Option<NonZeroU32>) {
        let limit = concurrency.map_or(UNLIMITED, |limit| limit.get() as usize);
        self.function(function).set(limit);
        self.parts.tell([Some(Freed { function, version: None })]);
    }

    /// Attempts that run now, by function.
    pub fn running(&self) -> BTreeMap<FunctionId, u64> {
        let functions = lock(&self.parts.functions);
        let running = functions.iter().map(|(function, limit)| (*function, limit.out() as u64));
        running.filter(|(_, running)| *running > 0).collect()
    }

    /// Functions and versions that a slot was looked for in vain, and that may have one now. Each is told once.
    pub fn freed(&self) -> Vec<Freed> {
        std::mem::take(&mut lock(&self.parts.refused).freed)
    }

    /// Whether nothing runs.
    pub fn all_free(&self) -> bool {
        self.parts.all.out() == 0
    }

    /// Whether any slot is free at all.
    pub fn any_free(&self) -> bool {
        self.parts.all.any_free() || {
            self.parts.wanted.store(true, Ordering::SeqCst);
            self.parts.all.any_free() // one may have come back before that was noted
        }
    }

    /// A slot for a version, if one is free now. `None` as version: one that is limited by the function and the
    /// runtime alone. Whoever is refused for a function's or a version's limit is told by [`Slots::freed`].
    pub fn try_take(&self, function: FunctionId, version: Option<&Version>) -> Result<Slot, NoSlot> {
        let mut slot = Slot::empty(&self.parts);
        if let Some((limit, of)) = version.and_then(|version| self.limit_of(function, version)) {
            slot = slot.with(&limit, Some(of)).ok_or(NoSlot::Version)?;
        }
        let (limit, of) = self.limit_of_all(function);
        slot = slot.with(&limit, Some(of)).ok_or(NoSlot::Function)?;
        slot.with(&self.parts.all, None).ok_or(NoSlot::Runtime)
    }

    /// A slot for a version, waiting at most [`bounds::MAX_SLOT_WAIT`] for one. Who waits here goes before the
    /// queue: what is given back goes to the longest waiting. `None` when none came free in time.
    pub async fn take(&self, function: FunctionId, version: &Version) -> Option<Slot> {
        if let Ok(slot) = self.try_take(function, Some(version)) {
            return Some(slot); // nobody is passed by: what is freed goes to those who wait
        }
        let _waiter = self.parts.waiter(Freed { function, version: Some(version.number) })?;
        let acquired = async {
            let mut slot = Slot::empty(&self.parts);
            if let Some((limit, of)) = self.limit_of(function, version) {
                slot.permits.push((Some(limit.take().await?), Some(of)));
            }
            let (limit, of) = self.limit_of_all(function);
            slot.permits.push((Some(limit.take().await?), Some(of)));
            slot.permits.push((Some(self.parts.all.take().await?), None));
            Some(slot)
        };
        tokio::time::timeout(bounds::MAX_SLOT_WAIT, acquired).await.ok().flatten()
    }

    /// How long a caller who found no slot should wait before the next try.
    pub const fn retry_after() -> Duration {
        Duration::from_secs(1)
    }

    /// The limit of a function over all its versions, and whose it is.
    fn limit_of_all(&self, function: FunctionId) -> (Arc<Limit>, Freed) {
        (self.function(function), Freed { function, version: None })
    }

    fn function(&self, function: FunctionId) -> Arc<Limit> {
        let mut functions = lock(&self.parts.functions);
        if functions.len() >= bounds::MAX_FUNCTIONS && !functions.contains_key(&function) {
            functions.retain(|_, limit| Arc::strong_count(limit) > 1 || limit.limit() != UNLIMITED);
        }
        functions.entry(function).or_insert_with(|| Limit::new(UNLIMITED)).clone()
    }

    /// A version's own limit, where it has one, and whose it is.
    fn limit_of(&self, function: FunctionId, version: &Version) -> Option<(Arc<Limit>, Freed)> {
        let limit = version.limits.concurrency?.get() as usize;
        let mut versions = lock(&self.parts.versions);
        let key = (function, version.number);
        if versions.len() >= bounds::MAX_FUNCTIONS && !versions.contains_key(&key) {
            versions.retain(|_, limit| Arc::strong_count(limit) > 1); // those with nobody in them
        }
        let limit = versions.entry(key).or_insert_with(|| Limit::new(limit)).clone();
        Some((limit, Freed { function, version: Some(version.number) }))
    }
}

impl SlotParts {
    /// Somebody who waits from now on, if there is a place for it.
    fn waiter(&self, of: Freed) -> Option<Waiter<'_>> {
        lock(&self.waiting).enter(of.function).then(|| Waiter { of, parts: self })
    }

    /// Takes note that a slot was looked for in vain.
    fn note(&self, of: Option<Freed>) {
        match of {
            Some(of) => drop(lock(&self.refused).looked_for.insert(of)),
            None => self.wanted.store(true, Ordering::SeqCst),
        }
    }

    /// Tells whoever looked in vain for one of these. Where nobody did, as is usual, this wakes nobody.
    fn tell(&self, given_back: impl IntoIterator<Item = Option<Freed>>) {
        let mut refused = lock(&self.refused);
        let mut wanted = false;
        for of in given_back {
            wanted |= match of {
                Some(of) if refused.looked_for.remove(&of) => {
                    refused.freed.push(of);
                    true
                }
                Some(_) => false,
                None => self.wanted.swap(false, Ordering::SeqCst),
            };
        }
        drop(refused);
        if wanted {
            self.freed.notify_one();
        }
    }
}

/// Somebody who waits for a slot. One that goes away may leave behind what was kept for it: whoever was refused
/// meanwhile is told.
struct Waiter<'a> {
    of: Freed,
    parts: &'a SlotParts,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        lock(&self.parts.waiting).leave(self.of.function);
        self.parts.tell([Some(self.of), Some(Freed { version: None, ..self.of }), None]);
    }
}

impl Slot {
    fn empty(parts: &Arc<SlotParts>) -> Self {
        Self { permits: Vec::with_capacity(3), parts: parts.clone() }
    }

    /// The slot with one of `limit` too, or a note that one was looked for.
    fn with(mut self, limit: &Arc<Limit>, of: Option<Freed>) -> Option<Self> {
        if let Some(permit) = limit.try_take() {
            self.permits.push((Some(permit), of));
            return Some(self);
        }
        let parts = self.parts.clone();
        drop(self); // what it gives back is for others: whoever is refused here is not told by that
        parts.note(of);
        if limit.any_free() {
            parts.tell([of]); // it came back before that was noted
        }
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.permits.iter_mut().for_each(|(permit, _)| drop(permit.take())); // before anybody is told
        self.parts.tell(self.permits.iter().map(|(_, of)| *of));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
