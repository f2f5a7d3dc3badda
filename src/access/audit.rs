//! The audit log: which changes were asked for by whom, and what became of them. Bounded: the oldest entries give way.
//! Holds no bodies and no headers, so nothing that is secret.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::clock::Clock;
use crate::model::bounds;
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{Change, DocumentKey, DocumentRange, Durability, Group, Store, StoreError, Table};

/// Something that was done, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// The account, `NAMESPACE/NAME`; empty for whoever showed nothing.
    pub who: String,
    /// What was asked for: method and path pattern.
    pub action: String,
    /// On what.
    pub on: String,
    /// The status that was answered.
    pub status: u16,
}

/// Where an entry stands.
pub type AuditPlace = Uuid;

/// The log.
#[derive(Clone)]
pub struct Audit {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    clock: Clock,
    /// The places of all entries, the oldest first. Held while one is written, so they are written in order.
    places: Mutex<VecDeque<AuditPlace>>,
}

/// Keys that are read together at the start.
const PAGE: usize = 1_000;

impl Audit {
    pub(super) async fn open(store: Arc<dyn Store>, clock: Clock) -> Result<Self, StoreError> {
        let (mut places, mut range) = (VecDeque::new(), DocumentRange::of(Table::Audit, b""));
        loop {
            let page = store.document_keys(range.clone(), PAGE).await?;
            places.extend(page.iter().filter_map(|key| Uuid::from_slice(key.key()).ok()));
            match page.last() {
                Some(last) if page.len() == PAGE => range = range.after(last.key()),
                _ => break,
            }
        }
        Ok(Self { parts: Arc::new(Parts { store, clock, places: Mutex::new(places) }) })
    }

    /// Writes an entry down, as of now. Once this returns it survives the death of the process.
    pub async fn note(&self, who: String, action: String, on: String, status: u16) -> Result<(), StoreError> {
        let parts = &self.parts;
        let mut places = parts.places.lock().await;
        let now = parts.clock.now();
        let place = Clock::place_at(now, places.back().copied());
        let entry = AuditEntry { at: now, who, action, on, status };
        let mut group = vec![Change::PutDocument(key(place), form::encode(&entry))];
        let too_many = (places.len() + 1).saturating_sub(bounds::MAX_AUDIT_ENTRIES);
        group.extend(places.iter().take(too_many).map(|oldest| Change::RemoveDocument(key(*oldest))));
        parts.store.commit(Group(group), Durability::Written).await?;
        places.drain(..too_many);
        places.push_back(place);
        Ok(())
    }

    /// Entries from the newest to the oldest, from behind `after`, at most `limit`, with where each stands.
    pub async fn entries(
        &self,
        after: Option<AuditPlace>,
        limit: usize,
    ) -> Result<Vec<(AuditPlace, AuditEntry)>, StoreError> {
        let chosen: Vec<_> = {
            let places = self.parts.places.lock().await;
            places.iter().rev().filter(|place| after.is_none_or(|after| **place < after)).take(limit).copied().collect()
        };
        let mut entries = Vec::with_capacity(chosen.len());
        for place in chosen {
            if let Some(bytes) = self.parts.store.document(key(place)).await? {
                entries.push((place, form::decode(&bytes, || "an entry of the audit log".to_owned())?));
            }
        }
        Ok(entries)
    }
}

fn key(place: AuditPlace) -> DocumentKey {
    DocumentKey::new(Table::Audit, place.as_bytes().to_vec())
}
