//! Use cases around queues and the runtime as a whole: look, limit, pause, resume.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::{Error, Runtime};
use crate::model::bounds::{OutOfRange, within};
use crate::model::function::Function;
use crate::model::names::FunctionPath;
use crate::model::queue::QueueConfig;
use crate::model::time::Timestamp;
use crate::registry::RegistryError;
use crate::store::{Counts, Vitals};

/// A function's queue as it is now.
#[derive(Clone, Debug)]
pub struct QueueView {
    /// The function, with its settings.
    pub function: Arc<Function>,
    /// What was accepted and what became of it.
    pub counts: Counts,
    /// Attempts that run, synchronous ones included.
    pub running: u64,
    /// How long the oldest of those that are due has been waiting.
    pub oldest_due_age: Option<Duration>,
}

/// The runtime as a whole, as it is now.
#[derive(Clone, Debug)]
pub struct Overview {
    /// When the process started.
    pub started: Timestamp,
    /// How long ago that is.
    pub uptime: Duration,
    /// Functions of all namespaces.
    pub functions: usize,
    /// Attempts that may run at once.
    pub concurrency: NonZeroU32,
    /// The most that `concurrency` can be set to in this process.
    pub max_concurrency: u32,
    /// Attempts that run, synchronous ones included.
    pub running: u64,
    /// The counts of all functions together.
    pub counts: Counts,
    /// Steps a chain may have.
    pub hop_limit: u32,
    /// The store's own figures.
    pub vitals: Vitals,
}

impl Runtime {
    /// A function's queue.
    pub fn queue(&self, path: &FunctionPath) -> Result<QueueView, Error> {
        Ok(self.queue_of(self.parts.registry.function(path)?))
    }

    /// Replaces the settings of a function's queue. Whether it is paused stays as it is where `paused` does not say:
    /// a change of limits resumes nothing by the way.
    pub async fn set_queue(
        &self,
        path: &FunctionPath,
        config: QueueConfig,
        paused: Option<bool>,
    ) -> Result<QueueView, Error> {
        config.check().map_err(|error| Error::Registry(RegistryError::Range(error)))?;
        let changed = move |queue: &mut QueueConfig| {
            *queue = QueueConfig { paused: paused.unwrap_or(queue.paused), ..config };
        };
        self.change_queue(path, changed).await
    }

    /// Stops taking from a function's queue, or takes from it again. Doing it twice is doing it once.
    pub async fn pause_queue(&self, path: &FunctionPath, paused: bool) -> Result<QueueView, Error> {
        self.change_queue(path, move |queue| queue.paused = paused).await
    }

    /// The runtime as a whole.
    pub fn overview(&self) -> Overview {
        let parts = &self.parts;
        let mut counts = Counts::default();
        parts.store.all_counts().into_values().for_each(|of_one| counts += of_one);
        Overview {
            started: parts.started,
            uptime: parts.clock.now().since(parts.started),
            functions: parts.registry.read(crate::registry::Catalogue::len),
            concurrency: parts.slots.concurrency(),
            max_concurrency: parts.max_concurrency,
            running: parts.dispatch.figures().functions.values().map(|figures| figures.running).sum(),
            counts,
            hop_limit: parts.hop_limit,
            vitals: parts.store.vitals(),
        }
    }

    /// Changes how many attempts may run at once, until the process ends. What runs goes on.
    pub fn set_concurrency(&self, concurrency: u32) -> Result<Overview, Error> {
        let range = |error: OutOfRange| Error::Registry(RegistryError::Range(error));
        within("concurrency", concurrency, &(1..=self.parts.max_concurrency)).map_err(range)?;
        if let Some(concurrency) = NonZeroU32::new(concurrency) {
            self.parts.slots.set_concurrency(concurrency);
        }
        Ok(self.overview())
    }

    async fn change_queue(
        &self,
        path: &FunctionPath,
        change: impl FnOnce(&mut QueueConfig) + Send + 'static,
    ) -> Result<QueueView, Error> {
        let (runtime, path) = (self.clone(), path.clone());
        let changed = async move {
            let function = runtime.parts.registry.set_queue(&path, change).await?;
            runtime.parts.dispatch.queue_changed(function.id);
            Ok(runtime.queue_of(function))
        };
        // Both or neither, also when the caller goes away between them.
        let changed = self.parts.tasks.see_through("queue", changed).await;
        changed.unwrap_or(Err(Error::Registry(RegistryError::Interrupted)))
    }

    fn queue_of(&self, function: Arc<Function>) -> QueueView {
        let figures = self.parts.dispatch.figures().functions.get(&function.id).copied().unwrap_or_default();
        let counts = self.parts.store.counts(function.id);
        QueueView { function, counts, running: figures.running, oldest_due_age: figures.oldest_due_age }
    }
}
