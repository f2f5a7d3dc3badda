//! `/v1/connections`: the ways of a namespace to services outside. Keys are named as secrets, and no answer has one.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::async_config::MAX_JSON_BYTES;
use super::openapi::values;
use super::query::{self, Page, Path, Within};
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::connection::{Connection, Keys, Nats, S3, Service, Sqs};
use crate::model::names::SecretName;
use crate::runtime::Runtime;

/// A service as it is written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[schema(as = ConnectionSettings)]
pub(super) enum Written {
    Nats {
        url: String,
        user: Option<String>,
        password: Option<FromSecret>,
        token: Option<FromSecret>,
    },
    S3 {
        endpoint: Option<String>,
        region: String,
        #[serde(default)]
        path_style: bool,
        access_key_id: String,
        secret_key: FromSecret,
        session_token: Option<FromSecret>,
    },
    Sqs {
        endpoint: Option<String>,
        region: String,
        access_key_id: String,
        secret_key: FromSecret,
        session_token: Option<FromSecret>,
    },
}

/// The name of a secret, in a form that a key pasted in its place does not have.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(try_from = "Value")]
#[schema(as = FromSecret)]
pub(super) struct FromSecret {
    #[schema(schema_with = values::name)]
    secret: SecretName,
}

/// A connection as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Connection)]
pub(super) struct ConnectionOut {
    namespace: String,
    name: String,
    created_at: String,
    updated_at: String,
    #[serde(flatten)]
    service: ServiceOut,
}

/// A service as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[schema(as = Service)]
enum ServiceOut {
    Nats {
        url: String,
        user: Option<String>,
        password: Option<FromSecret>,
        token: Option<FromSecret>,
    },
    S3 {
        endpoint: Option<String>,
        region: String,
        path_style: bool,
        access_key_id: String,
        secret_key: FromSecret,
        session_token: Option<FromSecret>,
    },
    Sqs {
        endpoint: Option<String>,
        region: String,
        access_key_id: String,
        secret_key: FromSecret,
        session_token: Option<FromSecret>,
    },
}

/// A page of connections.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Connections)]
pub(super) struct ConnectionsOut {
    connections: Vec<ConnectionOut>,
    next_cursor: Option<String>,
}

/// What stands in place of a secret's name. It may be a key, so it is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("write `{{\"secret\": \"NAME\"}}`: the name of a secret, and not the key itself")]
pub(super) struct NoSecret;

impl TryFrom<Value> for FromSecret {
    type Error = NoSecret;

    fn try_from(written: Value) -> Result<Self, NoSecret> {
        let Value::Object(members) = &written else { return Err(NoSecret) };
        let name = members.get("secret").filter(|_| members.len() == 1).and_then(Value::as_str);
        let secret = name.and_then(|name| name.parse().ok()).ok_or(NoSecret)?;
        Ok(Self { secret })
    }
}

impl From<Written> for Service {
    fn from(written: Written) -> Self {
        let name = |from: Option<FromSecret>| from.map(|from| from.secret);
        match written {
            Written::Nats { url, user, password, token } => {
                Self::Nats(Nats { url, user, password: name(password), token: name(token) })
            }
            Written::S3 { endpoint, region, path_style, access_key_id, secret_key, session_token } => {
                let keys = Keys { access_key_id, secret_key: secret_key.secret, session_token: name(session_token) };
                Self::S3(S3 { endpoint, region, path_style, keys })
            }
            Written::Sqs { endpoint, region, access_key_id, secret_key, session_token } => {
                let keys = Keys { access_key_id, secret_key: secret_key.secret, session_token: name(session_token) };
                Self::Sqs(Sqs { endpoint, region, keys })
            }
        }
    }
}

impl From<Service> for ServiceOut {
    fn from(service: Service) -> Self {
        let named = |secret| FromSecret { secret };
        match service {
            Service::Nats(Nats { url, user, password, token }) => {
                Self::Nats { url, user, password: password.map(named), token: token.map(named) }
            }
            Service::S3(S3 { endpoint, region, path_style, keys }) => Self::S3 {
                endpoint,
                region,
                path_style,
                access_key_id: keys.access_key_id,
                secret_key: named(keys.secret_key),
                session_token: keys.session_token.map(named),
            },
            Service::Sqs(Sqs { endpoint, region, keys }) => Self::Sqs {
                endpoint,
                region,
                access_key_id: keys.access_key_id,
                secret_key: named(keys.secret_key),
                session_token: keys.session_token.map(named),
            },
        }
    }
}

impl ConnectionOut {
    fn of(connection: Connection) -> Self {
        Self {
            namespace: connection.namespace.to_string(),
            name: connection.name.to_string(),
            created_at: connection.created.to_string(),
            updated_at: connection.updated.to_string(),
            service: connection.service.into(),
        }
    }
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let which: Within = query::query(&uri)?;
    let (namespace, name) = (which.namespace()?, query::parsed(&name)?);
    let body = body::read(body, MAX_JSON_BYTES, "connection").await?;
    let written: Written = query::json(&body, "connection")?;
    let (connection, is_new) = runtime.set_connection(namespace, name, written.into()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(ConnectionOut::of(connection))).into_response())
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<ConnectionOut>, Problem> {
    let which: Within = query::query(&uri)?;
    let connection = runtime.connection(which.namespace()?, query::parsed(&name)?).await?;
    Ok(Json(ConnectionOut::of(connection)))
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<ConnectionsOut>, Problem> {
    let listing: Page = query::query(&uri)?;
    let (namespace, limit) = (query::namespace(listing.namespace.as_deref())?, query::limit(listing.limit)?);
    let after = listing.cursor.as_deref().map(query::parsed).transpose()?;
    let mut connections = runtime.connections(&namespace, after.as_ref(), limit + 1).await?;
    let goes_on = connections.len() > limit;
    connections.truncate(limit);
    let next_cursor = connections.last().filter(|_| goes_on).map(|last| last.name.to_string());
    let connections = connections.into_iter().map(ConnectionOut::of).collect();
    Ok(Json(ConnectionsOut { connections, next_cursor }))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let which: Within = query::query(&uri)?;
    runtime.remove_connection(which.namespace()?, query::parsed(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
