//! `/v1/invocations`: look up, list, cancel, repeat, remove, and read what was captured.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::invocation_json::InvocationOut;
use super::invoke::accepted;
use super::query::{self, Path, bad};
use crate::http::problem::Problem;
use crate::model::invocation::Invocation;
use crate::model::names::InvocationId;
use crate::model::status::Status;
use crate::model::time::{Timestamp, parse_duration};
use crate::runtime::{Filter, Runtime};
use crate::store::Part;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    wait: Option<String>,
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<InvocationOut>, Problem> {
    let id = query::parsed(&id)?;
    let waiting: Waiting = query::query(&uri)?;
    let wait = waiting.wait.as_deref().map(parse_duration).transpose();
    let wait = wait.map_err(|error| bad("bad_query", error.to_string()))?;
    let invocation = runtime.wait(id, wait.unwrap_or(Duration::ZERO)).await?;
    whole(&runtime, &invocation).await
}

/// An invocation with its result.
async fn whole(runtime: &Runtime, invocation: &Invocation) -> Result<Json<InvocationOut>, Problem> {
    let result = match &invocation.result {
        Some(_) => Some(runtime.bytes(invocation.id, Part::Result).await?),
        None => None,
    };
    Ok(Json(InvocationOut::of(invocation, result.as_deref())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    namespace: Option<String>,
    function: Option<String>,
    status: Option<Status>,
    #[serde(default)]
    dead_letter: bool,
    since: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<InvocationsOut>, Problem> {
    let which: Which = query::query(&uri)?;
    let namespace = which.namespace.as_deref();
    let since = which.since.as_deref().map(Timestamp::parse).transpose();
    let filter = Filter {
        namespace: namespace.map(query::parsed).transpose()?,
        function: which.function.as_deref().map(|name| query::path(namespace, name)).transpose()?,
        statuses: which.status.into_iter().collect(),
        dead_letters: which.dead_letter,
        deliveries: None,
        since: since.map_err(|error| bad("bad_query", error.to_string()))?,
        after: which.cursor.as_deref().map(query::cursor).transpose()?,
        limit: query::limit(which.limit)?,
    };
    page(&runtime, filter).await
}

/// `/v1/functions/{name}/dead-letters`: those of its invocations that failed with no destination for it.
pub(super) async fn dead_letters(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<InvocationsOut>, Problem> {
    let which: query::Page = query::query(&uri)?;
    let filter = Filter {
        function: Some(query::path(which.namespace.as_deref(), &name)?),
        dead_letters: true,
        after: which.cursor.as_deref().map(query::cursor).transpose()?,
        limit: query::limit(which.limit)?,
        ..Filter::default()
    };
    page(&runtime, filter).await
}

/// A page of invocations, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invocations)]
pub(super) struct InvocationsOut {
    invocations: Vec<InvocationOut>,
    next_cursor: Option<String>,
}

async fn page(runtime: &Runtime, filter: Filter) -> Result<Json<InvocationsOut>, Problem> {
    let page = runtime.list(filter).await?;
    let invocations = page.invocations.iter().map(|invocation| InvocationOut::of(invocation, None)).collect();
    Ok(Json(InvocationsOut { invocations, next_cursor: page.next.map(query::cursor_text) }))
}

pub(super) async fn cancel(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
) -> Result<Json<InvocationOut>, Problem> {
    let invocation = runtime.cancel(query::parsed(&id)?).await?;
    whole(&runtime, &invocation).await
}

pub(super) async fn retry(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(accepted(&runtime.retry(query::parsed(&id)?).await?))
}

pub(super) async fn redrive(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(accepted(&runtime.redrive(query::parsed(&id)?).await?))
}

pub(super) async fn purge(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    runtime.purge(query::parsed(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn run_now(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
) -> Result<Json<InvocationOut>, Problem> {
    let invocation = runtime.run_now(query::parsed(&id)?).await?;
    whole(&runtime, &invocation).await
}

pub(super) async fn logs(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = query::parsed::<InvocationId>(&id)?;
    runtime.invocation(id).await?;
    let log = runtime.bytes(id, Part::Log).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], String::from_utf8_lossy(&log).into_owned()).into_response())
}

pub(super) async fn core_dump(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = query::parsed::<InvocationId>(&id)?;
    runtime.invocation(id).await?;
    if let Some(dump) = runtime.core_dump(id).await? {
        let name = format!("attachment; filename=\"{id}.wasmcore\"");
        return Ok(([(CONTENT_TYPE, "application/wasm".to_owned()), (CONTENT_DISPOSITION, name)], dump).into_response());
    }
    let detail = format!(
        "there is no core dump of {id}: one is kept for a while of an attempt that trapped, where the version was deployed \
         with `core_dump`"
    );
    Err(Problem::new(StatusCode::NOT_FOUND, "no_core_dump", detail))
}

pub(super) async fn payload(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = query::parsed::<InvocationId>(&id)?;
    let invocation = runtime.invocation(id).await?;
    let payload = runtime.bytes(id, Part::Payload).await?;
    if payload.len() as u64 != invocation.request.payload.bytes {
        let detail = format!("the payload of {id} is not kept, because it was synchronous");
        return Err(Problem::new(StatusCode::NOT_FOUND, "payload_not_kept", detail));
    }
    Ok(([(CONTENT_TYPE, media_type(&invocation.request.payload.content_type))], payload).into_response())
}

pub(super) async fn result(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = query::parsed::<InvocationId>(&id)?;
    let invocation = runtime.invocation(id).await?;
    let result = runtime.bytes(id, Part::Result).await?;
    if let Some(info) = invocation.result.filter(|info| info.bytes == result.len() as u64) {
        return Ok(([(CONTENT_TYPE, media_type(&info.content_type))], result).into_response());
    }
    let detail = format!("there is no result of {id}: it has not succeeded, or it was synchronous");
    Err(Problem::new(StatusCode::NOT_FOUND, "no_result", detail))
}

/// What was said, or that nobody said what a header can hold.
fn media_type(content_type: &str) -> HeaderValue {
    let said = HeaderValue::try_from(content_type).ok().filter(|said| !said.is_empty());
    said.unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
