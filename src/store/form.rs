//! Documents of rooms as bytes: one that says in which form, then the value as `MessagePack` with fields by their places. A
//! field may be added at the end of a type where it has a default; anything else is another form. Records of the store's
//! own have a form of their own (`record`).

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// The form that is written.
const FORM: u8 = 1;
/// Levels of values within values that are read: reading is recursion, and what is damaged may seem to go deep.
pub(super) const MAX_DEPTH: usize = 64;

/// The bytes of a value.
///
/// # Panics
/// If the value is not plain data.
pub fn encode(value: &impl Serialize) -> Bytes {
    let mut bytes = vec![FORM];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes);
    value.serialize(&mut serializer).expect("plain data in memory: neither its form nor the buffer can refuse");
    bytes.into()
}

/// The value in `bytes`; `what` names it in the error.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], what: impl FnOnce() -> String) -> Result<T, StoreError> {
    let read = match bytes.split_first() {
        Some((&FORM, body)) => {
            let mut deserializer = rmp_serde::Deserializer::new(body);
            deserializer.set_max_depth(MAX_DEPTH);
            T::deserialize(&mut deserializer).map_err(|error| error.to_string())
        }
        Some((&form, _)) => Err(format!("it is in form {form} and this program reads form {FORM}: a newer one may")),
        None => Err("it is empty".to_owned()),
    };
    read.map_err(|detail| StoreError::Damaged { what: what(), detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_not_says_what_it_is() {
        assert_eq!(decode::<(u8, String)>(&encode(&(7, "a")), String::new).unwrap(), (7, "a".to_owned()));
        let deep = [&[FORM], &b"\x81\xa1x".repeat(1_000)[..]].concat();
        for bytes in [&b""[..], b"\x09\x01", b"\x01\xff", &deep] {
            let told = decode::<u8>(bytes, || "the connection `a`".to_owned()).unwrap_err().to_string();
            assert!(told.contains("the connection `a`"), "{told}");
        }
    }
}
