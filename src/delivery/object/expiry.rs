//! When objects of the local store are deleted: in order of time, and of each object, so that writing one again moves its
//! end. Deletes nothing itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::local::Place;
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{Change, DocumentKey, DocumentRange, Group, Store, StoreError, Table};

/// What the first byte of a key says: in order of time, or of an object.
const BY_TIME: u8 = 0;
const BY_OBJECT: u8 = 1;

/// The end of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) at: Timestamp,
    pub(super) of: Place,
}

/// When an object ends that is written now and kept for so many days.
pub(super) fn end(now: Timestamp, days: u16) -> Option<Timestamp> {
    (days > 0).then(|| now + Duration::from_secs(u64::from(days) * 86_400))
}

/// When an object ends, if it does.
pub(super) async fn of(store: &dyn Store, place: &Place) -> Result<Option<Timestamp>, StoreError> {
    let bytes = store.document(key(BY_OBJECT, None, place)).await?;
    Ok(bytes.map(|bytes| read(&bytes)).transpose()?.map(|end| end.at))
}

/// What sets the end of an object, or takes it away, where it was `before`.
pub(super) fn change(place: &Place, before: Option<Timestamp>, after: Option<Timestamp>) -> Group {
    let mut group = Vec::new();
    if let Some(at) = before {
        group.push(Change::RemoveDocument(key(BY_TIME, Some(at), place)));
        group.push(Change::RemoveDocument(key(BY_OBJECT, None, place)));
    }
    if let Some(at) = after {
        let bytes = form::encode(&End { at, of: place.clone() });
        group.push(Change::PutDocument(key(BY_TIME, Some(at), place), bytes.clone()));
        group.push(Change::PutDocument(key(BY_OBJECT, None, place), bytes));
    }
    Group(group)
}

/// The next ends in order, from behind the key `after`, at most `limit`; each with its key.
pub(super) async fn next(
    store: &dyn Store,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, End)>, StoreError> {
    let mut range = DocumentRange::of(Table::ObjectExpiry, &[BY_TIME]);
    if let Some(after) = after {
        range = range.after(after);
    }
    let documents = store.documents(range, limit).await?;
    documents.iter().map(|(key, bytes)| Ok((key.key().to_vec(), read(bytes)?))).collect()
}

fn read(bytes: &[u8]) -> Result<End, StoreError> {
    form::decode(bytes, || "the end of an object".to_owned())
}

/// Objects stand by their digests: names are longer than a key may be.
fn key(order: u8, at: Option<Timestamp>, place: &Place) -> DocumentKey {
    let time = at.map(|at| at.as_ms().to_be_bytes()).into_iter().flatten();
    let digest = Sha256::digest(place.path());
    DocumentKey::new(Table::ObjectExpiry, std::iter::once(order).chain(time).chain(digest).collect::<Vec<_>>())
}
