//! The composition root: opens, starts, listens, and stops in order. It alone names everything; what all the rest stands on
//! is made in `serve/ground`.

mod doors;
mod ground;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::access::AccessError;
use crate::clock::Clock;
use crate::config::{self, Authentication, Config, Disk, Keep};
use crate::core_dumps::CoreDumps;
use crate::delivery::{self, Builtin, Carrier, Connections, Home, Objects, Services};
use crate::dispatch::{Dispatch, Needs};
use crate::engine::{CompilerProgram, Engine, EngineError, Reach, Settings};
use crate::http::NotBound;
use crate::key_value::KeyValue;
use crate::messaging::topics::Topics;
use crate::model::bounds;
use crate::oci::{Images, UnusableImages};
use crate::operations::Operations;
use crate::outbound::{Allowed, InvalidAllowed, Outbound, Webhooks};
use crate::registry::Targets;
use crate::runtime::{Desk, Parts, Runtime, RuntimeWays, Turns};
use crate::store::embedded::{self, EmbeddedStore};
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreError};
use crate::tasks::Tasks;
use crate::tls::{UnusableAuthority, UnusableCertificate};
use crate::vault::{InvalidKey, KeySource, Vault};
use crate::worker::Slots;

use doors::Doors;
use ground::Ground;

/// The file with the token of the first account.
const ADMIN_TOKEN: &str = "admin.token";
/// How long the last writes and connections may take once attempts have ended.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Why a server did not start, or not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What may be reached that is private is no address.
    #[error(transparent)]
    Allowed(#[from] InvalidAllowed),
    /// The authorities that are to be trusted cannot be.
    #[error(transparent)]
    Authority(#[from] UnusableAuthority),
    /// A function or a version cannot be read. Without it what waits for it would be taken for what waits for one that
    /// was deleted, and settled.
    #[error("{0}. `tidemill store check` tells all that is wrong, and `tidemill store repair` saves what is left")]
    Damaged(StoreError),
    /// The first account could not be made.
    #[error("the first account could not be made: {0}")]
    Access(#[from] AccessError),
    /// Its token could not be left for the operator.
    #[error("the token of the first account cannot be written to {}: {source}", path.display())]
    AdminToken {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no certificate to show.
    #[error(transparent)]
    Certificate(#[from] UnusableCertificate),
    /// Images cannot be pulled.
    #[error(transparent)]
    Images(#[from] UnusableImages),
    /// The engine did not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A part of the server failed while it ran.
    #[error("a part of the runtime failed; the log says which")]
    Failed,
    /// The key for secrets was given and is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The address for gRPC could not be bound.
    #[error("{0}, which is where gRPC is: choose another with --grpc-listen, or `none`")]
    GrpcNotBound(NotBound),
    /// The address could not be bound.
    #[error(transparent)]
    NotBound(#[from] NotBound),
    /// The system did not let it listen for signals.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
    /// The store could not be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServeError {
    fn unread(error: StoreError) -> Self {
        match error {
            damaged @ StoreError::Damaged { .. } => Self::Damaged(damaged),
            StoreError::Full(_)
            | StoreError::Open { .. }
            | StoreError::Refused(_)
            | StoreError::Stopped(_)
            | StoreError::Unknown(_)
            | StoreError::Unreadable(_) => Self::Store(error),
        }
    }
}

/// A server that runs.
pub struct Server {
    /// What answers.
    pub runtime: Runtime,
    /// Where it listens.
    pub address: std::net::SocketAddr,
    /// Where it listens for gRPC; `None` for nowhere.
    pub grpc_address: Option<std::net::SocketAddr>,
    dispatch: Dispatch,
    engine: Engine,
    /// The registry asks it, and does not hold it.
    _targets: Arc<dyn Targets>,
    tasks: Tasks,
    closing: CancellationToken,
    drain: Duration,
}

impl Server {
    /// Opens the store, takes up what is live in it, and listens.
    pub async fn start(config: &Config) -> Result<Self, ServeError> {
        // Before the store is touched.
        let doors = Doors::bind(config).await?;
        let ground = Ground::open(config).await?;
        let (message_queues, streams) = (ground.queues().await?, ground.streams().await?);
        let desk = Arc::new(Desk::new(ground.tasks.clone()));
        let core_dumps = CoreDumps::open(core_dumps_folder(config));
        core_dumps.follow(ground.store.clone(), &ground.tasks);
        let worker = ground.worker(&core_dumps, &desk);
        let triggers = ground.triggers(&message_queues, &desk).await?;
        let Ground { store, live, clock, tasks, engine, max_concurrency, registry, vault, access } = ground;
        let operations = Operations::open(store.clone(), clock.clone(), tasks.clone()).await?;
        let key_value = KeyValue::new(store.clone(), tasks.clone());
        let connections = Connections::new(store.clone(), vault.clone(), clock.clone());
        let objects = Objects::new(objects_home(config), store.clone(), clock.clone());
        objects.start(&tasks);
        let webhooks = webhooks(config, &store, &vault, &clock)?;
        let ways = Arc::new(RuntimeWays { desk: desk.clone(), webhooks: webhooks.clone() });
        let (timely, own_url) = ((clock.clone(), tasks.clone()), doors.url());
        let topics = Topics::open(store.clone(), timely, message_queues.clone(), ways, own_url).await?;
        let services = services(config, &objects, &connections, &clock)?;
        let builtin = Builtin::new(message_queues.clone(), streams.clone()).and(topics.clone());
        let carrier = Carrier::new(webhooks, services, builtin).asking(access.clone());
        let targets: Arc<dyn Targets> = Arc::new(carrier.clone());
        registry.ask_about_targets(&targets);
        let private = &config.private_targets;
        let images = Images::new(store.clone(), private, config.authentication, config.outbound_ca.as_deref())?;
        let wake = Arc::new(Notify::new());
        let slots = Slots::new(config.concurrency.get(), wake.clone());
        let needs = Needs {
            store: store.clone(),
            registry: registry.clone(),
            worker: worker.clone(),
            slots: slots.clone(),
            wake,
            clock: clock.clone(),
            tasks: tasks.clone(),
            retention: config.retention,
            capacities: config.capacities,
            carrier: carrier.clone(),
            delivery_budget: config.delivery_budget,
        };
        let dispatch = Dispatch::start(needs, &live);
        let runtime = Runtime::new(Parts {
            store,
            registry,
            dispatch: dispatch.clone(),
            worker,
            vault,
            access,
            operations,
            authenticates: config.authentication == Authentication::Required,
            webhooks: carrier.webhooks().clone(),
            images,
            directories: config.directories.clone(),
            key_value,
            core_dumps,
            message_queues,
            streams,
            connections,
            objects,
            topics,
            triggers: triggers.clone(),
            slots,
            started: clock.now(),
            clock,
            tasks: tasks.clone(),
            hop_limit: config.hop_limit,
            max_concurrency,
            turns: Turns::default(),
            ready: AtomicBool::new(true),
        });
        desk.open(&runtime);
        runtime.join_topics();
        triggers.begin();
        let (closing, address, grpc_address) = (CancellationToken::new(), doors.address(), doors.grpc_address());
        doors.open(config, &runtime, &tasks, &closing).await?;
        tracing::info!(%address, functions = live.functions.len(), "serving");
        Ok(Self {
            runtime,
            address,
            grpc_address,
            dispatch,
            engine,
            _targets: targets,
            tasks,
            closing,
            drain: config.drain,
        })
    }

    /// Waits until the process is asked to stop, by a signal or by a part of it that failed; then stops.
    pub async fn run(self, mut signals: Signals) -> Result<(), ServeError> {
        let ended = tokio::select! {
            () = signals.received() => Ok(()),
            () = self.tasks.stopping().cancelled() => Err(ServeError::Failed),
        };
        self.stop(signals).await;
        ended
    }

    /// Stops: no new connections, no new attempts; what runs may end until the drain time is over, or until a
    /// second signal, and is then given back to the queue; the last writes; the engine.
    async fn stop(self, mut signals: Signals) {
        tracing::info!(seconds = self.drain.as_secs(), "shutting down: letting running attempts end");
        self.runtime.retire();
        self.closing.cancel();
        tokio::select! {
            () = self.dispatch.drain(self.drain) => (),
            () = signals.received() => self.dispatch.drain(Duration::ZERO).await,
        }
        self.tasks.stop();
        if !self.tasks.ended(LAST_WRITES).await {
            tracing::warn!("some tasks did not end in time; what they held is taken up at the next start");
        }
        self.engine.stop().await;
        tracing::info!("stopped");
    }
}

/// The signals that ask the process to stop. Made before anything else is started, so that none is missed.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts listening for them.
    pub fn listen() -> Result<Self, ServeError> {
        let terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
        Ok(Self { terminate, interrupt })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

fn engine_settings(config: &Config, cache_dir: Option<std::path::PathBuf>) -> Settings {
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
fn compiler(code: &config::Code) -> CompilerProgram {
    CompilerProgram { program: code.program.clone(), cpu: code.compile_cpu, memory_bytes: code.compile_memory }
}

/// What sends webhooks.
fn webhooks(config: &Config, store: &Arc<dyn Store>, vault: &Vault, clock: &Clock) -> Result<Webhooks, ServeError> {
    let outbound = Outbound::new(config.outbound_ca.as_deref())?;
    let allowed = Allowed::of(&config.private_targets)?;
    Ok(Webhooks::new(Arc::new(outbound), allowed, store.clone(), vault.clone(), clock.clone()))
}

/// What brings outcomes to services.
fn services(
    config: &Config,
    objects: &Objects,
    connections: &Connections,
    clock: &Clock,
) -> Result<Services, ServeError> {
    let allowed = Allowed::of(&config.private_targets)?;
    let reach = delivery::Reach::new(allowed, config.outbound_ca.as_deref())?;
    Ok(Services::new(objects.clone(), connections, &reach, clock.clone()))
}

/// Where the key is that secrets are sealed with.
fn key_source(config: &Config) -> KeySource {
    match (&config.secret_key_file, &config.keep) {
        (Some(given), _) => KeySource::Given(given.clone()),
        (None, Keep::Sled(data)) => KeySource::Own(data.join("secret.key")),
        (None, Keep::Memory) => KeySource::Fleeting,
    }
}

fn core_dumps_folder(config: &Config) -> Option<std::path::PathBuf> {
    match &config.keep {
        Keep::Memory => None,
        Keep::Sled(data) => Some(data.join("core-dumps")),
    }
}

/// Where objects are kept.
fn objects_home(config: &Config) -> Home {
    match &config.keep {
        Keep::Sled(data) => Home::Folder(data.join("objects")),
        Keep::Memory => Home::Fleeting,
    }
}

/// The store, and where compiled code is kept.
async fn open(config: &Config) -> Result<(Arc<dyn Store>, Option<std::path::PathBuf>), ServeError> {
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
