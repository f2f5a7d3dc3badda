//! The service's SDK, unmodified, against a server that asks who sends requests; and a chain that begins here, goes on in the
//! native dialect, and ends in a queue that boto3 reads. What the clients do is in `tests/functiongraph`, whose `fetch`
//! brings the SDK; boto3 comes with `tests/clients/fetch`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{PROJECT, accept, below, create, send, urn};
use crate::process::support::{Server, hostile, prebuilt, run};
use crate::{skipped, told};

/// How long a script may take, on a machine that is busy with other tests as well.
const PATIENCE: Duration = Duration::from_secs(300);

/// An interpreter that has `package`, if somebody has fetched it.
fn python(kept: &str, package: &str) -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(kept).join("python/bin/python");
    if python.exists() {
        return Some(python);
    }
    skipped(&format!("{package}: run tests/{kept}/fetch"));
    None
}

/// Runs a script, and returns what it said.
async fn ran(python: &Path, script: &str, arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/functiongraph").join(script);
    let mut command = Command::new(python);
    let command = command.arg(script).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test]
async fn the_services_sdk_does_the_whole_life_of_a_function() {
    let Some(python) = python("functiongraph", "the SDK of FunctionGraph") else { return };
    let server = Server::asking(&[]).await;
    let key = server.post("/v1/accounts/admin/keys", "").await.is(201).json();
    let text = |name: &str| key[name].as_str().unwrap();
    let modules = server.folder().join("modules");
    std::fs::create_dir(&modules).unwrap();
    for (name, module) in [("echo", prebuilt("echo")), ("trap", hostile("trap")), ("sleep", hostile("sleep"))] {
        std::fs::write(modules.join(name).with_extension("wasm"), module).unwrap();
    }
    let arguments = [&server.url(""), text("id"), text("secret"), PROJECT, modules.to_str().unwrap()];
    let said = ran(&python, "sdk.py", &arguments).await;
    said.lines().for_each(told);
    assert_eq!(said.lines().count(), 9, "{said}");
}

#[tokio::test]
async fn a_chain_over_three_dialects_survives_a_kill_in_its_middle_and_is_drawn() {
    let Some(python) = python("clients", "boto3") else { return };
    let server = Server::durable().await;
    create(&server, "first", &prebuilt("echo")).await;
    let at = |path: &str| format!("{path}?namespace={PROJECT}");
    server.put(&at("/v1/functions/second"), prebuilt("echo")).await.is(201);
    server.put(&at("/v1/queues/outcomes"), "{}").await;
    let to_queue = json!({"on_success": {"to": "queue:outcomes", "format": "payload"}}).to_string();
    server.put(&at("/v1/functions/second/async-config"), to_queue).await.is(200);
    let param = json!({"func_urn": urn("second", "")}).to_string();
    let config = json!({"destination_config": {"on_success": {"destination": "FunctionGraph", "param": param}}});
    send(&server, Method::PUT, &below("first", "async-invoke-config"), &config).await.is(200);

    // The chain stands between its steps when the process is killed.
    server.post(&at("/v1/functions/second/queue/pause"), "").await.is(200);
    let id = accept(&server, "first", r#"{"order": 7}"#).await;
    super::reaches(&server, "first", &id, "SUCCESS").await;
    let server = server.killed().await.restarted().await;
    let waiting = server.get(&format!("/v1/invocations?namespace={PROJECT}&function=second")).await.is(200).json();
    assert_eq!(
        (&waiting["invocations"][0]["status"], &waiting["invocations"][0]["hop"]),
        (&json!("queued"), &json!(1))
    );
    server.post(&at("/v1/functions/second/queue/resume"), "").await.is(200);

    let queue = server.url(&format!("/{PROJECT}/outcomes"));
    let said = ran(&python, "read_queue.py", &[&server.url(""), &queue]).await;
    let messages: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [message] = &messages[..] else { panic!("{said}") };
    assert_eq!(message["request_context"]["request_id"], id.as_str());
    assert_eq!(message["request_payload"], json!({"order": 7}));
    assert_eq!(message["request_context"]["function_urn"], urn("first", ":1"));

    let graph = run(&server, &["graph", "--namespace", PROJECT]).await.exits(0).text();
    let drawn = ["first", "second", "queue:", "outcomes"];
    assert!(drawn.iter().all(|part| graph.contains(part)), "{graph}");
    let dot = run(&server, &["graph", "--namespace", PROJECT, "--dot"]).await.exits(0).text();
    assert!(dot.contains(&format!("\"{PROJECT}/first\" -> \"{PROJECT}/second\"")), "{dot}");
}
