//! `/v1/secrets`: set, list and remove. No answer has a value.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::query::{self, Page, Path, Within, bad};
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::names::SecretName;
use crate::model::secret::{Secret, SecretValue};
use crate::runtime::Runtime;

/// Which secret was set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretSet)]
pub(super) struct SetOut {
    namespace: String,
    name: String,
}

/// A secret as it is answered: without its value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Secret)]
struct SecretOut {
    namespace: String,
    name: String,
    created_at: String,
    updated_at: String,
}

/// A page of secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Secrets)]
pub(super) struct SecretsOut {
    secrets: Vec<SecretOut>,
    next_cursor: Option<String>,
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let which: Within = query::query(&uri)?;
    let (namespace, name) = (which.namespace()?, query::parsed::<SecretName>(&name)?);
    let value = body::read(body, bounds::MAX_SECRET_BYTES, "secret").await?;
    let value = SecretValue::try_from(Vec::from(value)).map_err(|error| bad("bad_secret", error.to_string()))?;
    let told = SetOut { namespace: namespace.to_string(), name: name.to_string() };
    let is_new = runtime.set_secret(namespace, name, value).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(told)).into_response())
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<SecretsOut>, Problem> {
    let listing: Page = query::query(&uri)?;
    let limit = query::limit(listing.limit)?;
    let after = listing.cursor.as_deref().map(query::parsed).transpose()?;
    let mut secrets = runtime.secrets(query::namespace(listing.namespace.as_deref())?, after, limit + 1).await?;
    let goes_on = secrets.len() > limit;
    secrets.truncate(limit);
    let next_cursor = secrets.last().filter(|_| goes_on).map(|last| last.name.to_string());
    Ok(Json(SecretsOut { secrets: secrets.iter().map(shown).collect(), next_cursor }))
}

fn shown(secret: &Secret) -> SecretOut {
    SecretOut {
        namespace: secret.namespace.to_string(),
        name: secret.name.to_string(),
        created_at: secret.created.to_string(),
        updated_at: secret.updated.to_string(),
    }
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let which: Within = query::query(&uri)?;
    runtime.remove_secret(which.namespace()?, query::parsed(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
