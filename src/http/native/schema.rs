//! `/v1/functions/{name}/schema`: what a function takes and gives, for people and as JSON Schema.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::query::{self, Named, Path};
use crate::http::problem::Problem;
use crate::runtime::{Runtime, Signatures};

/// What a function takes and gives, as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Signature)]
pub(super) struct SchemaOut {
    entrypoint: String,
    /// In WIT's notation.
    signature: String,
    /// Of the payload.
    input: Value,
    /// Of the result.
    output: Value,
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<SchemaOut>, Problem> {
    let named: Named = query::query(&uri)?;
    let path = query::path(named.namespace.as_deref(), &name)?;
    let qualifier = named.qualifier.as_deref().map(query::parsed).transpose()?.unwrap_or_default();
    let Signatures { entrypoint, signature, input, output } = runtime.signature(&path, &qualifier).await?;
    Ok(Json(SchemaOut { entrypoint: entrypoint.to_string(), signature, input, output }))
}
