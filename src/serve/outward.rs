//! What brings messages and outcomes to others: queues, streams and topics, the ways to services outside, and the carrier
//! of deliveries that knows them all. Decides nothing of what is sent.

use std::sync::Arc;

use super::ServeError;
use super::ground::Ground;
use crate::config::{Config, Keep};
use crate::delivery::{self, Builtin, Carrier, Connections, Home, Objects, Services};
use crate::messaging::queues::Queues;
use crate::messaging::streams::Streams;
use crate::messaging::topics::Topics;
use crate::outbound::{Allowed, Outbound, Webhooks};
use crate::runtime::{Desk, RuntimeWays};

pub(super) struct Outward {
    pub(super) queues: Queues,
    pub(super) streams: Streams,
    pub(super) topics: Topics,
    pub(super) connections: Connections,
    pub(super) objects: Objects,
    pub(super) webhooks: Webhooks,
    pub(super) carrier: Carrier,
}

impl Outward {
    /// Takes up what is on its way. Subscribers of topics reach this server at `own_url`.
    pub(super) async fn open(
        ground: &Ground,
        config: &Config,
        desk: &Arc<Desk>,
        own_url: String,
    ) -> Result<Self, ServeError> {
        let Ground { store, clock, tasks, vault, access, .. } = ground;
        let (queues, streams) = (ground.queues().await?, ground.streams().await?);
        let connections = Connections::new(store.clone(), vault.clone(), clock.clone());
        let objects = Objects::new(objects_home(config), store.clone(), clock.clone());
        objects.start(tasks);
        let webhooks = webhooks(ground, config)?;
        webhooks.start(tasks);
        let ways = Arc::new(RuntimeWays { desk: desk.clone(), webhooks: webhooks.clone() });
        let timely = (clock.clone(), tasks.clone());
        let topics = Topics::open(store.clone(), timely, queues.clone(), ways, own_url);
        let topics = topics.await.map_err(ServeError::unread)?;
        let allowed = Allowed::of(&config.private_targets)?;
        let reach = delivery::Reach::new(allowed, config.outbound_ca.as_deref())?;
        let services = Services::new(objects.clone(), &connections, &reach, clock.clone());
        let builtin = Builtin::new(queues.clone(), streams.clone()).and(topics.clone());
        let carrier = Carrier::new(webhooks.clone(), services, builtin).asking(access.clone());
        Ok(Self { queues, streams, topics, connections, objects, webhooks, carrier })
    }
}

/// What sends webhooks.
fn webhooks(ground: &Ground, config: &Config) -> Result<Webhooks, ServeError> {
    let outbound = Arc::new(Outbound::new(config.outbound_ca.as_deref())?);
    let allowed = Allowed::of(&config.private_targets)?;
    let Ground { store, vault, clock, .. } = ground;
    Ok(Webhooks::new(outbound, allowed, store.clone(), vault.clone(), clock.clone()))
}

/// Where objects are kept.
fn objects_home(config: &Config) -> Home {
    match &config.keep {
        Keep::Sled(data) => Home::Folder(data.join("objects")),
        Keep::Memory => Home::Fleeting,
    }
}
