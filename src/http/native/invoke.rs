//! `POST /v1/functions/{name}/invocations`: run now and wait, or accept for later; and what both ways of
//! calling a function (this one and its own URL) share.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::query::{self, bad};
use crate::engine::call::{Input, Reply};
use crate::http::body;
use crate::http::problem::{FAULT_HEADER, Fault, Problem};
use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::model::place::Priority;
use crate::model::time::{When, parse_duration};
use crate::runtime::{Accepted, Answered, Ask, Error, Runtime};

/// Which invocation an answer is of.
const ID_HEADER: HeaderName = HeaderName::from_static("tidemill-invocation-id");
/// The invocations that led to a request that a function makes.
const CHAIN_HEADER: &str = "tidemill-chain";
/// How long an asynchronous invocation is to wait before its first attempt.
const DELAY_HEADER: &str = "tidemill-delay";
/// Headers that are told to the function begin with this.
const ATTRIBUTE_PREFIX: &str = "tidemill-attribute-";
/// The longest delay.
const MAX_DELAY: Duration = Duration::from_secs(15 * 86_400);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    namespace: Option<String>,
    qualifier: Option<String>,
    mode: Option<String>,
}

/// Whether the caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    ForResult,
    ForAcceptance,
}

pub(super) async fn invoke(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let which: Which = query::query(&uri)?;
    let path = query::path(which.namespace.as_deref(), &name)?;
    let qualifier = which.qualifier.as_deref().map(query::parsed).transpose()?.unwrap_or_default();
    let wait = wait(which.mode.as_deref(), &headers)?;
    let limit = match wait {
        Wait::ForResult => bounds::MAX_SYNC_PAYLOAD_BYTES,
        Wait::ForAcceptance => bounds::MAX_ASYNC_PAYLOAD_BYTES,
    };
    refuse_idempotency_key(wait, &headers)?;
    runtime.describe(&path, &qualifier)?; // before megabytes are read for a function that is not there
    let payload = body::read(body, limit, "payload").await?;
    let ask = Ask {
        path,
        qualifier,
        input: Input::Payload(payload),
        content_type: query::header(&headers, CONTENT_TYPE.as_str())?.unwrap_or_default().to_owned(),
        traceparent: query::header(&headers, "traceparent")?.map(ToOwned::to_owned),
        attributes: attributes(&headers)?,
        chain: chain(&headers)?,
        when: When::After(delay(&headers)?),
        priority: Priority::default(),
        idempotency_key: None,
    };
    match wait {
        Wait::ForResult => Ok(answer(runtime.invoke(ask).await)),
        Wait::ForAcceptance => Ok(accepted(&runtime.accept(ask).await?)),
    }
}

fn wait(mode: Option<&str>, headers: &HeaderMap) -> Result<Wait, Problem> {
    let preferred = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let respond_async = preferred
        .flat_map(|value| value.split([',', ';']))
        .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"));
    match mode {
        Some("async") => Ok(Wait::ForAcceptance),
        None if respond_async => Ok(Wait::ForAcceptance),
        Some("sync") | None => Ok(Wait::ForResult),
        Some(other) => Err(bad("bad_query", format!("mode is `{other}`: use `sync` or `async`"))),
    }
}

/// Whoever sends a key relies on it when sending again: to ignore it would run the function twice.
fn refuse_idempotency_key(wait: Wait, headers: &HeaderMap) -> Result<(), Problem> {
    if wait == Wait::ForAcceptance && headers.contains_key("idempotency-key") {
        let detail =
            "Idempotency-Key is not honoured yet: leave it out, and look for the invocation before sending again";
        return Err(bad("idempotency_key_not_supported", detail.to_owned()));
    }
    Ok(())
}

fn delay(headers: &HeaderMap) -> Result<Duration, Problem> {
    let Some(text) = query::header(headers, DELAY_HEADER)? else { return Ok(Duration::ZERO) };
    let delay = parse_duration(text).map_err(|error| bad("bad_header", format!("Tidemill-Delay: {error}")))?;
    if delay > MAX_DELAY {
        let detail = format!("Tidemill-Delay is {} s: use up to {} s (15 days)", delay.as_secs(), MAX_DELAY.as_secs());
        return Err(bad("bad_range", detail));
    }
    Ok(delay)
}

/// The invocations that led here, as a function that calls on passes them along.
pub(super) fn chain(headers: &HeaderMap) -> Result<Vec<InvocationId>, Problem> {
    let text = query::header(headers, CHAIN_HEADER)?.unwrap_or_default();
    text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(query::parsed).collect()
}

/// The headers that are meant for the function, without their prefix.
pub(super) fn attributes(headers: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let mut attributes = Vec::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(ATTRIBUTE_PREFIX) else { continue };
        let value = value.to_str().map_err(|_| bad("bad_header", format!("attribute `{name}` is no text")))?;
        attributes.push((name.to_owned(), value.to_owned()));
    }
    let bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    if attributes.len() > bounds::MAX_ATTRIBUTES || bytes > bounds::MAX_ATTRIBUTE_BYTES {
        let (count, limit) = (bounds::MAX_ATTRIBUTES, bounds::MAX_ATTRIBUTE_BYTES);
        return Err(bad("bad_range", format!("use at most {count} attributes of {limit} bytes in all")));
    }
    Ok(attributes)
}

/// 202 with the id.
pub(super) fn accepted(accepted: &Accepted) -> Response {
    let id = accepted.id.to_string();
    let body = json!({
        "id": id,
        "status": "queued",
        "function": accepted.target.path.to_string(),
        "version": accepted.target.version,
    });
    let location = format!("/v1/invocations/{id}");
    (StatusCode::ACCEPTED, [(LOCATION, location), (ID_HEADER, id)], axum::Json(body)).into_response()
}

/// What a function gave, or why there is nothing. An http function's own answer is shown as it is, also when
/// it counts as a failure; a header then says whose it is.
pub(super) fn answer(answered: Result<Answered, Error>) -> Response {
    let (id, mut response) = match answered {
        Ok(Answered { id, reply }) => (id, rendered(reply)),
        Err(Error::Function { id, failure, answer: Some(reply) }) => {
            let mut response = rendered(*reply);
            response.headers_mut().insert(FAULT_HEADER, HeaderValue::from_static(Fault::Function.as_str()));
            tracing::debug!(invocation = %id, kind = failure.kind.as_str(), "an http function answered with a failure");
            (id, response)
        }
        Err(error) => {
            let id = if let Error::Function { id, .. } = &error { Some(*id) } else { None };
            let response = Problem::from(error).into_response();
            match id {
                Some(id) => (id, response),
                None => return response,
            }
        }
    };
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(ID_HEADER, id);
    }
    response
}

fn rendered(reply: Reply) -> Response {
    let Reply { head, content_type, body } = reply;
    let mut response = body.into_response();
    if let Some((status, headers)) = head {
        *response.status_mut() = status;
        *response.headers_mut() = without_our_headers(without_connection_headers(headers));
    } else {
        let content_type = if content_type.is_empty() { "application/octet-stream" } else { &content_type };
        if let Ok(value) = HeaderValue::from_str(content_type) {
            response.headers_mut().insert(CONTENT_TYPE, value);
        }
    }
    response
}

/// What a function cannot say in our name.
fn without_our_headers(mut headers: HeaderMap) -> HeaderMap {
    let ours: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("tidemill-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    headers
}

/// Headers that are between a function and us, or between us and the client, are not passed on.
pub(super) fn without_connection_headers(mut headers: HeaderMap) -> HeaderMap {
    for name in [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
    headers
}
