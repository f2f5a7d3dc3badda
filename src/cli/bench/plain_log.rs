//! What a queue is measured against: the least that makes bytes durable. One thread takes what waits, appends it to a
//! file that was written before and is used in circles, calls fdatasync once, and answers.
//!
//! It shows what the disk gives to whoever commits in groups, and does nothing of what makes a queue: it knows no
//! records, finds nothing again, has no order, no retries, no retention and no recovery; the next lap overwrites what
//! the one before wrote. Nothing that promises more can be expected to be faster.
//!
//! ```text
//! frame = length of the payload, u32 | CRC-32 of the rest, u32 | number, u64 | payload
//! ```
//! Numbers grow by one without end, so what an earlier lap left behind is not taken for what follows.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::load::{Client, Work};
use crate::cli::error::Error;
use crate::clock::Clock;
use crate::model::bounds;
use crate::store::Durability;

/// Bytes of the file.
const FILE_BYTES: usize = 64 * 1_024 * 1_024;
/// Bytes that are written together at first.
const PIECE_BYTES: usize = 64 * 1_024;
const HEAD_BYTES: usize = 16;
/// Bytes of an invocation's id, and of what a claim says besides.
const CLAIM_BYTES: usize = 16;
/// Bytes of an outcome.
pub(super) const OUTCOME_BYTES: usize = 200;

/// The log. Dropping it ends its thread.
#[derive(Debug)]
pub(super) struct PlainLog {
    appends: Option<mpsc::Sender<Append>>,
    thread: Option<JoinHandle<()>>,
}

/// One that appends to it.
#[derive(Clone, Debug)]
pub(super) struct LogClient {
    appends: mpsc::Sender<Append>,
    clock: Clock,
    payload: Bytes,
}

/// What is to be appended: an id, and bytes.
struct Append {
    id: [u8; 16],
    bytes: Bytes,
    when: Durability,
    done: oneshot::Sender<io::Result<()>>,
}

/// What the thread has.
struct Writer {
    file: File,
    bytes: usize,
    at: usize,
    number: u64,
    group: Vec<u8>,
}

impl PlainLog {
    /// Writes the file at `path` full once and starts.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut writer = Writer::create(path, FILE_BYTES)?;
        let (appends, mut waiting) = mpsc::channel(bounds::MAX_WAITING_COMMITS);
        let thread = thread::Builder::new().name("plain-log".to_owned()).spawn(move || {
            let mut taken = Vec::with_capacity(bounds::MAX_GROUP_CHANGES);
            while waiting.blocking_recv_many(&mut taken, bounds::MAX_GROUP_CHANGES) > 0 {
                writer.append(&mut taken);
            }
        })?;
        Ok(Self { appends: Some(appends), thread: Some(thread) })
    }

    /// A client that enqueues `payload`.
    pub(super) fn client(&self, clock: Clock, payload: Bytes) -> LogClient {
        let appends = self.appends.clone().expect("it is there until it is dropped");
        LogClient { appends, clock, payload }
    }
}

impl Drop for PlainLog {
    fn drop(&mut self) {
        self.appends = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic has been told, and whoever waited for it was answered
        }
    }
}

impl Client for LogClient {
    /// The same appends, in the same order and with the same promises, as the queue makes commits.
    async fn work(&mut self, work: Work) -> Result<(), Error> {
        const OF_CLAIM: Bytes = Bytes::from_static(&[1; CLAIM_BYTES]);
        const OF_OUTCOME: Bytes = Bytes::from_static(&[2; OUTCOME_BYTES]);
        let id = *self.clock.invocation_id().as_bytes();
        self.append(id, self.payload.clone(), Durability::Synced).await?;
        if work == Work::Cycle {
            self.append(id, OF_CLAIM, Durability::Written).await?;
            self.append(id, OF_OUTCOME, Durability::Synced).await?;
        }
        Ok(())
    }
}

impl LogClient {
    async fn append(&self, id: [u8; 16], bytes: Bytes, when: Durability) -> Result<(), Error> {
        let failed = |cause: &dyn std::fmt::Display| Error::Bench(format!("the plain log failed: {cause}"));
        let (done, answer) = oneshot::channel();
        let sent = self.appends.send(Append { id, bytes, when, done }).await;
        sent.map_err(|_| failed(&"its thread has ended"))?;
        answer.await.map_err(|_| failed(&"its thread has ended"))?.map_err(|error| failed(&error))
    }
}

impl Writer {
    fn create(path: &Path, bytes: usize) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        // In pieces: the kernel keeps a file as it was written, and a sync in a small piece is cheaper.
        for at in (0..bytes).step_by(PIECE_BYTES) {
            file.write_all_at(&vec![0; PIECE_BYTES.min(bytes - at)], at as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, bytes, at: 0, number: 0, group: Vec::new() })
    }

    /// Appends what was taken, in groups of bounded size, and answers it.
    fn append(&mut self, taken: &mut Vec<Append>) {
        let mut answers = Vec::with_capacity(taken.len());
        for append in taken.drain(..) {
            self.number += 1;
            frame(self.number, &append.id, &append.bytes, &mut self.group);
            answers.push((append.when, append.done));
            if self.group.len() >= bounds::MAX_GROUP_BYTES {
                self.commit(std::mem::take(&mut answers));
            }
        }
        if !answers.is_empty() {
            self.commit(answers);
        }
    }

    /// Writes the group; answers those who wait for no more than that; syncs, and answers the others.
    fn commit(&mut self, answers: Vec<(Durability, oneshot::Sender<io::Result<()>>)>) {
        let written = self.write();
        let (synced, rest): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(when, _)| *when == Durability::Synced);
        tell(rest, &written);
        if !synced.is_empty() {
            let done = written.and_then(|()| self.file.sync_data());
            tell(synced, &done);
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.at + self.group.len() > self.bytes {
            self.at = 0;
        }
        let written = self.file.write_all_at(&self.group, self.at as u64);
        self.at += self.group.len();
        self.group.clear();
        written
    }
}

fn tell(waiting: Vec<(Durability, oneshot::Sender<io::Result<()>>)>, done: &io::Result<()>) {
    for (_, waiting) in waiting {
        let _ = waiting.send(done.as_ref().copied().map_err(|error| error.kind().into())); // nobody may wait any more
    }
}

fn frame(number: u64, id: &[u8], bytes: &[u8], into: &mut Vec<u8>) {
    let length = u32::try_from(id.len() + bytes.len()).expect("payloads are far smaller");
    let number = number.to_le_bytes();
    into.reserve(HEAD_BYTES + id.len() + bytes.len());
    into.extend(length.to_le_bytes());
    into.extend(checksum(&[&number, id, bytes]).to_le_bytes());
    into.extend(number);
    into.extend_from_slice(id);
    into.extend_from_slice(bytes);
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
#[path = "plain_log_tests.rs"]
mod tests;
