//! `/v1/triggers`: what invokes functions by itself. A PUT says all of a trigger; what is absent has its default.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::invoke::accepted;
use super::query::{self, Page, Path, Within, bad};
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::destination::Destination;
use crate::model::names::{Namespace, TriggerName};
use crate::model::schedule::Schedule;
use crate::model::trigger::{CatchUp, Form, Kind, Payload, Source, Timer, Trigger};
use crate::runtime::Runtime;
use crate::triggers::{Shown, Wanted};

/// A payload may take six bytes of JSON for each of its own.
const MAX_JSON_BYTES: usize = 6 * bounds::MAX_TIMER_PAYLOAD_BYTES + 16 * 1_024;

/// A trigger as clients write it.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum TriggerIn {
    Timer(TimerIn),
    Queue(QueueIn),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueIn {
    function: String,
    enabled: Option<bool>,
    queue: String,
    batch_size: Option<u16>,
    batch_window_s: Option<u64>,
    concurrency: Option<u16>,
    format: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimerIn {
    function: String,
    enabled: Option<bool>,
    cron: String,
    time_zone: Option<String>,
    catch_up: Option<String>,
    payload: Option<String>,
    payload_base64: Option<String>,
    content_type: Option<String>,
}

impl TriggerIn {
    fn meant(self) -> Result<Wanted, Problem> {
        match self {
            Self::Timer(timer) => {
                let (function, enabled) = (query::parsed(&timer.function)?, timer.enabled.unwrap_or(true));
                Ok(Wanted { kind: Kind::Timer(timer.meant()?), function, enabled })
            }
            Self::Queue(queue) => {
                let (function, enabled) = (query::parsed(&queue.function)?, queue.enabled.unwrap_or(true));
                Ok(Wanted { kind: Kind::Queue(queue.meant()?), function, enabled })
            }
        }
    }
}

impl QueueIn {
    fn meant(self) -> Result<Source, Problem> {
        let form = one_of("format", self.format.as_deref(), &Form::ALL, Form::as_str)?.unwrap_or_default();
        let usual = if form == Form::Body { 1 } else { bounds::DEFAULT_TRIGGER_BATCH };
        Ok(Source {
            queue: query::parsed(&self.queue)?,
            batch_size: self.batch_size.unwrap_or(usual),
            window: Duration::from_secs(self.batch_window_s.unwrap_or(0)),
            concurrency: self.concurrency.unwrap_or(1),
            form,
        })
    }
}

impl TimerIn {
    fn meant(self) -> Result<Timer, Problem> {
        let zone = self.time_zone.as_deref().unwrap_or("UTC");
        let schedule = Schedule::new(&self.cron, zone).map_err(|error| bad("bad_schedule", error.to_string()))?;
        let rule = self.catch_up.as_deref();
        let catch_up = one_of("catch_up", rule, &CatchUp::ALL, CatchUp::as_str)?.unwrap_or_default();
        let bytes =
            match (self.payload, self.payload_base64) {
                (Some(_), Some(_)) => {
                    return Err(bad(
                        "bad_payload",
                        "`payload` and `payload_base64` are two forms of it: use one".to_owned(),
                    ));
                }
                (Some(text), None) => Some(text.into_bytes()),
                (None, Some(text)) => Some(STANDARD.decode(&text).map_err(|error| {
                    bad("bad_payload", format!("`payload_base64` cannot be read as base64: {error}"))
                })?),
                (None, None) => None,
            };
        let payload = match (bytes, self.content_type) {
            (Some(bytes), content_type) => Some(Payload { bytes, content_type: checked(content_type)? }),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(bad("bad_payload", "`content_type` says what a payload is, and there is none".to_owned()));
            }
        };
        Ok(Timer { schedule, catch_up, payload })
    }
}

/// A media type that can be a header's value.
fn checked(content_type: Option<String>) -> Result<String, Problem> {
    let content_type = content_type.unwrap_or_default();
    let fits = content_type.len() <= bounds::MAX_CONTENT_TYPE_BYTES;
    if fits && content_type.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Ok(content_type);
    }
    let most = bounds::MAX_CONTENT_TYPE_BYTES;
    Err(bad("bad_payload", format!("`content_type` is a media type in up to {most} visible ASCII characters")))
}

/// One of some words, where one was written.
fn one_of<T: Copy>(
    field: &str,
    text: Option<&str>,
    all: &[T],
    word: fn(T) -> &'static str,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let found = all.iter().copied().find(|it| word(*it) == text);
    let words = || all.iter().map(|it| format!("`{}`", word(*it))).collect::<Vec<_>>().join(", ");
    let unknown = || bad("bad_trigger", format!("`{field}` is `{text}`: use one of {}", words()));
    found.ok_or_else(unknown).map(Some)
}

fn told(shown: &Shown) -> Value {
    let Trigger { namespace, name, kind, target, enabled, created, updated, .. } = &shown.trigger;
    let function = Destination::Function(target.clone()).written_in(namespace);
    let progress = &shown.progress;
    let error = progress.error.as_ref();
    let mut told = json!({
        "namespace": namespace.as_str(),
        "name": name.as_str(),
        "kind": kind.as_str(),
        "function": function.trim_start_matches("function:"),
        "enabled": enabled,
        "created_at": created.to_string(),
        "updated_at": updated.to_string(),
        "fired": progress.fired,
        "last_fired_at": progress.last.map(|last| last.at.to_string()),
        "last_invocation_id": progress.last.map(|last| last.invocation.to_string()),
        "last_error": error.map(|error| json!({ "at": error.at.to_string(), "message": error.message })),
        "next_at": shown.next.map(|next| next.to_string()),
    });
    if let Value::Object(told) = &mut told {
        told.extend(settings(kind));
    }
    told
}

/// What a trigger of that kind has besides.
fn settings(kind: &Kind) -> Map<String, Value> {
    let settings = match kind {
        Kind::Timer(timer) => {
            let text = timer.payload.as_ref().and_then(|payload| std::str::from_utf8(&payload.bytes).ok());
            let bytes = timer.payload.as_ref().filter(|_| text.is_none());
            json!({
                "cron": timer.schedule.text(),
                "time_zone": timer.schedule.zone(),
                "catch_up": timer.catch_up.as_str(),
                "payload": text,
                "payload_base64": bytes.map(|payload| STANDARD.encode(&payload.bytes)),
                "content_type": timer.payload.as_ref().map(|payload| payload.content_type.as_str()),
            })
        }
        Kind::Queue(source) => json!({
            "queue": source.queue.as_str(),
            "batch_size": source.batch_size,
            "batch_window_s": source.window.as_secs(),
            "concurrency": source.concurrency,
            "format": source.form.as_str(),
        }),
    };
    if let Value::Object(settings) = settings { settings } else { Map::new() }
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let (namespace, name) = named(&uri, &name)?;
    let body = body::read(body, MAX_JSON_BYTES, "trigger").await?;
    let trigger: TriggerIn = query::json(&body, "trigger")?;
    let (shown, is_new) = runtime.put_trigger(namespace, name, trigger.meant()?).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(told(&shown))).into_response())
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<Value>, Problem> {
    let listing: Page = query::query(&uri)?;
    let limit = query::limit(listing.limit)?;
    let after = listing.cursor.as_deref().map(query::parsed).transpose()?;
    let mut all = runtime.triggers(&query::namespace(listing.namespace.as_deref())?, after.as_ref(), limit + 1);
    let goes_on = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| goes_on).map(|last| last.trigger.name.to_string());
    Ok(Json(json!({ "triggers": all.iter().map(told).collect::<Vec<_>>(), "next_cursor": next })))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let (namespace, name) = named(&uri, &name)?;
    Ok(Json(told(&runtime.trigger(&namespace, &name)?)))
}

pub(super) async fn enable(state: State<Runtime>, name: Path<String>, uri: Uri) -> Result<Json<Value>, Problem> {
    switch(state, name, uri, true).await
}

pub(super) async fn disable(state: State<Runtime>, name: Path<String>, uri: Uri) -> Result<Json<Value>, Problem> {
    switch(state, name, uri, false).await
}

async fn switch(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    enabled: bool,
) -> Result<Json<Value>, Problem> {
    let (namespace, name) = named(&uri, &name)?;
    Ok(Json(told(&runtime.enable_trigger(namespace, name, enabled).await?)))
}

pub(super) async fn fire(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let (namespace, name) = named(&uri, &name)?;
    Ok(accepted(&runtime.fire_trigger(namespace, name).await?))
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
