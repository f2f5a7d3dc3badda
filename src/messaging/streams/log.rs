//! One stream: its appends, reads and removals. Knows no other.
//!
//! Whoever appends leaves the records in a line and takes a turn; a turn writes all that stand there together, so that
//! appends which come at once share one commit and its sync. Removals take turns with appends. Reads wait for nobody: they
//! end where the last commit did.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::kept::{self, Head, KeptRecord, KeptStream, RECENT, head_key, record_id_key, record_key, stream_key};
use super::{
    Extent, NewRecord, ReadFrom, Reading, Record, Records, StreamError, StreamPath, StreamSettings, StreamView,
};
use crate::clock::Clock;
use crate::model::bounds;
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{Change, Durability, Group, Store, StoreError};

/// Appends that stand in line; past them one is refused.
const MAX_LINE: usize = 1_024;
/// Records that are read at once: each may have its whole size.
const READ_PAGE: usize = 16;
/// Records that one read looks at for those of a key.
const MAX_LOOKED_AT: u64 = 10_000;
/// Records that one commit removes.
const REMOVE_PAGE: u64 = 500;

/// One stream.
pub(super) struct Log {
    id: Uuid,
    store: Arc<dyn Store>,
    kept: Mutex<KeptStream>,
    line: Mutex<VecDeque<Waiting>>,
    /// Whoever has it may write.
    turn: tokio::sync::Mutex<Option<End>>,
    /// What readers may see; `None` until somebody has looked.
    extent: watch::Sender<Option<Extent>>,
    /// The stream is deleted.
    closed: CancellationToken,
    /// It may hold more than it is to, and who lets go of that is told.
    is_too_large: AtomicBool,
    tell_too_large: Arc<Notify>,
}

type Answer = Result<Vec<u64>, StreamError>;

/// An append in line.
struct Waiting {
    records: Vec<NewRecord>,
    answer: oneshot::Sender<Answer>,
}

/// What the next write goes on from.
struct End {
    head: Head,
    first: u64,
    /// Bytes that were appended before the first record.
    gone: u64,
    /// Places by the ids of records, the oldest in front.
    recent: VecDeque<(u64, Uuid)>,
    by_id: HashMap<Uuid, u64>,
}

impl End {
    fn extent(&self) -> Extent {
        Extent { first: self.first, next: self.head.next, bytes: self.head.total.saturating_sub(self.gone) }
    }
}

impl Log {
    pub(super) fn new(id: Uuid, kept: KeptStream, store: Arc<dyn Store>, tell_too_large: Arc<Notify>) -> Self {
        let (extent, closed) = (watch::Sender::new(None), CancellationToken::new());
        let (kept, line, turn) = (Mutex::new(kept), Mutex::default(), tokio::sync::Mutex::default());
        let is_too_large = AtomicBool::new(false);
        Self { id, store, kept, line, turn, extent, closed, is_too_large, tell_too_large }
    }

    pub(super) fn id(&self) -> Uuid {
        self.id
    }

    pub(super) fn path(&self) -> StreamPath {
        self.kept().path()
    }

    pub(super) fn created(&self) -> Timestamp {
        self.kept().created
    }

    pub(super) fn set(&self, settings: StreamSettings) {
        self.kept().settings = settings;
    }

    pub(super) async fn view(&self) -> Result<StreamView, StreamError> {
        let extent = self.extent().await?;
        let kept = self.kept();
        Ok(StreamView { path: kept.path(), created: kept.created, settings: kept.settings, extent })
    }

    /// Says that it may have grown too large.
    pub(super) fn too_large(&self) {
        self.is_too_large.store(true, Ordering::Relaxed);
        self.tell_too_large.notify_one();
    }

    /// Whether that was said since this was asked last.
    pub(super) fn was_too_large(&self) -> bool {
        self.is_too_large.swap(false, Ordering::Relaxed)
    }

    /// Takes the stream's name away, so that nothing is appended or read any more.
    pub(super) async fn close(&self, store: &dyn Store) -> Result<(), StreamError> {
        let mut turn = self.turn.lock().await;
        store.commit(Group(vec![Change::RemoveDocument(stream_key(self.id))]), Durability::Synced).await?;
        *turn = None;
        self.closed.cancel();
        Ok(())
    }

    /// Gets in line.
    pub(super) fn ask(&self, records: Vec<NewRecord>) -> Result<oneshot::Receiver<Answer>, StreamError> {
        let (answer, answered) = oneshot::channel();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.len() >= MAX_LINE {
            return Err(StreamError::Busy(self.path()));
        }
        line.push_back(Waiting { records, answer });
        Ok(answered)
    }

    /// Writes what stands in line, together, and answers it. As many turns as appends serve all of them.
    pub(super) async fn take_turn(&self, clock: &Clock) {
        let mut turn = self.turn.lock().await;
        let batch = self.next_batch();
        if batch.is_empty() {
            return; // an earlier turn served it
        }
        let (records, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|it| (it.records, it.answer)).unzip();
        let counts: Vec<_> = records.iter().map(Vec::len).collect();
        match self.append(&mut turn, records.into_iter().flatten(), clock.now()).await {
            Ok(places) => {
                let mut rest = places.into_iter();
                for (answer, count) in answers.into_iter().zip(counts) {
                    let _ = answer.send(Ok(rest.by_ref().take(count).collect())); // who asked may have gone away
                }
            }
            Err(error) => answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone())))),
        }
    }

    /// The front of the line, as much of it as one commit takes.
    fn next_batch(&self) -> Vec<Waiting> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut batch, mut count, mut bytes) = (Vec::new(), 0, 0);
        while let Some(next) = line.front() {
            count += next.records.len();
            bytes += next.records.iter().map(|record| record.data.len()).sum::<usize>();
            let fits = count <= bounds::MAX_STREAM_BATCH && bytes <= bounds::MAX_STREAM_BATCH_BYTES;
            if !batch.is_empty() && !fits {
                break;
            }
            batch.extend(line.pop_front());
        }
        batch
    }

    async fn append(
        &self,
        turn: &mut Option<End>,
        records: impl Iterator<Item = NewRecord>,
        now: Timestamp,
    ) -> Result<Vec<u64>, StreamError> {
        // Until the commit is answered nobody knows where the stream ends; after a failure that is looked up again.
        let mut end = self.take_end(turn).await?;
        let (mut group, mut places) = (Vec::new(), Vec::new());
        let at = now.max(end.head.last);
        for record in records {
            places.push(self.lay(&mut end, &mut group, record, at));
        }
        if !group.is_empty() {
            group.push(Change::PutDocument(head_key(self.id), form::encode(&end.head)));
            self.store.commit(Group(group), Durability::Synced).await?;
        }
        let extent = end.extent();
        *turn = Some(end);
        self.extent.send_replace(Some(extent));
        if extent.bytes > self.kept().settings.max_bytes {
            self.too_large();
        }
        Ok(places)
    }

    /// Adds a record to a group, unless it is there already; its place.
    fn lay(&self, end: &mut End, group: &mut Vec<Change>, record: NewRecord, at: Timestamp) -> u64 {
        if let Some(place) = record.id.and_then(|id| end.by_id.get(&id)) {
            return *place;
        }
        let place = end.head.next;
        let NewRecord { id, key, content_type, attributes, data } = record;
        let kept = KeptRecord { at, before: end.head.total, id, key, content_type, attributes, data };
        let bytes = form::encode(&kept);
        end.head = Head { next: place + 1, total: end.head.total + bytes.len() as u64, last: at };
        group.push(Change::PutDocument(record_key(self.id, place), bytes));
        if let Some(id) = id {
            end.recent.push_back((place, id));
            end.by_id.insert(id, place);
            group.push(Change::PutDocument(record_id_key(self.id, place), id.as_bytes().to_vec().into()));
            if end.recent.len() > RECENT
                && let Some((old, id)) = end.recent.pop_front()
            {
                end.by_id.remove(&id);
                group.push(Change::RemoveDocument(record_id_key(self.id, old)));
            }
        }
        place
    }

    /// What is known of the stream's end, or what the store says of it.
    async fn take_end(&self, turn: &mut Option<End>) -> Result<End, StreamError> {
        if self.closed.is_cancelled() {
            return Err(StreamError::Unknown(self.path()));
        }
        match turn.take() {
            Some(end) => Ok(end),
            None => Ok(self.look().await?),
        }
    }

    async fn look(&self) -> Result<End, StoreError> {
        let what = || format!("the end of the stream {}", self.path());
        let head = match self.store.document(head_key(self.id)).await? {
            Some(bytes) => form::decode(&bytes, what)?,
            None => Head { next: 1, total: 0, last: Timestamp::from_ms(0) },
        };
        let oldest = self.store.documents(kept::records(self.id, 0), 1).await?;
        let (first, gone) = match oldest.first().and_then(|(key, bytes)| Some((kept::place(key)?, bytes))) {
            Some((place, bytes)) => (place, kept::record(&self.path(), place, bytes)?.before),
            None => (head.next, head.total),
        };
        let mut recent = VecDeque::new();
        for (key, bytes) in self.store.documents(kept::record_ids(self.id), RECENT).await? {
            recent.extend(kept::place(&key).zip(Uuid::from_slice(&bytes).ok()));
        }
        let by_id = recent.iter().map(|(place, id)| (*id, *place)).collect();
        Ok(End { head, first, gone, recent, by_id })
    }

    /// What readers may see.
    async fn extent(&self) -> Result<Extent, StreamError> {
        if self.closed.is_cancelled() {
            return Err(StreamError::Unknown(self.path()));
        }
        let known = *self.extent.borrow();
        if let Some(extent) = known {
            return Ok(extent);
        }
        let mut turn = self.turn.lock().await;
        let end = self.take_end(&mut turn).await?;
        let extent = end.extent();
        *turn = Some(end);
        self.extent.send_replace(Some(extent));
        Ok(extent)
    }

    pub(super) async fn read(
        &self,
        reading: &Reading,
        wait: Duration,
        stopping: &CancellationToken,
    ) -> Result<Records, StreamError> {
        let until = tokio::time::Instant::now() + wait;
        let mut changes = self.extent.subscribe();
        let mut place = self.begin(reading.from).await?;
        loop {
            changes.mark_unchanged();
            let extent = self.extent().await?;
            let read = self.scan(place.max(extent.first)..extent.next, reading).await?;
            let is_at_end = read.next >= extent.next;
            if !read.records.is_empty() || !is_at_end {
                return Ok(read);
            }
            place = read.next;
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(read),
                () = stopping.cancelled() => return Ok(read),
                () = self.closed.cancelled() => return Err(StreamError::Unknown(self.path())),
                _ = changes.changed() => (),
            }
        }
    }

    /// The place that a read begins at.
    async fn begin(&self, from: ReadFrom) -> Result<u64, StreamError> {
        let Extent { first, next, .. } = self.extent().await?;
        match from {
            ReadFrom::Earliest => Ok(first),
            ReadFrom::Latest => Ok(next),
            ReadFrom::Place(place) if place > next => Err(StreamError::Ahead { stream: self.path(), place, next }),
            ReadFrom::Place(place) => Ok(place),
            ReadFrom::Time(time) => Ok(self.first_that(first..next, |record| record.at >= time).await?),
        }
    }

    /// Records of a range, as far as one answer goes.
    async fn scan(&self, range: Range<u64>, reading: &Reading) -> Result<Records, StreamError> {
        let (mut records, mut bytes, mut next) = (Vec::new(), 0, range.start);
        let most = reading.most.clamp(1, bounds::MAX_STREAM_BATCH);
        let end = range.end.min(range.start.saturating_add(MAX_LOOKED_AT));
        while next < end {
            let page = self.store.documents(kept::records(self.id, next), READ_PAGE).await?;
            let found = page.iter().filter_map(|(key, bytes)| Some((kept::place(key)?, bytes)));
            let mut is_empty = true;
            for (place, document) in found.take_while(|(place, _)| *place < end) {
                is_empty = false;
                let record = kept::record(&self.path(), place, document)?.at_place(place);
                if wanted(&record, reading) {
                    bytes += record.data.len();
                    if records.len() == most || (bytes > bounds::MAX_STREAM_BATCH_BYTES && !records.is_empty()) {
                        return Ok(Records { records, next });
                    }
                    records.push(record);
                }
                next = place + 1;
            }
            if is_empty {
                next = end; // they were let go of meanwhile
            }
        }
        Ok(Records { records, next })
    }

    /// The first place of a range whose record is `so`, where all behind it are so too; the end of the range where none
    /// is. One that is gone is not.
    async fn first_that(&self, range: Range<u64>, so: impl Fn(&KeptRecord) -> bool) -> Result<u64, StoreError> {
        let (mut low, mut high) = (range.start, range.end);
        let mut middle = low; // most often it is the first one
        while low < high {
            let is_so = match self.store.document(record_key(self.id, middle)).await? {
                Some(bytes) => so(&kept::record(&self.path(), middle, &bytes)?),
                None => false,
            };
            if is_so {
                high = middle;
            } else {
                low = middle + 1;
            }
            middle = low + (high - low) / 2;
        }
        Ok(low)
    }

    /// Removes the records that are too old, and the oldest of those that are too much.
    pub(super) async fn let_go(&self, now: Timestamp) -> Result<(), StreamError> {
        let mut turn = self.turn.lock().await;
        if self.closed.is_cancelled() {
            return Ok(());
        }
        let mut end = self.take_end(&mut turn).await?;
        let settings = self.kept().settings;
        let since = now.minus(Duration::from_secs(settings.retention_s));
        let excess = end.head.total.saturating_sub(settings.max_bytes);
        let young = self.first_that(end.first..end.head.next, |record| record.at >= since).await?;
        // The newest record stays however large it is.
        let fits = self.first_that(end.first..end.head.next - 1, |record| record.before >= excess).await?;
        let first = young.max(fits);
        while end.first < first {
            let next = first.min(end.first + REMOVE_PAGE);
            let removed = (end.first..next).map(|place| Change::RemoveDocument(record_key(self.id, place)));
            self.store.commit(Group(removed.collect()), Durability::Written).await?;
            end.first = next;
        }
        end.gone = match self.store.document(record_key(self.id, end.first)).await? {
            Some(bytes) => kept::record(&self.path(), end.first, &bytes)?.before,
            None => end.head.total,
        };
        let extent = end.extent();
        *turn = Some(end);
        self.extent.send_if_modified(|known| known.replace(extent) != Some(extent));
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, KeptStream> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wanted(record: &Record, reading: &Reading) -> bool {
    reading.key.is_none() || reading.key == record.key
}
