//! The same settings in the file's form and in the API's. Both have the same keys, but that the API's end in their unit
//! and have numbers: `timeout = "5s"` is `timeout_ms: 5000`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::words::{Size, Time};
use crate::cli::units;
use crate::model::time::whole_ms;

/// In what the API counts.
#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Milliseconds,
    Seconds,
}

/// Keys whose values have a unit: in the file, in the API.
const UNITS: [(&str, &str, Unit); 18] = [
    ("age", "age_s", Unit::Seconds),
    ("batch_window", "batch_window_s", Unit::Seconds),
    ("bytes", "bytes", Unit::Bytes),
    ("delay", "delay_s", Unit::Seconds),
    ("give_up_after", "give_up_after_s", Unit::Seconds),
    ("log", "log_bytes", Unit::Bytes),
    ("max_bytes", "max_bytes", Unit::Bytes),
    ("max_event_age", "max_event_age_s", Unit::Seconds),
    ("max_message", "max_message_bytes", Unit::Bytes),
    ("max_queued_bytes", "max_queued_bytes", Unit::Bytes),
    ("memory", "memory_bytes", Unit::Bytes),
    ("result", "result_bytes", Unit::Bytes),
    ("retention", "retention_s", Unit::Seconds),
    ("retry_delay", "retry_delay_ms", Unit::Milliseconds),
    ("retry_delay_max", "retry_delay_max_ms", Unit::Milliseconds),
    ("timeout", "timeout_ms", Unit::Milliseconds),
    ("visibility", "visibility_s", Unit::Seconds),
    ("wait", "wait_s", Unit::Seconds),
];

/// Tables whose keys are the user's own.
const FREE: [&str; 5] = ["attributes", "config", "environment", "secrets", "tags"];

/// Settings as the file has them, in the API's form.
pub(super) fn to_api(settings: &Value) -> Result<Value, String> {
    let Value::Object(members) = settings else { return Ok(settings.clone()) };
    let member = |(key, value): (&String, &Value)| {
        let unit = UNITS.iter().find(|(ours, ..)| ours == key);
        match (unit, value) {
            _ if FREE.contains(&key.as_str()) => Ok((key.clone(), value.clone())),
            (Some((_, theirs, unit)), Value::String(text)) => {
                number(key, text, *unit).map(|number| ((*theirs).to_owned(), number.into()))
            }
            (_, value) => {
                let name = if key == "async" { "async_config" } else { key };
                Ok((name.to_owned(), to_api(value)?))
            }
        }
    };
    members.iter().map(member).collect::<Result<Map<_, _>, String>>().map(Value::Object)
}

fn number(key: &str, text: &str, unit: Unit) -> Result<u64, String> {
    let ms = || units::duration(text).map(whole_ms).map_err(|error| error.to_string());
    match unit {
        Unit::Bytes => units::size(text).map_err(|error| error.to_string()),
        Unit::Milliseconds => ms(),
        Unit::Seconds => {
            let ms = ms()?;
            let whole = ms.is_multiple_of(1_000).then_some(ms / 1_000);
            whole.ok_or_else(|| format!("`{key}` is `{text}`: write whole seconds"))
        }
    }
}

/// What the API answered, in the file's form. Nothing stays of what is null.
pub(super) fn from_api(answer: &Value) -> Value {
    let Value::Object(members) = answer else { return answer.clone() };
    let member = |(key, value): (&String, &Value)| {
        let unit = UNITS.iter().find(|(_, theirs, _)| theirs == key);
        match (unit, value) {
            (_, Value::Null) => None,
            _ if FREE.contains(&key.as_str()) => Some((key.clone(), value.clone())),
            (Some((ours, _, unit)), Value::Number(number)) => {
                let text = number.as_u64().map_or_else(|| number.to_string(), |number| text(number, *unit));
                Some(((*ours).to_owned(), text.into()))
            }
            (_, value) => {
                let name = if key == "async_config" { "async" } else { key };
                Some((name.to_owned(), from_api(value)))
            }
        }
    };
    Value::Object(members.iter().filter_map(member).collect())
}

fn text(number: u64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => Size(number).to_string(),
        Unit::Milliseconds => Time(number).to_string(),
        Unit::Seconds => Time(number.saturating_mul(1_000)).to_string(),
    }
}

/// The settings of a `T` in an answer, with what it left out at its default; what else is in it is no setting.
pub(super) fn settings<T: DeserializeOwned + Serialize>(answer: &Value, keys: &[&str]) -> Result<T, serde_json::Error> {
    let mut settings = from_api(answer);
    if let Some(members) = settings.as_object_mut() {
        members.retain(|key, _| keys.contains(&key.as_str()));
    }
    serde_json::from_value(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn units_stand_in_the_value_of_the_file_and_in_the_key_of_the_api() {
        let ours = json!({
            "memory": "64MiB", "timeout": "1500ms", "environment": {"timeout": "5s"},
            "async": {"max_event_age": "1h", "retry_delay": "1s"}, "retention": {"failed": {"age": "1d", "bytes": "1KiB"}},
        });
        let theirs = json!({
            "memory_bytes": 67_108_864, "timeout_ms": 1_500, "environment": {"timeout": "5s"},
            "async_config": {"max_event_age_s": 3_600, "retry_delay_ms": 1_000},
            "retention": {"failed": {"age_s": 86_400, "bytes": 1_024}},
        });
        assert_eq!(to_api(&ours).unwrap(), theirs);
        assert_eq!(from_api(&theirs), ours);
    }

    #[test]
    fn what_is_counted_in_seconds_is_written_in_whole_ones() {
        assert_eq!(to_api(&json!({"wait": "1500ms"})), Err("`wait` is `1500ms`: write whole seconds".to_owned()));
    }
}
