//! Answers as the cloud's own program prints them: keys in its spelling, in the order in which they came, as YAML.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::model::time::Timestamp;

/// Maps whose keys are the user's own.
const FREE: [&str; 3] = ["environment", "labels", "namedServiceAccounts"];

/// `functionId` as `function_id`, everywhere.
pub(super) fn snake(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let value = if FREE.contains(&key.as_str()) { value.clone() } else { snake(value) };
                (snake_key(key), value)
            };
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(snake).collect(),
        other => other.clone(),
    }
}

fn snake_key(key: &str) -> String {
    let mut snake = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// `value` as YAML, without a line's end.
pub(super) fn text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text.trim_start_matches('\n').to_owned()
}

/// Writes a value behind its key: on the same line, or from the next one on.
fn write(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let _ = write!(text, "\n{indent}{}:", scalar(&Value::from(key.as_str())));
                write(text, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut nested = String::new();
                write(&mut nested, item, depth + 1);
                // What has lines of its own begins on that of the dash.
                let _ = write!(text, "\n{indent}- {}", nested.trim_start());
            }
        }
        other => {
            let _ = write!(text, " {}", scalar(other));
        }
    }
}

/// A value on one line. Text is in double quotes where it would be read as something else without.
fn scalar(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let plain = serde_norway::to_string(text).unwrap_or_default();
    let is_plain = plain.trim_end() == text && Timestamp::parse(text).is_err();
    if is_plain { text.clone() } else { quoted(value) }
}

/// A text in double quotes. JSON leaves some characters as they are that YAML does not allow.
fn quoted(text: &Value) -> String {
    let mut quoted = String::new();
    for c in text.to_string().chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            let _ = write!(quoted, "\\u{:04x}", u32::from(c));
        } else {
            quoted.push(c);
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn an_answer_is_printed_as_the_cloud_prints_it() {
        let answer = json!({
            "id": "bba1r76l8f73", "createdAt": "2025-09-08T12:03:32.797Z",
            "image": {"imageUrl": "cr.yandex/crp/ubuntu:hello", "imageDigest": "sha256:96ab", "environment": {"someKey": "1"}},
            "resources": {"memory": "134217728", "cores": "1"}, "executionTimeout": "3s",
            "runtime": {"http": {}}, "tags": ["$latest", "a: b"], "list": [{"a": "b", "c": {"d": true}}],
        });
        let expected = "\
id: bba1r76l8f73
created_at: \"2025-09-08T12:03:32.797Z\"
image:
  image_url: cr.yandex/crp/ubuntu:hello
  image_digest: sha256:96ab
  environment:
    someKey: \"1\"
resources:
  memory: \"134217728\"
  cores: \"1\"
execution_timeout: 3s
runtime:
  http: {}
tags:
  - $latest
  - \"a: b\"
list:
  - a: b
    c:
      d: true";
        assert_eq!(text(&snake(&answer)), expected);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            "[-:#?a0.~&*!|>%@\"' \\n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z0-9:~ ]{1,6}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back_as_the_same(value in values()) {
            let value = json!({ "value": value });
            let printed = text(&value);
            let read: Value = serde_norway::from_str(&printed).map_err(|error| {
                TestCaseError::fail(format!("{error}: {printed}"))
            })?;
            prop_assert_eq!(read, value, "{}", printed);
        }
    }
}
