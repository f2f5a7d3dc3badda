//! The fields of a request in JSON, of which only bytes may be many: they stay text.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};
use tonic::Status;

use super::services::{MAX_FIELDS_BYTES, MAX_REQUEST_BYTES};
use super::status::invalid;
use crate::http::members::members;

/// Bytes of a request that carries some: they are a third longer in JSON.
const MAX_CARRIED_BYTES: usize = MAX_REQUEST_BYTES / 3 * 4 + 1_024;

/// A field, by either of its names.
pub(super) fn field_of(descriptor: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    descriptor.get_field_by_json_name(name).or_else(|| descriptor.get_field_by_name(name))
}

/// Bytes that the body of a request may have; more than [`MAX_FIELDS_BYTES`] only where it carries bytes itself.
pub(super) fn most(descriptor: &MessageDescriptor) -> usize {
    if descriptor.fields().any(|field| is_bytes(&field)) { MAX_CARRIED_BYTES } else { MAX_FIELDS_BYTES }
}

/// The fields in a body, whose other fields than bytes have at most [`MAX_FIELDS_BYTES`].
pub(super) fn read(descriptor: &MessageDescriptor, body: &[u8]) -> Result<Map<String, Value>, Status> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let fields = members(body, MAX_FIELDS_BYTES, |name, _| has_bytes(descriptor, name));
    let fields = fields.map_err(|error| {
        let what = if error.is_data() { "the body cannot be taken" } else { "the body is no JSON" };
        Status::invalid_argument(format!("{what}: {error}"))
    })?;
    fields.into_iter().map(|(name, text)| value(descriptor, &name, text.get()).map(|value| (name, value))).collect()
}

/// The value of a field.
fn value(descriptor: &MessageDescriptor, name: &str, text: &str) -> Result<Value, Status> {
    if has_bytes(descriptor, name) {
        let text: Option<String> = serde_json::from_str(text).map_err(|_| invalid(name, "must be bytes in base64"))?;
        return Ok(text.map_or(Value::Null, Value::String));
    }
    serde_json::from_str(text).map_err(|error| invalid(&name.chars().take(100).collect::<String>(), error))
}

fn has_bytes(descriptor: &MessageDescriptor, name: &str) -> bool {
    field_of(descriptor, name).is_some_and(|field| is_bytes(&field))
}

fn is_bytes(field: &FieldDescriptor) -> bool {
    field.kind() == Kind::Bytes && !field.is_list()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::yandex::proto::POOL;

    #[track_caller]
    fn check(body: &str, expected: Result<usize, &str>) {
        let version = "yandex.cloud.serverless.functions.v1.CreateFunctionVersionRequest";
        let read = read(&POOL.get_message_by_name(version).unwrap(), body.as_bytes());
        match (read, expected) {
            (Ok(fields), Ok(count)) => assert_eq!(fields.len(), count),
            (Err(status), Err(part)) => assert!(status.message().starts_with(part), "{status}"),
            (read, _) => panic!("{read:?}"),
        }
    }

    #[test]
    fn only_bytes_may_be_many_and_they_must_be_text() {
        let many = "0,".repeat(MAX_FIELDS_BYTES / 2);
        check("", Ok(0));
        check(&format!(r#"{{"content": "{}", "functionId": "f"}}"#, "A".repeat(2 * MAX_FIELDS_BYTES)), Ok(2));
        check(r#"{"content": null}"#, Ok(1));
        check(&format!(r#"{{"content": [{many}0]}}"#), Err("content: must be bytes in base64"));
        check(&format!(r#"{{"tag": [{many}0]}}"#), Err("the body cannot be taken: its fields, besides content, have"));
        check(
            &format!("{{{}}}", vec![r#""":0"#; MAX_FIELDS_BYTES + 1].join(",")),
            Err("the body cannot be taken: its"),
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        check("[1]", Err("the body cannot be taken: invalid type: sequence, expected a JSON object"));
        check("{", Err("the body is no JSON: "));
        check("{} x", Err("the body is no JSON: "));
    }
}
