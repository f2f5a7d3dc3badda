//! Secrets: sealed when they are set, opened when an attempt starts, and shown in between by nothing.
//!
//! What is kept is a nonce and what `XChaCha20-Poly1305` makes of the value under it, with the secret's namespace and
//! name as associated data: a sealed value that is moved to another name does not open. The key lies beside the store
//! (`key`), never in it, so neither an export nor the journal is enough to read a secret.

mod error;
mod key;

use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Generate as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

pub use error::VaultError;
pub use key::{InvalidKey, KeySource};

use crate::clock::Clock;
use crate::model::bounds;
use crate::model::names::{Namespace, SecretName};
use crate::model::secret::{Sealed, Secret, SecretValue};
use crate::store::{Change, Durability, Group, Store};

/// The secrets of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Vault {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    clock: Clock,
    key: key::Lazy,
    /// Held over the look at what is there and the commit.
    changing: Mutex<()>,
}

/// Bytes of a nonce, which stand in front of what was sealed under it.
const NONCE_BYTES: usize = 24;

impl Vault {
    /// The secrets in `store`, with the key from `source`. A key that was given is read now.
    pub fn open(store: Arc<dyn Store>, clock: Clock, source: KeySource) -> Result<Self, InvalidKey> {
        let key = key::Lazy::new(source)?;
        Ok(Self { parts: Arc::new(Parts { store, clock, key, changing: Mutex::new(()) }) })
    }

    /// Sets a secret, in place of the one of that name. When this returns it would survive a power cut. Returns whether
    /// it is new.
    pub async fn set(&self, namespace: Namespace, name: SecretName, value: SecretValue) -> Result<bool, VaultError> {
        let parts = &self.parts;
        let _changing = parts.changing.lock().await;
        let before = parts.store.secret(namespace.clone(), name.clone()).await?;
        if before.is_none() {
            let there = parts.store.secrets(namespace.clone(), None, bounds::MAX_SECRETS).await?;
            if there.len() >= bounds::MAX_SECRETS {
                return Err(VaultError::TooMany { namespace });
            }
        }
        let now = parts.clock.now();
        let sealed = seal(&*parts.key.get().await?, &namespace, &name, &value)?;
        let created = before.as_ref().map_or(now, |before| before.created);
        let secret = Secret { namespace, name, created, updated: now, sealed };
        let group = Group(vec![Change::PutSecret(Box::new(secret))]);
        parts.store.commit(group, Durability::Synced).await?;
        Ok(before.is_none())
    }

    /// Secrets of a namespace in order of their names, from behind `after`, at most `limit`. Sealed, as they are kept.
    pub async fn list(
        &self,
        namespace: Namespace,
        after: Option<SecretName>,
        limit: usize,
    ) -> Result<Vec<Secret>, VaultError> {
        Ok(self.parts.store.secrets(namespace, after, limit).await?)
    }

    /// Removes a secret. Returns whether it was there.
    pub async fn remove(&self, namespace: Namespace, name: SecretName) -> Result<bool, VaultError> {
        let _changing = self.parts.changing.lock().await;
        if self.parts.store.secret(namespace.clone(), name.clone()).await?.is_none() {
            return Ok(false);
        }
        let group = Group(vec![Change::RemoveSecret(namespace, name)]);
        self.parts.store.commit(group, Durability::Synced).await?;
        Ok(true)
    }

    /// Seals something that another room keeps. It opens for the same `of` alone, which no namespace begins.
    pub async fn seal_for(&self, of: &str, value: &[u8]) -> Result<Sealed, VaultError> {
        sealed(&*self.parts.key.get().await?, of, value)
    }

    /// Opens what [`Vault::seal_for`] sealed.
    pub async fn unseal_for(&self, of: &str, sealed: &Sealed) -> Result<Zeroizing<String>, VaultError> {
        let key = self.parts.key.get().await?;
        let opened =
            unsealed(&key, of, sealed).and_then(|mut bytes| String::from_utf8(std::mem::take(&mut *bytes)).ok());
        opened
            .map(Zeroizing::new)
            .ok_or_else(|| VaultError::Unopened { of: of.to_owned(), key: self.parts.key.place() })
    }

    /// The value of a secret; `None` where there is none.
    pub async fn value(&self, namespace: Namespace, name: SecretName) -> Result<Option<SecretValue>, VaultError> {
        let Some(secret) = self.parts.store.secret(namespace, name).await? else { return Ok(None) };
        let key = self.parts.key.get().await?;
        unseal(&key, &secret)
            .map(Some)
            .ok_or_else(|| VaultError::OtherKey { name: secret.name, key: self.parts.key.place() })
    }
}

/// 32 random bytes from the operating system.
pub fn random() -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let drawn = chacha20poly1305::Key::try_generate().map_err(|error| VaultError::Random(error.to_string()))?;
    Ok(Zeroizing::new(drawn.into()))
}

/// What a sealed value belongs to. Neither name has a slash, so no two secrets are written alike.
fn belongs_to(namespace: &Namespace, name: &SecretName) -> String {
    format!("{namespace}/{name}")
}

fn seal(key: &key::Key, namespace: &Namespace, name: &SecretName, value: &SecretValue) -> Result<Sealed, VaultError> {
    sealed(key, &belongs_to(namespace, name), value.expose().as_bytes())
}

fn sealed(key: &key::Key, of: &str, value: &[u8]) -> Result<Sealed, VaultError> {
    let nonce = XNonce::try_generate().map_err(|error| VaultError::Random(error.to_string()))?;
    let payload = Payload { msg: value, aad: of.as_bytes() };
    let sealed = XChaCha20Poly1305::new(key.bytes().into()).encrypt(&nonce, payload);
    let sealed = sealed.map_err(|_| VaultError::Random("the cipher refused the value".to_owned()))?;
    Ok(Sealed([nonce.as_slice(), &sealed].concat()))
}

/// `None` when it was sealed with another key, for another name, or is damaged: nobody can tell which.
fn unseal(key: &key::Key, secret: &Secret) -> Option<SecretValue> {
    let mut value = unsealed(key, &belongs_to(&secret.namespace, &secret.name), &secret.sealed)?;
    SecretValue::try_from(std::mem::take(&mut *value)).ok()
}

fn unsealed(key: &key::Key, of: &str, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.0.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: sealed, aad: of.as_bytes() };
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    cipher.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
