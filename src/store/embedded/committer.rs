//! The one thread that writes the journal, and the way to it: takes what waits, as much as goes together, and has it
//! written.
//!
//! A group is handed over by the call, so groups are written in the order of the calls and whether or not
//! anybody still waits. No group waits for others to come: while one gathering is written the next one forms, and is written
//! while that one is synced.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::change::Prepared;
use super::finish::Answer;
use super::view::View;
use super::vitals::Tally;
use super::writer::{Job, Writer};
use crate::model::bounds;
use crate::store::journal::Journal;
use crate::store::{Durability, StoreError};

/// The thread. Dropping this ends it, once what was handed over is written and synced.
#[derive(Debug)]
pub(super) struct Committer {
    jobs: Option<mpsc::Sender<Handed>>,
    hand: Hand,
    thread: Option<JoinHandle<()>>,
}

/// Hands groups over. Does not keep the thread from ending.
#[derive(Clone, Debug)]
pub(super) struct Hand {
    jobs: mpsc::WeakSender<Handed>,
    load: Arc<Load>,
}

/// A group that was handed over.
#[derive(Debug)]
struct Handed {
    job: Job,
    /// What it takes in a frame.
    bytes: usize,
}

/// Bytes of all that was handed over and not taken yet.
#[derive(Debug, Default)]
struct Load(AtomicUsize);

/// The way to the thread, as the thread has it.
struct Waiting {
    jobs: mpsc::Receiver<Handed>,
    load: Arc<Load>,
}

impl Committer {
    pub(super) fn start(journal: Journal, view: View, tally: Arc<Tally>) -> io::Result<Self> {
        let (jobs, hand, waiting) = way();
        let writer = Writer::start(journal, view, tally)?;
        let thread = thread::Builder::new().name("store-commit".to_owned()).spawn(move || run(writer, waiting))?;
        Ok(Self { hand, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands a group over. From here on it is carried out, whatever becomes of the receiver.
    pub(super) fn submit(
        &self,
        changes: Vec<Prepared>,
        when: Durability,
    ) -> Result<oneshot::Receiver<Answer>, StoreError> {
        submit(self.jobs.as_ref().ok_or_else(ended)?, &self.hand.load, changes, when)
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
        submit(&self.jobs.upgrade().ok_or_else(ended)?, &self.load, changes, when)
    }
}

fn way() -> (mpsc::Sender<Handed>, Hand, Waiting) {
    let (sender, jobs) = mpsc::channel(bounds::MAX_WAITING_COMMITS);
    let load = Arc::new(Load::default());
    let hand = Hand { jobs: sender.downgrade(), load: Arc::clone(&load) };
    (sender, hand, Waiting { jobs, load })
}

fn submit(
    jobs: &mpsc::Sender<Handed>,
    load: &Load,
    changes: Vec<Prepared>,
    when: Durability,
) -> Result<oneshot::Receiver<Answer>, StoreError> {
    let bytes = changes.iter().map(Prepared::bytes).sum();
    let before = load.add(bytes);
    if before > 0 && before.saturating_add(bytes) > bounds::MAX_WAITING_COMMIT_BYTES {
        load.remove(bytes);
        return Err(StoreError::Refused(format!(
            "commits of {before} bytes wait for the disk already, and {} may: try again later",
            bounds::MAX_WAITING_COMMIT_BYTES
        )));
    }
    let (answer, answered) = oneshot::channel();
    let sent = jobs.try_send(Handed { job: Job { changes, when, since: Instant::now(), answer }, bytes });
    sent.map(|()| answered).map_err(|error| {
        load.remove(bytes);
        match error {
            TrySendError::Closed(_) => ended(),
            TrySendError::Full(_) => StoreError::Refused(format!(
                "{} commits wait for the disk already: try again later",
                bounds::MAX_WAITING_COMMITS
            )),
        }
    })
}

impl Load {
    /// Says how much it was before.
    fn add(&self, bytes: usize) -> usize {
        self.0.fetch_add(bytes, Ordering::Relaxed)
    }

    fn remove(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Waiting {
    /// The next one, if one is there.
    fn next(&mut self) -> Option<Handed> {
        self.jobs.try_recv().ok().inspect(|handed| self.load.remove(handed.bytes))
    }

    /// How many have come by now.
    fn count(&self) -> usize {
        self.jobs.len()
    }

    /// The next one; `None` when none will come any more.
    fn wait(&mut self) -> Option<Handed> {
        self.jobs.blocking_recv().inspect(|handed| self.load.remove(handed.bytes))
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

fn run(mut writer: Writer, mut waiting: Waiting) {
    let mut first = waiting.wait();
    while let Some(handed) = first {
        let (gathering, left) = gather(handed, &mut waiting);
        writer.commit(gathering, || usize::from(left.is_some()) + waiting.count());
        first = left.or_else(|| waiting.wait());
    }
    writer.close();
}

/// What waits, as far as one gathering goes, and the one that did not go in.
fn gather(first: Handed, waiting: &mut Waiting) -> (Vec<Job>, Option<Handed>) {
    let (mut changes, mut bytes) = (first.job.changes.len(), first.bytes);
    let mut gathering = vec![first.job];
    while let Some(handed) = waiting.next() {
        changes += handed.job.changes.len();
        bytes += handed.bytes;
        if changes > bounds::MAX_GROUP_CHANGES || bytes > bounds::MAX_GROUP_BYTES {
            return (gathering, Some(handed));
        }
        gathering.push(handed.job);
    }
    (gathering, None)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::names::InvocationId;
    use crate::store::Part;

    fn group(bytes: &Bytes) -> Vec<Prepared> {
        vec![Prepared::PutBlob { id: InvocationId::from_bytes([1; 16]), part: Part::Payload, bytes: bytes.clone() }]
    }

    #[test]
    fn groups_that_wait_are_bounded_by_their_bytes_and_taken_again_once_some_were_taken() {
        let (jobs, hand, mut waiting) = way();
        let large = Bytes::from(vec![0; 8 * 1_024 * 1_024]);
        let submit = || hand.submit(group(&large), Durability::Synced);
        let taken = (0..100).take_while(|_| submit().is_ok()).count();
        assert_eq!(taken, 31, "and some bytes besides the payload");
        let refused = submit().unwrap_err();
        assert!(
            matches!(refused, StoreError::Refused(_)) && refused.to_string().contains("268435456 may"),
            "{refused}"
        );
        hand.submit(Vec::new(), Durability::Synced).unwrap();

        let first = waiting.next().unwrap();
        assert_eq!(gather(first, &mut waiting).0.len(), 1, "one is a gathering");
        assert!(submit().is_ok() && submit().is_ok() && submit().is_err());
        while waiting.next().is_some() {}
        assert_eq!(hand.load.0.load(Ordering::Relaxed), 0);
        drop((jobs, waiting));
        submit().unwrap_err();
        assert_eq!(hand.load.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_group_larger_than_all_that_may_wait_is_taken_alone() {
        let (_jobs, hand, _waiting) = way();
        let large = Bytes::from(vec![0; 64 * 1_024 * 1_024]);
        let many = std::iter::repeat_with(|| group(&large)).take(5).flatten().collect();
        assert!(hand.submit(many, Durability::Synced).is_ok());
        assert!(hand.submit(group(&large), Durability::Synced).is_err());
    }
}
