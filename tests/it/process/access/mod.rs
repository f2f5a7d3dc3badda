//! Who may do what: every endpoint with every role, what functions are granted, accounts that configurations name, what leads
//! somewhere by itself, requests that are signed, what everybody may, TLS, and that nothing secret is told.

mod accounts;
mod endpoints;
mod granted;
mod named;
mod reached;
mod secured;
mod signed;
mod yandex;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Server};

/// Makes an account with these roles (role and on what) and returns a token of it.
async fn account(server: &Server, name: &str, roles: &[(&str, &str)]) -> String {
    server.put(&format!("/v1/accounts/{name}"), "").await.is(201);
    for (role, on) in roles {
        grant(server, name, role, on).await.is(200);
    }
    let token = server.post(&format!("/v1/accounts/{name}/tokens"), "").await.is(201).json();
    token["token"].as_str().unwrap().to_owned()
}

async fn grant(server: &Server, name: &str, role: &str, on: &str) -> Answer {
    server.post(&format!("/v1/accounts/{name}/roles"), json!({"role": role, "on": on}).to_string()).await
}

async fn revoke(server: &Server, name: &str, role: &str, on: &str) -> Value {
    server.delete(&format!("/v1/accounts/{name}/roles?role={role}&on={on}")).await.is(200).json()
}

/// What somebody with this token, or without any, is answered.
async fn asked(server: &Server, method: Method, path: &str, token: Option<&str>, body: &str) -> Answer {
    server.send(server.request_with(method, path, token).body(body.to_owned())).await
}
