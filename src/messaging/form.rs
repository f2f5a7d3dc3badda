//! What this room keeps, as bytes: one that says in which format, then the value with its fields by their places. A field
//! may be added at the end of a type with a default; anything else is another format.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// The format that is written.
const FORMAT: u8 = 1;

/// The bytes of a value.
pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes);
    value.serialize(&mut serializer).expect("plain data in memory: neither its form nor the buffer can refuse");
    bytes
}

/// The value in `bytes`; `what` names it in the error.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], what: impl FnOnce() -> String) -> Result<T, StoreError> {
    let read = match bytes.split_first() {
        Some((&FORMAT, body)) => rmp_serde::from_slice(body).map_err(|error| error.to_string()),
        Some((&format, _)) => Err(format!("it is in format {format} and this program reads format {FORMAT}")),
        None => Err("it is empty".to_owned()),
    };
    read.map_err(|detail| StoreError::Damaged { what: what(), detail })
}

/// Bytes in a record: written as such, and not as numbers one by one.
pub(super) mod blob {
    use std::fmt;

    use bytes::Bytes;
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(in crate::messaging) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(in crate::messaging) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes::copy_from_slice(bytes))
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(bytes.into())
            }
        }
        from.deserialize_byte_buf(Whole)
    }
}
