//! `/v1/accounts`, `/v1/roles` and `/v1/audit`: service accounts, what they may do, what shows that one is it, and what was
//! changed by whom. A token and the secret of a key are in the answer to the request that makes them, and in no other.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::async_config::MAX_JSON_BYTES;
use super::query::{self, Within, bad};
use crate::access::{Account, AuditEntry, Caller, Credential};
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::access::{ResourceKind, Role, Scope};
use crate::model::names::Namespace;
use crate::model::time::Timestamp;
use crate::runtime::{AccountPath, CredentialKind, Runtime};

/// A role on something, as clients write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleIn {
    role: String,
    /// Absent for the account's namespace.
    on: Option<String>,
}

/// The same in a query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleNamed {
    namespace: Option<String>,
    role: String,
    on: Option<String>,
}

/// How long a token or key is to be good.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    expires_s: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn roles() -> Json<Value> {
    let on = |role: Role| ResourceKind::ALL.into_iter().filter(move |kind| role.fits(*kind)).map(ResourceKind::as_str);
    let shown =
        |role: Role| json!({ "role": role.as_str(), "on": on(role).collect::<Vec<_>>(), "is_for": role.is_for() });
    Json(json!({ "roles": Role::ALL.map(shown) }))
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<Value>, Problem> {
    let which: Within = query::query(&uri)?;
    let accounts: Vec<_> = runtime.accounts(&which.namespace()?).iter().map(|account| rendered(account)).collect();
    Ok(Json(json!({ "accounts": accounts })))
}

pub(super) async fn create(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let account = runtime.create_account(named(&uri, &name)?).await?;
    Ok((StatusCode::CREATED, Json(rendered(&account))))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    Ok(Json(rendered(&*runtime.account(&named(&uri, &name)?)?)))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    runtime.remove_account(&caller, named(&uri, &name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn grant(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let account = named(&uri, &name)?;
    let body = body::read(body, MAX_JSON_BYTES, "role").await?;
    let RoleIn { role, on } = query::json(&body, "role")?;
    let on = scope(on.as_deref(), &account.namespace)?;
    Ok(Json(rendered(&*runtime.grant(&caller, account, self::role(&role)?, on).await?)))
}

pub(super) async fn revoke(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let RoleNamed { namespace, role, on } = query::query(&uri)?;
    let account = AccountPath { namespace: query::namespace(namespace.as_deref())?, name: query::parsed(&name)? };
    let on = scope(on.as_deref(), &account.namespace)?;
    Ok(Json(rendered(&*runtime.revoke(&caller, account, self::role(&role)?, on).await?)))
}

pub(super) async fn tokens(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let tokens = runtime.credentials(&named(&uri, &name)?, CredentialKind::Token)?;
    Ok(Json(json!({ "tokens": tokens.iter().map(credential).collect::<Vec<_>>() })))
}

pub(super) async fn keys(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let keys = runtime.credentials(&named(&uri, &name)?, CredentialKind::Key)?;
    Ok(Json(json!({ "keys": keys.iter().map(credential).collect::<Vec<_>>() })))
}

pub(super) async fn create_token(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    made(&runtime, &caller, named(&uri, &name)?, CredentialKind::Token, body).await
}

pub(super) async fn create_key(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    made(&runtime, &caller, named(&uri, &name)?, CredentialKind::Key, body).await
}

async fn made(
    runtime: &Runtime,
    caller: &Caller,
    account: AccountPath,
    kind: CredentialKind,
    body: Body,
) -> Result<Response, Problem> {
    let body = body::read(body, MAX_JSON_BYTES, "request").await?;
    let Wanted { expires_s } = if body.is_empty() { Wanted::default() } else { query::json(&body, "request")? };
    let good_for = expires_s.map(Duration::from_secs);
    let made = runtime.create_credential(caller, account, kind, good_for).await?;
    let secret = match kind {
        CredentialKind::Key => "secret",
        CredentialKind::Token => "token",
    };
    let mut shown = credential(&made.credential);
    shown[secret] = Value::from(made.secret.as_str());
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(shown)).into_response())
}

pub(super) async fn revoke_credential(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path((name, id)): Path<(String, String)>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    runtime.revoke_credential(&caller, named(&uri, &name)?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn audit(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<Value>, Problem> {
    let part: Part = query::query(&uri)?;
    let limit = query::limit(part.limit)?;
    let after = part.cursor.as_deref().map(str::parse).transpose();
    let after = after.map_err(|_| bad("bad_cursor", "the cursor is none: take `next_cursor` as it is".to_owned()))?;
    let mut entries = runtime.audit(after, limit + 1).await?;
    let goes_on = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| goes_on).map(|(place, _)| place.to_string());
    let shown: Vec<_> = entries.iter().map(|(_, entry)| noted(entry)).collect();
    Ok(Json(json!({ "entries": shown, "next_cursor": next })))
}

fn named(uri: &Uri, name: &str) -> Result<AccountPath, Problem> {
    let which: Within = query::query(uri)?;
    Ok(AccountPath { namespace: which.namespace()?, name: query::parsed(name)? })
}

fn role(text: &str) -> Result<Role, Problem> {
    text.parse().map_err(|error: crate::model::access::InvalidRole| bad("bad_role", error.to_string()))
}

fn scope(text: Option<&str>, namespace: &Namespace) -> Result<Scope, Problem> {
    match text {
        Some(text) => Scope::parse(text, namespace).map_err(|error| bad("bad_scope", error.to_string())),
        None => Ok(Scope::Namespace(namespace.clone())),
    }
}

fn rendered(account: &Account) -> Value {
    let roles = account.bindings.iter().map(|it| json!({ "role": it.role.as_str(), "on": it.on.to_string() }));
    json!({
        "id": account.id.to_string(),
        "namespace": account.namespace.as_str(),
        "name": account.name.as_str(),
        "created_at": account.created.to_string(),
        "roles": roles.collect::<Vec<_>>(),
    })
}

fn credential(credential: &Credential) -> Value {
    let Credential { id, created, expires, used } = credential;
    let time = |time: &Option<Timestamp>| time.as_ref().map(Timestamp::to_string);
    json!({ "id": id, "created_at": created.to_string(), "expires_at": time(expires), "used_at": time(used) })
}

fn noted(entry: &AuditEntry) -> Value {
    let AuditEntry { at, who, action, on, status } = entry;
    let result = if *status < 400 { "done" } else { "refused" };
    json!({ "at": at.to_string(), "who": who, "action": action, "on": on, "status": status, "result": result })
}
