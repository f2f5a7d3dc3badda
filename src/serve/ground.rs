//! What every other part of a server stands on: the store and what is live in it, the time, the owner of tasks, the engine,
//! the functions, the secrets and the accounts. Listens nowhere and runs nothing by itself.

use std::path::PathBuf;
use std::sync::Arc;

use super::ServeError;
use crate::access::Access;
use crate::clock::Clock;
use crate::config::{Code, Config, Disk, Keep};
use crate::core_dumps::CoreDumps;
use crate::delivery::Carrier;
use crate::dispatch::{Dispatch, Needs};
use crate::engine::{CompilerProgram, Engine, Reach, Settings};
use crate::messaging::queues::{Limits, Queues};
use crate::messaging::streams::Streams;
use crate::model::bounds;
use crate::registry::Registry;
use crate::runtime::Desk;
use crate::store::embedded::{self, EmbeddedStore};
use crate::store::memory::MemoryStore;
use crate::store::{Live, Store};
use crate::tasks::Tasks;
use crate::triggers::{self, Triggers};
use crate::vault::{KeySource, Vault};
use crate::worker::{Slots, Worker};

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
        Self::on(store, Clock::running(config.time_scale), &settings, config).await
    }

    /// On a store that is open.
    pub(super) async fn on(
        store: Arc<dyn Store>,
        clock: Clock,
        settings: &Settings,
        config: &Config,
    ) -> Result<Self, ServeError> {
        let (max_concurrency, engine) = (settings.concurrency, Engine::start(settings)?);
        let tasks = Tasks::default();
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
        let streams = Streams::open(self.store.clone(), self.clock.clone(), self.tasks.clone());
        streams.await.map_err(ServeError::unread)
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
    /// The core dumps, which go with the records of their invocations.
    pub(super) fn core_dumps(&self, config: &Config) -> CoreDumps {
        let core_dumps = CoreDumps::open(core_dumps_folder(config));
        core_dumps.follow(self.store.clone(), &self.tasks);
        core_dumps
    }

    /// The queue, taken up where it was left, and the places for its attempts.
    pub(super) fn dispatch(&self, config: &Config, worker: &Worker, carrier: &Carrier) -> (Dispatch, Slots) {
        let wake = Arc::default();
        let slots = Slots::new(config.concurrency.get(), Arc::clone(&wake));
        let needs = Needs {
            store: self.store.clone(),
            registry: self.registry.clone(),
            worker: worker.clone(),
            slots: slots.clone(),
            wake,
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
            retention: config.retention,
            capacities: config.capacities,
            carrier: carrier.clone(),
            delivery_budget: config.delivery_budget,
        };
        (Dispatch::start(needs, &self.live), slots)
    }
}

/// The store, and where compiled code is kept.
async fn open(config: &Config) -> Result<(Arc<dyn Store>, Option<PathBuf>), ServeError> {
    match &config.keep {
        Keep::Memory => Ok((Arc::new(MemoryStore::default()), None)),
        Keep::Sled(data) => {
            let (folder, cache) = (data.clone(), data.join("cache"));
            let Disk { max_bytes, min_free_bytes } = config.disk;
            let settings = embedded::Settings {
                max_journal_bytes: max_bytes.unwrap_or(u64::MAX),
                min_free_bytes,
                ..embedded::Settings::default()
            };
            let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open_with(&folder, &settings)).await;
            let store = opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
            Ok((Arc::new(store), Some(cache)))
        }
    }
}

fn engine_settings(config: &Config, cache_dir: Option<PathBuf>) -> Settings {
    Settings {
        cache_dir,
        concurrency: config.concurrency.get().max(bounds::LIVE_CONCURRENCY),
        fault_injection: config.fault_injection,
        compiler: Some(compiler(&config.code)),
        loaded_code_bytes: config.code.loaded_bytes,
        rest: bounds::REST,
        wasi_0_3: config.code.wasi_0_3,
        reach: Reach { directories: config.directories.clone(), outbound_ca: config.outbound_ca.clone() },
    }
}

/// This program, as what compiles.
fn compiler(code: &Code) -> CompilerProgram {
    CompilerProgram { program: code.program.clone(), cpu: code.compile_cpu, memory_bytes: code.compile_memory }
}

/// Where the key is that secrets are sealed with.
fn key_source(config: &Config) -> KeySource {
    match (&config.secret_key_file, &config.keep) {
        (Some(given), _) => KeySource::Given(given.clone()),
        (None, Keep::Sled(data)) => KeySource::Own(data.join("secret.key")),
        (None, Keep::Memory) => KeySource::Fleeting,
    }
}

/// Where core dumps are kept; `None` for nowhere.
fn core_dumps_folder(config: &Config) -> Option<PathBuf> {
    match &config.keep {
        Keep::Memory => None,
        Keep::Sled(data) => Some(data.join("core-dumps")),
    }
}
