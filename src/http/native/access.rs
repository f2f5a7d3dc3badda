//! `/v1/accounts`, `/v1/roles` and `/v1/audit`: service accounts, what they may do, what shows that one is it, and what was
//! changed by whom. A token and the secret of a key are in the answer to the request that makes them, and in no other.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::access_json::{
    AccountOut, AccountsOut, AuditOut, CredentialOut, EntryOut, KeysOut, MadeOut, RoleIn, RoleOut, RolesOut, TokensOut,
    Wanted,
};
use super::answer;
use super::async_config::MAX_JSON_BYTES;
use super::named::Named;
use super::query::{self, Path, Within, bad};
use crate::access::Caller;
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::access::{Role, Scope};
use crate::model::bounds::{self, within};
use crate::model::names::Namespace;
use crate::runtime::{AccountPath, CredentialKind, Runtime};

/// A role on something, in a query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleNamed {
    namespace: Option<String>,
    role: String,
    on: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn roles() -> Json<RolesOut> {
    Json(RolesOut { roles: Role::ALL.into_iter().map(RoleOut::of).collect() })
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<AccountsOut>, Problem> {
    let which: Within = query::query(&uri)?;
    let accounts = runtime.accounts(&which.namespace()?);
    Ok(Json(AccountsOut { accounts: accounts.iter().map(|account| AccountOut::of(account)).collect() }))
}

pub(super) async fn create(
    State(runtime): State<Runtime>,
    Named(account): Named<AccountPath>,
) -> Result<(StatusCode, Json<AccountOut>), Problem> {
    let account = runtime.create_account(account).await?;
    Ok((StatusCode::CREATED, Json(AccountOut::of(&account))))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Named(account): Named<AccountPath>,
) -> Result<Json<AccountOut>, Problem> {
    Ok(Json(AccountOut::of(&*runtime.account(&account)?)))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    caller: Caller,
    Named(account): Named<AccountPath>,
) -> Result<StatusCode, Problem> {
    runtime.remove_account(&caller, account).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn grant(
    State(runtime): State<Runtime>,
    caller: Caller,
    Named(account): Named<AccountPath>,
    body: Body,
) -> Result<Json<AccountOut>, Problem> {
    let body = body::read(body, MAX_JSON_BYTES, "role").await?;
    let RoleIn { role, on } = query::json(&body, "role")?;
    let on = scope(on.as_deref(), &account.namespace)?;
    Ok(Json(AccountOut::of(&*runtime.grant(&caller, account, self::role(&role)?, on).await?)))
}

pub(super) async fn revoke(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<AccountOut>, Problem> {
    let RoleNamed { namespace, role, on } = query::query(&uri)?;
    let account = AccountPath { namespace: query::namespace(namespace.as_deref())?, name: query::parsed(&name)? };
    let on = scope(on.as_deref(), &account.namespace)?;
    Ok(Json(AccountOut::of(&*runtime.revoke(&caller, account, self::role(&role)?, on).await?)))
}

pub(super) async fn tokens(
    State(runtime): State<Runtime>,
    Named(account): Named<AccountPath>,
) -> Result<Json<TokensOut>, Problem> {
    let tokens = runtime.credentials(&account, CredentialKind::Token)?;
    Ok(Json(TokensOut { tokens: tokens.iter().map(CredentialOut::of).collect() }))
}

pub(super) async fn keys(
    State(runtime): State<Runtime>,
    Named(account): Named<AccountPath>,
) -> Result<Json<KeysOut>, Problem> {
    let keys = runtime.credentials(&account, CredentialKind::Key)?;
    Ok(Json(KeysOut { keys: keys.iter().map(CredentialOut::of).collect() }))
}

pub(super) async fn create_token(
    State(runtime): State<Runtime>,
    caller: Caller,
    Named(account): Named<AccountPath>,
    body: Body,
) -> Result<Response, Problem> {
    made(&runtime, &caller, account, CredentialKind::Token, body).await
}

pub(super) async fn create_key(
    State(runtime): State<Runtime>,
    caller: Caller,
    Named(account): Named<AccountPath>,
    body: Body,
) -> Result<Response, Problem> {
    made(&runtime, &caller, account, CredentialKind::Key, body).await
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
    if let Some(expires_s) = expires_s {
        let range = within("expires_s", expires_s, &bounds::CREDENTIAL_S);
        range.map_err(|error| bad("bad_range", error.to_string()))?;
    }
    let good_for = expires_s.map(Duration::from_secs);
    let made = runtime.create_credential(caller, account, kind, good_for).await?;
    let (credential, text) = (CredentialOut::of(&made.credential), Some(made.secret.as_str().to_owned()));
    let (secret, token) = match kind {
        CredentialKind::Key => (text, None),
        CredentialKind::Token => (None, text),
    };
    let shown = MadeOut { credential, secret, token };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(shown)).into_response())
}

pub(super) async fn revoke_credential(
    State(runtime): State<Runtime>,
    caller: Caller,
    Named(account): Named<AccountPath>,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    runtime.revoke_credential(&caller, account, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn audit(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<AuditOut>, Problem> {
    let part: Part = query::query(&uri)?;
    let limit = query::limit(part.limit)?;
    let cursor = |text: &str| text.parse().map_err(|_| query::no_cursor(text));
    let after = part.cursor.as_deref().map(cursor).transpose()?;
    let found = runtime.audit(after, limit + 1).await?;
    let (entries, next_cursor) = answer::page(found, limit, |(place, _)| place.to_string());
    Ok(Json(AuditOut { entries: entries.iter().map(|(_, entry)| EntryOut::of(entry)).collect(), next_cursor }))
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
