//! Queues in a world of their own: the store in memory, and time that stands still until a test moves it.

mod fifo;
mod line;
mod model;
mod ordinary;

use std::sync::Arc;
use std::time::Duration;

use super::{Asked, Limits, Outgoing, QueueError, Queues, Received};
use crate::clock::Clock;
use crate::model::message_queue::{QueuePath, QueueSettings, Redrive};
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::tasks::Tasks;

/// Some queues, and what they are kept in.
struct World {
    queues: Queues,
    store: Arc<MemoryStore>,
    clock: Clock,
    tasks: Tasks,
}

impl World {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let (store, clock) =
            (Arc::new(MemoryStore::default()), Clock::starting_at(Timestamp::from_ms(1_790_000_000_000)));
        Self::opened(store, clock, limits).await
    }

    async fn opened(store: Arc<MemoryStore>, clock: Clock, limits: Limits) -> Self {
        let tasks = Tasks::default();
        let queues = Queues::open(store.clone() as Arc<dyn Store>, clock.clone(), tasks.clone(), limits).await.unwrap();
        Self { queues, store, clock, tasks }
    }

    /// What a new process finds.
    async fn reopened(self) -> Self {
        self.tasks.stop();
        assert!(self.tasks.ended(Duration::from_secs(10)).await);
        Self::opened(self.store, self.clock, Limits::default()).await
    }

    async fn make(&self, name: &str, settings: QueueSettings) {
        assert!(self.queues.put(path(name), settings, [].into()).await.unwrap());
    }

    async fn send(&self, name: &str, body: &str) {
        self.queues.send(&path(name), said(body)).await.unwrap();
    }

    async fn receive(&self, name: &str, most: usize) -> Vec<Received> {
        self.queues.receive(&path(name), Asked { most, ..Asked::default() }).await.unwrap()
    }

    async fn bodies(&self, name: &str, most: usize) -> Vec<String> {
        self.receive(name, most).await.into_iter().map(|message| message.body).collect()
    }

    /// Visible, in flight, delayed.
    async fn counts(&self, name: &str) -> (u64, u64, u64) {
        let figures = self.queues.figures(&path(name)).await.unwrap();
        (figures.visible, figures.in_flight, figures.delayed)
    }

    /// How many documents there are besides those of the queues themselves.
    async fn documents(&self) -> usize {
        use crate::store::{DocumentRange, Table};
        let mut count = 0;
        for table in [Table::Message, Table::MessageOrder, Table::Deduplication] {
            count += self.store.document_keys(DocumentRange::of(table, &[]), usize::MAX).await.unwrap().len();
        }
        count
    }
}

fn path(name: &str) -> QueuePath {
    QueuePath { namespace: "default".parse().unwrap(), name: name.parse().unwrap() }
}

fn said(body: &str) -> Outgoing {
    Outgoing { body: body.to_owned(), ..Outgoing::default() }
}

fn usual() -> QueueSettings {
    QueueSettings::default()
}

fn dead_after(to: &str, max_receives: u32) -> QueueSettings {
    QueueSettings { redrive: Some(Redrive { to: to.parse().unwrap(), max_receives }), ..usual() }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[track_caller]
fn told<T: std::fmt::Debug>(refused: Result<T, QueueError>) -> String {
    refused.unwrap_err().to_string()
}
