//! `/v1/objects`: the objects that this server keeps, by bucket and key. Keys stand in the path as they are.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer;
use super::query::{self, Path, Within};
use crate::delivery::{Content, Object, Place};
use crate::http::problem::Problem;
use crate::model::object::{BucketName, ObjectKey};
use crate::runtime::Runtime;

/// Which objects are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    namespace: Option<String>,
    prefix: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The buckets that there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Buckets)]
pub(super) struct BucketsOut {
    buckets: Vec<BucketOut>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Bucket)]
struct BucketOut {
    namespace: String,
    name: String,
}

/// A page of objects.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Objects)]
pub(super) struct ObjectsOut {
    objects: Vec<ObjectOut>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Object)]
struct ObjectOut {
    key: String,
    bytes: u64,
    #[schema(format = DateTime)]
    written_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl ObjectOut {
    fn of(object: &Object) -> Self {
        Self {
            key: object.key.to_string(),
            bytes: object.bytes,
            written_at: object.written.to_string(),
            expires_at: object.expires.map(|at| at.to_string()),
        }
    }
}

fn place(uri: &Uri, bucket: &str, key: &str) -> Result<Place, Problem> {
    let which: Within = query::query(uri)?;
    Ok(Place { namespace: which.namespace()?, bucket: query::parsed(bucket)?, key: query::parsed(key)? })
}

pub(super) async fn buckets(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<BucketsOut>, Problem> {
    let namespace = query::query::<Within>(&uri)?.namespace()?;
    let buckets = runtime.buckets(&namespace).await?;
    let shown = |name: &BucketName| BucketOut { namespace: namespace.to_string(), name: name.to_string() };
    Ok(Json(BucketsOut { buckets: buckets.iter().map(shown).collect() }))
}

pub(super) async fn list(
    State(runtime): State<Runtime>,
    Path(bucket): Path<String>,
    uri: Uri,
) -> Result<Json<ObjectsOut>, Problem> {
    let listing: Listing = query::query(&uri)?;
    let (namespace, limit) = (query::namespace(listing.namespace.as_deref())?, query::limit(listing.limit)?);
    let cursor = |text: &str| text.parse::<ObjectKey>().map_err(|_| query::no_cursor(text));
    let after = listing.cursor.as_deref().map(cursor).transpose()?;
    let (bucket, prefix) = (query::parsed(&bucket)?, listing.prefix.unwrap_or_default());
    let found = runtime.objects(&namespace, &bucket, &prefix, after.as_ref(), limit + 1).await?;
    let (objects, next_cursor) = answer::page(found, limit, |last| last.key.to_string());
    Ok(Json(ObjectsOut { objects: objects.iter().map(ObjectOut::of).collect(), next_cursor }))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path((bucket, key)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let place = place(&uri, &bucket, &key)?;
    let content_type = HeaderValue::from_static(place.key.content_type());
    let Content { bytes, pieces } = runtime.object(place).await?;
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_LENGTH, HeaderValue::from(bytes)),
        // A function wrote it: a browser is not to make anything else of it.
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path((bucket, key)): Path<(String, String)>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    runtime.remove_object(place(&uri, &bucket, &key)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
