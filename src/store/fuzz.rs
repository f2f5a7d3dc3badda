//! What has to be true of any bytes that are found where a record should be: they are refused, or they are a record, which is
//! written so that it is read as the same again.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{keys, record};
use crate::model::function::{Function, Version};
use crate::model::invocation::Invocation;
use crate::model::secret::Secret;
use crate::store::Pair;

/// Takes the first byte for what it should be.
pub(crate) fn stored(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 6 {
        0 => of::<Invocation>(bytes),
        1 => of::<Function>(bytes),
        2 => of::<Version>(bytes),
        3 => of::<Secret>(bytes),
        4 => of::<Pair>(bytes),
        _ => key(bytes),
    }
}

fn of<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let Ok(value) = record::decode::<T>(bytes, || "a record".to_owned()) else { return };
    let written = record::encode(&value);
    let again = record::decode::<T>(&written, || "a record".to_owned());
    let again = again.unwrap_or_else(|error| panic!("{error}: {value:?}"));
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
}

fn key(bytes: &[u8]) {
    let _ = (keys::read_time(bytes), keys::read_expiry(bytes), keys::read_waiting(bytes), keys::read_settled(bytes));
    let _ = (keys::read_invocation(bytes), keys::read_function(bytes), keys::read_version(bytes));
    let _ = (keys::read_counts(bytes), keys::read_segment(bytes), keys::read_key_end(bytes));
    if let Some(key) = keys::read_document(bytes) {
        assert_eq!(keys::document(&key), bytes);
    }
}
