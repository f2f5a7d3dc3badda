//! Writes gatherings of groups to the journal: lays them out, syncs once for all, makes them visible, answers. Decides
//! what a failed write means, and what is taken when there is little room.
//!
//! Nothing is visible before it is durable, when its caller asked for that: what somebody was shown must not be
//! undone by a power cut. A failed write or sync ends the writing for good: what the disk holds is then unknown.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::change::Prepared;
use super::op::{self, Op};
use super::stage;
use super::staged::{Layered, Staged};
use super::view::View;
use super::vitals::Tally;
use crate::model::bounds;
use crate::store::journal::{Draft, Journal, JournalError, Purpose, Room};
use crate::store::{Durability, StoreError};

pub(super) type Answer = Result<(), StoreError>;

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
    /// Entries of groups of this gathering, which nobody sees yet.
    staged: Staged,
    /// Where changes are laid out before they go into a frame.
    buffer: Vec<u8>,
    /// Why nothing is written any more.
    stopped: Option<String>,
}

impl Writer {
    pub(super) fn new(journal: Journal, view: View, tally: Arc<Tally>) -> Self {
        Self { journal, view, tally, staged: Staged::default(), buffer: Vec::new(), stopped: None }
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
        let count = gathering.len();
        let mut answers = Vec::with_capacity(count);
        let mut written = Vec::with_capacity(count);
        let mut draft = None;
        for Job { changes, when, since, answer } in gathering {
            let staged = match &taken {
                Ok(taken) => self.stage(&changes, taken, &mut draft),
                Err(error) => Err(error.clone()),
            };
            match staged {
                Ok(()) => written.push((when, since, answer)),
                Err(error) => answers.push((answer, error)),
            }
        }
        let synced = written.iter().any(|(when, ..)| *when == Durability::Synced);
        let mut end = self.write(draft);
        if let Some(why) = self.stopped.as_ref().filter(|_| end.is_ok()) {
            end = Err(StoreError::Unknown(why.clone())); // of an earlier draft of this gathering
        }
        if synced {
            end = end.and_then(|()| self.sync());
        }
        match &end {
            Ok(()) => self.publish(),
            Err(_) => self.staged = Staged::default(),
        }
        self.tally.wrote(written.len());
        let now = Instant::now();
        for (_, since, answer) in written {
            if end.is_ok() {
                self.tally.committed(now.saturating_duration_since(since));
            }
            drop(answer.send(end.clone())); // nobody may be waiting any more
        }
        for (answer, error) in answers {
            drop(answer.send(Err(error)));
        }
    }

    /// Lays one group into the draft. When this fails, nothing has changed.
    fn stage(&mut self, changes: &[Prepared], taken: &Taken, draft: &mut Option<Draft>) -> Result<(), StoreError> {
        if let Some(why) = &self.stopped {
            return Err(StoreError::Stopped(why.clone()));
        }
        let bytes = changes.iter().map(Prepared::bytes).sum::<usize>() + size_of::<u32>();
        if changes.is_empty() {
            return Ok(());
        }
        if draft.as_ref().is_some_and(|draft| !draft.fits(bytes)) {
            self.write(draft.take())?;
        }
        let group = match draft {
            Some(group) => group,
            None => draft.insert(self.journal.begin(bytes, purpose(changes)).map_err(not_begun)?),
        };
        let mark = group.mark();
        let (before, buffer) = (Layered { staged: &self.staged, view: &self.view }, &mut self.buffer);
        let staged = group.push(|frame| {
            let ops = stage::stage(changes, &before, frame)?;
            op::write_all(&ops, buffer, frame);
            Ok(ops)
        });
        let room = self.journal.room(); // behind the segment that the draft may have taken
        let taken = staged.and_then(|ops| match why_not(room, purpose(changes), taken, &ops) {
            Some(why) => Err(StoreError::Full(why)),
            None => Ok(ops),
        });
        match taken {
            Ok(ops) => {
                if ops.is_empty() {
                    group.truncate(mark);
                }
                self.staged.take_in(ops);
                Ok(())
            }
            Err(error) => {
                group.truncate(mark);
                Err(error)
            }
        }
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
        self.view.shared.lock().synced = self.journal.synced();
        self.view.shared.tell();
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
        let Staged { ops, .. } = std::mem::take(&mut self.staged);
        if ops.is_empty() {
            return;
        }
        let mut state = self.view.shared.lock();
        state.take_in(ops, self.journal.end());
        if state.current.len() >= bounds::MAX_WINDOW_CHANGES {
            self.view.shared.tell();
        }
    }

    /// Waits while too much stands in memory that is not in the index. What was written is durable before that: the
    /// index takes nothing that is not. While the index takes nothing at all, what was accepted still settles, and new
    /// work is refused.
    fn wait_for_room(&mut self) -> Result<Taken, StoreError> {
        if self.view.shared.lock().current.len() < 2 * bounds::MAX_WINDOW_CHANGES {
            return Ok(Taken::Everything);
        }
        self.sync()?;
        let mut state = self.view.shared.lock();
        while state.current.len() >= 2 * bounds::MAX_WINDOW_CHANGES {
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
