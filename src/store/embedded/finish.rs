//! What is left to do for a gathering that is written: sync, show, answer. Where many wait to be written it is done on a
//! thread of its own, so that the disk and the processor work at once; else by who wrote it, which spares the change of
//! threads.
//!
//! Nothing is visible before it is durable, when its caller asked for that: what somebody was shown must not be
//! undone by a power cut. Gatherings are finished in the order in which they were written. A failed sync ends the writing for
//! good, and those behind it fail with it.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::stage::Claim;
use super::staged::Staged;
use super::view::View;
use super::vitals::Tally;
use crate::store::journal::{JournalError, Position, Unsynced};
use crate::store::{Durability, StoreError};

pub(super) type Answer = Result<(), StoreError>;

/// Gatherings that are written and wait for the one whose sync is under way. They are synced together.
const MAX_WAITING: usize = 1;
/// Where so many groups are written and wait to be, the next ones are worth a change of threads.
const MANY: usize = 32;
/// How long a look for the end of what is under way takes at most before another.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// So many are answered from the thread that finishes. It would be interrupted by each thread of the runtime that it
/// wakes, several times for a large gathering, so those are answered from within the runtime: that is one wake-up. The
/// task does nothing else and waits for nothing; who waits for it are those whom it answers.
const FEW: usize = 2;

/// One who waits for a group that was laid out.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) when: Durability,
    pub(super) since: Instant,
    pub(super) answer: oneshot::Sender<Answer>,
    /// Whether the group is a claim, which may be shown and answered before it is durable.
    pub(super) is_claim: bool,
}

/// A gathering that was handed to the kernel.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) staged: Arc<Staged>,
    /// The place behind it.
    pub(super) end: Position,
    /// Where somebody waits for a sync: what is to be synced.
    pub(super) unsynced: Option<Unsynced>,
    pub(super) claims: Vec<Claim>,
    pub(super) waiting: Vec<Waiting>,
    /// Whether it was written.
    pub(super) written: Answer,
}

/// Finishes gatherings. Dropping it finishes what was taken.
#[derive(Debug)]
pub(super) struct Finisher {
    parts: Arc<Parts>,
    gatherings: Option<SyncSender<Gathering>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Parts {
    view: View,
    tally: Arc<Tally>,
    /// Where those are who wait, if the store was opened from within one.
    runtime: Option<Handle>,
    /// Gatherings on the thread, and on the way to it.
    unfinished: Mutex<usize>,
    /// There are less of them.
    finished: Condvar,
    /// Why nothing is written any more.
    stopped: OnceLock<String>,
}

impl Finisher {
    pub(super) fn start(view: View, tally: Arc<Tally>) -> io::Result<Self> {
        let (runtime, stopped) = (Handle::try_current().ok(), OnceLock::new());
        let (unfinished, finished) = (Mutex::new(0), Condvar::new());
        let parts = Arc::new(Parts { view, tally, runtime, unfinished, finished, stopped });
        let (gatherings, taken) = sync_channel(MAX_WAITING);
        let of_thread = Arc::clone(&parts);
        let thread = thread::Builder::new().name("store-sync".to_owned()).spawn(move || of_thread.run(&taken))?;
        Ok(Self { parts, gatherings: Some(gatherings), thread: Some(thread) })
    }

    /// Finishes a gathering, behind those that were taken before it: here, or on the thread, where it is large or many `others`
    /// wait to be written by then.
    pub(super) fn take(&self, mut gathering: Gathering, others: impl FnOnce() -> usize) {
        let count = gathering.waiting.len();
        let are_others_unfinished = self.unfinished() > 0;
        let is_to_last = gathering.written.is_ok() && self.stopped().is_none();
        if is_to_last && (gathering.unsynced.is_some() || are_others_unfinished) {
            self.parts.show_claims(&mut gathering);
        }
        if !are_others_unfinished && count.saturating_add(others()) < MANY {
            return self.parts.finish(vec![gathering]);
        }
        *self.parts.unfinished() += 1;
        let gatherings = self.gatherings.as_ref().expect("it is there until this is dropped");
        if let Err(failed) = gatherings.send(gathering) {
            // It has panicked, and said so.
            self.parts.stopped.get_or_init(|| "the thread that syncs has ended".to_owned());
            self.parts.finish(vec![failed.0]);
        }
    }

    /// Gatherings that were taken and are not shown yet, or are being answered.
    pub(super) fn unfinished(&self) -> usize {
        *self.parts.unfinished()
    }

    /// Waits until there are none.
    pub(super) fn wait_for_all(&self) {
        let mut unfinished = self.parts.unfinished();
        while *unfinished > 0 && self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            let waited = self.parts.finished.wait_timeout(unfinished, LOOK_AGAIN);
            unfinished = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Makes durable what was written, and tells who waits for that.
    pub(super) fn sync(&self, unsynced: &Unsynced) -> Answer {
        self.parts.sync(unsynced)
    }

    /// Why nothing is written any more.
    pub(super) fn stopped(&self) -> Option<&str> {
        self.parts.stopped.get().map(String::as_str)
    }

    /// Nothing is written from here on; says why, which is the first reason that was given.
    pub(super) fn stop(&self, error: &JournalError) -> String {
        self.parts.stop(error)
    }
}

impl Drop for Finisher {
    fn drop(&mut self) {
        self.gatherings = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that syncs the store has panicked");
        }
    }
}

impl Parts {
    fn run(&self, taken: &Receiver<Gathering>) {
        while let Ok(first) = taken.recv() {
            let gatherings: Vec<_> = std::iter::once(first).chain(taken.try_iter().take(MAX_WAITING)).collect();
            let count = gatherings.len();
            self.finish(gatherings);
            *self.unfinished() -= count;
            self.finished.notify_all();
        }
    }

    fn unfinished(&self) -> MutexGuard<'_, usize> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finishes gatherings, which follow each other, with one sync. None is shown once something has failed, be it an earlier
    /// part of its own.
    fn finish(&self, mut gatherings: Vec<Gathering>) {
        let last = gatherings.iter_mut().rev().find_map(|gathering| gathering.unsynced.take());
        let synced = last.map_or(Ok(()), |unsynced| self.sync(&unsynced));
        for Gathering { staged, end, claims, waiting, written, .. } in gatherings {
            let ended = written.and_then(|()| synced.clone()).and_then(|()| match self.stopped.get() {
                Some(why) => Err(StoreError::Unknown(why.clone())),
                None => Ok(()),
            });
            match &ended {
                Ok(()) => self.publish(&staged, end, &claims),
                Err(_) => self.view.shared.lock().claimed.clear(),
            }
            drop(staged); // who wrote it uses its memory again
            self.answer(waiting, &ended);
        }
    }

    fn sync(&self, unsynced: &Unsynced) -> Answer {
        let synced = unsynced.sync().map_err(|error| StoreError::Unknown(self.stop(&error)))?;
        let mut state = self.view.shared.lock();
        if synced > state.synced {
            state.synced = synced;
            self.tally.synced();
        }
        if state.awaited.is_some_and(|awaited| awaited <= synced) {
            state.awaited = None;
            drop(state);
            self.view.shared.tell();
        }
        Ok(())
    }

    fn stop(&self, error: &JournalError) -> String {
        tracing::error!(%error, "the journal failed: nothing is written any more");
        self.stopped.get_or_init(|| error.to_string()).clone()
    }

    /// Shows claims and answers them, since they need not wait for a sync, as others do: an attempt that begins would wait
    /// for nothing. The others stay.
    fn show_claims(&self, gathering: &mut Gathering) {
        if gathering.claims.is_empty() {
            return;
        }
        self.view.shared.lock().claimed.extend(gathering.claims.iter().copied());
        let (claiming, others) = gathering.waiting.drain(..).partition(|waiting| waiting.is_claim);
        gathering.waiting = others;
        self.answer(claiming, &Ok(()));
    }

    /// Makes what was written visible. Claims that were shown before are part of it.
    fn publish(&self, staged: &Staged, end: Position, claims: &[Claim]) {
        if staged.ops().is_empty() {
            return;
        }
        let mut state = self.view.shared.lock();
        let begun = state.current.segments();
        state.take_in(staged.ops().iter().cloned(), end);
        for (id, entry) in claims {
            if state.claimed.get(id) == Some(entry) {
                state.claimed.remove(id); // a later one stays
            }
        }
        if state.current.fills(1) || state.current.segments() > begun {
            self.view.shared.tell();
        }
    }

    fn answer(&self, waiting: Vec<Waiting>, ended: &Answer) {
        let now = Instant::now();
        if ended.is_ok() {
            for waiting in &waiting {
                self.tally.committed(now.saturating_duration_since(waiting.since));
            }
        }
        let ended = ended.clone();
        let count = waiting.len();
        let answer_all = move || {
            for waiting in waiting {
                drop(waiting.answer.send(ended.clone())); // nobody may be waiting any more
            }
        };
        match &self.runtime {
            Some(runtime) if count > FEW => drop(runtime.spawn(async { answer_all() })),
            _ => answer_all(),
        }
    }
}
