//! Records as bytes: one byte that says in which format, then the value. Decides nothing but the form; knows
//! neither keys nor a database.
//!
//! Format 1 is `MessagePack` with named fields. So a field may be added where the model gives it a default, and
//! a program that does not know it yet passes over it; anything else that changes the form is format 2, and
//! format 1 stays readable. The bytes in `tests/fixtures/store` were written by the first program of format 1.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// The format that is written.
const FORMAT: u8 = 1;

/// The bytes of a value of the model.
pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    value.serialize(&mut serializer).expect("plain data in memory: neither its form nor the buffer can refuse");
    bytes
}

/// The value in `bytes`; `what` names the record in the error.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], what: impl FnOnce() -> String) -> Result<T, StoreError> {
    read(bytes).map_err(|detail| StoreError::Damaged { what: what(), detail })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => {
            let mut deserializer = rmp_serde::Deserializer::new(body);
            let value = T::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
            match deserializer.get_ref().len() {
                0 => Ok(value),
                left => Err(format!("{left} bytes stand behind the record's end")),
            }
        }
        Some((&format, _)) => {
            Err(format!("it is in format {format} and this program reads format {FORMAT}: a newer one may read it"))
        }
        None => Err("it is empty".to_owned()),
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
