//! Questions about what belongs to a namespace and to no function: secrets, the pairs of key-value stores, documents.

use bytes::Bytes;

use super::stage::Before as _;
use super::view::{View, behind, unknown_row};
use super::window::Known;
use crate::model::names::{Namespace, SecretName};
use crate::model::secret::Secret;
use crate::store::{DocumentKey, DocumentRange, Pair, PairStore, StoreError, keys};

impl View {
    pub(super) fn secret(&self, namespace: &Namespace, name: &SecretName) -> Result<Option<Secret>, StoreError> {
        self.decoded(&keys::secret(namespace, name), || format!("the secret {name} of {namespace}"))
    }

    pub(super) fn secrets(
        &self,
        namespace: &Namespace,
        after: Option<&SecretName>,
        limit: usize,
    ) -> Result<Vec<Secret>, StoreError> {
        let prefix = keys::secrets_of(namespace);
        let from = after.map_or_else(|| prefix.clone(), |after| just_behind(keys::secret(namespace, after)));
        self.all_decoded(&from, &behind(&prefix), limit, || format!("a secret of {namespace}"))
    }

    pub(super) fn pair_value(&self, store: &PairStore, of: &str) -> Result<Option<Bytes>, StoreError> {
        let key = keys::pair(keys::PAIR_VALUE, store, of);
        self.value(|| format!("a value of the key-value store {}", store.name), || self.record(&key))
    }

    pub(super) fn pair(&self, store: &PairStore, of: &str) -> Result<Option<Pair>, StoreError> {
        let key = keys::pair(keys::PAIR, store, of);
        self.decoded(&key, || format!("a pair of the key-value store {}", store.name))
    }

    pub(super) fn pairs(&self, store: &PairStore, after: Option<u64>, limit: usize) -> Result<Vec<Pair>, StoreError> {
        let prefix = keys::pairs_of(keys::PAIR, store);
        let Some(place) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Vec::new()) };
        let from = [&prefix[..], &place.to_be_bytes()].concat(); // the digest of a key begins with its place
        self.all_decoded(&from, &behind(&prefix), limit, || format!("a pair of the key-value store {}", store.name))
    }

    /// The first pair of each store is looked at, and what comes behind the store.
    pub(super) fn pair_stores(&self, after: Option<&PairStore>, limit: usize) -> Result<Vec<PairStore>, StoreError> {
        let (mut from, to) = (vec![keys::PAIR], vec![keys::PAIR + 1]);
        if let Some(after) = after {
            from = behind(&keys::pairs_of(keys::PAIR, after));
        }
        let mut stores = Vec::new();
        while stores.len() < limit
            && from < to
            && let Some(row) = self.first_rows(&from, &to, 1).next()
        {
            let (key, _) = row?;
            let pair: Option<Pair> = self.decoded(&key, || "a pair of a key-value store".to_owned())?;
            match pair {
                Some(pair) => {
                    from = behind(&keys::pairs_of(keys::PAIR, &pair.store));
                    stores.push(pair.store);
                }
                None => from = just_behind(key), // it was removed meanwhile
            }
        }
        Ok(stores)
    }

    pub(super) fn document(&self, of: &DocumentKey) -> Result<Option<Bytes>, StoreError> {
        let key = keys::document(of);
        self.value(|| format!("a document of the table {:?}", of.table), || self.record(&key))
    }

    /// A document that was written, or removed, so recently that this is in memory. Never waits for a disk.
    pub(super) fn recent_document(&self, of: &DocumentKey) -> Known<Bytes> {
        let known = self.shared.lock().record(&keys::document(of))?;
        match known {
            Some(span) => self.reader.recent(span).map(Some),
            None => Some(None),
        }
    }

    pub(super) fn documents(
        &self,
        range: &DocumentRange,
        limit: usize,
    ) -> Result<Vec<(DocumentKey, Bytes)>, StoreError> {
        let keys = self.document_keys(range, limit)?.into_iter();
        let read = keys.map(|key| Ok(self.document(&key)?.map(|bytes| (key, bytes)))); // some may go meanwhile
        read.filter_map(Result::transpose).collect()
    }

    pub(super) fn document_keys(&self, range: &DocumentRange, limit: usize) -> Result<Vec<DocumentKey>, StoreError> {
        let from = keys::document_from(range.table, &range.from);
        let to = match &range.to {
            Some(to) => keys::document_from(range.table, to),
            None => keys::behind_documents(range.table),
        };
        if from >= to {
            return Ok(Vec::new());
        }
        let keys = self.first_rows(&from, &to, limit).map(|row| {
            let (key, _) = row?;
            keys::read_document(&key).ok_or_else(|| unknown_row(&key))
        });
        keys.collect()
    }

    /// The records of the first `limit` rows between two keys. Those that go meanwhile are not among them.
    fn all_decoded<T: serde::de::DeserializeOwned>(
        &self,
        from: &[u8],
        to: &[u8],
        limit: usize,
        what: impl Fn() -> String,
    ) -> Result<Vec<T>, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let decoded = self.first_rows(from, to, limit).map(|row| row.and_then(|(key, _)| self.decoded(&key, &what)));
        decoded.filter_map(Result::transpose).collect()
    }
}

/// The next key there could be.
fn just_behind(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}
