//! The one thread that writes the journal, and the way to it: takes what waits, as much as goes together, and has it
//! written.
//!
//! A group is handed over by the call, so groups are written in the order of the calls and whether or not
//! anybody still waits. No group waits for others to come: while one gathering is written the next one forms.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::change::Prepared;
use super::view::View;
use super::vitals::Tally;
use super::writer::{Answer, Job, Writer};
use crate::model::bounds;
use crate::store::journal::Journal;
use crate::store::{Durability, StoreError};

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

impl Committer {
    pub(super) fn start(journal: Journal, view: View, tally: Arc<Tally>) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(bounds::MAX_WAITING_COMMITS);
        let writer = Writer::new(journal, view, tally);
        let thread = thread::Builder::new().name("store-commit".to_owned()).spawn(move || run(writer, waiting))?;
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

fn run(mut writer: Writer, mut waiting: mpsc::Receiver<Job>) {
    let mut first = waiting.blocking_recv();
    while let Some(job) = first {
        let (gathering, left) = gather(job, &mut waiting);
        writer.commit(gathering);
        first = left.or_else(|| waiting.blocking_recv());
    }
    writer.close();
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
