//! What people say in messages, as JSON has it: text as `data`, other bytes as `data_base64`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

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

/// What was said, as it is shown: one of the two.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

impl Content {
    pub(super) fn of(data: &Bytes) -> Self {
        match std::str::from_utf8(data) {
            Ok(text) => Self { data: Some(text.to_owned()), data_base64: None },
            Err(_) => Self { data: None, data_base64: Some(BASE64_STANDARD.encode(data)) },
        }
    }
}
