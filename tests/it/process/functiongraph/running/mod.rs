//! What of the dialect is about running functions: invocations, how asynchronous ones are treated, what becomes of them, what
//! starts them; and the service's own client.

mod async_configs;
mod clients;
mod documents;
mod histories;
mod invocations;
mod triggers;
mod wrong;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::PROJECT;
use crate::process::support::{Answer, Server, until};

/// The URN of a function of the package `default`; `version` with its colon, or nothing.
fn urn(name: &str, version: &str) -> String {
    format!("urn:fss:local:{PROJECT}:function:default:{name}{version}")
}

/// A path of the dialect behind that of the project.
fn path(rest: &str) -> String {
    format!("/v2/{PROJECT}/fgs/{rest}")
}

/// A path below a function.
fn below(name: &str, rest: &str) -> String {
    path(&format!("functions/{}/{rest}", urn(name, ":latest")))
}

/// Makes a function of a module.
async fn create(server: &Server, name: &str, module: &[u8]) {
    let body = json!({
        "func_name": name,
        "package": "default",
        "runtime": "Custom",
        "timeout": 30,
        "handler": "index.handler",
        "memory_size": 128,
        "code_type": "inline",
        "func_code": {"file": STANDARD.encode(module)},
    });
    server.post(&path("functions"), body.to_string()).await.is(200);
}

/// Sends a JSON document.
async fn send(server: &Server, method: Method, path: &str, body: &Value) -> Answer {
    server.send(server.request(method, path).body(body.to_string())).await
}

/// Checks that it is an error of the dialect, and returns what it says.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    let error = answer.json();
    let members: Vec<_> = error.as_object().unwrap().keys().collect();
    assert_eq!(members, ["error_code", "error_msg"], "{error}");
    assert_eq!(error["error_code"], code, "{error}");
    error["error_msg"].as_str().filter(|text| !text.is_empty()).unwrap().to_owned()
}

/// Leaves an event to the queue and returns the id of the request.
async fn accept(server: &Server, name: &str, event: &str) -> String {
    let answer = server.post(&below(name, "invocations-async"), event.to_owned()).await.is(202).json();
    answer["request_id"].as_str().unwrap().to_owned()
}

/// The entry of a request once it has this status.
async fn reaches(server: &Server, name: &str, id: &str, status: &str) -> Value {
    let path = below(name, &format!("async-invocations?request_id={id}&status={status}"));
    until(status, async || server.get(&path).await.is(200).json()["invocations"].get(0).cloned()).await
}
