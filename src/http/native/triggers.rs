//! `/v1/triggers`: what invokes functions by itself. A PUT says all of a trigger; what is absent has its default.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use super::invoke::accepted;
use super::named::{Listing, Named};
use super::query;
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
    Named((namespace, name)): Named<(Namespace, TriggerName)>,
    body: Body,
) -> Result<Response, Problem> {
    let body = body::read(body, MAX_JSON_BYTES, "trigger").await?;
    let trigger: TriggerIn = query::json(&body, "trigger")?;
    let (shown, is_new) = runtime.put_trigger(&caller, namespace, name, trigger.meant()?).await?;
    Ok(answer::set(is_new, TriggerOut::of(&shown)))
}

pub(super) async fn list(
    State(runtime): State<Runtime>,
    Listing { namespace, after, limit }: Listing<TriggerName>,
) -> Result<Json<TriggersOut>, Problem> {
    let found = runtime.triggers(&namespace, after.as_ref(), limit + 1);
    let (found, next_cursor) = answer::page(found, limit, |last| last.trigger.name.to_string());
    Ok(Json(TriggersOut { triggers: found.iter().map(TriggerOut::of).collect(), next_cursor }))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Named((namespace, name)): Named<(Namespace, TriggerName)>,
) -> Result<Json<TriggerOut>, Problem> {
    Ok(Json(TriggerOut::of(&runtime.trigger(&namespace, &name)?)))
}

pub(super) async fn enable(
    state: State<Runtime>,
    caller: Caller,
    named: Named<(Namespace, TriggerName)>,
) -> Result<Json<TriggerOut>, Problem> {
    switch(state, caller, named, true).await
}

pub(super) async fn disable(
    state: State<Runtime>,
    caller: Caller,
    named: Named<(Namespace, TriggerName)>,
) -> Result<Json<TriggerOut>, Problem> {
    switch(state, caller, named, false).await
}

async fn switch(
    State(runtime): State<Runtime>,
    caller: Caller,
    Named((namespace, name)): Named<(Namespace, TriggerName)>,
    enabled: bool,
) -> Result<Json<TriggerOut>, Problem> {
    Ok(Json(TriggerOut::of(&runtime.enable_trigger(&caller, namespace, name, enabled).await?)))
}

pub(super) async fn fire(
    State(runtime): State<Runtime>,
    caller: Caller,
    Named((namespace, name)): Named<(Namespace, TriggerName)>,
) -> Result<Response, Problem> {
    Ok(accepted(&runtime.fire_trigger(&caller, namespace, name).await?))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Named((namespace, name)): Named<(Namespace, TriggerName)>,
) -> Result<StatusCode, Problem> {
    runtime.delete_trigger(namespace, name).await?;
    Ok(StatusCode::NO_CONTENT)
}
