//! Content on its way to a server: what a payload seems to be, and bytes in a body of JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What a payload seems to be; nothing is said of an empty one.
pub(super) fn content_type(payload: &[u8]) -> Option<&'static str> {
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok();
    match std::str::from_utf8(payload) {
        Ok("") => None,
        Ok(text) if text.trim_start().starts_with(['{', '[']) && is_json() => Some("application/json"),
        Ok(_) => Some("text/plain; charset=utf-8"),
        Err(_) => Some("application/octet-stream"),
    }
}

/// Puts `bytes` into `body` under `name`: as text, or as `NAME_base64` where they are none.
pub(super) fn put(body: &mut Value, name: &str, bytes: Vec<u8>) {
    match String::from_utf8(bytes) {
        Ok(text) => body[name] = text.into(),
        Err(error) => body[format!("{name}_base64")] = STANDARD.encode(error.as_bytes()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(payload: &[u8], expected: Option<&str>) {
        assert_eq!(content_type(payload), expected);
    }

    #[test]
    fn a_payload_is_json_text_or_bytes_by_the_look_of_it() {
        check(b"", None);
        check(b" {\"a\": 1}", Some("application/json"));
        check(b"[1, 2]", Some("application/json"));
        check(b"{not json", Some("text/plain; charset=utf-8"));
        check(b"42", Some("text/plain; charset=utf-8"));
        check(b"hello", Some("text/plain; charset=utf-8"));
        check(&[0xff], Some("application/octet-stream"));
    }

    #[test]
    fn bytes_that_are_no_text_are_sent_as_base64() {
        let mut body = json!({});
        put(&mut body, "data", b"text".to_vec());
        put(&mut body, "payload", vec![0xff]);
        assert_eq!(body, json!({"data": "text", "payload_base64": "/w=="}));
    }
}
