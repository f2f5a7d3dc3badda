//! Writes gatherings of groups to the journal: lays them out, syncs once for all, makes them visible, answers. Decides
//! what a failed write means, and what is taken when there is little room.
//!
//! Nothing is visible before it is durable, when its caller asked for that: what somebody was shown must not be
//! undone by a power cut. A claim, which is only written, is shown and answered in front of the sync that others of
//! the gathering wait for. A failed write or sync ends the writing for good: what the disk holds is then unknown.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::change::Prepared;
use super::entry::Entry;
use super::op::{self, Op};
use super::stage;
use super::staged::{Layered, Staged};
use super::view::View;
use super::vitals::Tally;
use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::store::journal::{Draft, Journal, JournalError, Purpose, Room};
use crate::store::{Durability, StoreError};

pub(super) type Answer = Result<(), StoreError>;

/// How long a look for room in memory takes at most before another.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Windows that may stand in memory while the index takes nothing: some hundred megabytes.
const STUCK_WINDOWS: usize = 8;

/// So many are answered from the thread that writes. It would be interrupted by each thread of the runtime that it
/// wakes, several times for a large gathering, so those are answered from within the runtime: that is one wake-up. The
/// task does nothing else and waits for nothing; who waits for it are those whom it answers.
const FEW: usize = 2;

/// A group, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) changes: Vec<Prepared>,
    pub(super) when: Durability,
    pub(super) since: Instant,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// One who waits for a group that was laid out.
struct Waiting {
    when: Durability,
    since: Instant,
    answer: oneshot::Sender<Answer>,
    /// Whether the group is a claim, which may be shown and answered before it is durable.
    is_claim: bool,
}

/// An attempt that begins: nothing but the state of one invocation that is there.
type Claim = (InvocationId, Entry);

/// The journal as its one writer has it.
pub(super) struct Writer {
    journal: Journal,
    view: View,
    tally: Arc<Tally>,
    /// Entries of groups of this gathering, which nobody sees yet.
    staged: Staged,
    /// What the group that is being laid out changes; empty in between.
    ops: Vec<Op>,
    /// Where that is laid out before it goes into a frame.
    buffer: Vec<u8>,
    /// Why nothing is written any more.
    stopped: Option<String>,
    /// Where those are who wait, if the store was opened from within one.
    runtime: Option<Handle>,
}

impl Writer {
    pub(super) fn new(journal: Journal, view: View, tally: Arc<Tally>) -> Self {
        let (staged, runtime) = (Staged::default(), Handle::try_current().ok());
        Self { journal, view, tally, staged, ops: Vec::new(), buffer: Vec::new(), stopped: None, runtime }
    }

    /// Makes durable what was written last. Nothing is written after it.
    pub(super) fn close(mut self) {
        if self.stopped.is_none()
            && let Err(error) = self.sync()
        {
            tracing::error!(%error, "the last writes may not be durable");
        }
    }

    /// Writes a gathering and answers it.
    pub(super) fn commit(&mut self, gathering: Vec<Job>) {
        let taken = self.wait_for_room();
        let mut refused = Vec::new();
        let mut written = Vec::with_capacity(gathering.len());
        let mut claims = Vec::new();
        let mut draft = None;
        for Job { changes, when, since, answer } in gathering {
            let staged = match &taken {
                Ok(taken) => self.stage(&changes, taken, &mut draft),
                Err(error) => Err(error.clone()),
            };
            match staged {
                Ok(claim) => {
                    let claim = claim.filter(|_| when == Durability::Written);
                    written.push(Waiting { when, since, answer, is_claim: claim.is_some() });
                    claims.extend(claim);
                }
                Err(error) => refused.push((answer, error)),
            }
        }
        self.tally.wrote(written.len());
        let mut end = self.write(draft);
        if let Some(why) = self.stopped.as_ref().filter(|_| end.is_ok()) {
            end = Err(StoreError::Unknown(why.clone())); // of an earlier draft of this gathering
        }
        if written.iter().any(|waiting| waiting.when == Durability::Synced) {
            if end.is_ok() {
                written = self.show_claims(claims, written);
            }
            end = end.and_then(|()| self.sync());
        }
        match &end {
            Ok(()) => self.publish(),
            Err(_) => self.withdraw(),
        }
        self.answer(written, &end);
        for (answer, error) in refused {
            drop(answer.send(Err(error)));
        }
    }

    /// Shows claims and answers them, since they need not wait for the sync that others do: an attempt that begins
    /// would wait for nothing. Returns the others.
    fn show_claims(&self, claims: Vec<Claim>, written: Vec<Waiting>) -> Vec<Waiting> {
        if claims.is_empty() {
            return written;
        }
        self.view.shared.lock().claimed.extend(claims);
        let (claiming, others) = written.into_iter().partition(|waiting| waiting.is_claim);
        self.answer(claiming, &Ok(()));
        others
    }

    fn answer(&self, written: Vec<Waiting>, end: &Answer) {
        let now = Instant::now();
        if end.is_ok() {
            for waiting in &written {
                self.tally.committed(now.saturating_duration_since(waiting.since));
            }
        }
        let end = end.clone();
        let count = written.len();
        let answer_all = move || {
            for waiting in written {
                drop(waiting.answer.send(end.clone())); // nobody may be waiting any more
            }
        };
        match &self.runtime {
            Some(runtime) if count > FEW => drop(runtime.spawn(async { answer_all() })),
            _ => answer_all(),
        }
    }

    /// Lays one group into the draft. When this fails, nothing has changed.
    fn stage(
        &mut self,
        changes: &[Prepared],
        taken: &Taken,
        draft: &mut Option<Draft>,
    ) -> Result<Option<Claim>, StoreError> {
        if let Some(why) = &self.stopped {
            return Err(StoreError::Stopped(why.clone()));
        }
        let bytes = changes.iter().map(Prepared::bytes).sum::<usize>() + size_of::<u32>();
        if changes.is_empty() {
            return Ok(None);
        }
        if draft.as_ref().is_some_and(|draft| !draft.fits(bytes)) {
            self.write(draft.take())?;
        }
        let group = match draft {
            Some(group) => group,
            None => draft.insert(self.journal.begin(bytes, purpose(changes)).map_err(not_begun)?),
        };
        let mark = group.mark();
        let before = Layered { staged: &self.staged, view: &self.view };
        let (ops, buffer) = (&mut self.ops, &mut self.buffer);
        let staged = group.push(|frame| {
            stage::stage(changes, &before, frame, ops)?;
            op::write_all(ops, buffer, frame);
            Ok(())
        });
        let room = self.journal.room(); // behind the segment that the draft may have taken
        let staged = staged.and_then(|()| match why_not(room, purpose(changes), taken, ops) {
            Some(why) => Err(StoreError::Full(why)),
            None => Ok(()),
        });
        if staged.is_err() || ops.is_empty() {
            group.truncate(mark);
        }
        if let Err(error) = staged {
            ops.clear();
            return Err(error);
        }
        // What rests on something that nobody may see yet has to wait with it.
        let claim = stage::claim(ops).filter(|(id, _)| !self.staged.knows(*id));
        self.staged.take_in(ops);
        Ok(claim)
    }

    fn write(&mut self, draft: Option<Draft>) -> Answer {
        let Some(draft) = draft.filter(|draft| !draft.is_empty()) else { return Ok(()) };
        self.journal.write(draft).map(drop).map_err(|error| self.failed(error))
    }

    fn sync(&mut self) -> Answer {
        if self.journal.is_dirty() {
            self.journal.sync().map_err(|error| self.failed(error))?;
            self.tally.synced();
        }
        // Told also when there was nothing to do: the journal syncs by itself where many segments are written at once.
        let mut state = self.view.shared.lock();
        state.synced = self.journal.synced();
        if state.awaited.is_some_and(|awaited| awaited <= state.synced) {
            state.awaited = None;
            drop(state);
            self.view.shared.tell();
        }
        Ok(())
    }

    /// Says what a failed write means: nothing is written any more.
    fn failed(&mut self, error: JournalError) -> StoreError {
        match error {
            JournalError::Full(why) => StoreError::Full(why),
            error @ JournalError::TooLarge { .. } => StoreError::Refused(error.to_string()), // nothing was written
            error => {
                let why = error.to_string();
                tracing::error!(%error, "the journal failed: nothing is written any more");
                self.stopped.get_or_insert(why.clone());
                StoreError::Unknown(why)
            }
        }
    }

    /// Makes what was written visible.
    fn publish(&mut self) {
        let ops = self.staged.take();
        if ops.len() == 0 {
            return;
        }
        let mut state = self.view.shared.lock();
        state.claimed.clear();
        let begun = state.current.segments();
        state.take_in(ops, self.journal.end());
        if state.current.fills(1) || state.current.segments() > begun {
            self.view.shared.tell();
        }
    }

    /// Forgets what was laid out, and what was shown of it.
    fn withdraw(&mut self) {
        self.staged = Staged::default();
        self.view.shared.lock().claimed.clear();
    }

    /// Waits while too much stands in memory that is not in the index. What was written is durable before that: the
    /// index takes nothing that is not. While the index takes nothing at all, what was accepted still settles, and new
    /// work is refused.
    fn wait_for_room(&mut self) -> Result<Taken, StoreError> {
        if !self.view.shared.lock().current.fills(2) {
            return Ok(Taken::Everything);
        }
        self.sync()?;
        let mut state = self.view.shared.lock();
        while state.current.fills(2) {
            if let Some(why) = &state.stuck {
                let is_too_much = state.current.len() >= STUCK_WINDOWS * bounds::MAX_WINDOW_CHANGES;
                return if is_too_much {
                    Err(StoreError::Full(why.clone()))
                } else {
                    Ok(Taken::WhatSettles(why.clone()))
                };
            }
            self.view.shared.tell();
            state = self.view.shared.wait(state, LOOK_AGAIN);
        }
        Ok(Taken::Everything)
    }
}

/// What is taken of a gathering.
enum Taken {
    Everything,
    /// And why nothing else.
    WhatSettles(String),
}

/// What a group is for. What both removes and writes counts as writing: it may make more needed.
fn purpose(changes: &[Prepared]) -> Purpose {
    match changes.iter().map(Prepared::purpose).reduce(|one, other| if one == other { one } else { Purpose::Change }) {
        Some(purpose) => purpose,
        None => Purpose::Copy, // nothing is written for it
    }
}

/// Why a group is not written although it fits.
fn why_not(room: Room, purpose: Purpose, taken: &Taken, ops: &[Op]) -> Option<String> {
    if !room.takes(purpose) {
        return Some("what is left is for what makes room: remove something that is settled".to_owned());
    }
    let why = match taken {
        Taken::WhatSettles(why) => why,
        Taken::Everything if room == Room::Plenty => return None,
        Taken::Everything => "what is left is for what was accepted before",
    };
    stage::is_new_work(ops).then(|| why.to_owned())
}

fn not_begun(error: JournalError) -> StoreError {
    match error {
        JournalError::Full(why) => StoreError::Full(why),
        JournalError::TooLarge { .. } => StoreError::Refused(error.to_string()),
        JournalError::Stopped(why) => StoreError::Stopped(why),
        error => StoreError::Unknown(error.to_string()),
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
