//! Which queues there are: made, changed, listed, deleted. One change at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use uuid::Uuid;

use super::graph::Leading;
use super::queue::{Queue, Record};
use super::state::Total;
use super::{Figures, Limits, Parts, QueueError, Queues, keys};
use crate::clock::Clock;
use crate::model::bounds;
use crate::model::message_queue::{QueueName, QueuePath, QueueSettings};
use crate::model::names::Namespace;
use crate::model::time::Timestamp;
use crate::store::form::{decode, encode};
use crate::store::{Change, Durability, Group, Store, StoreError};
use crate::tasks::{OnExit, Tasks};

/// A queue as it is shown.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name.
    pub path: QueuePath,
    /// How it treats its messages.
    pub settings: QueueSettings,
    /// What its owner noted about it.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
    /// When its settings were changed last.
    pub modified: Timestamp,
}

/// Queues that are read at once when the program starts.
const PAGE: usize = 1_000;

impl Queues {
    /// The queues in `store`. They are counted in the background, each at the latest when it is first used; limits of
    /// namespaces know what was counted.
    pub async fn open(store: Arc<dyn Store>, clock: Clock, tasks: Tasks, limits: Limits) -> Result<Self, StoreError> {
        let (mut found, mut range) = (Vec::new(), keys::queues());
        loop {
            let page = store.documents(range.clone(), PAGE).await?;
            for (_, bytes) in &page {
                found.push(decode::<Record>(bytes, || "a message queue".to_owned())?);
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => range = range.after(last.key()),
                _ => break,
            }
        }
        let parts = Arc::new(Parts {
            store,
            clock,
            tasks: tasks.clone(),
            limits,
            catalogue: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            totals: Mutex::default(),
            graph: OnceLock::new(),
            flying: AtomicUsize::new(0),
        });
        for record in found {
            let total = parts.total(&record.path.namespace);
            parts.catalogue().insert(record.path.clone(), Arc::new(Queue::new(record, total)));
        }
        tasks.spawn("queues", OnExit::Shutdown, super::upkeep::run(parts.clone()));
        Ok(Self { parts })
    }

    /// Makes a queue with the settings that `edit` makes of the usual ones. Where there is one of that name, nothing is
    /// changed: it is as asked for, or the request is refused. Returns whether it is new.
    pub async fn create(
        &self,
        path: QueuePath,
        edit: impl FnOnce(&mut QueueSettings) + Send + 'static,
        tags: BTreeMap<String, String>,
    ) -> Result<bool, QueueError> {
        let parts = self.parts.clone();
        let made = async move {
            let _changing = parts.changing.lock().await;
            let there = parts.catalogue().get(&path).cloned();
            if let Some(there) = there {
                let settings = there.settings();
                let mut wanted = settings.clone();
                edit(&mut wanted);
                return match differs(&settings, &wanted) {
                    None => Ok(false),
                    Some(differs) => Err(QueueError::Exists { path, differs }),
                };
            }
            let mut settings = QueueSettings::default();
            edit(&mut settings);
            parts.make(path, settings, tags).await.map(|()| true)
        };
        self.see_through(made).await
    }

    /// Makes a queue, or gives the one of that name these settings and tags. Returns whether it is new.
    pub async fn put(
        &self,
        path: QueuePath,
        settings: QueueSettings,
        tags: BTreeMap<String, String>,
    ) -> Result<bool, QueueError> {
        let parts = self.parts.clone();
        let put = async move {
            let _changing = parts.changing.lock().await;
            let there = parts.catalogue().get(&path).cloned();
            match there {
                None => parts.make(path, settings, tags).await.map(|()| true),
                Some(queue) => parts.rewrite(&queue, settings, tags).await.map(|()| false),
            }
        };
        self.see_through(put).await
    }

    /// Changes settings and tags of a queue.
    pub async fn edit(
        &self,
        path: QueuePath,
        edit: impl FnOnce(&mut QueueSettings, &mut BTreeMap<String, String>) + Send + 'static,
    ) -> Result<(), QueueError> {
        let parts = self.parts.clone();
        let edited = async move {
            let _changing = parts.changing.lock().await;
            let queue = parts.queue(&path)?;
            let Record { mut settings, mut tags, .. } = queue.record().clone();
            edit(&mut settings, &mut tags);
            parts.rewrite(&queue, settings, tags).await
        };
        self.see_through(edited).await
    }

    /// Deletes a queue with its messages. Those are gone at once; their room comes free a little later.
    pub async fn delete_queue(&self, path: QueuePath) -> Result<(), QueueError> {
        let parts = self.parts.clone();
        let deleted = async move {
            let _changing = parts.changing.lock().await;
            let queue = parts.queue(&path)?;
            queue.count(&parts).await?;
            let leading = parts.leading(&path, &QueueSettings::default()).await?;
            // What is being received is counted first, and nothing is received behind that.
            let _taking = queue.taking.lock().await;
            let group = Group(vec![Change::RemoveDocument(keys::queue(&path))]);
            parts.store.commit(group, Durability::Synced).await?;
            leading.into_iter().for_each(Leading::committed);
            parts.catalogue().remove(&path);
            {
                let mut state = queue.state();
                state.gone = true;
                queue.total.take(std::mem::take(&mut state.held));
                parts.flying.fetch_sub(state.flying(), Ordering::Relaxed);
            }
            queue.arrived.notify_waiters();
            let (of, id) = (parts.clone(), queue.id);
            parts.tasks.spawn("queue-removal", OnExit::Ignore, async move { of.clear_and_tell(id).await });
            Ok(())
        };
        self.see_through(deleted).await
    }

    /// A queue as it is.
    pub fn describe(&self, path: &QueuePath) -> Result<Described, QueueError> {
        let queue = self.parts.queue(path)?;
        let Record { path, settings, tags, created, modified, .. } = queue.record().clone();
        Ok(Described { path, settings, tags, created, modified })
    }

    /// Queues of a namespace whose names begin with `prefix`, in order, from behind `after`, at most `limit`.
    pub fn list(&self, namespace: &Namespace, prefix: &str, after: Option<&QueueName>, limit: usize) -> Vec<QueuePath> {
        let catalogue = self.parts.catalogue();
        let behind = |name: &QueueName| QueuePath { namespace: namespace.clone(), name: name.clone() };
        let own = catalogue.keys().filter(|path| path.namespace == *namespace);
        let after = after.map(behind);
        let wanted = own.filter(|path| after.as_ref().is_none_or(|after| *path > after));
        wanted.filter(|path| path.name.as_str().starts_with(prefix)).take(limit).cloned().collect()
    }

    /// The queues whose dead letters go to this one.
    pub fn sources_of(&self, path: &QueuePath) -> Result<Vec<QueuePath>, QueueError> {
        self.parts.queue(path)?;
        let all: Vec<_> = self.parts.catalogue().values().cloned().collect();
        let leads = |queue: &Arc<Queue>| {
            queue.path.namespace == path.namespace
                && queue.record().settings.redrive.as_ref().is_some_and(|redrive| redrive.to == path.name)
        };
        Ok(all.into_iter().filter(leads).map(|queue| queue.path.clone()).collect())
    }

    /// Figures of one queue.
    pub async fn figures(&self, path: &QueuePath) -> Result<Figures, QueueError> {
        Ok(self.counted(path).await?.figures(&self.parts).await?)
    }

    /// Figures of every queue.
    pub async fn all_figures(&self) -> Result<Vec<Figures>, StoreError> {
        let all: Vec<_> = self.parts.catalogue().values().cloned().collect();
        let mut figures = Vec::with_capacity(all.len());
        for queue in all {
            figures.push(queue.figures(&self.parts).await?);
        }
        Ok(figures)
    }

    /// A queue that is ready to be used.
    pub(super) async fn counted(&self, path: &QueuePath) -> Result<Arc<Queue>, QueueError> {
        let queue = self.parts.queue(path)?;
        queue.count(&self.parts).await?;
        Ok(queue)
    }

    /// Does it to its end, also when whoever asked goes away.
    pub(super) async fn see_through<T: Send + 'static>(
        &self,
        done: impl Future<Output = Result<T, QueueError>> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.parts.tasks.see_through("queue", done).await.ok_or(QueueError::Interrupted)?
    }
}

impl Parts {
    pub(super) fn catalogue(&self) -> MutexGuard<'_, BTreeMap<QueuePath, Arc<Queue>>> {
        self.catalogue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self, path: &QueuePath) -> Result<Arc<Queue>, QueueError> {
        self.catalogue().get(path).cloned().ok_or_else(|| QueueError::Unknown(path.clone()))
    }

    fn total(&self, namespace: &Namespace) -> Arc<Total> {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.entry(namespace.clone()).or_default().clone()
    }

    async fn make(
        &self,
        path: QueuePath,
        settings: QueueSettings,
        tags: BTreeMap<String, String>,
    ) -> Result<(), QueueError> {
        self.check_room(&path.namespace)?;
        self.check(&path, &settings, &tags)?;
        let leading = self.leading(&path, &settings).await?;
        let now = self.clock.now();
        let record = Record { id: Uuid::new_v4(), path, settings, tags, created: now, modified: now };
        let changes = vec![
            Change::PutDocument(keys::queue(&record.path), encode(&record)),
            Change::PutDocument(keys::tally(record.id), encode(&0_u64)),
        ];
        self.store.commit(Group(changes), Durability::Synced).await?;
        leading.into_iter().for_each(Leading::committed);
        let total = self.total(&record.path.namespace);
        self.catalogue().insert(record.path.clone(), Arc::new(Queue::new(record, total)));
        Ok(())
    }

    async fn rewrite(
        &self,
        queue: &Queue,
        settings: QueueSettings,
        tags: BTreeMap<String, String>,
    ) -> Result<(), QueueError> {
        self.check(&queue.path, &settings, &tags)?;
        let leading = self.leading(&queue.path, &settings).await?;
        let modified = self.clock.now();
        let record = Record { settings, tags, modified, ..queue.record().clone() };
        let group = Group(vec![Change::PutDocument(keys::queue(&queue.path), encode(&record))]);
        self.store.commit(group, Durability::Synced).await?;
        leading.into_iter().for_each(Leading::committed);
        *queue.record() = record;
        queue.arrived.notify_waiters(); // a longer retention may show again what was not removed yet
        Ok(())
    }

    fn check_room(&self, namespace: &Namespace) -> Result<(), QueueError> {
        let catalogue = self.catalogue();
        let of_it = catalogue.keys().filter(|path| path.namespace == *namespace).count();
        let refused = |limit| Err(QueueError::TooMany { namespace: namespace.clone(), limit });
        match () {
            () if of_it >= self.limits.queues => refused(self.limits.queues),
            () if catalogue.len() >= self.limits.all_queues => refused(self.limits.all_queues),
            () => Ok(()),
        }
    }

    fn check(
        &self,
        path: &QueuePath,
        settings: &QueueSettings,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), QueueError> {
        settings.check()?;
        if settings.content_deduplication && !path.name.is_fifo() {
            return Err(QueueError::FifoOnly { path: path.clone(), what: "deduplication" });
        }
        let fits =
            |(key, value): (&String, &String)| (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
        if tags.len() > bounds::MAX_QUEUE_TAGS || !tags.iter().all(fits) {
            return Err(QueueError::Tags);
        }
        let Some(redrive) = &settings.redrive else { return Ok(()) };
        let refused = |why| Err(QueueError::DeadLetters { of: path.clone(), to: redrive.to.to_string(), why });
        let to = QueuePath { namespace: path.namespace.clone(), name: redrive.to.clone() };
        match () {
            () if to == *path => refused("it is that queue itself"),
            () if to.name.is_fifo() != path.name.is_fifo() => {
                refused("one of the two keeps order and the other does not")
            }
            () if !self.catalogue().contains_key(&to) => refused("there is no such queue: make it first"),
            () => Ok(()),
        }
    }
}

/// The first setting in which the two differ.
fn differs(one: &QueueSettings, other: &QueueSettings) -> Option<&'static str> {
    let fields = [
        ("visibility", one.visibility_s != other.visibility_s),
        ("delay", one.delay_s != other.delay_s),
        ("retention", one.retention_s != other.retention_s),
        ("receive wait", one.wait_s != other.wait_s),
        ("message size", one.max_message_bytes != other.max_message_bytes),
        ("redrive policy", one.redrive != other.redrive),
        ("deduplication", one.content_deduplication != other.content_deduplication),
    ];
    fields.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name)
}
