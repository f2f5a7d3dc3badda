//! What this room keeps, as bytes: one byte that says in which format, then `MessagePack` with fields by their places, as
//! the store's own records are. A field may be added at the end of a type, with a default.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// The format that is written.
const FORMAT: u8 = 1;

pub(super) fn encode(value: &impl Serialize) -> Bytes {
    let mut bytes = vec![FORMAT];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes);
    value.serialize(&mut serializer).expect("plain data in memory: neither its form nor the buffer can refuse");
    bytes.into()
}

/// The value in `bytes`; `what` names it in the error.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, StoreError> {
    let damaged = |detail: String| StoreError::Damaged { what: what.to_owned(), detail };
    match bytes.split_first() {
        Some((&FORMAT, body)) => rmp_serde::from_slice(body).map_err(|error| damaged(error.to_string())),
        Some((format, _)) => Err(damaged(format!("it is in format {format}, which a newer program may read"))),
        None => Err(damaged("it is empty".to_owned())),
    }
}
