//! Why a secret could not be set, opened or removed. Says its name, and never its value.

use crate::model::bounds;
use crate::model::names::{Namespace, SecretName};
use crate::store::StoreError;

use super::key::InvalidKey;

/// Why a secret could not be set, opened or removed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VaultError {
    /// The key cannot be had.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The key does not open it.
    #[error(
        "the secret `{name}` does not open with the key {key}: it was sealed with another one, or is damaged; start the server with the key that it was set under, or set it again"
    )]
    OtherKey {
        /// Which.
        name: SecretName,
        /// Where the key is.
        key: String,
    },
    /// The key does not open what another room keeps.
    #[error("{of} does not open with the key {key}: it was sealed with another one, or is damaged")]
    Unopened {
        /// What it is.
        of: String,
        /// Where the key is.
        key: String,
    },
    /// The system gave no random bytes.
    #[error("nothing can be sealed: {0}")]
    Random(String),
    /// The store did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The namespace has as many as it may have.
    #[error("the namespace `{namespace}` has {} secrets, which is the limit: remove some first", bounds::MAX_SECRETS)]
    TooMany {
        /// Which.
        namespace: Namespace,
    },
}
