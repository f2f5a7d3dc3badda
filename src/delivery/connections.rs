//! Connections: named ways to services outside the runtime. What is kept says where a service is and which secrets are
//! its keys; the keys themselves are read when something is sent.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::NotSent;
use crate::clock::Clock;
use crate::model::bounds;
use crate::model::connection::{Connection, InvalidService, Keys, Service};
use crate::model::names::{ConnectionName, Namespace, SecretName};
use crate::model::secret::SecretValue;
use crate::store::form;
use crate::store::{Change, DocumentKey, DocumentRange, Durability, Group, Store, StoreError, Table};
use crate::vault::{Vault, VaultError};

/// The connections of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Connections {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    vault: Vault,
    clock: Clock,
    /// Held over the look at what is there and the commit.
    changing: Mutex<()>,
}

/// Why a connection could not be set or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectionError {
    /// It cannot be one.
    #[error(transparent)]
    Invalid(#[from] InvalidService),
    /// It names a secret that is not there.
    #[error("there is no secret `{0}` in the namespace: set it first, `tidemill secrets set {0}`")]
    SecretUnknown(SecretName),
    /// The store did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The namespace has as many as it may have.
    #[error(
        "the namespace `{0}` has {most} connections, which is the limit: remove some first",
        most = bounds::MAX_SERVICES
    )]
    TooMany(Namespace),
    /// A secret could not be looked at.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl Connections {
    /// The connections in `store`, with keys from `vault`.
    pub fn new(store: Arc<dyn Store>, vault: Vault, clock: Clock) -> Self {
        Self { parts: Arc::new(Parts { store, vault, clock, changing: Mutex::new(()) }) }
    }

    /// Sets a connection, in place of the one of that name. When this returns it would survive a power cut. Returns it,
    /// and whether it is new.
    pub async fn set(
        &self,
        namespace: Namespace,
        name: ConnectionName,
        service: Service,
    ) -> Result<(Connection, bool), ConnectionError> {
        let service = service.check()?;
        let parts = &self.parts;
        for secret in service.secrets() {
            if parts.vault.value(namespace.clone(), secret.clone()).await?.is_none() {
                return Err(ConnectionError::SecretUnknown(secret.clone()));
            }
        }
        let _changing = parts.changing.lock().await;
        let before = self.get(&namespace, &name).await?;
        if before.is_none() {
            let of_namespace = DocumentRange::of(Table::Connection, &prefix(&namespace));
            if parts.store.document_keys(of_namespace, bounds::MAX_SERVICES).await?.len() >= bounds::MAX_SERVICES {
                return Err(ConnectionError::TooMany(namespace));
            }
        }
        let now = parts.clock.now();
        let (created, is_new) = (before.as_ref().map_or(now, |before| before.created), before.is_none());
        let connection = Connection { namespace, name, created, updated: now, service };
        let put = Change::PutDocument(key(&connection.namespace, &connection.name), form::encode(&connection));
        parts.store.commit(Group(vec![put]), Durability::Synced).await?;
        Ok((connection, is_new))
    }

    /// One connection.
    pub async fn get(&self, namespace: &Namespace, name: &ConnectionName) -> Result<Option<Connection>, StoreError> {
        let bytes = self.parts.store.document(key(namespace, name)).await?;
        bytes.map(|bytes| form::decode(&bytes, || format!("the connection `{name}`"))).transpose()
    }

    /// Connections of a namespace in order of their names, from behind `after`, at most `limit`.
    pub async fn list(
        &self,
        namespace: &Namespace,
        after: Option<&ConnectionName>,
        limit: usize,
    ) -> Result<Vec<Connection>, StoreError> {
        let mut range = DocumentRange::of(Table::Connection, &prefix(namespace));
        if let Some(after) = after {
            range = range.after(key(namespace, after).key());
        }
        let documents = self.parts.store.documents(range, limit).await?;
        documents.iter().map(|(_, bytes)| form::decode(bytes, || "a connection".to_owned())).collect()
    }

    /// Removes a connection. Returns whether it was there.
    pub async fn remove(&self, namespace: &Namespace, name: &ConnectionName) -> Result<bool, StoreError> {
        let _changing = self.parts.changing.lock().await;
        let key = key(namespace, name);
        if self.parts.store.document(key.clone()).await?.is_none() {
            return Ok(false);
        }
        self.parts.store.commit(Group(vec![Change::RemoveDocument(key)]), Durability::Synced).await?;
        Ok(true)
    }

    /// The service that a delivery names. What is wrong with it can be put right while the delivery is tried.
    pub(super) async fn service(&self, namespace: &Namespace, name: &ConnectionName) -> Result<Service, NotSent> {
        match self.get(namespace, name).await {
            Ok(Some(connection)) => Ok(connection.service),
            Ok(None) => Err(NotSent::retry(format!(
                "there is no connection `{name}` in the namespace `{namespace}`: set it with `tidemill connections set`"
            ))),
            Err(error) => Err(NotSent::retry(format!("the connection `{name}` cannot be read: {error}"))),
        }
    }

    /// Why nothing is sent by a connection that leads to another kind of service than was `wanted`.
    pub(super) fn misled(name: &ConnectionName, to: &Service, wanted: &str) -> NotSent {
        NotSent::retry(format!("the connection `{name}` leads to `{}`, and not to `{wanted}`", to.kind()))
    }

    /// What the requests of a connection are signed with.
    pub(super) async fn signing(
        &self,
        namespace: &Namespace,
        name: &ConnectionName,
        keys: &Keys,
    ) -> Result<Signing, NotSent> {
        let token = match &keys.session_token {
            Some(token) => Some(self.secret(namespace, name, token).await?),
            None => None,
        };
        let secret = self.secret(namespace, name, &keys.secret_key).await?;
        Ok(Signing { id: keys.access_key_id.clone(), secret, token })
    }

    /// A secret that a connection names.
    pub(super) async fn secret(
        &self,
        namespace: &Namespace,
        connection: &ConnectionName,
        name: &SecretName,
    ) -> Result<SecretValue, NotSent> {
        let why = match self.parts.vault.value(namespace.clone(), name.clone()).await {
            // It is written into a header, where a line break would begin another one.
            Ok(Some(value)) if value.expose().chars().all(|c| c.is_ascii_graphic()) => return Ok(value),
            Ok(Some(_)) => format!("the secret `{name}` has other characters than visible ASCII"),
            Ok(None) => format!("there is no secret `{name}`"),
            Err(error) => error.to_string(),
        };
        Err(NotSent::retry(format!("the connection `{connection}` cannot be used: {why}")))
    }
}

impl NotSent {
    /// The same, and which connection it was.
    pub(super) fn in_connection(self, name: &ConnectionName) -> Self {
        let said = |why: String| format!("by the connection `{name}`: {why}");
        match self {
            Self::Retry { why, after } => Self::Retry { why: said(why), after },
            Self::Never { why } => Self::Never { why: said(why) },
        }
    }
}

/// What requests are signed with, in the clear.
pub(super) struct Signing {
    pub(super) id: String,
    pub(super) secret: SecretValue,
    pub(super) token: Option<SecretValue>,
}

/// Whose connection: the namespace by its digest, since two names are longer than a key may be.
fn prefix(namespace: &Namespace) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(namespace.as_str()).into();
    std::array::from_fn(|at| digest[at])
}

fn key(namespace: &Namespace, name: &ConnectionName) -> DocumentKey {
    DocumentKey::new(Table::Connection, [&prefix(namespace)[..], name.as_str().as_bytes()].concat())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::connection::Nats;
    use crate::store::memory::MemoryStore;
    use crate::vault::KeySource;

    /// Connections on a store in memory, with these secrets.
    pub(in crate::delivery) async fn opened(secrets: &[(&str, &str)]) -> Connections {
        let (store, clock) = (Arc::new(MemoryStore::default()), Clock::system());
        let vault = Vault::open(store.clone(), clock.clone(), KeySource::Fleeting).unwrap();
        for (name, value) in secrets {
            let value = SecretValue::try_from(value.as_bytes().to_vec()).unwrap();
            vault.set(Namespace::default(), name.parse().unwrap(), value).await.unwrap();
        }
        Connections::new(store, vault, clock)
    }

    fn nats(token: Option<&str>) -> Service {
        let token = token.map(|name| name.parse().unwrap());
        Service::Nats(Nats { url: "nats://nats.example".to_owned(), user: None, password: None, token })
    }

    fn name(text: &str) -> ConnectionName {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn connections_of_a_namespace_are_listed_in_order_and_those_of_others_are_not() {
        let (all, own, other) = (opened(&[]).await, Namespace::default(), "z".repeat(63).parse::<Namespace>().unwrap());
        let longest = name(&"n".repeat(63));
        for of in [&own, &other] {
            assert!(all.set(of.clone(), name("b"), nats(None)).await.unwrap().1);
            assert!(all.set(of.clone(), longest.clone(), nats(None)).await.unwrap().1);
            assert!(all.set(of.clone(), name("a"), nats(None)).await.unwrap().1);
        }
        assert!(!all.set(own.clone(), name("a"), nats(None)).await.unwrap().1, "it was there");
        let listed = all.list(&own, None, 10).await.unwrap();
        assert_eq!(listed.iter().map(|it| &it.name).collect::<Vec<_>>(), [&name("a"), &name("b"), &longest]);
        assert!(listed.iter().all(|it| it.namespace == own));
        assert_eq!(all.list(&own, Some(&name("a")), 1).await.unwrap()[0].name, name("b"));

        assert!(all.remove(&own, &name("a")).await.unwrap());
        assert!(!all.remove(&own, &name("a")).await.unwrap());
        assert!(all.get(&own, &name("a")).await.unwrap().is_none());
        assert!(all.get(&other, &name("a")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_connection_whose_secret_is_not_there_is_refused() {
        let all = opened(&[("here", "x")]).await;
        all.set(Namespace::default(), name("a"), nats(Some("here"))).await.unwrap();
        let refused = all.set(Namespace::default(), name("a"), nats(Some("gone"))).await.unwrap_err();
        assert!(refused.to_string().contains("`gone`"), "{refused}");
    }

    #[tokio::test]
    async fn a_namespace_has_so_many_connections_and_each_of_them_can_be_changed() {
        let (all, own) = (opened(&[]).await, Namespace::default());
        for n in 0..bounds::MAX_SERVICES {
            all.set(own.clone(), name(&format!("c{n}")), nats(None)).await.unwrap();
        }
        let refused = all.set(own.clone(), name("more"), nats(None)).await;
        assert!(matches!(refused, Err(ConnectionError::TooMany(_))), "{refused:?}");
        all.set(own.clone(), name("c1"), nats(None)).await.unwrap();
        all.set("other".parse().unwrap(), name("more"), nats(None)).await.unwrap();
    }

    #[tokio::test]
    async fn a_secret_that_would_break_a_header_is_not_used() {
        let all = opened(&[("two", "a\r\nx-other: b")]).await;
        let why = all.secret(&Namespace::default(), &name("a"), &"two".parse().unwrap()).await.unwrap_err();
        assert!(why.to_string().contains("`two`") && !why.to_string().contains("x-other"), "{why}");
    }
}
