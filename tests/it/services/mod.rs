//! Deliveries to services outside, with real ones: an S3 server (`s3s-fs`, in this process), `nats-server` and a server of
//! SQS in another language (`moto`), which `tests/services/fetch` installs.

mod nats;
mod objects;
mod queues;
mod registry;
mod server;

pub(crate) use queues::{NO_MOTO, Queues};
pub(crate) use registry::{NO_REGISTRY, Registry};

use std::path::Path;
use std::sync::Arc;

use tidemill::clock::Clock;
use tidemill::delivery::{Connections, Message, NotSent, Reach};
use tidemill::model::connection::Service;
use tidemill::model::destination::Terms;
use tidemill::model::names::{InvocationId, Namespace};
use tidemill::model::outcome::OutcomeKind;
use tidemill::model::secret::SecretValue;
use tidemill::model::time::Timestamp;
use tidemill::outbound::Allowed;
use tidemill::store::memory::MemoryStore;
use tidemill::vault::{KeySource, Vault};
use uuid::Uuid;

/// What deliveries are made with: connections and secrets of one namespace.
struct World {
    connections: Connections,
    vault: Vault,
    namespace: Namespace,
}

impl World {
    fn new() -> Self {
        let (store, clock) = (Arc::new(MemoryStore::default()), Clock::system());
        let vault = Vault::open(store.clone(), clock.clone(), KeySource::Fleeting).unwrap();
        let connections = Connections::new(store, vault.clone(), clock);
        Self { connections, vault, namespace: Namespace::default() }
    }

    async fn set_secret(&self, name: &str, value: &str) {
        let value = SecretValue::try_from(value.as_bytes().to_vec()).unwrap();
        self.vault.set(self.namespace.clone(), name.parse().unwrap(), value).await.unwrap();
    }

    async fn set(&self, name: &str, service: Service) {
        self.connections.set(self.namespace.clone(), name.parse().unwrap(), service).await.unwrap();
    }
}

/// Reaches this machine too; trusts the authority in the file besides the public ones.
fn reach(authority: Option<&Path>) -> Reach {
    Reach::new(Allowed::of(&["127.0.0.0/8".to_owned(), "localhost".to_owned()]).unwrap(), authority).unwrap()
}

/// By that connection.
fn by(connection: &str) -> Terms {
    Terms { connection: Some(connection.parse().unwrap()), ..Terms::default() }
}

/// A message with this body, of an invocation of its own.
fn message(body: impl Into<Vec<u8>>) -> Message {
    let id = Uuid::new_v4();
    Message {
        id,
        body: body.into().into(),
        content_type: "application/json".to_owned(),
        headers: vec![("ce-type".to_owned(), "settled".to_owned())],
        namespace: Namespace::default(),
        function: "resize".parse().unwrap(),
        invocation: InvocationId::from_bytes(*id.as_bytes()),
        chain: vec![InvocationId::from_bytes(*id.as_bytes())],
        settled: Timestamp::parse("2026-11-21T09:00:00Z").unwrap(),
        outcome: OutcomeKind::Succeeded,
    }
}

/// Checks that it is worth another try and that each of these is said.
#[track_caller]
fn tries_again(sent: Result<(), NotSent>, parts: &[&str]) {
    match sent {
        Err(NotSent::Retry { why, .. }) => assert!(parts.iter().all(|part| why.contains(part)), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// Checks that no other try is worth it and that each of these is said.
#[track_caller]
fn gives_up(sent: Result<(), NotSent>, parts: &[&str]) {
    match sent {
        Err(NotSent::Never { why }) => assert!(parts.iter().all(|part| why.contains(part)), "{why}"),
        other => panic!("{other:?}"),
    }
}
