//! The record of an outcome, as destinations receive it (FunctionGraph's "content of the event of an
//! asynchronous notification"): built from a settled invocation and its payloads, as JSON bytes.
//!
//! A JSON object or array is embedded as it stands, byte for byte; other UTF-8 becomes a JSON string; other
//! bytes become base64 and the record says so. A payload over [`bounds::MAX_RECORD_PAYLOAD_BYTES`] is left
//! out and the record tells its size, so that no record is ever too large to settle.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::bounds;
use super::invocation::Invocation;
use super::names::{InvocationId, Qualifier};
use super::outcome::{FailureKind, Outcome};

/// Media type of a record.
pub const CONTENT_TYPE: &str = "application/json";

#[derive(Serialize)]
struct Record<'a> {
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_payload_encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_payload_omitted_bytes: Option<usize>,
    response_context: ResponseContext,
    response_payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload_encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload_omitted_bytes: Option<usize>,
}

#[derive(Serialize)]
struct RequestContext<'a> {
    request_id: String,
    function_urn: String,
    condition: &'a str,
    approximate_invoke_count: u32,
    /// Ours beside the documented fields: the invocations that led here, the root first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chain: Vec<String>,
}

#[derive(Serialize)]
struct ResponseContext {
    status_code: u16,
    function_error: String,
}

/// A payload, or how large it is where that is too large for a record anyway.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// So many bytes of which none is told.
    LeftOut(usize),
}

impl Content<'_> {
    const fn len(self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::LeftOut(bytes) => bytes,
        }
    }
}

/// A payload in the form that the record gives it.
struct Embedded {
    value: Box<RawValue>,
    encoding: Option<&'static str>,
    omitted_bytes: Option<usize>,
}

/// The record of `invocation`, which has just settled with `outcome`.
///
/// # Errors
/// When JSON cannot hold it, which no payload brings about: it would be a bug, and is for the caller to tell.
pub fn render(
    invocation: &Invocation,
    outcome: Outcome,
    request: &[u8],
    response: &[u8],
) -> Result<Vec<u8>, serde_json::Error> {
    render_within(invocation, outcome, Content::Whole(request), Content::Whole(response), None)
}

/// The same in at most `limit` bytes: the response is left out first, then the request.
///
/// # Errors
/// As [`render`].
pub fn render_within(
    invocation: &Invocation,
    outcome: Outcome,
    request: Content<'_>,
    response: Content<'_>,
    limit: Option<usize>,
) -> Result<Vec<u8>, serde_json::Error> {
    let fits = |record: &[u8]| limit.is_none_or(|limit| record.len() <= limit);
    let (no_request, no_response) = (Content::LeftOut(request.len()), Content::LeftOut(response.len()));
    let whole = rendered(invocation, outcome, request, response)?;
    if fits(&whole) {
        return Ok(whole);
    }
    let without_response = rendered(invocation, outcome, request, no_response)?;
    if fits(&without_response) {
        return Ok(without_response);
    }
    rendered(invocation, outcome, no_request, no_response)
}

fn rendered(
    invocation: &Invocation,
    outcome: Outcome,
    request: Content<'_>,
    response: Content<'_>,
) -> Result<Vec<u8>, serde_json::Error> {
    let (request, response) = (embed(request)?, embed(response)?);
    serde_json::to_vec(&Record {
        timestamp: invocation.accepted.to_string(),
        request_context: RequestContext {
            request_id: invocation.id.to_string(),
            function_urn: urn(invocation),
            condition: outcome.condition(),
            approximate_invoke_count: invocation.attempts_used(),
            chain: invocation.lineage.chain.iter().map(InvocationId::to_string).collect(),
        },
        request_payload: request.value,
        request_payload_encoding: request.encoding,
        request_payload_omitted_bytes: request.omitted_bytes,
        response_context: ResponseContext {
            status_code: status_code(invocation),
            function_error: function_error(invocation, outcome),
        },
        response_payload: response.value,
        response_payload_encoding: response.encoding,
        response_payload_omitted_bytes: response.omitted_bytes,
    })
}

/// The name of what ran, with its version.
#[must_use]
pub fn urn(invocation: &Invocation) -> String {
    let target = &invocation.target;
    match target.version {
        Some(version) => target.path.urn(&version),
        None => target.path.urn(&Qualifier::Latest),
    }
}

/// 200 unless the platform failed, or refused: what the function did wrong stands in `function_error`.
fn status_code(invocation: &Invocation) -> u16 {
    match invocation.last_failure().map(|failure| failure.kind) {
        Some(FailureKind::Interrupted | FailureKind::Load) => 500,
        Some(FailureKind::AccessDenied) => 403,
        _ => 200,
    }
}

fn function_error(invocation: &Invocation, outcome: Outcome) -> String {
    match (outcome, invocation.last_failure()) {
        (Outcome::Succeeded, _) => String::new(),
        (_, Some(failure)) => format!("{}: {}", failure.kind.as_str(), failure.message),
        (outcome, None) => outcome.condition().to_owned(),
    }
}

fn embed(content: Content<'_>) -> Result<Embedded, serde_json::Error> {
    let plain = |value| Embedded { value, encoding: None, omitted_bytes: None };
    let bytes = match content {
        Content::Whole(bytes) if bytes.len() <= bounds::MAX_RECORD_PAYLOAD_BYTES => bytes,
        // Nothing is left out of an empty one.
        Content::LeftOut(0) => &[],
        Content::Whole(_) | Content::LeftOut(_) => {
            return Ok(Embedded { omitted_bytes: Some(content.len()), ..plain(to_raw_value("")?) });
        }
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(Embedded { encoding: Some("base64"), ..plain(to_raw_value(&STANDARD.encode(bytes))?) });
    };
    if text.trim_start().starts_with(['{', '['])
        && let Ok(value) = RawValue::from_string(text.to_owned())
    {
        return Ok(plain(value));
    }
    to_raw_value(text).map(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], value: &str, encoding: Option<&str>) {
        let embedded = embed(Content::Whole(bytes)).unwrap();
        assert_eq!((embedded.value.get(), embedded.encoding, embedded.omitted_bytes), (value, encoding, None));
    }

    #[test]
    fn json_is_embedded_as_it_stands_text_as_a_string_and_other_bytes_as_base64() {
        check(b"{\"b\":1.10, \"a\":2}", "{\"b\":1.10, \"a\":2}", None);
        check(b"[1]", "[1]", None);
        check(b"hello world!", "\"hello world!\"", None);
        check(b"42", "\"42\"", None);
        check(b"{not json", "\"{not json\"", None);
        check(b"", "\"\"", None);
        check(&[0xff, 0x00], "\"/wA=\"", Some("base64"));
    }

    #[test]
    fn a_payload_too_large_for_a_record_is_left_out_and_its_size_told() {
        let bytes = vec![b'x'; bounds::MAX_RECORD_PAYLOAD_BYTES + 1];
        let embedded = embed(Content::Whole(&bytes)).unwrap();
        assert_eq!((embedded.value.get(), embedded.omitted_bytes), ("\"\"", Some(bytes.len())));
    }
}
