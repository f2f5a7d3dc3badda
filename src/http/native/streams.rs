//! `/v1/streams`: make, list, show, delete; append records and read them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::content;
use super::query::{self, Page, Path, Within, bad};
use crate::http::body;
use crate::http::problem::Problem;
use crate::messaging::streams::{NewRecord, ReadFrom, Reading, Record, StreamPath, StreamSettings, StreamView};
use crate::model::bounds;
use crate::model::names::StreamName;
use crate::model::time::{Timestamp, parse_duration};
use crate::runtime::Runtime;

/// Bytes of a body with settings.
const MAX_SETTINGS_BYTES: usize = 4 * 1_024;
/// Bytes of a body with records: base64 and the rest of JSON take more than what they say.
const MAX_RECORDS_BYTES: usize = 2 * bounds::MAX_STREAM_BATCH_BYTES;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    retention_s: Option<u64>,
    max_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Appending {
    records: Vec<Appended>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Appended {
    id: Option<Uuid>,
    key: Option<String>,
    content_type: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    data: Option<String>,
    data_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    namespace: Option<String>,
    from: Option<String>,
    limit: Option<usize>,
    key: Option<String>,
    wait: Option<String>,
}

fn path(uri: &Uri, name: &str) -> Result<StreamPath, Problem> {
    let which: Within = query::query(uri)?;
    Ok(StreamPath { namespace: which.namespace()?, name: query::parsed(name)? })
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<Value>, Problem> {
    let listing: Page = query::query(&uri)?;
    let limit = query::limit(listing.limit)?;
    let after: Option<StreamName> = listing.cursor.as_deref().map(query::parsed).transpose()?;
    let namespace = query::namespace(listing.namespace.as_deref())?;
    let mut streams = runtime.streams(&namespace, after.as_ref(), limit + 1).await?;
    let goes_on = streams.len() > limit;
    streams.truncate(limit);
    let next = streams.last().filter(|_| goes_on).map(|last| last.path.name.to_string());
    let shown: Vec<_> = streams.iter().map(shown).collect();
    Ok(Json(json!({ "streams": shown, "next_cursor": next })))
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let path = path(&uri, &name)?;
    let body = body::read(body, MAX_SETTINGS_BYTES, "settings").await?;
    let usual = StreamSettings::default();
    let settings = if body.is_empty() {
        usual
    } else {
        let Settings { retention_s, max_bytes } = query::json(&body, "settings")?;
        let (retention_s, max_bytes) = (retention_s.unwrap_or(usual.retention_s), max_bytes.unwrap_or(usual.max_bytes));
        StreamSettings { retention_s, max_bytes }
    };
    let is_new = runtime.set_stream(path.clone(), settings).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(shown(&runtime.stream(&path).await?))).into_response())
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&runtime.stream(&path(&uri, &name)?).await?)))
}

fn shown(stream: &StreamView) -> Value {
    let StreamView { path, created, settings, extent } = stream;
    json!({
        "namespace": path.namespace.as_str(),
        "name": path.name.as_str(),
        "created_at": created.to_string(),
        "retention_s": settings.retention_s,
        "max_bytes": settings.max_bytes,
        "first": extent.first,
        "next": extent.next,
        "records": extent.next - extent.first,
        "bytes": extent.bytes,
    })
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    runtime.remove_stream(path(&uri, &name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn append(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let path = path(&uri, &name)?;
    let body = body::read(body, MAX_RECORDS_BYTES, "records").await?;
    let Appending { records } = query::json(&body, "records")?;
    let records = records.into_iter().map(appended).collect::<Result<Vec<_>, _>>()?;
    let places = runtime.append(&path, records).await?;
    Ok((StatusCode::CREATED, Json(json!({ "places": places }))).into_response())
}

fn appended(record: Appended) -> Result<NewRecord, Problem> {
    let Appended { id, key, content_type, attributes, data, data_base64 } = record;
    let data = content::read(data, data_base64.as_deref())?;
    Ok(NewRecord { id, key, content_type, attributes: attributes.into_iter().collect(), data })
}

pub(super) async fn read(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let asked: Asked = query::query(&uri)?;
    let path = StreamPath { namespace: query::namespace(asked.namespace.as_deref())?, name: query::parsed(&name)? };
    let wait = asked.wait.as_deref().map(parse_duration).transpose();
    let wait = wait.map_err(|error| bad("bad_query", error.to_string()))?.unwrap_or(Duration::ZERO);
    let from = from(asked.from.as_deref().unwrap_or("earliest"))?;
    let most = query::limit(asked.limit)?.min(bounds::MAX_STREAM_BATCH);
    let read = runtime.read_stream(&path, &Reading { from, most, key: asked.key, wait }).await?;
    let records: Vec<_> = read.records.iter().map(record).collect();
    Ok(Json(json!({ "records": records, "next": read.next })))
}

/// Where a read begins. A bare number is a place here, so a time is written out.
fn from(text: &str) -> Result<ReadFrom, Problem> {
    match text {
        "earliest" => return Ok(ReadFrom::Earliest),
        "latest" => return Ok(ReadFrom::Latest),
        _ => (),
    }
    if let Ok(place) = text.parse() {
        return Ok(ReadFrom::Place(place));
    }
    let refused = |_| {
        let ways = "use `earliest`, `latest`, a place, or a time such as `2026-11-21T09:00:00Z`";
        bad("bad_query", format!("`{text}` does not say from where to read: {ways}"))
    };
    Timestamp::parse(text).map(ReadFrom::Time).map_err(refused)
}

fn record(record: &Record) -> Value {
    let attributes: Map<_, _> = record.attributes.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let mut shown = Map::from_iter([
        ("place".to_owned(), json!(record.place)),
        ("at".to_owned(), json!(record.at.to_string())),
        ("id".to_owned(), json!(record.id)),
        ("key".to_owned(), json!(record.key)),
        ("content_type".to_owned(), json!(record.content_type)),
        ("attributes".to_owned(), Value::Object(attributes)),
    ]);
    content::show(&record.data, &mut shown);
    Value::Object(shown)
}
