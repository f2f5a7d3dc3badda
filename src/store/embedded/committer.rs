//! The one thread that writes the journal: takes what waits, writes it as few groups, syncs once for all, makes it
//! visible, and answers. Decides how many commits share a sync and what a failed write means.
//!
//! A group is handed over by the call, so groups are written in the order of the calls and whether or not
//! anybody still waits. No group waits for others to come: while one gathering is written the next one forms.
//!
//! Nothing is visible before it is durable, when its caller asked for that: what somebody was shown must not be
//! undone by a power cut. A failed write or sync ends the writing for good: what the disk holds is then unknown.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::change::Prepared;
use super::entry::Entry;
use super::op::{self, Op};
use super::stage::{self, Before};
use super::view::View;
use super::vitals::Tally;
use super::window::ById;
use crate::model::bounds;
use crate::model::names::{FunctionId, InvocationId};
use crate::store::journal::{Draft, Journal, JournalError, Room, Span};
use crate::store::{Durability, IdempotencyKey, KeyUse, StoreError};

type Answer = Result<(), StoreError>;

/// How long a look for room in memory takes at most before another.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Windows that may stand in memory while the index takes nothing: some hundred megabytes.
const STUCK_WINDOWS: usize = 8;

/// The thread. Dropping this ends it, once what was handed over is written and synced.
#[derive(Debug)]
pub(super) struct Committer {
    jobs: Option<mpsc::Sender<Job>>,
    hand: Hand,
    thread: Option<JoinHandle<()>>,
}

/// Hands groups over. Does not keep the thread from ending.
#[derive(Clone, Debug)]
pub(super) struct Hand(mpsc::WeakSender<Job>);

/// A group, and who waits for it.
#[derive(Debug)]
struct Job {
    changes: Vec<Prepared>,
    when: Durability,
    since: Instant,
    answer: oneshot::Sender<Answer>,
}

/// What runs on the thread.
struct Writer {
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

/// What groups of a gathering have changed, in their order.
#[derive(Default)]
struct Staged {
    ops: Vec<Op>,
    entries: HashMap<InvocationId, Option<Entry>, ById>,
    records: HashMap<Vec<u8>, Option<Span>>,
    keys: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Committer {
    pub(super) fn start(journal: Journal, view: View, tally: Arc<Tally>) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(bounds::MAX_WAITING_COMMITS);
        let writer = Writer { journal, view, tally, staged: Staged::default(), buffer: Vec::new(), stopped: None };
        let thread = thread::Builder::new().name("store-commit".to_owned()).spawn(move || writer.run(waiting))?;
        Ok(Self { hand: Hand(jobs.downgrade()), jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands a group over. From here on it is carried out, whatever becomes of the receiver.
    pub(super) fn submit(
        &self,
        changes: Vec<Prepared>,
        when: Durability,
    ) -> Result<oneshot::Receiver<Answer>, StoreError> {
        submit(self.jobs.as_ref().ok_or_else(ended)?, changes, when)
    }

    /// A hand for threads of the store.
    pub(super) fn hand(&self) -> Hand {
        self.hand.clone()
    }
}

impl Hand {
    pub(super) fn submit(
        &self,
        changes: Vec<Prepared>,
        when: Durability,
    ) -> Result<oneshot::Receiver<Answer>, StoreError> {
        submit(&self.0.upgrade().ok_or_else(ended)?, changes, when)
    }
}

fn submit(
    jobs: &mpsc::Sender<Job>,
    changes: Vec<Prepared>,
    when: Durability,
) -> Result<oneshot::Receiver<Answer>, StoreError> {
    let (answer, answered) = oneshot::channel();
    match jobs.try_send(Job { changes, when, since: Instant::now(), answer }) {
        Ok(()) => Ok(answered),
        Err(TrySendError::Closed(_)) => Err(ended()),
        Err(TrySendError::Full(_)) => Err(StoreError::Refused(format!(
            "{} commits wait for the disk already: try again later",
            bounds::MAX_WAITING_COMMITS
        ))),
    }
}

fn ended() -> StoreError {
    StoreError::Stopped("the thread that writes has ended".to_owned())
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.jobs = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the store has panicked");
        }
    }
}

impl Writer {
    fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        let mut first = waiting.blocking_recv();
        while let Some(job) = first {
            let (gathering, left) = gather(job, &mut waiting);
            self.commit(gathering);
            first = left.or_else(|| waiting.blocking_recv());
        }
        if self.stopped.is_none() {
            let closed = self.sync();
            closed.unwrap_or_else(|error| tracing::error!(%error, "the last writes may not be durable"));
        }
    }

    /// Writes a gathering and answers it.
    fn commit(&mut self, gathering: Vec<Job>) {
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
            None => draft.insert(self.journal.begin(bytes).map_err(not_begun)?),
        };
        let mark = group.mark();
        let (before, buffer) = (Layered { staged: &self.staged, view: &self.view }, &mut self.buffer);
        let staged = group.push(|frame| {
            let ops = stage::stage(changes, &before, frame)?;
            op::write_all(&ops, buffer, frame);
            Ok(ops)
        });
        let refused = match (self.journal.room(), taken) {
            (Room::Plenty, Taken::Everything) => None,
            (_, Taken::WhatSettles(why)) => Some(why.clone()),
            (Room::ReserveOnly | Room::None, _) => Some("what is left is for what was accepted before".to_owned()),
        };
        let ops = match (staged, refused) {
            (Ok(ops), Some(why)) if stage::is_new_work(&ops) => Err(StoreError::Full(why)),
            (staged, _) => staged,
        };
        match ops {
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
        if !self.journal.is_dirty() {
            return Ok(());
        }
        self.journal.sync().map_err(|error| self.failed(error))?;
        self.tally.synced();
        self.view.shared.lock().synced = self.journal.synced();
        self.view.shared.tell();
        Ok(())
    }

    /// Says what a failed write means: nothing is written any more.
    fn failed(&mut self, error: JournalError) -> StoreError {
        match error {
            JournalError::Full(why) => StoreError::Full(why),
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

/// What is there before a group: groups of the same gathering over everything that was committed.
struct Layered<'a> {
    staged: &'a Staged,
    view: &'a View,
}

impl Before for Layered<'_> {
    fn entry(&self, id: InvocationId) -> Result<Option<Entry>, StoreError> {
        match self.staged.entries.get(&id) {
            Some(staged) => Ok(*staged),
            None => self.view.entry(id),
        }
    }

    fn record(&self, key: &[u8]) -> Result<Option<Span>, StoreError> {
        match self.staged.records.get(key) {
            Some(staged) => Ok(*staged),
            None => self.view.record(key),
        }
    }

    fn versions(&self, function: FunctionId) -> Result<Vec<Vec<u8>>, StoreError> {
        let prefix = crate::store::keys::versions_of(function);
        let mut versions = self.view.versions(function)?;
        versions.extend(self.staged.records.keys().filter(|key| key.starts_with(&prefix)).cloned());
        Ok(versions)
    }

    fn key(&self, key: IdempotencyKey) -> Result<Option<KeyUse>, StoreError> {
        match self.staged.keys.get(&crate::store::keys::idempotency(key)) {
            Some(staged) => Ok(staged.as_deref().and_then(stage::read_key_use)),
            None => self.view.key(key),
        }
    }
}

impl Staged {
    fn take_in(&mut self, ops: Vec<Op>) {
        for op in &ops {
            match op {
                Op::Invocation { id, net } => drop(self.entries.insert(*id, net.now)),
                Op::Record { key, net } => drop(self.records.insert(key.clone(), net.now)),
                Op::Row { key, value } => drop(self.keys.insert(key.clone(), value.clone())),
            }
        }
        self.ops.extend(ops);
    }
}

/// What waits, as far as one gathering goes, and the job that did not go in.
fn gather(first: Job, waiting: &mut mpsc::Receiver<Job>) -> (Vec<Job>, Option<Job>) {
    let size = |job: &Job| (job.changes.len(), job.changes.iter().map(Prepared::bytes).sum::<usize>());
    let (mut changes, mut bytes) = size(&first);
    let mut gathering = vec![first];
    while let Ok(job) = waiting.try_recv() {
        let (more_changes, more_bytes) = size(&job);
        changes += more_changes;
        bytes += more_bytes;
        if changes > bounds::MAX_GROUP_CHANGES || bytes > bounds::MAX_GROUP_BYTES {
            return (gathering, Some(job));
        }
        gathering.push(job);
    }
    (gathering, None)
}

fn not_begun(error: JournalError) -> StoreError {
    match error {
        JournalError::Full(why) => StoreError::Full(why),
        JournalError::TooLarge { .. } => StoreError::Refused(error.to_string()),
        JournalError::Stopped(why) => StoreError::Stopped(why),
        error => StoreError::Unknown(error.to_string()),
    }
}
