//! `/v1/functions`: show, list, delete, versions, aliases. How one is deployed stands in `deploy`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::async_config::MAX_JSON_BYTES;
use super::functions_json::{FunctionOut, FunctionsOut, VersionOut, VersionsOut};
use super::named::{Named, Qualified};
use super::openapi::values;
use super::query::{self, Page, Path};
use crate::access::Caller;
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::function::Weights;
use crate::model::names::{FunctionPath, Namespace, Qualifier, VersionNumber};
use crate::runtime::Runtime;

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Qualified(path, qualifier): Qualified,
) -> Result<Json<FunctionOut>, Problem> {
    Ok(Json(FunctionOut::of(&runtime.describe(&path, &qualifier)?)))
}

/// The bytes of a version's module.
pub(super) async fn module(
    State(runtime): State<Runtime>,
    Qualified(path, qualifier): Qualified,
) -> Result<Response, Problem> {
    let module = runtime.module(&path, &qualifier).await?;
    Ok(([(CONTENT_TYPE, "application/wasm")], module).into_response())
}

pub(super) async fn list(
    State(runtime): State<Runtime>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<FunctionsOut>, Problem> {
    let page: Page = query::query(&uri)?;
    let namespace = page.namespace.as_deref().map(query::parsed::<Namespace>).transpose()?;
    let after = page.cursor.as_deref().map(behind).transpose()?;
    let listed = runtime.functions(&caller, namespace.as_ref(), after.as_ref(), query::limit(page.limit)?);
    let functions = listed.functions.iter().map(FunctionOut::of).collect();
    let next_cursor = listed.next.map(|path| format!("{}/{}", path.namespace, path.name));
    Ok(Json(FunctionsOut { functions, next_cursor }))
}

/// Where a page of functions goes on: the last name of the page before.
fn behind(cursor: &str) -> Result<FunctionPath, Problem> {
    match cursor.split_once('/') {
        Some((namespace, name)) => query::path(Some(namespace), name),
        None => Err(query::no_cursor(cursor)),
    }
}

pub(super) async fn versions(
    State(runtime): State<Runtime>,
    Named(path): Named<FunctionPath>,
) -> Result<Json<VersionsOut>, Problem> {
    let (function, versions) = (runtime.function(&path)?, runtime.versions(&path)?);
    let versions = versions.iter().map(|version| VersionOut::of(&function, version)).collect();
    Ok(Json(VersionsOut { versions }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deletion {
    namespace: Option<String>,
    #[serde(default)]
    force: bool,
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let deletion: Deletion = query::query(&uri)?;
    runtime.delete(query::path(deletion.namespace.as_deref(), &name)?, deletion.force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where an alias is to point.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AliasSettings)]
pub(super) struct AliasIn {
    #[schema(schema_with = values::version)]
    version: VersionNumber,
    /// Of a hundred invocations, how many go to which other versions; the rest goes to `version`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, u8>)]
    weights: Weights,
}

pub(super) async fn set_alias(
    State(runtime): State<Runtime>,
    Named(path): Named<FunctionPath>,
    Path((_, alias)): Path<(String, String)>,
    body: Body,
) -> Result<Json<FunctionOut>, Problem> {
    let body = body::read(body, MAX_JSON_BYTES, "alias").await?;
    let to: AliasIn = query::json(&body, "alias")?;
    let described = runtime.alias(&path, query::parsed(&alias)?, Some((to.version, to.weights))).await?;
    Ok(Json(FunctionOut::of(&described)))
}

pub(super) async fn disable(
    State(runtime): State<Runtime>,
    Named(path): Named<FunctionPath>,
) -> Result<Json<FunctionOut>, Problem> {
    disabled(&runtime, path, true).await
}

pub(super) async fn enable(
    State(runtime): State<Runtime>,
    Named(path): Named<FunctionPath>,
) -> Result<Json<FunctionOut>, Problem> {
    disabled(&runtime, path, false).await
}

async fn disabled(runtime: &Runtime, path: FunctionPath, disabled: bool) -> Result<Json<FunctionOut>, Problem> {
    runtime.describe(&path, &Qualifier::Latest)?; // one without a version is not shown here
    runtime.disable_function(&path, disabled).await?;
    Ok(Json(FunctionOut::of(&runtime.describe(&path, &Qualifier::Latest)?)))
}

pub(super) async fn delete_alias(
    State(runtime): State<Runtime>,
    Named(path): Named<FunctionPath>,
    Path((_, alias)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    runtime.alias(&path, query::parsed(&alias)?, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
