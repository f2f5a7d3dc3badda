//! How accounts, roles, credentials and the log of changes look in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::openapi::values;
use crate::access::{Account, AuditEntry, Credential};
use crate::model::access::{ResourceKind, Role};
use crate::model::time::Timestamp;

/// A role on something, as clients write it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleToGrant)]
pub(super) struct RoleIn {
    pub(super) role: String,
    /// Absent for the account's namespace.
    pub(super) on: Option<String>,
}

/// How long a token or key is to be good.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CredentialToMake)]
pub(super) struct Wanted {
    #[schema(schema_with = values::expires_s)]
    pub(super) expires_s: Option<u64>,
}

/// The roles that there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Roles)]
pub(super) struct RolesOut {
    pub(super) roles: Vec<RoleOut>,
}

/// A role, and the kinds of things that it can be on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Role)]
pub(super) struct RoleOut {
    role: &'static str,
    on: Vec<&'static str>,
    is_for: &'static str,
}

/// The accounts of a namespace.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Accounts)]
pub(super) struct AccountsOut {
    pub(super) accounts: Vec<AccountOut>,
}

/// A service account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(super) struct AccountOut {
    id: String,
    namespace: String,
    name: String,
    #[schema(format = DateTime)]
    created_at: String,
    roles: Vec<BindingOut>,
}

/// A role that an account has on something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Binding)]
struct BindingOut {
    role: &'static str,
    on: String,
}

/// The tokens of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountTokens)]
pub(super) struct TokensOut {
    pub(super) tokens: Vec<CredentialOut>,
}

/// The keys of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountKeys)]
pub(super) struct KeysOut {
    pub(super) keys: Vec<CredentialOut>,
}

/// A token or a key, without what is secret of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Credential)]
pub(super) struct CredentialOut {
    id: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    used_at: Option<String>,
}

/// A token or a key that was made, with what is secret of it.
#[derive(Serialize, ToSchema)]
#[schema(as = NewCredential)]
pub(super) struct MadeOut {
    #[serde(flatten)]
    pub(super) credential: CredentialOut,
    /// Of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    /// Of a token: the whole of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
}

/// A page of the log of changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Audit)]
pub(super) struct AuditOut {
    pub(super) entries: Vec<EntryOut>,
    pub(super) next_cursor: Option<String>,
}

/// A change that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct EntryOut {
    #[schema(format = DateTime)]
    at: String,
    who: String,
    action: String,
    on: String,
    status: u16,
    #[schema(schema_with = values::audit_result)]
    result: &'static str,
}

impl RoleOut {
    pub(super) fn of(role: Role) -> Self {
        let kinds = ResourceKind::ALL.into_iter().filter(|kind| role.fits(*kind));
        Self { role: role.as_str(), on: kinds.map(ResourceKind::as_str).collect(), is_for: role.is_for() }
    }
}

impl AccountOut {
    pub(super) fn of(account: &Account) -> Self {
        Self {
            id: account.id.to_string(),
            namespace: account.namespace.to_string(),
            name: account.name.to_string(),
            created_at: account.created.to_string(),
            roles: account
                .bindings
                .iter()
                .map(|it| BindingOut { role: it.role.as_str(), on: it.on.to_string() })
                .collect(),
        }
    }
}

impl CredentialOut {
    pub(super) fn of(credential: &Credential) -> Self {
        let Credential { id, created, expires, used } = credential;
        let time = |time: &Option<Timestamp>| time.as_ref().map(Timestamp::to_string);
        Self { id: id.clone(), created_at: created.to_string(), expires_at: time(expires), used_at: time(used) }
    }
}

impl EntryOut {
    pub(super) fn of(entry: &AuditEntry) -> Self {
        let AuditEntry { at, who, action, on, status } = entry;
        Self {
            at: at.to_string(),
            who: who.clone(),
            action: action.clone(),
            on: on.clone(),
            status: *status,
            result: if *status < 400 { "done" } else { "refused" },
        }
    }
}
