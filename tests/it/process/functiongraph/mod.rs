//! The FunctionGraph dialect over sockets: each operation with what it answers and refuses, beside what the native API
//! says of the same functions.

mod aliases;
mod allowed;
mod code;
mod configuration;
mod functions;
mod refusals;
mod running;
mod versions;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::support::{Answer, Server, prebuilt};

/// A project, as the documents have it.
const PROJECT: &str = "7aad83af3e8d42e99ac194e8419e2c9b";

/// A path of the project.
fn path(rest: &str) -> String {
    format!("/v2/{PROJECT}/fgs{rest}")
}

/// The URN of a function without its version.
fn urn(name: &str) -> String {
    format!("urn:fss:local:{PROJECT}:function:default:{name}")
}

/// The path of an operation on the head of a function.
fn of(name: &str, operation: &str) -> String {
    path(&format!("/functions/{}:latest/{operation}", urn(name)))
}

/// The path of a function in the native API.
fn native(name: &str, rest: &str) -> String {
    format!("/v1/functions/{name}{rest}?namespace={PROJECT}")
}

fn encoded(module: &[u8]) -> String {
    STANDARD.encode(module)
}

/// What makes a function of a module, with these members changed or, where they are null, left out.
fn creation(name: &str, module: &[u8], changes: &Value) -> Value {
    let mut body = json!({
        "func_name": name, "package": "default", "runtime": "Custom", "timeout": 30, "handler": "index.handler",
        "memory_size": 128, "code_type": "inline", "func_code": { "file": encoded(module) },
    });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body
}

/// Makes a function of a prebuilt guest.
async fn create(server: &Server, name: &str, guest: &str) -> Value {
    create_with(server, name, &prebuilt(guest), &json!({})).await
}

async fn create_with(server: &Server, name: &str, module: &[u8], changes: &Value) -> Value {
    let body = creation(name, module, changes).to_string();
    server.post(&path("/functions"), body).await.is(200).json()
}

/// Invokes a function natively, and returns what it answers.
async fn invoked(server: &Server, name: &str, payload: &str) -> Answer {
    server.post(&native(name, "/invocations"), payload.to_owned()).await
}

/// Checks that it is an error of this dialect that says `part`.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    let error = answer.json();
    assert_eq!(error["error_code"], code, "{error}");
    assert!(error["error_msg"].as_str().unwrap().contains(part), "`{part}` is not in {error}");
    assert_eq!(error.as_object().unwrap().len(), 2, "{error}");
    assert_eq!(answer.header("x-request-id").len(), 36);
}
