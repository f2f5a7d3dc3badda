//! `/v1/triggers`: what invokes functions by itself. A PUT says all of a trigger; what is absent has its default.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::invoke::accepted;
use super::query::{self, Page, Path, Within};
use super::triggers_json::{TriggerIn, TriggerOut};
use crate::access::Caller;
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::names::{Namespace, TriggerName};
use crate::runtime::Runtime;

/// A payload may take six bytes of JSON for each of its own.
const MAX_JSON_BYTES: usize = 6 * bounds::MAX_TIMER_PAYLOAD_BYTES + 16 * 1_024;

/// A page of triggers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Triggers)]
pub(super) struct TriggersOut {
    triggers: Vec<TriggerOut>,
    next_cursor: Option<String>,
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let (namespace, name) = named(&uri, &name)?;
    let body = body::read(body, MAX_JSON_BYTES, "trigger").await?;
    let trigger: TriggerIn = query::json(&body, "trigger")?;
    let (shown, is_new) = runtime.put_trigger(&caller, namespace, name, trigger.meant()?).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(TriggerOut::of(&shown))).into_response())
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<TriggersOut>, Problem> {
    let listing: Page = query::query(&uri)?;
    let limit = query::limit(listing.limit)?;
    let after = listing.cursor.as_deref().map(query::parsed).transpose()?;
    let mut all = runtime.triggers(&query::namespace(listing.namespace.as_deref())?, after.as_ref(), limit + 1);
    let goes_on = all.len() > limit;
    all.truncate(limit);
    let next_cursor = all.last().filter(|_| goes_on).map(|last| last.trigger.name.to_string());
    Ok(Json(TriggersOut { triggers: all.iter().map(TriggerOut::of).collect(), next_cursor }))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<TriggerOut>, Problem> {
    let (namespace, name) = named(&uri, &name)?;
    Ok(Json(TriggerOut::of(&runtime.trigger(&namespace, &name)?)))
}

pub(super) async fn enable(
    state: State<Runtime>,
    caller: Caller,
    name: Path<String>,
    uri: Uri,
) -> Result<Json<TriggerOut>, Problem> {
    switch(state, caller, name, uri, true).await
}

pub(super) async fn disable(
    state: State<Runtime>,
    caller: Caller,
    name: Path<String>,
    uri: Uri,
) -> Result<Json<TriggerOut>, Problem> {
    switch(state, caller, name, uri, false).await
}

async fn switch(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
    enabled: bool,
) -> Result<Json<TriggerOut>, Problem> {
    let (namespace, name) = named(&uri, &name)?;
    Ok(Json(TriggerOut::of(&runtime.enable_trigger(&caller, namespace, name, enabled).await?)))
}

pub(super) async fn fire(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let (namespace, name) = named(&uri, &name)?;
    Ok(accepted(&runtime.fire_trigger(&caller, namespace, name).await?))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let (namespace, name) = named(&uri, &name)?;
    runtime.delete_trigger(namespace, name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn named(uri: &Uri, name: &str) -> Result<(Namespace, TriggerName), Problem> {
    let which: Within = query::query(uri)?;
    Ok((which.namespace()?, query::parsed(name)?))
}
