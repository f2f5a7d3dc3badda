//! Use cases around key-value stores for people: look, set, remove. Functions come over the desk.

use bytes::Bytes;

use super::{Error, Runtime};
use crate::model::names::Namespace;
use crate::store::{Pair, PairStore};

/// Key-value stores that are looked at together.
const PAGE: usize = 1_000;

impl Runtime {
    /// The key-value stores of a namespace: those that have a pair.
    pub async fn key_value_stores(&self, namespace: &Namespace) -> Result<Vec<PairStore>, Error> {
        let (mut own, mut after) = (Vec::new(), None);
        loop {
            let page = self.parts.store.pair_stores(after, PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().cloned();
            own.extend(page.into_iter().filter(|store| store.namespace == *namespace));
            if is_last {
                own.sort();
                return Ok(own);
            }
        }
    }

    /// Pairs of a store without their values, from behind a place, at most `limit`.
    pub async fn pairs(&self, store: PairStore, after: Option<u64>, limit: usize) -> Result<Vec<Pair>, Error> {
        Ok(self.parts.key_value.list(store, after, limit).await?)
    }

    /// The value under a key.
    pub async fn pair_value(&self, store: PairStore, key: String) -> Result<Bytes, Error> {
        let found = self.parts.key_value.get(store.clone(), vec![key.clone()]).await?;
        found.into_iter().flatten().next().ok_or(Error::PairUnknown { store: store.name, key })
    }

    /// Sets the value under a key.
    pub async fn set_pair(&self, store: PairStore, key: String, value: Bytes) -> Result<(), Error> {
        Ok(self.parts.key_value.change(store, vec![(key, Some(value))]).await?)
    }

    /// Removes a key with its value.
    pub async fn remove_pair(&self, store: PairStore, key: String) -> Result<(), Error> {
        if !self.parts.key_value.exists(store.clone(), key.clone()).await? {
            return Err(Error::PairUnknown { store: store.name, key });
        }
        Ok(self.parts.key_value.change(store, vec![(key, None)]).await?)
    }
}
