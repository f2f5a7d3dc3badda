//! Streams: records in the order of their places, which are read from any place on, again and again, until they are too
//! old or the stream too large. Knows no HTTP, and nobody who reads.
//!
//! `kept` is what lies in the store, `record` what goes in and out, `log` one stream with its appends, reads and removals.

mod error;
mod kept;
mod log;
mod record;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

pub use error::StreamError;
pub use record::{NewRecord, ReadFrom, Reading, Record, Records};

use crate::clock::Clock;
use crate::model::bounds::{self, within};
use crate::model::names::{Namespace, StreamName};
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{Change, DocumentRange, Durability, Group, Store, StoreError, Table};
use crate::tasks::{OnExit, Tasks};
use kept::{KeptStream, all_of, owner, stream_key};
use log::Log;

/// How often what is too old or too much is looked for.
const RETENTION: Duration = Duration::from_secs(10);
/// How long a stream that has grown too large may grow on, so that what goes of it goes in few commits.
const GATHER: Duration = Duration::from_millis(200);
/// Documents that are gone through or removed at once.
const PAGE: usize = 500;

/// A stream's full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamPath {
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name there.
    pub name: StreamName,
}

impl fmt::Display for StreamPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != Namespace::default() {
            write!(f, "{}/", self.namespace)?;
        }
        self.name.fmt(f)
    }
}

/// What may be chosen of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSettings {
    /// How long records are kept, in seconds ([`bounds::STREAM_RETENTION_S`]).
    pub retention_s: u64,
    /// Bytes that it holds ([`bounds::STREAM_BYTES`]); past them the oldest records go, a moment later.
    pub max_bytes: u64,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self { retention_s: bounds::DEFAULT_STREAM_RETENTION_S, max_bytes: bounds::DEFAULT_STREAM_BYTES }
    }
}

/// A stream as it stands.
#[derive(Clone, Debug)]
pub struct StreamView {
    /// Which.
    pub path: StreamPath,
    /// When it was made.
    pub created: Timestamp,
    /// How long and how much it keeps.
    pub settings: StreamSettings,
    /// Where it begins and ends, and what it holds.
    pub extent: Extent,
}

/// What there is of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The place of the oldest record; that of the next one where there is none.
    pub first: u64,
    /// The place of the next record.
    pub next: u64,
    /// Bytes of the records, with what is kept beside their data.
    pub bytes: u64,
}

/// The streams of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Streams {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    clock: Clock,
    tasks: Tasks,
    logs: RwLock<BTreeMap<StreamPath, Arc<Log>>>,
    /// Held over the look at which there are and the commit.
    changing: tokio::sync::Mutex<()>,
    /// Told when a stream has grown too large; which one knows that itself.
    too_large: Arc<Notify>,
}

impl Streams {
    /// The streams in `store`; what is too old goes from now on, and so does what was left of deleted ones.
    pub async fn open(store: Arc<dyn Store>, clock: Clock, tasks: Tasks) -> Result<Self, StoreError> {
        let too_large = Arc::new(Notify::new());
        let (mut logs, mut range) = (BTreeMap::new(), DocumentRange::of(Table::Stream, &[]));
        loop {
            let page = store.documents(range.clone(), PAGE).await?;
            for (key, bytes) in &page {
                let Some(id) = owner(key) else { continue };
                let kept: KeptStream = form::decode(bytes, || format!("the stream {id}"))?;
                logs.insert(kept.path(), Arc::new(Log::new(id, kept, store.clone(), too_large.clone())));
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => range = range.after(last.key()),
                _ => break,
            }
        }
        let changing = tokio::sync::Mutex::new(());
        let parts = Parts { store, clock, tasks: tasks.clone(), logs: RwLock::new(logs), changing, too_large };
        let parts = Arc::new(parts);
        tasks.spawn("streams", OnExit::Shutdown, Arc::clone(&parts).let_go());
        Ok(Self { parts })
    }

    /// Makes a stream, or gives one other settings. When this returns it would survive a power cut. Returns whether it is
    /// new.
    pub async fn set(&self, path: StreamPath, settings: StreamSettings) -> Result<bool, StreamError> {
        within("retention_s", settings.retention_s, &bounds::STREAM_RETENTION_S)?;
        within("max_bytes", settings.max_bytes, &bounds::STREAM_BYTES)?;
        let parts = Arc::clone(&self.parts);
        self.see_through(async move { parts.set(path, settings).await }).await
    }

    /// Removes a stream with its records.
    pub async fn remove(&self, path: StreamPath) -> Result<(), StreamError> {
        let parts = Arc::clone(&self.parts);
        self.see_through(async move { parts.remove(path).await }).await
    }

    /// Streams of a namespace in order of their names, from behind `after`, at most `limit`.
    pub async fn list(
        &self,
        namespace: &Namespace,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamView>, StreamError> {
        let logs: Vec<_> = {
            let logs = self.parts.logs.read().unwrap_or_else(PoisonError::into_inner);
            let own = logs.iter().filter(|(path, _)| path.namespace == *namespace);
            let later = own.filter(|(path, _)| after.is_none_or(|after| path.name > *after));
            later.map(|(_, log)| Arc::clone(log)).take(limit).collect()
        };
        let mut views = Vec::with_capacity(logs.len());
        for log in logs {
            views.push(log.view().await?);
        }
        Ok(views)
    }

    /// A stream as it stands.
    pub async fn view(&self, path: &StreamPath) -> Result<StreamView, StreamError> {
        self.parts.log(path)?.view().await
    }

    /// Whether there is such a stream.
    pub fn exists(&self, path: &StreamPath) -> bool {
        self.parts.log(path).is_ok()
    }

    /// Appends records, one behind another, and tells their places. When this returns they would survive a power cut. One
    /// with the id of one of the latest few thousand that had ids is that one, and is not appended again.
    pub async fn append(&self, path: &StreamPath, records: Vec<NewRecord>) -> Result<Vec<u64>, StreamError> {
        check(&records)?;
        let log = self.parts.log(path)?;
        let answer = log.ask(records)?;
        let clock = self.parts.clock.clone();
        let turn = async move { log.take_turn(&clock).await };
        self.parts.tasks.served("stream", turn, answer).await.ok_or(StreamError::Interrupted)?
    }

    /// Reads records. Where there is none yet, waits for it; the answer is then empty when none has come in time.
    pub async fn read(&self, path: &StreamPath, reading: &Reading) -> Result<Records, StreamError> {
        let wait = reading.wait.min(bounds::MAX_POLL);
        self.parts.log(path)?.read(reading, wait, self.parts.tasks.stopping()).await
    }

    async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StreamError>> + Send + 'static,
    ) -> Result<T, StreamError> {
        self.parts.tasks.see_through("stream", work).await.ok_or(StreamError::Interrupted)?
    }
}

impl Parts {
    fn log(&self, path: &StreamPath) -> Result<Arc<Log>, StreamError> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.get(path).cloned().ok_or_else(|| StreamError::Unknown(path.clone()))
    }

    async fn set(&self, path: StreamPath, settings: StreamSettings) -> Result<bool, StreamError> {
        let _changing = self.changing.lock().await;
        let before = self.log(&path).ok();
        if before.is_none() {
            self.check_room(&path.namespace)?;
        }
        let (id, created) = match &before {
            Some(log) => (log.id(), log.created()),
            None => (Uuid::new_v4(), self.clock.now()),
        };
        let StreamPath { namespace, name } = path.clone();
        let kept = KeptStream { namespace, name, created, settings };
        let group = Group(vec![Change::PutDocument(stream_key(id), form::encode(&kept))]);
        self.store.commit(group, Durability::Synced).await?;
        if let Some(log) = &before {
            log.set(settings);
            log.too_large(); // it may be
        } else {
            let log = Log::new(id, kept, self.store.clone(), self.too_large.clone());
            self.logs.write().unwrap_or_else(PoisonError::into_inner).insert(path, Arc::new(log));
        }
        Ok(before.is_none())
    }

    fn check_room(&self, namespace: &Namespace) -> Result<(), StreamError> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        let (own, all) = (logs.keys().filter(|path| path.namespace == *namespace).count(), logs.len());
        if own >= bounds::MAX_STREAMS || all >= bounds::MAX_ALL_STREAMS {
            return Err(StreamError::TooMany { namespace: namespace.clone(), own, all });
        }
        Ok(())
    }

    async fn remove(&self, path: StreamPath) -> Result<(), StreamError> {
        let _changing = self.changing.lock().await;
        let log = self.log(&path)?;
        log.close(self.store.as_ref()).await?;
        self.logs.write().unwrap_or_else(PoisonError::into_inner).remove(&path);
        // What this leaves is found at the next start.
        if let Err(error) = self.sweep(log.id()).await {
            tracing::warn!(stream = %path, %error, "records of a deleted stream are not removed yet");
        }
        Ok(())
    }

    /// Removes what is left of a stream.
    async fn sweep(&self, id: Uuid) -> Result<(), StoreError> {
        loop {
            let keys = self.store.document_keys(all_of(id), PAGE).await?;
            let is_last = keys.len() < PAGE;
            let group = Group(keys.into_iter().map(Change::RemoveDocument).collect());
            if !group.0.is_empty() {
                self.store.commit(group, Durability::Written).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Removes what is left of streams that were deleted when the process ended.
    async fn sweep_orphans(&self) -> Result<(), StoreError> {
        let mut range = DocumentRange::of(Table::StreamRecord, &[]);
        while let Some(id) = self.store.document_keys(range.clone(), 1).await?.first().and_then(owner) {
            // Looked up after the key was seen: a stream is known before it has a record.
            if !self.all().iter().any(|log| log.id() == id) {
                self.sweep(id).await?;
            }
            let Some(next) = all_of(id).to else { break };
            range.from = next;
        }
        Ok(())
    }

    fn all(&self) -> Vec<Arc<Log>> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Lets go of what is too old or too much, for ever.
    async fn let_go(self: Arc<Self>) {
        if let Err(error) = self.sweep_orphans().await {
            tracing::warn!(%error, "what is left of deleted streams is not removed until the next start");
        }
        let mut round = self.clock.now() + RETENTION;
        loop {
            let some_too_large = async {
                self.too_large.notified().await;
                self.clock.sleep(GATHER).await;
            };
            tokio::select! {
                () = self.tasks.stopping().cancelled() => return,
                () = self.clock.sleep(round.since(self.clock.now())) => (),
                () = some_too_large => (),
            }
            let is_round = self.clock.now() >= round;
            if is_round {
                round = self.clock.now() + RETENTION;
            }
            for log in self.all().into_iter().filter(|log| log.was_too_large() || is_round) {
                if let Err(error) = log.let_go(self.clock.now()).await {
                    tracing::warn!(stream = %log.path(), %error, "old records of a stream are not removed: it is tried again");
                }
            }
        }
    }
}

fn check(records: &[NewRecord]) -> Result<(), StreamError> {
    let bytes = records.iter().map(|record| record.data.len()).sum();
    if records.is_empty() || records.len() > bounds::MAX_STREAM_BATCH || bytes > bounds::MAX_STREAM_BATCH_BYTES {
        return Err(StreamError::Batch { count: records.len(), bytes });
    }
    for record in records {
        if record.data.len() > bounds::MAX_STREAM_RECORD_BYTES {
            return Err(StreamError::Data(record.data.len()));
        }
        if let Some(key) = record.key.as_ref().filter(|key| !(1..=bounds::MAX_PARTITION_KEY_BYTES).contains(&key.len()))
        {
            return Err(StreamError::Key(key.len()));
        }
        let attributes = record.attributes.iter().map(|(name, value)| name.len() + value.len());
        let bytes = attributes.sum::<usize>() + record.content_type.as_ref().map_or(0, String::len);
        let count = record.attributes.len();
        if count > bounds::MAX_RECORD_ATTRIBUTES || bytes > bounds::MAX_RECORD_ATTRIBUTE_BYTES {
            return Err(StreamError::Attributes { count, bytes });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
