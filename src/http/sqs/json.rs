//! The JSON protocol, AWS JSON 1.0: the operation stands in a header, the parameters are the body.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::TARGET;
use super::error::SqsError;
use crate::http::problem::{mark_fault, seconds_up};

/// What stands in front of the operation's name.
pub(super) const PREFIX: &str = "AmazonSQS.";

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");

/// The operation and its parameters.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<(String, Value), SqsError> {
    let target = headers.get(TARGET).and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let input: Value = serde_json::from_slice(body)
        .map_err(|error| SqsError::named("SerializationException", format!("the request cannot be read: {error}")))?;
    if input.is_object() {
        Ok((operation, input))
    } else {
        Err(SqsError::named("SerializationException", "the request is not a JSON object"))
    }
}

pub(super) fn answer(output: &Value) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], output.to_string()).into_response()
}

/// The error, also under the name that it has in the other protocol: clients that were written for that look for it.
pub(super) fn refusal(error: &SqsError) -> Response {
    let body = json!({ "__type": format!("com.amazonaws.sqs#{}", error.shape), "message": error.message });
    let mut response = (error.status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body.to_string()).into_response();
    let side = if error.is_senders() { "Sender" } else { "Receiver" };
    if let Ok(told) = HeaderValue::try_from(format!("{};{side}", error.code)) {
        response.headers_mut().insert("x-amzn-query-error", told);
    }
    blame(&mut response, error);
    response
}

/// Says whose fault it was, as every dialect does, and when to come again.
pub(super) fn blame(response: &mut Response, error: &SqsError) {
    mark_fault(response);
    if let Some(wait) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
    }
}
