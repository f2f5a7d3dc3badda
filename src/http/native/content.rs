//! What people say in messages, as JSON has it: text as `data`, other bytes as `data_base64`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::query::bad;
use crate::http::problem::Problem;

/// The bytes that are meant: those of the text, or those that the other one stands for. Neither is nothing.
pub(super) fn read(data: Option<String>, data_base64: Option<&str>) -> Result<Bytes, Problem> {
    match (data, data_base64) {
        (Some(_), Some(_)) => {
            Err(bad("bad_json", "`data` and `data_base64` are two ways to say it: use one of them".to_owned()))
        }
        (None, Some(text)) => {
            let read = BASE64_STANDARD.decode(text);
            read.map(Bytes::from).map_err(|error| bad("bad_json", format!("`data_base64` is not base64: {error}")))
        }
        (data, None) => Ok(data.unwrap_or_default().into()),
    }
}

/// Adds `data` or `data_base64` to what is shown.
pub(super) fn show(data: &Bytes, of: &mut Map<String, Value>) {
    match std::str::from_utf8(data) {
        Ok(text) => of.insert("data".to_owned(), text.into()),
        Err(_) => of.insert("data_base64".to_owned(), BASE64_STANDARD.encode(data).into()),
    };
}
