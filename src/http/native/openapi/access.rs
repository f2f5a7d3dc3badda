//! Service accounts, what they may do, what shows that one is it, and the log of changes.

use serde_json::json;

use super::operation::{Operation, delete, get, post, put};
use super::parameters as p;
use crate::http::native::access_json::{
    AccountOut, AccountsOut, AuditOut, KeysOut, MadeOut, RoleIn, RolesOut, TokensOut, Wanted,
};

const NOT_FOUND: &[&str] = &["account_not_found"];
const VAULT: &[&str] = &["secret_key_unusable", "secret_key_differs"];

pub(super) fn access() -> Vec<Operation> {
    let account = "/v1/accounts/{name}";
    let roles = "/v1/accounts/{name}/roles";
    let named = || [p::name("name", "The account's name", "porter"), p::namespace()];
    let mut operations = vec![
        get("/v1/roles", "list_roles", "List the roles that there are").answers::<RolesOut>(200, "The roles"),
        get("/v1/accounts", "list_accounts", "List the accounts of a namespace")
            .takes([p::namespace()])
            .answers::<AccountsOut>(200, "The accounts"),
        get(account, "show_account", "Show an account and its roles")
            .takes(named())
            .answers::<AccountOut>(200, "The account")
            .refuses(404, NOT_FOUND),
        put(account, "make_account", "Make an account")
            .takes(named())
            .answers::<AccountOut>(201, "The account")
            .refuses(400, &["everyone"])
            .refuses(409, &["account_exists", "limit_exceeded"]),
        delete(account, "delete_account", "Delete an account with its tokens and keys")
            .takes(named())
            .answers_nothing("It is gone")
            .refuses(400, &["everyone"])
            .refuses(404, NOT_FOUND)
            .refuses(409, &["last_admin"]),
        post(roles, "grant_role", "Give an account a role")
            .takes(named())
            .body::<RoleIn>("Which, and on what", json!({ "role": "viewer" }))
            .answers::<AccountOut>(200, "The account")
            .refuses(400, &["bad_role", "bad_scope", "everyone"])
            .refuses(404, NOT_FOUND)
            .refuses(409, &["limit_exceeded"]),
        delete(roles, "revoke_role", "Take a role from an account")
            .takes(named())
            .takes(p::of_roles())
            .answers::<AccountOut>(200, "The account")
            .refuses(404, &["account_not_found", "role_not_granted"])
            .refuses(409, &["last_admin"]),
        get("/v1/audit", "show_audit", "Show who asked for which changes, the newest first")
            .takes([p::limit(), p::cursor()])
            .answers::<AuditOut>(200, "A page of the log"),
    ];
    operations.extend(credentials());
    operations
}

fn credentials() -> Vec<Operation> {
    let (tokens, keys) = ("/v1/accounts/{name}/tokens", "/v1/accounts/{name}/keys");
    let named = || [p::name("name", "The account's name", "porter"), p::namespace()];
    let make = |path, id, summary| {
        post(path, id, summary)
            .told("What is secret of it is in this answer, and in no other.")
            .takes(named())
            .body::<Wanted>("For how long it is good", json!({ "expires_s": 86_400 }))
            .optional_body()
            .answers::<MadeOut>(201, "It is made")
            .refuses(400, &["bad_range", "everyone"])
            .refuses(404, NOT_FOUND)
            .refuses(409, &["limit_exceeded"])
            .refuses(500, VAULT)
    };
    let revoke = |path, id, summary| {
        delete(path, id, summary)
            .takes(named())
            .takes([p::credential()])
            .answers_nothing("It is good no longer")
            .refuses(400, &["everyone"])
            .refuses(404, &["account_not_found", "credential_not_found"])
            .refuses(409, &["last_admin"])
    };
    vec![
        get(tokens, "list_tokens", "List the tokens of an account")
            .takes(named())
            .answers::<TokensOut>(200, "Its tokens")
            .refuses(404, NOT_FOUND),
        make(tokens, "make_token", "Make a token"),
        revoke("/v1/accounts/{name}/tokens/{id}", "revoke_token", "Revoke a token"),
        get(keys, "list_keys_of_account", "List the keys of an account")
            .takes(named())
            .answers::<KeysOut>(200, "Its keys")
            .refuses(404, NOT_FOUND),
        make(keys, "make_key", "Make a key to sign requests with"),
        revoke("/v1/accounts/{name}/keys/{id}", "revoke_key", "Revoke a key"),
    ]
}
