//! What has to be true of any settings that are sent: they are refused with a sentence, or they mean something.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::async_config::ConfigIn;
use super::connections::Written;
use super::deploy::Settings;
use super::triggers_json::TriggerIn;
use super::{content, query};
use crate::http::problem::Problem;
use crate::model::connection::Service;

/// Takes the first byte for what is set, and the rest for its JSON.
pub(crate) fn settings(input: &[u8]) {
    let Some((kind, json)) = input.split_first() else { return };
    let told = match kind.wrapping_sub(b'0') % 5 {
        0 => read::<Settings>(json).and_then(|settings| settings.deployment(Bytes::new()).map(drop)),
        1 => read::<ConfigIn>(json).and_then(|config| config.meant().map(drop)),
        2 => read::<TriggerIn>(json).and_then(|trigger| trigger.meant().map(drop)),
        3 => read::<Written>(json).map(|written| drop(Service::from(written).check())),
        _ => {
            let text = String::from_utf8_lossy(json);
            content::read(None, Some(&text)).map(drop)
        }
    };
    if let Err(problem) = told {
        assert!(problem.status().is_client_error() && !problem.detail().is_empty(), "{problem:?}");
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    query::json(json, "settings")
}
