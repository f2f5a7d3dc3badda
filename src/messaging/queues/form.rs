//! Documents of queues as bytes: one byte that says in which format, then `MessagePack` with fields by their places. A
//! field is added at the end, with a default; anything else is another format.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// The format that is written.
const FORMAT: u8 = 1;

/// The bytes of a document.
pub(super) fn encode(value: &impl Serialize) -> bytes::Bytes {
    let mut bytes = vec![FORMAT];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes);
    value.serialize(&mut serializer).expect("plain data in memory: neither its form nor the buffer can refuse");
    bytes.into()
}

/// The value in `bytes`; `what` names the document in the error.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], what: impl FnOnce() -> String) -> Result<T, StoreError> {
    let read = match bytes.split_first() {
        Some((&FORMAT, body)) => rmp_serde::from_slice(body).map_err(|error| error.to_string()),
        Some((format, _)) => Err(format!("it is in format {format} and this program reads format {FORMAT}")),
        None => Err("it is empty".to_owned()),
    };
    read.map_err(|detail| StoreError::Damaged { what: what(), detail })
}
