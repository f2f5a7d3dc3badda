//! Writes gatherings of groups to the journal: lays them out, hands them to the kernel, and has the rest done (`finish`). Decides
//! what a failed write means, and what is taken when there is little room.
//!
//! A claim, which is only written, is shown and answered in front of the sync that others of the gathering wait for. A failed
//! write ends the writing for good: what the disk holds is then unknown.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::change::Prepared;
use super::finish::{Answer, Finisher, Gathering, Waiting};
use super::op::{self, Op};
use super::stage::{self, Claim};
use super::staged::{Gatherings, Layered, Staged};
use super::view::View;
use super::vitals::Tally;
use crate::model::bounds;
use crate::store::journal::{Draft, Journal, JournalError, Purpose, Room};
use crate::store::{Durability, StoreError};

/// How long a look for room in memory takes at most before another.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Windows that may stand in memory while the index takes nothing: some hundred megabytes.
const STUCK_WINDOWS: usize = 8;

/// A group, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) changes: Vec<Prepared>,
    pub(super) when: Durability,
    pub(super) since: Instant,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// The journal as its one writer has it.
pub(super) struct Writer {
    journal: Journal,
    view: View,
    tally: Arc<Tally>,
    finisher: Finisher,
    /// Entries of groups of this gathering, which nobody sees yet.
    staged: Staged,
    /// The same of gatherings that are being finished.
    written: Gatherings,
    /// What the group that is being laid out changes; empty in between.
    ops: Vec<Op>,
    /// Where that is laid out before it goes into a frame.
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn start(journal: Journal, view: View, tally: Arc<Tally>) -> io::Result<Self> {
        let finisher = Finisher::start(view.clone(), Arc::clone(&tally))?;
        let (staged, written) = (Staged::default(), Gatherings::new());
        Ok(Self { journal, view, tally, finisher, staged, written, ops: Vec::new(), buffer: Vec::new() })
    }

    /// Makes durable what was written last. Nothing is written after it.
    pub(super) fn close(mut self) {
        self.finisher.wait_for_all();
        if self.finisher.stopped().is_none()
            && let Err(error) = self.sync()
        {
            tracing::error!(%error, "the last writes may not be durable");
        }
    }

    /// Writes a gathering and has it answered: at once, or while the next one is written, where there are many `others` then.
    pub(super) fn commit(&mut self, jobs: Vec<Job>, others: impl FnOnce() -> usize) {
        self.forget_shown();
        let taken = self.wait_for_room();
        let mut refused = Vec::new();
        let mut waiting = Vec::with_capacity(jobs.len());
        let mut claims = Vec::new();
        let mut draft = None;
        for Job { changes, when, since, answer } in jobs {
            let staged = match &taken {
                Ok(taken) => self.stage(&changes, taken, &mut draft),
                Err(error) => Err(error.clone()),
            };
            match staged {
                Ok(claim) => {
                    let claim = claim.filter(|_| when == Durability::Written);
                    waiting.push(Waiting { when, since, answer, is_claim: claim.is_some() });
                    claims.extend(claim);
                }
                Err(error) => refused.push((answer, error)),
            }
        }
        self.tally.wrote(waiting.len());
        let written = self.write(draft);
        if written.is_err() {
            self.staged = std::mem::take(&mut self.staged).emptied(); // nothing may rest on what will never be seen
        }
        let unsynced =
            waiting.iter().any(|waiting| waiting.when == Durability::Synced).then(|| self.journal.unsynced());
        let staged = Arc::new(std::mem::take(&mut self.staged));
        self.written.push_back(Arc::clone(&staged));
        let end = self.journal.end();
        self.finisher.take(Gathering { staged, end, unsynced, claims, waiting, written }, others);
        for (answer, error) in refused {
            drop(answer.send(Err(error)));
        }
    }

    /// Lets go of gatherings that were shown, and uses their memory again.
    fn forget_shown(&mut self) {
        while self.written.len() > self.finisher.unfinished()
            && let Some(shown) = self.written.pop_front()
        {
            if let Ok(staged) = Arc::try_unwrap(shown) {
                self.staged = staged.emptied();
            }
        }
    }

    /// Lays one group into the draft. When this fails, nothing has changed.
    fn stage(
        &mut self,
        changes: &[Prepared],
        taken: &Taken,
        draft: &mut Option<Draft>,
    ) -> Result<Option<Claim>, StoreError> {
        if let Some(why) = self.finisher.stopped() {
            return Err(StoreError::Stopped(why.to_owned()));
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
        let before = Layered { staged: &self.staged, written: &self.written, view: &self.view };
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
        let claim = stage::claim(ops).filter(|(id, _)| !before.is_unseen(*id));
        self.staged.take_in(ops);
        Ok(claim)
    }

    fn write(&mut self, draft: Option<Draft>) -> Answer {
        let Some(draft) = draft.filter(|draft| !draft.is_empty()) else { return Ok(()) };
        self.journal.write(draft).map(drop).map_err(|error| self.failed(error))
    }

    /// Makes durable what was written, with nothing else under way.
    fn sync(&mut self) -> Answer {
        self.finisher.wait_for_all();
        self.finisher.sync(&self.journal.unsynced())
    }

    /// Says what a failed write means: nothing is written any more.
    fn failed(&mut self, error: JournalError) -> StoreError {
        match error {
            JournalError::Full(why) => StoreError::Full(why),
            error @ JournalError::TooLarge { .. } => StoreError::Refused(error.to_string()), // nothing was written
            error => StoreError::Unknown(self.finisher.stop(&error)),
        }
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
