//! What is done in the background: messages whose retention has ended are removed, deduplication ids are forgotten, and
//! what is left of queues that were deleted goes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::keys::{self, Number};
use super::message::Message;
use super::queue::{Claimed, Hands, Queue};
use super::receive::removal;
use super::send::Known;
use super::{Parts, QueueError};
use crate::store::form::decode;
use crate::store::{Change, DocumentKey, DocumentRange, Durability, Group, StoreError, Table};

/// How often it looks, of the runtime's time.
const PERIOD: Duration = Duration::from_secs(60);
/// Messages that are removed together.
const PAGE: usize = 200;
/// Keys that are removed together where nobody waits.
const KEYS_PAGE: usize = 1_000;

/// Looks after all queues until the process stops.
pub(super) async fn run(parts: Arc<Parts>) {
    if let Err(error) = parts.clear_unknown().await {
        tracing::warn!(%error, "what is left of deleted queues could not be removed: the next start tries again");
    }
    loop {
        let all: Vec<_> = parts.catalogue().values().cloned().collect();
        for queue in all {
            if parts.tasks.stopping().is_cancelled() {
                return;
            }
            if let Err(error) = parts.look_after(&queue).await {
                tracing::warn!(queue = %queue.path, %error, "a queue could not be looked after: it is tried again");
            }
        }
        tokio::select! {
            () = parts.clock.sleep(PERIOD) => (),
            () = parts.tasks.stopping().cancelled() => return,
        }
    }
}

impl Parts {
    async fn look_after(&self, queue: &Arc<Queue>) -> Result<(), QueueError> {
        queue.count(self).await?;
        let retention = Duration::from_secs(queue.settings().retention_s.into());
        self.remove_before(queue, keys::number_at(self.clock.now().minus(retention))).await?;
        if queue.is_fifo() {
            self.forget_deduplications(queue).await?;
        }
        Ok(())
    }

    /// Removes the messages of numbers below `end`. Those that somebody is deleting are left to him.
    pub(super) async fn remove_before(&self, queue: &Arc<Queue>, end: Number) -> Result<(), QueueError> {
        let mut range = keys::messages_before(queue.id, end);
        loop {
            let _taking = queue.taking.lock().await;
            let page = self.store.documents(range.clone(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            range = range.after(last.key());
            let (mut changes, mut removed, mut hands) = (Vec::new(), Vec::new(), Hands::of(queue));
            for (key, bytes) in &page {
                let number = keys::number(key).unwrap_or_default();
                let flies = queue.state().flight(number).is_some();
                if flies && hands.take(number).is_none() {
                    continue;
                }
                let message: Message = match decode(bytes, || queue.told(number)) {
                    Ok(message) => message,
                    Err(error) => {
                        tracing::error!(%error, "a message cannot be removed");
                        continue;
                    }
                };
                let row = (!flies).then(|| message.row(number, queue.is_fifo()));
                changes.extend(removal(queue, number, row, message.named.then_some(message.id)));
                removed.push((number, row.map(|row| row.due), message.bytes));
            }
            if !changes.is_empty() {
                self.store.commit(Group(changes), Durability::Synced).await?;
                let hands = hands.without(removed.iter().map(|(number, ..)| *number));
                for (number, due, bytes) in removed {
                    self.gone(queue, number, due, bytes);
                }
                drop(hands); // and whoever waits for one of them is told
                queue.arrived.notify_one();
            }
        }
    }

    /// Forgets deduplication ids whose time is over. One that is being sent is left to the next look.
    async fn forget_deduplications(&self, queue: &Arc<Queue>) -> Result<(), QueueError> {
        let now = self.clock.now();
        let mut range = keys::deduplications_over(queue.id, now);
        loop {
            let over = self.store.document_keys(range.clone(), KEYS_PAGE).await?;
            let Some(last) = over.last() else { return Ok(()) };
            range = range.after(last.key());
            // Held until they are forgotten: what is sent meanwhile under one of them is remembered again behind that.
            let (mut changes, mut claimed) = (Vec::with_capacity(2 * over.len()), Claimed::of(queue));
            for key in over {
                let Some(digest) = keys::read_deduplication_digest(&key) else { continue };
                if !claimed.take((b'd', digest)) {
                    continue;
                }
                let of = keys::deduplication(queue.id, &digest);
                let known = self.store.document(of.clone()).await?;
                let known: Option<Known> = known
                    .map(|bytes| decode(&bytes, || format!("a deduplication id of {}", queue.path)))
                    .transpose()?;
                // The same id may have been used again since.
                if known.is_some_and(|known| known.until < now) {
                    changes.push(Change::RemoveDocument(of));
                }
                changes.push(Change::RemoveDocument(key));
            }
            if !changes.is_empty() {
                self.store.commit(Group(changes), Durability::Written).await?;
            }
        }
    }

    /// Removes what belongs to no queue: those were deleted, and the process ended before all of it was gone.
    async fn clear_unknown(&self) -> Result<(), StoreError> {
        let known: HashSet<Uuid> = self.catalogue().values().map(|queue| queue.id).collect();
        for table in [Table::Message, Table::MessageOrder, Table::Deduplication] {
            let mut range = DocumentRange::of(table, &[]);
            while let Some(first) = self.store.document_keys(range.clone(), 1).await?.into_iter().next() {
                let Some(id) = keys::owner(&first) else { return Ok(()) };
                // Whoever makes a queue holds this until it is in the catalogue.
                let changing = self.changing.lock().await;
                let is_known = known.contains(&id) || self.catalogue().values().any(|queue| queue.id == id);
                drop(changing);
                if !is_known {
                    self.clear_table(table, id).await?;
                }
                let Some(behind) = DocumentRange::of(table, id.as_bytes()).to else { break };
                range.from = behind;
            }
        }
        Ok(())
    }

    /// Removes all that is kept of a queue that is gone.
    pub(super) async fn clear_and_tell(&self, id: Uuid) {
        for table in [Table::Message, Table::MessageOrder, Table::Deduplication] {
            if let Err(error) = self.clear_table(table, id).await {
                tracing::warn!(%error, "what is left of a deleted queue could not be removed: the next start tries again");
                return;
            }
        }
    }

    async fn clear_table(&self, table: Table, id: Uuid) -> Result<(), StoreError> {
        loop {
            let page: Vec<DocumentKey> =
                self.store.document_keys(DocumentRange::of(table, id.as_bytes()), KEYS_PAGE).await?;
            if page.is_empty() || self.tasks.stopping().is_cancelled() {
                return Ok(());
            }
            let changes = page.into_iter().map(Change::RemoveDocument).collect();
            self.store.commit(Group(changes), Durability::Written).await?;
        }
    }
}
