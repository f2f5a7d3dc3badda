//! Key-value stores: what a pair may be, how much a store may hold, and changes that are made one at a time. Knows no guest
//! and no HTTP.
//!
//! A store has one lock. Whoever changes it holds that over the look at what is there and the commit, so an increment
//! loses nothing and the size of the store is known; reads wait for nobody. So changes of one store follow each other at the
//! disk's pace, and those of different stores share its syncs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::model::bounds;
use crate::store::{Change, Durability, Group, Pair, PairStore, Store, StoreError};
use crate::tasks::Tasks;

/// The key-value stores of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct KeyValue {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    tasks: Tasks,
    /// By store: its lock, and its size where that is known.
    sizes: Mutex<HashMap<PairStore, Arc<Lock>>>,
}

type Lock = tokio::sync::Mutex<Option<Size>>;

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    pairs: u64,
    bytes: u64,
}

/// Why a store was not read or changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyValueError {
    /// A key that none can be.
    #[error("a key has 1 to {most} bytes, and this one has {0}", most = bounds::MAX_PAIR_KEY_BYTES)]
    Key(usize),
    /// A key that no client could ask for: in an address it stands for a folder.
    #[error("`.` and `..` are no keys: addresses cannot have them; use another")]
    Dots,
    /// A value over its limit.
    #[error("a value has up to {most} bytes, and this one has {0}", most = bounds::MAX_PAIR_VALUE_BYTES)]
    Value(usize),
    /// Too many at once.
    #[error("one call is about up to {} pairs with {} bytes in all", bounds::MAX_PAIR_BATCH, MAX_BATCH_BYTES)]
    Batch,
    /// The store would hold more than it may.
    #[error(
        "the store `{store}` would have {pairs} pairs with {bytes} bytes, and the limits are {} and {}: delete some first",
        bounds::MAX_PAIRS,
        bounds::MAX_PAIR_BYTES
    )]
    Full {
        /// Which.
        store: String,
        /// How many pairs it would have.
        pairs: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// Something else than a number is to be added to.
    #[error("the value under this key is no number in decimal digits: nothing can be added to it")]
    NoNumber,
    /// The sum does not fit.
    #[error("the sum would be more than {}", u64::MAX)]
    Overflow,
    /// The store behind it did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process is shutting down.
    #[error("it was interrupted, and may or may not have been done: look, and repeat it if it was not")]
    Interrupted,
}

/// What is done to a store.
enum Work {
    Change(Changes),
    Increment { key: String, delta: u64 },
}

/// What becomes of keys: `Some` is set, `None` removed.
type Changes = BTreeMap<String, Option<Bytes>>;

/// Bytes of keys and values that one call is about: half of what a guest may pass over at once.
const MAX_BATCH_BYTES: usize = bounds::MAX_GUEST_COPY_BYTES / 2;
/// Pairs that are gone through at once to find out the size of a store.
const PAGE: usize = 1_000;

impl KeyValue {
    /// The key-value stores in `store`.
    pub fn new(store: Arc<dyn Store>, tasks: Tasks) -> Self {
        Self { parts: Arc::new(Parts { store, tasks, sizes: Mutex::default() }) }
    }

    /// The values under some keys, in their order.
    pub async fn get(&self, store: PairStore, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, KeyValueError> {
        if keys.len() > bounds::MAX_PAIR_BATCH {
            return Err(KeyValueError::Batch);
        }
        let (mut values, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        for key in keys {
            check_key(&key)?;
            let value = self.parts.store.pair_value(store.clone(), key).await?;
            bytes += value.as_ref().map_or(0, Bytes::len);
            if bytes > MAX_BATCH_BYTES {
                return Err(KeyValueError::Batch);
            }
            values.push(value);
        }
        Ok(values)
    }

    /// Whether there is such a key.
    pub async fn exists(&self, store: PairStore, key: String) -> Result<bool, KeyValueError> {
        check_key(&key)?;
        Ok(self.parts.store.pair(store, key).await?.is_some())
    }

    /// Pairs from behind a place, at most `limit`, without their values.
    pub async fn list(&self, store: PairStore, after: Option<u64>, limit: usize) -> Result<Vec<Pair>, KeyValueError> {
        Ok(self.parts.store.pairs(store, after, limit).await?)
    }

    /// Sets and removes pairs: all or none. When this returns it would survive a power cut. A key that stands twice gets
    /// what stands last.
    pub async fn change(&self, store: PairStore, changes: Vec<(String, Option<Bytes>)>) -> Result<(), KeyValueError> {
        let bytes: usize = changes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len)).sum();
        if changes.len() > bounds::MAX_PAIR_BATCH || bytes > MAX_BATCH_BYTES {
            return Err(KeyValueError::Batch);
        }
        for (key, value) in &changes {
            check_key(key)?;
            // What is there by such a key, from before that was refused, can still be removed.
            if value.is_some() {
                check_no_dots(key)?;
            }
            let bytes = value.as_ref().map_or(0, Bytes::len);
            if bytes > bounds::MAX_PAIR_VALUE_BYTES {
                return Err(KeyValueError::Value(bytes));
            }
        }
        self.see_through(store, Work::Change(changes.into_iter().collect())).await.map(|_| ())
    }

    /// Adds to the number under a key, 0 where there is none, and returns the sum.
    pub async fn increment(&self, store: PairStore, key: String, delta: u64) -> Result<u64, KeyValueError> {
        check_key(&key)?;
        check_no_dots(&key)?;
        self.see_through(store, Work::Increment { key, delta }).await
    }

    /// Does it to its end, also when whoever asked goes away: what is known of the store's size stays true.
    async fn see_through(&self, store: PairStore, work: Work) -> Result<u64, KeyValueError> {
        let parts = Arc::clone(&self.parts);
        let done = async move { parts.work(store, work).await };
        self.parts.tasks.see_through("key-value", done).await.ok_or(KeyValueError::Interrupted)?
    }
}

impl Parts {
    /// Does it while nobody else changes the store. Returns the sum of an increment.
    async fn work(&self, store: PairStore, work: Work) -> Result<u64, KeyValueError> {
        let lock = self.lock(&store);
        let mut size = lock.lock().await;
        let (changes, sum) = match work {
            Work::Change(changes) => (changes, 0),
            Work::Increment { key, delta } => {
                let before = self.store.pair_value(store.clone(), key.clone()).await?;
                let before = before.map_or(Some(0), |value| number(&value)).ok_or(KeyValueError::NoNumber)?;
                let sum = before.checked_add(delta).ok_or(KeyValueError::Overflow)?;
                ([(key, Some(sum.to_string().into()))].into(), sum)
            }
        };
        let known = match *size {
            Some(known) => known,
            None => *size.insert(self.counted(&store).await?),
        };
        let (group, then) = self.prepared(&store, known, changes).await?;
        if !group.0.is_empty() {
            // Until the commit is answered nobody knows the size, and who comes next after a failure counts again.
            *size = None;
            self.store.commit(group, Durability::Synced).await?;
        }
        *size = Some(then);
        Ok(sum)
    }

    /// The changes as a group, and the size of the store behind it.
    async fn prepared(&self, store: &PairStore, size: Size, changes: Changes) -> Result<(Group, Size), KeyValueError> {
        let (mut group, mut then, mut grows) = (Vec::with_capacity(changes.len()), size, false);
        for (key, value) in changes {
            let before = self.store.pair(store.clone(), key.clone()).await?;
            if let Some(before) = &before {
                then.pairs -= 1;
                then.bytes -= taken(before);
            }
            match value {
                Some(value) => {
                    let pair = Pair { store: store.clone(), key, bytes: value.len() as u64 };
                    then.pairs += 1;
                    then.bytes += taken(&pair);
                    grows |= before.is_none_or(|before| before.bytes < pair.bytes);
                    group.push(Change::PutPair(Box::new(pair), value));
                }
                None if before.is_some() => group.push(Change::RemovePair(store.clone(), key)),
                None => (),
            }
        }
        if grows && (then.pairs > bounds::MAX_PAIRS || then.bytes > bounds::MAX_PAIR_BYTES) {
            return Err(KeyValueError::Full { store: store.name.to_string(), pairs: then.pairs, bytes: then.bytes });
        }
        Ok((Group(group), then))
    }

    /// What a store holds, by going through its pairs.
    async fn counted(&self, store: &PairStore) -> Result<Size, KeyValueError> {
        let (mut size, mut after) = (Size::default(), None);
        loop {
            let page = self.store.pairs(store.clone(), after, PAGE).await?;
            size.pairs += page.len() as u64;
            size.bytes += page.iter().map(taken).sum::<u64>();
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.place()),
                _ => return Ok(size),
            }
        }
    }

    fn lock(&self, store: &PairStore) -> Arc<Lock> {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if sizes.len() >= bounds::MAX_OPEN_STORES && !sizes.contains_key(store) {
            sizes.retain(|_, lock| Arc::strong_count(lock) > 1); // those that somebody is changing
        }
        Arc::clone(sizes.entry(store.clone()).or_default())
    }
}

/// Bytes that a pair counts as.
fn taken(pair: &Pair) -> u64 {
    pair.key.len() as u64 + pair.bytes
}

fn check_key(key: &str) -> Result<(), KeyValueError> {
    let fits = (1..=bounds::MAX_PAIR_KEY_BYTES).contains(&key.len());
    fits.then_some(()).ok_or(KeyValueError::Key(key.len()))
}

fn check_no_dots(key: &str) -> Result<(), KeyValueError> {
    if matches!(key, "." | "..") { Err(KeyValueError::Dots) } else { Ok(()) }
}

/// A number as `increment` writes it.
fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    fn opened() -> KeyValue {
        KeyValue::new(Arc::new(MemoryStore::default()), Tasks::default())
    }

    fn carts() -> PairStore {
        PairStore { namespace: "default".parse().unwrap(), name: "carts".parse().unwrap() }
    }

    fn set(key: &str, bytes: usize) -> (String, Option<Bytes>) {
        (key.to_owned(), Some(vec![b'x'; bytes].into()))
    }

    #[track_caller]
    fn told<T: std::fmt::Debug>(refused: Result<T, KeyValueError>) -> String {
        refused.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn increments_at_once_lose_nothing() {
        let all = opened();
        let sums = (0..50).map(|_| all.increment(carts(), "n".to_owned(), 2));
        let mut sums: Vec<_> = futures::future::try_join_all(sums).await.unwrap();
        sums.sort_unstable();
        assert_eq!(sums, (1..=50).map(|n| 2 * n).collect::<Vec<_>>());
        assert_eq!(all.get(carts(), vec!["n".to_owned()]).await.unwrap(), [Some(Bytes::from_static(b"100"))]);
    }

    #[tokio::test]
    async fn what_is_no_number_or_would_be_too_large_a_one_is_not_added_to() {
        let all = opened();
        all.change(carts(), vec![set("text", 3)]).await.unwrap();
        assert_eq!(told(all.increment(carts(), "text".to_owned(), 1).await), KeyValueError::NoNumber.to_string());
        all.increment(carts(), "n".to_owned(), u64::MAX).await.unwrap();
        assert_eq!(told(all.increment(carts(), "n".to_owned(), 1).await), KeyValueError::Overflow.to_string());
    }

    #[tokio::test]
    async fn a_store_holds_so_many_bytes_and_takes_what_makes_it_smaller() {
        let all = opened();
        let mib = bounds::MAX_PAIR_VALUE_BYTES;
        for n in 0..bounds::MAX_PAIR_BYTES / mib as u64 - 1 {
            all.change(carts(), vec![set(&format!("{n}"), mib)]).await.unwrap();
        }
        let full = all.change(carts(), vec![set("one more", mib)]).await;
        assert!(matches!(full, Err(KeyValueError::Full { .. })), "{full:?}");
        assert!(all.parts.lock(&carts()).lock().await.is_some(), "whoever comes next need not count the store");
        assert!(!all.exists(carts(), "one more".to_owned()).await.unwrap());
        all.change(carts(), vec![("0".to_owned(), None), set("one more", mib)]).await.unwrap();
        let other = PairStore { name: "other".parse().unwrap(), ..carts() };
        all.change(other, vec![set("a", mib)]).await.unwrap();
    }

    #[tokio::test]
    async fn what_an_address_cannot_have_is_no_key() {
        let all = opened();
        for key in [".", ".."] {
            assert_eq!(told(all.change(carts(), vec![set(key, 1)]).await), KeyValueError::Dots.to_string());
            assert_eq!(told(all.increment(carts(), key.to_owned(), 1).await), KeyValueError::Dots.to_string());
            all.change(carts(), vec![(key.to_owned(), None)]).await.unwrap();
        }
        all.change(carts(), vec![set("...", 1), set("a/../b", 1)]).await.unwrap();
    }

    #[tokio::test]
    async fn a_key_a_value_and_a_batch_have_their_limits() {
        let all = opened();
        let (key, most) = (bounds::MAX_PAIR_KEY_BYTES, bounds::MAX_PAIR_VALUE_BYTES);
        all.change(carts(), vec![set(&"k".repeat(key), most)]).await.unwrap();
        assert_eq!(
            told(all.change(carts(), vec![set(&"k".repeat(key + 1), 0)]).await),
            KeyValueError::Key(key + 1).to_string()
        );
        assert_eq!(told(all.get(carts(), vec![String::new()]).await), KeyValueError::Key(0).to_string());
        assert_eq!(
            told(all.change(carts(), vec![set("k", most + 1)]).await),
            KeyValueError::Value(most + 1).to_string()
        );
        let many = (0..=bounds::MAX_PAIR_BATCH).map(|n| set(&n.to_string(), 1)).collect();
        assert_eq!(told(all.change(carts(), many).await), KeyValueError::Batch.to_string());
        let large = all.change(carts(), (0..9).map(|n| set(&n.to_string(), most)).collect()).await;
        assert_eq!(told(large), KeyValueError::Batch.to_string());
        assert_eq!(all.list(carts(), None, 10).await.unwrap().len(), 1);
    }
}
