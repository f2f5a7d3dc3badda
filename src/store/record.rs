//! Records as bytes: one byte that says in which format, then the value. Decides nothing but the form; knows
//! neither keys nor a database.
//!
//! Format 2 is `MessagePack` with fields by their places: a third of the size and of the work of format 1, which
//! named them and went with the stores that had it. A field may be added at the end of a type where the model gives
//! it a default; anything else that changes the form is format 3, and format 2 stays readable. The bytes in
//! `tests/fixtures/store` were written by the first program of format 2.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{StoreError, form};

/// The format that is written.
const FORMAT: u8 = 2;

/// What a record usually takes.
const USUAL_BYTES: usize = 512;

/// The bytes of a value of the model.
pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    bytes.push(FORMAT);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes);
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
            deserializer.set_max_depth(form::MAX_DEPTH);
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
