//! `/v1/secrets`: set, list and remove. No answer has a value.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use super::named::{Listing, Named};
use super::query::bad;
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::names::{Namespace, SecretName};
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
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
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
    Named((namespace, name)): Named<(Namespace, SecretName)>,
    body: Body,
) -> Result<Response, Problem> {
    let value = body::read(body, bounds::MAX_SECRET_BYTES, "secret").await?;
    let value = SecretValue::try_from(Vec::from(value)).map_err(|error| bad("bad_secret", error.to_string()))?;
    let told = SetOut { namespace: namespace.to_string(), name: name.to_string() };
    let is_new = runtime.set_secret(namespace, name, value).await?;
    Ok(answer::set(is_new, told))
}

pub(super) async fn list(
    State(runtime): State<Runtime>,
    Listing { namespace, after, limit }: Listing<SecretName>,
) -> Result<Json<SecretsOut>, Problem> {
    let found = runtime.secrets(namespace, after, limit + 1).await?;
    let (secrets, next_cursor) = answer::page(found, limit, |last| last.name.to_string());
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
    Named((namespace, name)): Named<(Namespace, SecretName)>,
) -> Result<StatusCode, Problem> {
    runtime.remove_secret(namespace, name).await?;
    Ok(StatusCode::NO_CONTENT)
}
