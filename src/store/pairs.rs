//! Key-value pairs as a store knows them: of which key-value store, under which key. Knows nothing of guests.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::names::{Namespace, StoreName};

/// A key-value store: there is one as soon as it has a pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PairStore {
    /// Whose.
    pub namespace: Namespace,
    /// Its name there.
    pub name: StoreName,
}

/// A pair, without its value. Small: it is what a list reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair {
    /// Where it is.
    pub store: PairStore,
    /// Its key there.
    pub key: String,
    /// Size of its value.
    pub bytes: u64,
}

impl Pair {
    /// Where it stands among those of its store: the beginning of the SHA-256 of its key. That two have the same does not
    /// happen by chance.
    pub fn place(&self) -> u64 {
        place(&self.key)
    }
}

/// Where the pair with this key stands.
pub(super) fn place(key: &str) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&Sha256::digest(key)[..8]);
    u64::from_be_bytes(first)
}
