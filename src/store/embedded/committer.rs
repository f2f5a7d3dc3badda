//! The one thread that writes: takes what waits, writes it as one batch, and answers. Decides how many groups
//! share a sync and what a failed write means. Knows nothing of the records' meaning.
//!
//! A group is handed over by the call, so groups are written in the order of the calls and whether or not
//! anybody still waits. No group waits for others to come: while one gathering is written the next one forms.
//!
//! The order of one gathering: files of large values, and their sync; the batch; sled's flush, which hands it
//! to the kernel; with `Synced`, a sync of the database's file, since sled's flush is none; then files that
//! nothing needs any more go away. A failed sync or batch ends the writing for good: what the disk holds is
//! then unknown, and asking for the same sync again would be answered with a success that means nothing.
//!
//! Files are synced also for `Written`: sled syncs its own file now and then, and a record that a power cut
//! keeps must not point to bytes that it took. For the same reason a file goes away only after the sync of
//! the batch that made it needless.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use ::sled::Db;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::model::bounds;
use crate::store::{Durability, StoreError};

use super::change::Op;
use super::files::Files;
use super::staging::{Staged, Staging};
use super::value::FileRef;

type Answer = Result<(), StoreError>;
/// Makes what was handed to the kernel durable.
pub(super) type Sync = Box<dyn FnMut() -> io::Result<()> + Send>;

/// The thread. Dropping this ends it, once what was handed over is written and synced.
#[derive(Debug)]
pub(super) struct Committer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// A group, and who waits for it.
#[derive(Debug)]
struct Job {
    ops: Vec<Op>,
    when: Durability,
    answer: oneshot::Sender<Answer>,
}

/// What runs on the thread.
struct Writer {
    db: Db,
    files: Arc<Files>,
    sync: Sync,
    /// Files to remove after the next sync.
    unneeded: Vec<(Vec<u8>, FileRef)>,
    /// Whether something was written since the last sync.
    dirty: bool,
    /// Why nothing is written any more.
    stopped: Option<String>,
}

impl Committer {
    pub(super) fn start(db: Db, files: Arc<Files>, sync: Sync) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(bounds::MAX_WAITING_COMMITS);
        let writer = Writer { db, files, sync, unneeded: Vec::new(), dirty: false, stopped: None };
        let thread = thread::Builder::new().name("store-commit".to_owned()).spawn(move || writer.run(waiting))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands a group over. From here on it is carried out, whatever becomes of the receiver.
    pub(super) fn submit(&self, ops: Vec<Op>, when: Durability) -> Result<oneshot::Receiver<Answer>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let ended = || StoreError::Stopped("the thread that writes has ended".to_owned());
        match self.jobs.as_ref().ok_or_else(ended)?.try_send(Job { ops, when, answer }) {
            Ok(()) => Ok(answered),
            Err(TrySendError::Closed(_)) => Err(ended()),
            Err(TrySendError::Full(_)) => Err(StoreError::Refused(format!(
                "{} commits wait for the disk already: try again later",
                bounds::MAX_WAITING_COMMITS
            ))),
        }
    }
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
        self.close();
    }

    /// Writes a gathering and answers it.
    fn commit(&mut self, gathering: Vec<Job>) {
        if let Some(reason) = &self.stopped {
            let stopped = StoreError::Stopped(reason.clone());
            for job in gathering {
                tell(job.answer, Err(stopped.clone()));
            }
            return;
        }
        let mut when = Durability::Written;
        let mut waiters = Vec::with_capacity(gathering.len());
        let mut staging = Staging::new(&self.db, &self.files);
        for job in gathering {
            match staging.add(job.ops) {
                Ok(()) => {
                    when = when.max(job.when);
                    waiters.push(job.answer);
                }
                Err(refused) => tell(job.answer, Err(refused)),
            }
        }
        let staged = staging.finish();
        let answer = if waiters.is_empty() { Ok(()) } else { self.write(staged, when) };
        for waiter in waiters {
            tell(waiter, answer.clone());
        }
    }

    fn write(&mut self, mut staged: Staged, when: Durability) -> Answer {
        let files = staged.unsynced.sync();
        files.map_err(|error| StoreError::Stopped(self.stop("files of large values", &error)))?;
        self.dirty = true;
        let applied = self.db.apply_batch(staged.batch).and_then(|()| self.db.flush());
        applied.map_err(|error| StoreError::Unknown(self.stop("the database", &error)))?;
        self.unneeded.append(&mut staged.unneeded);
        if when == Durability::Synced || self.unneeded.len() > bounds::MAX_UNNEEDED_FILES {
            (self.sync)().map_err(|error| StoreError::Unknown(self.stop("the database's sync", &error)))?;
            self.synced();
        }
        Ok(())
    }

    fn synced(&mut self) {
        self.dirty = false;
        self.unneeded.drain(..).for_each(|(key, file)| self.files.remove(&key, file));
    }

    /// Nothing is written from here on. Returns the reason.
    fn stop(&mut self, what: &str, error: &dyn std::error::Error) -> String {
        let reason = format!("{what}: {error}");
        tracing::error!(%reason, "the store failed to write and takes no more changes: restart the process");
        self.stopped = Some(reason.clone());
        reason
    }

    fn close(mut self) {
        if self.stopped.is_none() && self.dirty {
            match self.db.flush().map_err(io::Error::from).and_then(|_| (self.sync)()) {
                Ok(()) => self.synced(),
                Err(error) => {
                    tracing::error!(%error, "the store was not synced at its end: a power cut may cost what was only written");
                }
            }
        }
    }
}

/// The first job and what waits behind it, as much as one commit takes; and a job that no longer fits.
fn gather(first: Job, waiting: &mut mpsc::Receiver<Job>) -> (Vec<Job>, Option<Job>) {
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

fn size(job: &Job) -> (usize, usize) {
    (job.ops.len(), job.ops.iter().map(Op::bytes).sum())
}

/// Nobody may be there to hear it: the caller's future was dropped.
fn tell(waiter: oneshot::Sender<Answer>, answer: Answer) {
    drop(waiter.send(answer));
}

#[cfg(test)]
#[path = "committer_tests.rs"]
mod tests;
