//! A trigger with everything said that its kind leaves open, so that two of them can be compared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::file::Trigger;
use super::words::Time;
use crate::model::bounds;
use crate::model::names::{Namespace, Qualifier};
use crate::model::reference::FunctionReference;
use crate::model::trigger::{CatchUp, Form};

/// The trigger of `namespace`, with nothing left out.
pub(super) fn whole(mut trigger: Trigger, namespace: &Namespace) -> Result<Trigger, String> {
    let FunctionReference { namespace: of, name, qualifier } =
        trigger.function.parse().map_err(|error: <FunctionReference as std::str::FromStr>::Err| error.to_string())?;
    let of = of.filter(|of| of != namespace).map_or_else(String::new, |of| format!("{of}/"));
    let at = if qualifier == Qualifier::Latest { String::new() } else { format!("@{qualifier}") };
    trigger.function = format!("{of}{name}{at}");
    trigger.enabled.get_or_insert(true);
    if trigger.kind == "queue" {
        let usual = Form::default().as_str();
        let is_body = trigger.format.get_or_insert_with(|| usual.to_owned()) == Form::Body.as_str();
        trigger.batch_size.get_or_insert(if is_body { 1 } else { bounds::DEFAULT_TRIGGER_BATCH });
        trigger.batch_window.get_or_insert(Time(0));
        trigger.concurrency.get_or_insert(1);
        return Ok(trigger);
    }
    trigger.time_zone.get_or_insert_with(|| "UTC".to_owned());
    trigger.catch_up.get_or_insert_with(|| CatchUp::default().as_str().to_owned());
    trigger.content_type = trigger.content_type.filter(|text| !text.is_empty());
    if let Some(written) = trigger.payload_base64.take() {
        if trigger.payload.is_some() {
            return Err("`payload` and `payload_base64` are two forms of it: use one".to_owned());
        }
        let bytes = STANDARD.decode(&written).map_err(|error| format!("`payload_base64` is no base64: {error}"))?;
        match String::from_utf8(bytes) {
            Ok(text) => trigger.payload = Some(text),
            Err(error) => trigger.payload_base64 = Some(STANDARD.encode(error.as_bytes())),
        }
    }
    Ok(trigger)
}
