//! `/v1/functions/{name}/schema`: what a function takes and gives, for people and as JSON Schema.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::named::Qualified;
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
    Qualified(path, qualifier): Qualified,
) -> Result<Json<SchemaOut>, Problem> {
    let Signatures { entrypoint, signature, input, output } = runtime.signature(&path, &qualifier).await?;
    Ok(Json(SchemaOut { entrypoint: entrypoint.to_string(), signature, input, output }))
}
