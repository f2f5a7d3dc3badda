//! `/v1/connections`: the ways of a namespace to services outside. Keys are named as secrets, and no answer has one.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::answer;
use super::async_config::MAX_JSON_BYTES;
use super::named::{Listing, Named};
use super::openapi::values;
use super::query;
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::connection::{Connection, Keys, Nats, S3, Service, Sqs};
use crate::model::names::{ConnectionName, Namespace, SecretName};
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
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
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
    Named((namespace, name)): Named<(Namespace, ConnectionName)>,
    body: Body,
) -> Result<Response, Problem> {
    let body = body::read(body, MAX_JSON_BYTES, "connection").await?;
    let written: Written = query::json(&body, "connection")?;
    let (connection, is_new) = runtime.set_connection(namespace, name, written.into()).await?;
    Ok(answer::set(is_new, ConnectionOut::of(connection)))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Named((namespace, name)): Named<(Namespace, ConnectionName)>,
) -> Result<Json<ConnectionOut>, Problem> {
    Ok(Json(ConnectionOut::of(runtime.connection(namespace, name).await?)))
}

pub(super) async fn list(
    State(runtime): State<Runtime>,
    Listing { namespace, after, limit }: Listing<ConnectionName>,
) -> Result<Json<ConnectionsOut>, Problem> {
    let found = runtime.connections(&namespace, after.as_ref(), limit + 1).await?;
    let (found, next_cursor) = answer::page(found, limit, |last| last.name.to_string());
    let connections = found.into_iter().map(ConnectionOut::of).collect();
    Ok(Json(ConnectionsOut { connections, next_cursor }))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Named((namespace, name)): Named<(Namespace, ConnectionName)>,
) -> Result<StatusCode, Problem> {
    runtime.remove_connection(namespace, name).await?;
    Ok(StatusCode::NO_CONTENT)
}
