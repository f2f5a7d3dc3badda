//! Triggers in the store: the definition by namespace and name, and how far it has come by its id, which changes with
//! every firing.
//!
//! | table             | key                          | value                                   |
//! | ----------------- | ---------------------------- | --------------------------------------- |
//! | `Trigger`         | namespace, a zero byte, name | a format byte and a `Trigger`           |
//! | `TriggerProgress` | the trigger's id, 16 bytes   | a format byte and a `Progress`          |

use serde::de::DeserializeOwned;

use crate::model::names::{Namespace, TriggerId, TriggerName};
use crate::model::time::Timestamp;
use crate::model::trigger::{Progress, Trigger};
use crate::store::{Change, DocumentKey, DocumentRange, Store, StoreError, Table, form};

/// Triggers that are read at once.
const PAGE: usize = 500;

fn key(namespace: &Namespace, name: &TriggerName) -> DocumentKey {
    let key = [namespace.as_str().as_bytes(), &[0], name.as_str().as_bytes()].concat();
    DocumentKey::new(Table::Trigger, key)
}

fn progress_key(id: TriggerId) -> DocumentKey {
    DocumentKey::new(Table::TriggerProgress, *id.as_bytes())
}

/// Keeps a trigger.
pub(super) fn put(trigger: &Trigger) -> Change {
    Change::PutDocument(key(&trigger.namespace, &trigger.name), form::encode(trigger))
}

/// Keeps how far it has come.
pub(super) fn put_progress(id: TriggerId, progress: &Progress) -> Change {
    Change::PutDocument(progress_key(id), form::encode(progress))
}

/// Forgets a trigger.
pub(super) fn remove(trigger: &Trigger) -> [Change; 2] {
    let keys = [key(&trigger.namespace, &trigger.name), progress_key(trigger.id)];
    keys.map(Change::RemoveDocument)
}

/// Every trigger, with how far it has come.
pub(super) async fn all(store: &dyn Store, now: Timestamp) -> Result<Vec<(Trigger, Progress)>, StoreError> {
    let (mut all, mut range) = (Vec::new(), DocumentRange::of(Table::Trigger, &[]));
    loop {
        let page = store.documents(range.clone(), PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(all) };
        range = range.after(last.key());
        for (key, bytes) in &page {
            let trigger: Trigger = decoded(bytes, key)?;
            let key = progress_key(trigger.id);
            let progress = match store.document(key.clone()).await? {
                Some(bytes) => decoded(&bytes, &key)?,
                None => Progress::beginning(now), // they are written together; a repaired store may have lost it
            };
            all.push((trigger, progress));
        }
    }
}

fn decoded<T: DeserializeOwned>(bytes: &[u8], key: &DocumentKey) -> Result<T, StoreError> {
    form::decode(bytes, || format!("the trigger under {}", String::from_utf8_lossy(key.key()).replace('\0', "/")))
}
