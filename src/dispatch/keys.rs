//! Turns for idempotency keys: of two requests with one key, the second looks once the first is through. So many locks
//! and no more; two keys may share one, and then merely wait for each other.

use std::collections::BTreeSet;

use tokio::sync::{Mutex, MutexGuard};

use crate::model::names::Digest;
use crate::store::IdempotencyKey;

/// Locks. A commit takes milliseconds, so this many let through more than a disk does.
const LOCKS: usize = 1_024;

/// The locks.
pub(super) struct Keys {
    locks: Vec<Mutex<()>>,
}

/// What an idempotency key is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of what is asked.
    pub request: Digest,
}

impl Default for Keys {
    fn default() -> Self {
        Self { locks: (0..LOCKS).map(|_| Mutex::default()).collect() }
    }
}

impl Keys {
    /// Waits for the turn of one key.
    pub(super) async fn turn(&self, key: &IdempotencyKey) -> MutexGuard<'_, ()> {
        self.locks[lock_of(key)].lock().await
    }

    /// Waits for the turns of several keys. Always in the same order, and others wait for one at most.
    pub(super) async fn turns(&self, keys: &[IdempotencyKey]) -> Vec<MutexGuard<'_, ()>> {
        let mut turns = Vec::new();
        for index in keys.iter().map(lock_of).collect::<BTreeSet<_>>() {
            turns.push(self.locks[index].lock().await);
        }
        turns
    }
}

fn lock_of(key: &IdempotencyKey) -> usize {
    let bytes = key.digest.as_bytes();
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) % LOCKS
}
