//! `POST /v1/functions/{name}/invocations`: run now and wait, or accept for later; and what both ways of
//! calling a function (this one and its own URL) share.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::headers::{self, Queueing};
use super::openapi::values;
use super::query::{self, Path, bad};
use super::usage_json::{SERVER_TIMING, server_timing};
use crate::engine::call::{Input, Reply};
use crate::http::body;
use crate::http::passing::{without_connection_headers, without_our_headers};
use crate::http::problem::{FAULT_HEADER, Fault, Problem};
use crate::model::bounds;
use crate::model::names::VersionNumber;
use crate::model::status::Status;
use crate::runtime::{Accepted, Answered, Ask, Error, Runtime};

/// Which invocation an answer is of.
const ID_HEADER: HeaderName = HeaderName::from_static("tidemill-invocation-id");
/// Says that nothing new was accepted.
const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotency-replayed");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    namespace: Option<String>,
    qualifier: Option<String>,
    mode: Option<String>,
}

/// Whether the caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
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
    let (limit, queueing) = match wait {
        Wait::ForResult => {
            headers::not_for_those_who_wait(&headers)?;
            (bounds::MAX_SYNC_PAYLOAD_BYTES, Queueing::default())
        }
        Wait::ForAcceptance => (bounds::MAX_ASYNC_PAYLOAD_BYTES, headers::queueing(&headers)?),
    };
    runtime.describe(&path, &qualifier)?; // before megabytes are read for a function that is not there
    let payload = body::read(body, limit, "payload").await?;
    let Queueing { when, priority, idempotency_key, callback } = queueing;
    let ask = Ask {
        path,
        qualifier,
        input: Input::Payload(payload),
        content_type: query::header(&headers, CONTENT_TYPE.as_str())?.unwrap_or_default().to_owned(),
        traceparent: query::header(&headers, "traceparent")?.map(ToOwned::to_owned),
        attributes: headers::attributes(&headers)?,
        chain: headers::chain(&headers)?,
        when,
        priority,
        idempotency_key,
        callback,
    };
    match wait {
        Wait::ForResult => Ok(answer(runtime.invoke(ask).await)),
        Wait::ForAcceptance => Ok(answered(&runtime, &runtime.accept(ask).await?).await),
    }
}

pub(super) fn wait(mode: Option<&str>, headers: &HeaderMap) -> Result<Wait, Problem> {
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

/// An invocation that was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(super) struct AcceptedOut {
    id: String,
    #[schema(schema_with = values::status_if_kept)]
    status: Option<Status>,
    function: String,
    #[schema(value_type = Option<u32>)]
    version: Option<VersionNumber>,
}

/// 202 with the id; of what was accepted before under the same key, with what has become of it.
pub(super) async fn answered(runtime: &Runtime, acceptance: &Accepted) -> Response {
    if !acceptance.replayed {
        return accepted(acceptance);
    }
    // Its record may have been removed before the key was forgotten.
    let now = runtime.invocation(acceptance.id).await.ok().map(|invocation| Status::of(&invocation));
    let mut response = with_status(acceptance, now);
    response.headers_mut().insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    response
}

/// 202 with the id of what was accepted now.
pub(super) fn accepted(accepted: &Accepted) -> Response {
    with_status(accepted, Some(Status::Queued))
}

fn with_status(accepted: &Accepted, status: Option<Status>) -> Response {
    let id = accepted.id.to_string();
    let function = accepted.target.path.to_string();
    let body = AcceptedOut { id: id.clone(), status, function, version: accepted.target.version };
    let location = format!("/v1/invocations/{id}");
    (StatusCode::ACCEPTED, [(LOCATION, location), (ID_HEADER, id)], axum::Json(body)).into_response()
}

/// What a function gave, or why there is nothing. An http function's own answer is shown as it is, also when
/// it counts as a failure; a header then says whose it is.
pub(super) fn answer(answered: Result<Answered, Error>) -> Response {
    let (id, usage, mut response) = match answered {
        Ok(Answered { id, reply, usage, log: _ }) => (id, usage, rendered(reply)),
        Err(Error::Function { id, failure, answer: Some(reply), usage, log: _ }) => {
            let mut response = rendered(*reply);
            response.headers_mut().insert(FAULT_HEADER, HeaderValue::from_static(Fault::Function.as_str()));
            tracing::debug!(invocation = %id, kind = failure.kind.as_str(), "an http function answered with a failure");
            (id, *usage, response)
        }
        Err(error) => {
            let of = if let Error::Function { id, usage, .. } = &error { Some((*id, **usage)) } else { None };
            let response = Problem::from(error).into_response();
            match of {
                Some((id, usage)) => (id, usage, response),
                None => return response,
            }
        }
    };
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(ID_HEADER, id);
    }
    if let Some(times) = server_timing(&usage) {
        response.headers_mut().append(SERVER_TIMING, times); // an http function may have told some of its own
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
