//! `/v1/streams`: make, list, show, delete; append records and read them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer;
use super::content::{self, Content};
use super::named::{Listing, Named};
use super::openapi::values;
use super::query::{self, Path, bad};
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

/// Settings as people write them; what is absent is as usual.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamSettings)]
pub(super) struct Settings {
    #[schema(schema_with = values::stream_retention_s)]
    retention_s: Option<u64>,
    #[schema(schema_with = values::stream_bytes)]
    max_bytes: Option<u64>,
}

/// Records that are to be appended together, or not at all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecordsToAppend)]
pub(super) struct Appending {
    records: Vec<Appended>,
}

/// A record that is to be appended: its data as text or as base64.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecordToAppend)]
struct Appended {
    /// What it is recognised by when it is appended again.
    #[schema(schema_with = values::id_or_null)]
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

/// A stream as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub(super) struct StreamOut {
    namespace: String,
    name: String,
    #[schema(format = DateTime)]
    created_at: String,
    retention_s: u64,
    max_bytes: u64,
    /// The place of the oldest record, and of the one that will be appended next.
    first: u64,
    next: u64,
    records: u64,
    bytes: u64,
}

/// A page of streams.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Streams)]
pub(super) struct StreamsOut {
    streams: Vec<StreamOut>,
    next_cursor: Option<String>,
}

/// Where the records stand that were appended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Places)]
pub(super) struct PlacesOut {
    places: Vec<u64>,
}

/// Records, and where to go on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Records)]
pub(super) struct RecordsOut {
    records: Vec<RecordOut>,
    next: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
struct RecordOut {
    place: u64,
    #[schema(format = DateTime)]
    at: String,
    #[schema(schema_with = values::id_or_null)]
    id: Option<Uuid>,
    key: Option<String>,
    content_type: Option<String>,
    attributes: BTreeMap<String, String>,
    #[serde(flatten)]
    content: Content,
}

impl StreamOut {
    fn of(stream: &StreamView) -> Self {
        let StreamView { path, created, settings, extent } = stream;
        Self {
            namespace: path.namespace.to_string(),
            name: path.name.to_string(),
            created_at: created.to_string(),
            retention_s: settings.retention_s,
            max_bytes: settings.max_bytes,
            first: extent.first,
            next: extent.next,
            records: extent.next - extent.first,
            bytes: extent.bytes,
        }
    }
}

impl RecordOut {
    fn of(record: Record) -> Self {
        let Record { place, at, id, key, content_type, attributes, data } = record;
        let (at, attributes) = (at.to_string(), attributes.into_iter().collect());
        Self { place, at, id, key, content_type, attributes, content: Content::of(&data) }
    }
}

pub(super) async fn list(
    State(runtime): State<Runtime>,
    Listing { namespace, after, limit }: Listing<StreamName>,
) -> Result<Json<StreamsOut>, Problem> {
    let found = runtime.streams(&namespace, after.as_ref(), limit + 1).await?;
    let (streams, next_cursor) = answer::page(found, limit, |last| last.path.name.to_string());
    Ok(Json(StreamsOut { streams: streams.iter().map(StreamOut::of).collect(), next_cursor }))
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    Named(path): Named<StreamPath>,
    body: Body,
) -> Result<Response, Problem> {
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
    Ok(answer::set(is_new, StreamOut::of(&runtime.stream(&path).await?)))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Named(path): Named<StreamPath>,
) -> Result<Json<StreamOut>, Problem> {
    Ok(Json(StreamOut::of(&runtime.stream(&path).await?)))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Named(path): Named<StreamPath>,
) -> Result<StatusCode, Problem> {
    runtime.remove_stream(path).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn append(
    State(runtime): State<Runtime>,
    Named(path): Named<StreamPath>,
    body: Body,
) -> Result<Response, Problem> {
    let body = body::read(body, MAX_RECORDS_BYTES, "records").await?;
    let Appending { records } = query::json(&body, "records")?;
    let records = records.into_iter().map(appended).collect::<Result<Vec<_>, _>>()?;
    let places = runtime.append(&path, records).await?;
    Ok((StatusCode::CREATED, Json(PlacesOut { places })).into_response())
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
) -> Result<Json<RecordsOut>, Problem> {
    let asked: Asked = query::query(&uri)?;
    let path = StreamPath { namespace: query::namespace(asked.namespace.as_deref())?, name: query::parsed(&name)? };
    let wait = asked.wait.as_deref().map(parse_duration).transpose();
    let wait = wait.map_err(|error| bad("bad_query", error.to_string()))?.unwrap_or(Duration::ZERO);
    let from = from(asked.from.as_deref().unwrap_or("earliest"))?;
    let most = query::limit(asked.limit)?.min(bounds::MAX_STREAM_BATCH);
    let read = runtime.read_stream(&path, &Reading { from, most, key: asked.key, wait }).await?;
    let records = read.records.into_iter().map(RecordOut::of).collect();
    Ok(Json(RecordsOut { records, next: read.next }))
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
