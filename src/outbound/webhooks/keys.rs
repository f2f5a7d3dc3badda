//! The keys that the webhooks of a namespace are signed with: made when the first is needed, sealed by the vault, and
//! rotated with an overlap in which the old one signs too, so that receivers need not change at the same moment.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Webhooks;
use super::signature::WebhookKey;
use crate::model::names::Namespace;
use crate::model::secret::Sealed;
use crate::model::time::Timestamp;
use crate::store::{Change, DocumentKey, Durability, Group, StoreError, Table};
use crate::vault::{self, VaultError};

/// Keys that sign at the same time: each makes a signature longer.
const MAX_KEYS: usize = 4;

/// What is kept of a namespace's keys, the newest first. Never empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    keys: Vec<KeptKey>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptKey {
    sealed: Sealed,
    created: Timestamp,
    /// When it signs no more; `None` for the newest.
    until: Option<Timestamp>,
}

/// A key that signs.
#[derive(Clone)]
pub struct SigningKey {
    /// The key.
    pub key: WebhookKey,
    /// When it was made.
    pub created: Timestamp,
    /// When it signs no more, since there is a newer one.
    pub until: Option<Timestamp>,
}

impl Webhooks {
    /// The keys that sign now, the newest first. Makes one where there is none.
    pub async fn keys(&self, namespace: &Namespace) -> Result<Vec<SigningKey>, VaultError> {
        let mut kept = self.kept(namespace).await?;
        if kept.keys.is_empty() {
            let _changing = self.parts.changing.lock().await;
            kept = self.kept(namespace).await?; // somebody else may have been quicker
            if kept.keys.is_empty() {
                kept.keys.push(self.new_key(namespace).await?);
                self.keep(namespace, &kept).await?;
            }
        }
        self.opened(namespace, &kept).await
    }

    /// Makes a new key, and lets those before sign for `overlap` longer. Returns those that sign now, the newest first.
    pub async fn rotate(&self, namespace: &Namespace, overlap: Duration) -> Result<Vec<SigningKey>, VaultError> {
        let _changing = self.parts.changing.lock().await;
        let (now, mut kept) = (self.parts.clock.now(), self.kept(namespace).await?);
        for key in &mut kept.keys {
            let until = now + overlap;
            key.until = Some(key.until.map_or(until, |sooner| sooner.min(until)));
        }
        kept.keys.retain(|key| signs(key, now));
        kept.keys.insert(0, self.new_key(namespace).await?);
        kept.keys.truncate(MAX_KEYS);
        self.keep(namespace, &kept).await?;
        self.opened(namespace, &kept).await
    }

    async fn new_key(&self, namespace: &Namespace) -> Result<KeptKey, VaultError> {
        let key = WebhookKey::of(&*vault::random()?);
        let sealed = self.parts.vault.seal_for(&belongs_to(namespace), key.expose().as_bytes()).await?;
        Ok(KeptKey { sealed, created: self.parts.clock.now(), until: None })
    }

    async fn opened(&self, namespace: &Namespace, kept: &Kept) -> Result<Vec<SigningKey>, VaultError> {
        let (now, of) = (self.parts.clock.now(), belongs_to(namespace));
        let mut keys = Vec::with_capacity(kept.keys.len());
        for key in kept.keys.iter().filter(|key| signs(key, now)) {
            let opened = WebhookKey::read(self.parts.vault.unseal_for(&of, &key.sealed).await?);
            let opened = opened.ok_or_else(|| damaged(namespace, "it is no key"))?;
            keys.push(SigningKey { key: opened, created: key.created, until: key.until });
        }
        Ok(keys)
    }

    async fn kept(&self, namespace: &Namespace) -> Result<Kept, VaultError> {
        match self.parts.store.document(document(namespace)).await? {
            None => Ok(Kept::default()),
            Some(bytes) => rmp_serde::from_slice(&bytes).map_err(|error| damaged(namespace, &error.to_string())),
        }
    }

    async fn keep(&self, namespace: &Namespace, kept: &Kept) -> Result<(), VaultError> {
        let bytes = rmp_serde::to_vec(kept).map_err(|error| damaged(namespace, &error.to_string()))?;
        let change = Change::PutDocument(document(namespace), Bytes::from(bytes));
        Ok(self.parts.store.commit(Group(vec![change]), Durability::Synced).await?)
    }
}

fn signs(key: &KeptKey, now: Timestamp) -> bool {
    key.until.is_none_or(|until| now < until)
}

fn document(namespace: &Namespace) -> DocumentKey {
    DocumentKey::new(Table::WebhookKey, namespace.as_str())
}

/// No secret is called so: a name has no colon.
fn belongs_to(namespace: &Namespace) -> String {
    format!("webhook-keys:{namespace}")
}

fn damaged(namespace: &Namespace, detail: &str) -> VaultError {
    let what = format!("the document with the webhook keys of the namespace `{namespace}`");
    VaultError::Store(StoreError::Damaged { what, detail: detail.to_owned() })
}
