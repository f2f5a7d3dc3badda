//! `/v1/connections`: the ways of a namespace to services outside. Keys are named as secrets, and no answer has one.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::async_config::MAX_JSON_BYTES;
use super::query::{self, Page, Within};
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::connection::{Connection, Keys, Nats, S3, Service, Sqs};
use crate::model::names::SecretName;
use crate::runtime::Runtime;

/// A service as it is written.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Written {
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
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
struct FromSecret {
    secret: SecretName,
}

/// What stands in place of a secret's name. It may be a key, so it is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("write `{{\"secret\": \"NAME\"}}`: the name of a secret, and not the key itself")]
struct NoSecret;

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
    Ok((status, Json(shown(&connection))).into_response())
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let which: Within = query::query(&uri)?;
    Ok(Json(shown(&runtime.connection(which.namespace()?, query::parsed(&name)?).await?)))
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<Value>, Problem> {
    let listing: Page = query::query(&uri)?;
    let (namespace, limit) = (query::namespace(listing.namespace.as_deref())?, query::limit(listing.limit)?);
    let after = listing.cursor.as_deref().map(query::parsed).transpose()?;
    let mut connections = runtime.connections(&namespace, after.as_ref(), limit + 1).await?;
    let goes_on = connections.len() > limit;
    connections.truncate(limit);
    let next = connections.last().filter(|_| goes_on).map(|last| last.name.to_string());
    let shown: Vec<_> = connections.iter().map(shown).collect();
    Ok(Json(json!({ "connections": shown, "next_cursor": next })))
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

fn shown(connection: &Connection) -> Value {
    let secret = |name: &Option<SecretName>| name.as_ref().map(|name| json!({ "secret": name.as_str() }));
    let mut shown = json!({
        "namespace": connection.namespace.as_str(),
        "name": connection.name.as_str(),
        "kind": connection.service.kind(),
        "created_at": connection.created.to_string(),
        "updated_at": connection.updated.to_string(),
    });
    let more = match &connection.service {
        Service::Nats(nats) => json!({
            "url": nats.url,
            "user": nats.user,
            "password": secret(&nats.password),
            "token": secret(&nats.token),
        }),
        Service::S3(S3 { endpoint, region, path_style, keys }) => json!({
            "endpoint": endpoint,
            "region": region,
            "path_style": path_style,
            "access_key_id": keys.access_key_id,
            "secret_key": { "secret": keys.secret_key.as_str() },
            "session_token": secret(&keys.session_token),
        }),
        Service::Sqs(Sqs { endpoint, region, keys }) => json!({
            "endpoint": endpoint,
            "region": region,
            "access_key_id": keys.access_key_id,
            "secret_key": { "secret": keys.secret_key.as_str() },
            "session_token": secret(&keys.session_token),
        }),
    };
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    shown
}
