//! What a server is behind its doors: the runtime with all its parts, joined and begun. Listens nowhere.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::ServeError;
use super::ground::Ground;
use super::outward::Outward;
use crate::config::{Authentication, Config};
use crate::dispatch::Dispatch;
use crate::engine::Engine;
use crate::key_value::KeyValue;
use crate::oci::Images;
use crate::operations::Operations;
use crate::registry::Targets;
use crate::runtime::{Desk, Parts, Runtime, Turns};
use crate::tasks::Tasks;

pub(super) struct Inside {
    pub(super) runtime: Runtime,
    pub(super) dispatch: Dispatch,
    pub(super) engine: Engine,
    pub(super) tasks: Tasks,
    /// The registry asks it, and does not hold it.
    _targets: Arc<dyn Targets>,
}

impl Inside {
    /// Takes up what is live. Subscribers of topics reach this server at `own_url`.
    pub(super) async fn open(ground: Ground, config: &Config, own_url: String) -> Result<Self, ServeError> {
        let desk = Arc::new(Desk::new(ground.tasks.clone()));
        let core_dumps = ground.core_dumps(config);
        let worker = ground.worker(&core_dumps, &desk);
        let outward = Outward::open(&ground, config, &desk, own_url).await?;
        let triggers = ground.triggers(&outward.queues, &desk).await?;
        let targets: Arc<dyn Targets> = Arc::new(outward.carrier.clone());
        ground.registry.ask_about_targets(&targets);
        let images = images(config)?;
        let operations = Operations::open(ground.store.clone(), ground.clock.clone(), ground.tasks.clone());
        let operations = operations.await.map_err(ServeError::unread)?;
        let (dispatch, slots) = ground.dispatch(config, &worker, &outward.carrier);
        let Ground { store, clock, tasks, engine, max_concurrency, registry, vault, access, .. } = ground;
        let runtime = Runtime::new(Parts {
            key_value: KeyValue::new(store.clone(), tasks.clone()),
            store,
            registry,
            dispatch: dispatch.clone(),
            worker,
            vault,
            access,
            operations,
            authenticates: config.authentication == Authentication::Required,
            webhooks: outward.webhooks,
            images,
            directories: config.directories.clone(),
            core_dumps,
            message_queues: outward.queues,
            streams: outward.streams,
            connections: outward.connections,
            objects: outward.objects,
            topics: outward.topics,
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
        Ok(Self { runtime, dispatch, engine, tasks, _targets: targets })
    }
}

/// What pulls modules from registries.
fn images(config: &Config) -> Result<Images, ServeError> {
    let (private, ca) = (&config.private_targets, config.outbound_ca.as_deref());
    Ok(Images::new(private, config.authentication, ca)?)
}
