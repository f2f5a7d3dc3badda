//! `/v1/key-value`: the key-value stores of a namespace and their pairs, for people. Keys stand in the path, encoded as
//! paths are; values are bytes.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use super::query::{self, Page, Path, Within};
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::runtime::Runtime;
use crate::store::PairStore;

/// The key-value stores of a namespace.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyValueStores)]
pub(super) struct StoresOut {
    stores: Vec<StoreOut>,
}

/// A key-value store as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyValueStore)]
struct StoreOut {
    namespace: String,
    name: String,
}

/// A page of the keys of a store, in no order that means anything.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Keys)]
pub(super) struct KeysOut {
    keys: Vec<KeyOut>,
    next_cursor: Option<String>,
}

/// A key, and how large its value is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyOut {
    key: String,
    bytes: u64,
}

fn store(uri: &Uri, name: &str) -> Result<PairStore, Problem> {
    let which: Within = query::query(uri)?;
    Ok(PairStore { namespace: which.namespace()?, name: query::parsed(name)? })
}

pub(super) async fn stores(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<StoresOut>, Problem> {
    let which: Within = query::query(&uri)?;
    let stores = runtime.key_value_stores(&which.namespace()?).await?;
    let shown = stores.iter().map(|it| StoreOut { namespace: it.namespace.to_string(), name: it.name.to_string() });
    Ok(Json(StoresOut { stores: shown.collect() }))
}

pub(super) async fn keys(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<KeysOut>, Problem> {
    let listing: Page = query::query(&uri)?;
    let limit = query::limit(listing.limit)?;
    let cursor = |text: &str| u64::from_str_radix(text, 16).map_err(|_| query::no_cursor(text));
    let after = listing.cursor.as_deref().map(cursor).transpose()?;
    let store = PairStore { namespace: query::namespace(listing.namespace.as_deref())?, name: query::parsed(&name)? };
    let found = runtime.pairs(store, after, limit + 1).await?;
    let (pairs, next_cursor) = answer::page(found, limit, |last| format!("{:x}", last.place()));
    let keys = pairs.into_iter().map(|pair| KeyOut { key: pair.key, bytes: pair.bytes }).collect();
    Ok(Json(KeysOut { keys, next_cursor }))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path((name, key)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let value = runtime.pair_value(store(&uri, &name)?, key).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], value).into_response())
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    Path((name, key)): Path<(String, String)>,
    uri: Uri,
    body: Body,
) -> Result<StatusCode, Problem> {
    let store = store(&uri, &name)?;
    let value = body::read(body, bounds::MAX_PAIR_VALUE_BYTES, "value").await?;
    runtime.set_pair(store, key, value).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path((name, key)): Path<(String, String)>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    runtime.remove_pair(store(&uri, &name)?, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
