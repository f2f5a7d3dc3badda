//! What every other part of a server stands on: the store and what is live in it, the time, the owner of tasks, the engine,
//! the functions, the secrets and the accounts. Listens nowhere and runs nothing by itself.

use std::sync::Arc;

use super::{ServeError, engine_settings, key_source, open};
use crate::access::Access;
use crate::clock::Clock;
use crate::config::Config;
use crate::core_dumps::CoreDumps;
use crate::engine::Engine;
use crate::messaging::queues::{Limits, Queues};
use crate::messaging::streams::Streams;
use crate::registry::Registry;
use crate::runtime::Desk;
use crate::store::{Live, Store};
use crate::tasks::Tasks;
use crate::triggers::{self, Triggers};
use crate::vault::Vault;
use crate::worker::Worker;

pub(super) struct Ground {
    pub(super) store: Arc<dyn Store>,
    pub(super) live: Live,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    pub(super) engine: Engine,
    /// Attempts that the engine has room for at once.
    pub(super) max_concurrency: u32,
    pub(super) registry: Registry,
    pub(super) vault: Vault,
    pub(super) access: Access,
}

impl Ground {
    pub(super) async fn open(config: &Config) -> Result<Self, ServeError> {
        let (store, cache_dir) = open(config).await?;
        let settings = engine_settings(config, cache_dir);
        let (max_concurrency, engine) = (settings.concurrency, Engine::start(&settings)?);
        let (tasks, clock) = (Tasks::default(), Clock::running(config.time_scale));
        let live = store.scan().await.map_err(ServeError::unread)?;
        let registry = Registry::open(store.clone(), engine.clone(), clock.clone(), tasks.clone(), &live);
        let vault = Vault::open(store.clone(), clock.clone(), key_source(config))?;
        let access = Access::open(store.clone(), clock.clone(), tasks.clone(), vault.clone());
        let access = access.await.map_err(ServeError::unread)?;
        Ok(Self { store, live, clock, tasks, engine, max_concurrency, registry, vault, access })
    }

    /// The message queues, with what their settings lead to in the graph.
    pub(super) async fn queues(&self) -> Result<Queues, ServeError> {
        let queues = Queues::open(self.store.clone(), self.clock.clone(), self.tasks.clone(), Limits::default());
        let queues = queues.await.map_err(ServeError::unread)?;
        queues.join(&self.registry);
        Ok(queues)
    }

    pub(super) async fn streams(&self) -> Result<Streams, ServeError> {
        Ok(Streams::open(self.store.clone(), self.clock.clone(), self.tasks.clone()).await?)
    }

    pub(super) fn worker(&self, core_dumps: &CoreDumps, desk: &Arc<Desk>) -> Worker {
        Worker::new(
            self.registry.clone(),
            self.engine.clone(),
            self.clock.clone(),
            self.vault.clone(),
            self.access.clone(),
            core_dumps.clone(),
            desk.clone(),
        )
    }

    pub(super) async fn triggers(&self, queues: &Queues, desk: &Arc<Desk>) -> Result<Triggers, ServeError> {
        let triggers = Triggers::open(triggers::Needs {
            store: self.store.clone(),
            registry: self.registry.clone(),
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
            queues: queues.clone(),
            starts: desk.clone(),
        });
        triggers.await.map_err(ServeError::unread)
    }
}
