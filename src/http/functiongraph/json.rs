//! JSON in and out. What comes in is read field by field, so that a refusal names the field, what it is and what it should
//! be; `null` is the same as nothing, as clients of this service have it. What is not known is passed over.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use super::error::{Code, FssError};
use super::routes::MAX_JSON_BYTES;
use crate::http::members::members;
use crate::model::time::Timestamp;

/// Where code stands in a body,
const CODE: &str = "func_code";
/// and where in that.
const FILE: &str = "file";

/// The members of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields {
    /// What stands before the names, for refusals: empty, or `func_code.`.
    within: String,
    members: Map<String, Value>,
}

impl From<Map<String, Value>> for Fields {
    fn from(members: Map<String, Value>) -> Self {
        Self { within: String::new(), members }
    }
}

impl Fields {
    /// A body that must be an object.
    pub(super) fn of(body: &[u8]) -> Result<Self, FssError> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| FssError::new(Code::NOT_JSON, format!("the body cannot be read as JSON: {error}")))?;
        match value {
            Value::Object(members) => Ok(Self { within: String::new(), members }),
            other => Err(FssError::new(Code::NOT_JSON, format!("the body is {}: send an object", kind(&other)))),
        }
    }

    /// A body that may carry code, and must be an object. What else it says has a bound of its own.
    pub(super) fn of_code(body: &[u8]) -> Result<Self, FssError> {
        let is_code = |name: &str, text: &str| name == CODE && text.starts_with('{');
        let is_file = |name: &str, text: &str| name == FILE && text.starts_with('"');
        let read = || {
            let mut fields = Map::new();
            for (name, text) in members(body, MAX_JSON_BYTES, is_code)? {
                let value = if is_code(&name, text.get()) {
                    let code = members(text.get().as_bytes(), MAX_JSON_BYTES, is_file)?.into_iter();
                    let code = code.map(|(name, text)| Ok((name, serde_json::from_str(text.get())?)));
                    Value::Object(code.collect::<serde_json::Result<_>>()?)
                } else {
                    serde_json::from_str(text.get())?
                };
                fields.insert(name, value);
            }
            serde_json::Result::Ok(fields)
        };
        let members = read()
            .map_err(|error| FssError::new(Code::NOT_JSON, format!("the body cannot be read as JSON: {error}")))?;
        Ok(Self { within: String::new(), members })
    }

    /// A body that may be missing, and says nothing then.
    pub(super) fn of_any(body: &[u8]) -> Result<Self, FssError> {
        if body.trim_ascii().is_empty() { Ok(Self::default()) } else { Self::of(body) }
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, FssError> {
        self.typed(name, "a string", Value::as_str)
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, FssError> {
        self.typed(name, "an integer", Value::as_i64)
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, FssError> {
        self.typed(name, "true or false", Value::as_bool)
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<&Vec<Value>>, FssError> {
        self.typed(name, "an array", Value::as_array)
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, FssError> {
        let members = self.typed(name, "an object", Value::as_object)?;
        let within = format!("{}{name}.", self.within);
        Ok(members.map(|members| Self { within, members: members.clone() }))
    }

    /// The members themselves.
    pub(super) fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The name of a member, for people.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.within)
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FssError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let refused = || {
            let message = format!("`{}` is {}: send {what}", self.name(name), shown(value));
            FssError::parameter(message)
        };
        read(value).map(Some).ok_or_else(refused)
    }
}

/// Says that something which must be there is not.
pub(super) fn missing(code: Code, name: &str) -> FssError {
    FssError::new(code, format!("`{name}` is missing"))
}

/// An instant, in whole seconds and UTC: `2026-01-02T03:04:05Z`.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// An answer of JSON with status 200.
pub(super) fn ok(value: &impl Serialize) -> Response {
    answer(StatusCode::OK, value)
}

/// An answer of JSON.
pub(super) fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => {
            let mut response = (status, body).into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "a bug: an answer is no JSON");
            FssError::new(Code::INTERNAL, "the runtime has a bug: the log has more").into_response()
        }
    }
}

/// The answer that says nothing: 204.
pub(super) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// A value in a refusal: what it is, and a short one itself.
fn shown(value: &Value) -> String {
    match value {
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::String(text) => format!("the string `{}`", text.chars().take(60).collect::<String>()),
        other => kind(other).to_owned(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_field_what_it_is_and_what_it_should_be() {
        let fields = Fields::of(br#"{"a": {"b": "x"}, "c": 1.5, "d": null}"#).unwrap();
        let inner = fields.object("a").unwrap().unwrap();
        assert_eq!(inner.integer("b").unwrap_err().message, "`a.b` is the string `x`: send an integer");
        assert_eq!(fields.integer("c").unwrap_err().message, "`c` is `1.5`: send an integer");
        assert_eq!(fields.object("c").unwrap_err().message, "`c` is `1.5`: send an object");
        assert_eq!(fields.text("d"), Ok(None));
        assert_eq!(fields.text("e"), Ok(None));
    }

    #[test]
    fn only_code_may_be_large_and_it_must_be_text() {
        let (many, large) = ("{},".repeat(MAX_JSON_BYTES / 3), "A".repeat(2 * MAX_JSON_BYTES));
        let code = |body: &str| Fields::of_code(body.as_bytes()).map_err(|error| (error.code, error.message));
        let read = code(&format!(r#"{{"func_name": "f", "func_code": {{"file": "{large}", "link": null}}}}"#)).unwrap();
        assert_eq!(
            (read.text("func_name"), read.value("func_code").unwrap()["file"].as_str()),
            (Ok(Some("f")), Some(&*large))
        );
        for body in [
            format!(r#"{{"x": [{many}{{}}]}}"#),
            format!(r#"{{"func_code": [{many}{{}}]}}"#),
            format!(r#"{{"func_code": {{"file": [{many}{{}}]}}}}"#),
            format!(r#"{{"func_code": {{"link": "{large}"}}}}"#),
            format!(r#"{{"user_data": "{large}"}}"#),
        ] {
            let (code, message) = code(&body).unwrap_err();
            assert!(code == Code::NOT_JSON && message.contains("its fields, besides content, have"), "{message}");
        }
        for body in ["", "[]", "null", "{", r#"{"func_code": {"file": "}}"#] {
            assert_eq!(code(body).unwrap_err().0, Code::NOT_JSON, "{body}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_has_not_the_form_that_is_asked_for() {
        for body in ["", "[]", "1", "null", "{", "\"a\""] {
            assert_eq!(Fields::of(body.as_bytes()).unwrap_err().code, Code::NOT_JSON, "{body}");
        }
        assert_eq!(Fields::of_any(b" \n"), Ok(Fields::default()));
    }
}
