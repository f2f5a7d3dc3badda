//! HTTP events: a request as a function of this service gets it, in JSON, and its answer made into a response. Runs nothing.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::parse;
use serde_json::{Map, Value, json};
use time::macros::format_description;
use uuid::Uuid;

use crate::http::passing::{is_of_connection, is_ours};
use crate::model::time::Timestamp;

/// The event of a request.
pub(super) fn of_request(head: &Parts, body: &[u8], id: Uuid, now: Timestamp) -> Value {
    let (headers, multi_headers) = both(
        head.headers
            .iter()
            .filter(|(name, _)| !is_of_connection(name))
            .filter_map(|(name, value)| Some((titled(name.as_str()), value.to_str().ok()?.to_owned()))),
    );
    let query = head.uri.query().unwrap_or_default();
    let query = parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()));
    let (query, multi_query) = both(query);
    let agent = head.headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (body, is_base64) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(body), true),
    };
    json!({
        "httpMethod": head.method.as_str(),
        "headers": headers,
        "multiValueHeaders": multi_headers,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": multi_query,
        "requestContext": {
            "identity": { "sourceIp": "", "userAgent": agent },
            "httpMethod": head.method.as_str(),
            "requestId": id.to_string(),
            "requestTime": written(now),
            "requestTimeEpoch": now.as_ms() / 1_000,
        },
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// Pairs as an object of the last value of each, and as one of all of them.
fn both(pairs: impl Iterator<Item = (String, String)>) -> (Value, Value) {
    let (mut last, mut all) = (Map::new(), Map::new());
    for (name, value) in pairs {
        if let Value::Array(values) = all.entry(name.clone()).or_insert_with(|| json!([])) {
            values.push(Value::String(value.clone()));
        }
        last.insert(name, Value::String(value));
    }
    (Value::Object(last), Value::Object(all))
}

/// A header's name as it is usually written: `Content-Type`.
fn titled(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

/// A time as logs of web servers have it.
fn written(now: Timestamp) -> String {
    let form = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    let seconds = i64::try_from(now.as_ms() / 1_000).unwrap_or_default();
    let at = time::OffsetDateTime::from_unix_timestamp(seconds);
    at.ok().and_then(|at| at.format(&form).ok()).unwrap_or_default()
}

/// The response that a function's answer means; or what is wrong with the answer.
pub(super) fn to_response(answer: &[u8]) -> Result<Response, String> {
    let wrong = |why: &str| {
        format!(
            "the function must answer with a JSON object such as {{\"statusCode\": 200, \"body\": \"text\"}}: {why}"
        )
    };
    let answer: Map<String, Value> = match serde_json::from_slice(answer) {
        Ok(Value::Object(answer)) => answer,
        Ok(_) => return Err(wrong("it answered with another kind of JSON")),
        Err(error) => return Err(wrong(&error.to_string())),
    };
    let status = answer.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let status = status.filter(|status| (200..600).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.ok_or_else(|| wrong("`statusCode` is no number from 200 to 599"))?;
    let mut headers = HeaderMap::new();
    for (name, values) in fields(&answer, "headers").map_err(|why| wrong(&why))? {
        put(&mut headers, name, std::slice::from_ref(values)).map_err(|why| wrong(&why))?;
    }
    for (name, values) in fields(&answer, "multiValueHeaders").map_err(|why| wrong(&why))? {
        let values = values.as_array().ok_or_else(|| wrong("`multiValueHeaders` has something else than lists"))?;
        put(&mut headers, name, values).map_err(|why| wrong(&why))?;
    }
    let body = match answer.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(body)) if answer.get("isBase64Encoded") == Some(&Value::Bool(true)) => {
            STANDARD.decode(body).map_err(|error| wrong(&format!("`body` is no base64: {error}")))?
        }
        Some(Value::String(body)) => body.clone().into_bytes(),
        Some(_) => return Err(wrong("`body` is no string")),
    };
    let mut response = Body::from(body).into_response();
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The fields of an object in an answer; none where it is absent.
fn fields<'a>(answer: &'a Map<String, Value>, name: &str) -> Result<Vec<(&'a String, &'a Value)>, String> {
    match answer.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(fields)) => Ok(fields.iter().collect()),
        Some(_) => Err(format!("`{name}` is no object")),
    }
}

/// Puts a header in place of what stands there.
fn put(headers: &mut HeaderMap, name: &str, values: &[Value]) -> Result<(), String> {
    let told = || name.chars().take(60).collect::<String>();
    let name = HeaderName::try_from(name).map_err(|_| format!("`{}` is no name of a header", told()))?;
    if is_of_connection(&name) || is_ours(&name) {
        return Ok(());
    }
    headers.remove(&name);
    for value in values {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return Err(format!("`{name}` has no text")),
        };
        headers
            .append(&name, HeaderValue::try_from(text).map_err(|_| format!("`{name}` has a text that no header has"))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[test]
    fn a_request_becomes_an_event_with_all_its_parts() {
        let request = axum::http::Request::put("/0199?a=1&a=2&b=%20")
            .header("x-one", "1")
            .header("x-one", "2")
            .header("user-agent", "me")
            .header("connection", "close")
            .body(())
            .unwrap();
        let (head, ()) = request.into_parts();
        let event = of_request(&head, b"hi", Uuid::nil(), Timestamp::from_ms(1_577_370_127_000));
        let expected = json!({
            "httpMethod": "PUT",
            "headers": { "X-One": "2", "User-Agent": "me" },
            "multiValueHeaders": { "X-One": ["1", "2"], "User-Agent": ["me"] },
            "queryStringParameters": { "a": "2", "b": " " },
            "multiValueQueryStringParameters": { "a": ["1", "2"], "b": [" "] },
            "requestContext": {
                "identity": { "sourceIp": "", "userAgent": "me" },
                "httpMethod": "PUT",
                "requestId": "00000000-0000-0000-0000-000000000000",
                "requestTime": "26/Dec/2019:14:22:07 +0000",
                "requestTimeEpoch": 1_577_370_127,
            },
            "body": "hi",
            "isBase64Encoded": false,
        });
        assert_eq!(event, expected);
        let event = of_request(&head, b"\xff", Uuid::nil(), Timestamp::from_ms(0));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
    }

    #[tokio::test]
    async fn an_answer_becomes_a_response_with_all_its_parts() {
        let answer = json!({
            "statusCode": 201,
            "headers": { "X-One": "1", "x-two": 2, "Content-Length": "9" },
            "multiValueHeaders": { "Set-Cookie": ["a=1", "b=2"] },
            "body": "/w==",
            "isBase64Encoded": true,
        });
        let response = to_response(answer.to_string().as_bytes()).unwrap();
        let headers = response.headers().clone();
        assert_eq!(
            (response.status().as_u16(), &headers["x-one"], &headers["x-two"]),
            (201, &HeaderValue::from(1), &HeaderValue::from(2))
        );
        assert_eq!((headers.get_all("set-cookie").iter().count(), headers.len()), (2, 4));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), &b"\xff"[..]);
        assert_eq!(to_response(br#"{"statusCode": 204}"#).unwrap().status(), 204);
    }

    #[test]
    fn what_is_no_answer_is_told_with_why() {
        let check = |answer: &str, part: &str| {
            let why = to_response(answer.as_bytes()).unwrap_err();
            assert!(why.contains(part), "{answer}: {why}");
        };
        check("hello", "expected value");
        check("[1]", "another kind of JSON");
        check("{}", "`statusCode`");
        check(r#"{"statusCode": 100}"#, "200 to 599");
        check(r#"{"statusCode": 200, "body": {}}"#, "`body` is no string");
        check(r#"{"statusCode": 200, "body": "*", "isBase64Encoded": true}"#, "no base64");
        check(r#"{"statusCode": 200, "headers": []}"#, "`headers` is no object");
        check(r#"{"statusCode": 200, "headers": {"a b": "1"}}"#, "`a b` is no name");
        check(r#"{"statusCode": 200, "headers": {"a": "\n"}}"#, "no header has");
        check(r#"{"statusCode": 200, "multiValueHeaders": {"a": "1"}}"#, "something else than lists");
    }
}
