//! Segments that nobody has written yet: which there are, how many there should be, and what is to be done next
//! about it. Pure: it decides, and the thread in `prepare` does it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::demand::Demand;
use super::disk::DiskFile;
use super::segments::{Pressure, Purpose, Room};
use super::writer::Settings;

/// With no more segments than this to its limit the journal is nearly full.
const NEARLY: u64 = 4;

/// A segment that can be written: its header is durable, and so is its name.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) number: u32,
    pub(super) file: Arc<dyn DiskFile>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make the spare a segment with a new number.
    Number { spare: u32, number: u32 },
    /// Make the released segment a spare, or remove it.
    Recycle { segment: u32, keep: bool },
    /// Write a new spare.
    Make(u32),
    /// Remove a spare.
    Remove(u32),
    /// Nothing until something changes.
    Wait,
    /// End.
    Stop,
}

/// The thread that carries out the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thread {
    Runs,
    IsToEnd,
    HasEnded,
}

/// Why no more can be prepared.
#[derive(Debug)]
struct Blocked {
    reason: String,
    /// Not even spares can be given a number; otherwise only new ones cannot be made.
    numbering: bool,
}

/// What there is.
#[derive(Debug)]
pub(super) struct Pool {
    settings: Settings,
    /// The next number that was never used.
    next: u32,
    ready: Option<Ready>,
    spares: VecDeque<u32>,
    released: VecDeque<u32>,
    /// Released, but the journal's last synced group is in it: without that its end would not be known.
    deferred: BTreeSet<u32>,
    /// The segment of the last synced group.
    synced: u32,
    /// Bytes of all files.
    bytes: u64,
    demand: Demand,
    blocked: Option<Blocked>,
    /// Whether somebody wants it tried again all the same.
    asked: bool,
    /// Whether a step is being carried out.
    busy: bool,
    thread: Thread,
}

impl Pool {
    pub(super) fn new(settings: Settings, next: u32, spares: VecDeque<u32>, bytes: u64, synced: u32) -> Self {
        Self {
            settings,
            next,
            ready: None,
            spares,
            released: VecDeque::new(),
            deferred: BTreeSet::new(),
            synced,
            bytes,
            demand: Demand::new(settings.reserve),
            blocked: None,
            asked: false,
            busy: false,
            thread: Thread::Runs,
        }
    }

    /// The next thing to do. It is being done until [`Pool::done`] or [`Pool::failed`].
    pub(super) fn next_step(&mut self) -> Step {
        let step = self.choose();
        self.busy = !matches!(step, Step::Wait | Step::Stop);
        self.asked &= self.busy;
        if step == Step::Wait {
            self.demand.caught_up();
        }
        step
    }

    fn choose(&mut self) -> Step {
        if self.thread == Thread::IsToEnd {
            return Step::Stop;
        }
        let may_number = self.asked || self.blocked.as_ref().is_none_or(|blocked| !blocked.numbering);
        if let (None, Some(spare), true) = (&self.ready, self.spares.front(), may_number) {
            return Step::Number { spare: *spare, number: self.next };
        }
        if let Some(segment) = self.released.pop_front() {
            return Step::Recycle { segment, keep: self.prepared() < self.most() };
        }
        let may_make = self.asked || self.blocked.is_none();
        if self.prepared() < self.demand.target() && may_make && self.may_grow() {
            return Step::Make(self.next);
        }
        match self.spares.back() {
            Some(spare) if self.prepared() > self.most() => Step::Remove(*spare),
            Some(_) | None => Step::Wait,
        }
    }

    /// A step was carried out. Says whether it was the end of a time in which that could not be done.
    pub(super) fn done(&mut self, step: Step, ready: Option<Ready>, freed: u64) -> bool {
        self.busy = false;
        self.bytes = self.bytes.saturating_sub(freed);
        match step {
            Step::Number { number, .. } => {
                self.use_number(number);
                self.spares.pop_front();
                self.ready = ready;
                self.blocked.take_if(|blocked| blocked.numbering).is_some()
            }
            Step::Make(number) => {
                self.use_number(number);
                self.asked = false;
                self.bytes += u64::from(self.settings.segment_bytes);
                self.spares.push_back(number);
                // The reserve is made of less than others are: that it could be says nothing of them.
                let is_over = self.prepared() > self.settings.reserve;
                self.blocked.take_if(|_| is_over).is_some()
            }
            Step::Recycle { segment, .. } => {
                if freed == 0 {
                    self.spares.push_back(segment);
                }
                false
            }
            Step::Remove(_) => {
                self.spares.pop_back();
                false
            }
            Step::Wait | Step::Stop => false,
        }
    }

    /// A step was not carried out, and left nothing behind. Says whether that is news.
    pub(super) fn failed(&mut self, step: Step, reason: String, freed: u64) -> bool {
        self.busy = false;
        self.bytes = self.bytes.saturating_sub(freed);
        let numbering = match step {
            Step::Number { number, .. } => {
                self.use_number(number);
                self.spares.pop_front();
                true
            }
            Step::Make(number) => {
                self.use_number(number);
                false
            }
            // It stays where it is, and is found again when the journal is opened.
            Step::Recycle { .. } => return true,
            Step::Remove(_) => return self.spares.pop_back().is_some(),
            Step::Wait | Step::Stop => return false,
        };
        self.asked = false;
        self.blocked.replace(Blocked { reason, numbering }).is_none()
    }

    /// The writer needs one.
    pub(super) fn want(&mut self) {
        self.asked = true;
        self.demand.take(self.prepared());
    }

    /// One that is ready, unless those that are left are kept for something more urgent.
    pub(super) fn take(&mut self, purpose: Purpose) -> Option<Ready> {
        if self.has_one_for(purpose) { self.ready.take() } else { None }
    }

    /// Why waiting for a segment leads to none.
    pub(super) fn hopeless(&self, purpose: Purpose) -> Option<String> {
        if self.thread == Thread::HasEnded {
            return Some("the thread that prepares them has ended".to_owned());
        }
        if self.busy || self.asked || !self.released.is_empty() {
            return None;
        }
        let none_is_left = !self.has_one_for(purpose);
        if let Some(blocked) = &self.blocked
            && (blocked.numbering || none_is_left)
        {
            return Some(blocked.reason.clone());
        }
        (none_is_left && !self.may_grow()).then(|| {
            let most = self.settings.max_bytes;
            format!("its segments take up {} bytes, and may take up {most}", self.bytes)
        })
    }

    /// Nothing was taken or released for a while.
    pub(super) fn rested(&mut self) {
        self.demand.rested();
    }

    /// What may be taken, and whether the thread should look again.
    pub(super) fn room(&mut self) -> (Room, bool) {
        let left = self.left();
        if left > self.settings.reserve {
            return (Room::Plenty, false);
        }
        let again = self.blocked.is_some() && !self.asked;
        self.asked |= again;
        (Room::of_reserve(left), again)
    }

    /// How pressing it is that segments come free.
    pub(super) fn pressure(&mut self) -> (Pressure, bool) {
        let (room, again) = self.room();
        let pressure = if room != Room::Plenty {
            Pressure::Full
        } else if self.is_nearly_full() {
            Pressure::NearlyFull
        } else {
            Pressure::None
        };
        (pressure, again)
    }

    /// Nothing needs the segment any more.
    pub(super) fn release(&mut self, segment: u32) {
        self.demand.came_free();
        if segment < self.synced {
            self.released.push_back(segment);
        } else {
            self.deferred.insert(segment);
        }
    }

    /// The last synced group is in this segment now.
    pub(super) fn synced(&mut self, segment: u32) {
        self.synced = segment;
        let kept = self.deferred.split_off(&segment);
        self.released.extend(std::mem::replace(&mut self.deferred, kept));
    }

    pub(super) fn stop(&mut self) {
        self.thread = Thread::IsToEnd;
    }

    pub(super) fn end(&mut self) {
        self.thread = Thread::HasEnded;
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Segments that are ready or only lack a number.
    pub(super) fn prepared(&self) -> usize {
        usize::from(self.ready.is_some()) + self.spares.len()
    }

    /// Whether there are more than are kept for what is more urgent.
    fn has_one_for(&self, purpose: Purpose) -> bool {
        self.left() > purpose.leaves().min(self.settings.reserve)
    }

    /// Segments that are prepared, and those that will be as far as can be told.
    fn left(&self) -> usize {
        if self.blocked.is_some() || self.thread != Thread::Runs {
            return self.prepared();
        }
        let more =
            self.settings.max_bytes.saturating_sub(self.bytes).checked_div(u64::from(self.settings.segment_bytes));
        self.prepared().saturating_add(more.and_then(|more| usize::try_from(more).ok()).unwrap_or(usize::MAX))
    }

    /// How many may be prepared: only where there is room enough, more than should be.
    fn most(&self) -> usize {
        let is_tight = self.blocked.is_some() || self.is_nearly_full();
        if is_tight { self.demand.target() } else { self.demand.most() }
    }

    fn is_nearly_full(&self) -> bool {
        let soon = u64::from(self.settings.segment_bytes).saturating_mul(NEARLY);
        self.bytes.saturating_add(soon) > self.settings.max_bytes
    }

    fn may_grow(&self) -> bool {
        self.bytes.saturating_add(u64::from(self.settings.segment_bytes)) <= self.settings.max_bytes
    }

    fn use_number(&mut self, number: u32) {
        self.next = number.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal that takes segments many at a time before it lets go of them.
    struct Busy {
        pool: Pool,
        used: Vec<u32>,
    }

    impl Busy {
        /// Of at most so many segments.
        fn of(segments: u64) -> Self {
            let settings =
                Settings { segment_bytes: 1_024, reserve: 3, max_bytes: 1_024 * segments, min_free_bytes: 0 };
            let mut busy = Self { pool: Pool::new(settings, 1, VecDeque::new(), 0, 0), used: Vec::new() };
            busy.prepare();
            busy
        }

        /// Does all that is to be done, and says how many segments were written and removed.
        fn prepare(&mut self) -> usize {
            let mut changed = 0;
            loop {
                let step = self.pool.next_step();
                let (ready, freed) = match step {
                    Step::Number { number, .. } => {
                        (Some(Ready { number, file: Arc::new(tempfile::tempfile().unwrap()) }), 0)
                    }
                    Step::Make(_) | Step::Recycle { keep: true, .. } => (None, 0),
                    Step::Recycle { keep: false, .. } | Step::Remove(_) => (None, 1_024),
                    Step::Wait | Step::Stop => return changed,
                };
                changed += usize::from(freed > 0 || matches!(step, Step::Make(_)));
                self.pool.done(step, ready, freed);
            }
        }

        /// Writes so many segments and lets go of all but the last. Says as [`Self::prepare`] does.
        fn burst(&mut self, segments: usize) -> usize {
            let mut changed = 0;
            for _ in 0..segments {
                self.pool.want();
                let ready = self.pool.take(Purpose::Change).unwrap();
                self.pool.synced(ready.number);
                self.used.push(ready.number);
                changed += self.prepare();
            }
            let last = self.used.pop().unwrap();
            self.used.drain(..).for_each(|segment| self.pool.release(segment));
            self.used.push(last);
            changed + self.prepare()
        }
    }

    #[test]
    fn a_busy_journal_uses_its_segments_again_and_one_that_rests_gives_them_back() {
        let mut busy = Busy::of(100);
        for _ in 0..3 {
            busy.burst(7);
        }
        let changed: usize = (0..20).map(|number| busy.burst(6 + number % 2)).sum();
        assert_eq!(changed, 0, "none is written anew and none removed");
        assert!(busy.pool.prepared() >= 7);
        busy.pool.rested();
        assert!(busy.prepare() > 0);
        assert_eq!(busy.pool.prepared(), busy.pool.demand.target());
    }

    #[test]
    fn a_journal_that_may_hardly_grow_keeps_no_more_than_it_must() {
        let mut busy = Busy::of(14);
        for _ in 0..10 {
            busy.burst(7);
            assert!(busy.pool.prepared() <= busy.pool.demand.target() || !busy.pool.is_nearly_full());
        }
    }
}
