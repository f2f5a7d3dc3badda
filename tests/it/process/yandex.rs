//! The Yandex dialect: the unmodified SDK over gRPC, with and without TLS (the scripts in `tests/yandex`; `tests/yandex/fetch`
//! brings the SDK), and REST as people write it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use super::support::{Answer, Server, prebuilt_path, until};
use crate::{skipped, told};

/// How long a script may take, on a machine that is busy with other tests as well.
const PATIENCE: Duration = Duration::from_secs(300);

/// A program that answers every event with the same.
fn answers() -> Vec<u8> {
    let text = r#"{"statusCode": 201, "headers": {"X-Made-By": "wasm"}, "body": "made"}"#;
    let escaped = text.replace('"', "\\22");
    let wat = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\{:02x}\00\00\00")
            (data (i32.const 16) "{escaped}")
            (func (export "_start")
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
        text.len()
    );
    wat::parse_str(wat).unwrap()
}

fn fails() -> Vec<u8> {
    wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#).unwrap()
}

/// The interpreter that has the SDK.
fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/yandex/python/bin/python");
    if python.exists() {
        return Some(python);
    }
    skipped("the SDK of Yandex Cloud: run tests/yandex/fetch");
    None
}

/// Runs a script, shows what it says, and checks that it said so many things.
async fn check(python: &Path, script: &str, arguments: &[String], says: usize) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/yandex").join(script);
    let mut command = Command::new(python);
    let command = command.arg(script).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().for_each(told);
    assert_eq!(text.lines().count(), says, "{text}");
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn the_sdk_makes_invokes_and_deletes_functions() {
    let Some(python) = python() else { return };
    let server = Server::durable().await;
    let answers = written(server.folder(), "answers.wasm", &answers());
    let fails = written(server.folder(), "fails.wasm", &fails());
    check(&python, "functions.py", &[server.url(""), server.grpc_address(), answers, fails], 6).await;
}

#[tokio::test]
async fn the_sdk_finds_the_services_over_tls_and_waits_for_operations_by_itself() {
    let Some(python) = python() else { return };
    let server = Server::secured(&[]).await;
    let answers = written(server.folder(), "answers.wasm", &answers());
    check(&python, "secured.py", &[&shown_over_tls(&server)[..], &[answers]].concat(), 3).await;
}

#[tokio::test]
async fn the_sdk_makes_and_calls_containers_over_tls_and_strangers_are_refused() {
    let Some(python) = python() else { return };
    let guest = prebuilt_path("hello-http");
    let server = Server::secured(&["--allow-dir", guest.parent().unwrap().to_str().unwrap()]).await;
    let image = format!("file://{}", guest.display());
    check(&python, "secured-containers.py", &[&shown_over_tls(&server)[..], &[image]].concat(), 4).await;
}

/// Where gRPC is, and the files with the token to show and the authority to trust.
fn shown_over_tls(server: &Server) -> [String; 3] {
    let token = server.folder().join("tidemill-data/admin.token");
    [server.grpc_address(), token.display().to_string(), server.authority().display().to_string()]
}

/// What came of an operation.
async fn done(server: &Server, answer: Answer) -> Value {
    let operation = answer.is(200).json();
    let path = format!("/operations/{}", operation["id"].as_str().unwrap());
    let operation = until("the operation", async || {
        let operation = server.get(&path).await.is(200).json();
        (operation["done"] == json!(true)).then_some(operation)
    });
    let operation = operation.await;
    assert_eq!(operation["error"], Value::Null, "{operation}");
    operation["response"].clone()
}

fn refused(answer: &Answer, status: u16, code: u32, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let error = answer.json();
    assert_eq!((&error["code"], &error["details"]), (&json!(code), &json!([])), "{error}");
    assert!(error["message"].as_str().unwrap().contains(part), "{error}");
}

async fn create(server: &Server, name: &str) -> Value {
    let body = json!({ "folderId": "b1gfolder", "name": name }).to_string();
    done(server, server.post("/functions/v1/functions", body).await).await
}

fn version(function: &Value, module: &[u8]) -> Value {
    json!({
        "functionId": function["id"],
        "runtime": "wasm",
        "entrypoint": "index.handler",
        "resources": { "memory": "134217728" },
        "executionTimeout": "7s",
        "content": STANDARD.encode(module),
    })
}

#[tokio::test]
async fn a_function_lives_its_whole_life_over_rest() {
    let server = Server::durable().await;
    server.put("/v1/queues/good?namespace=b1gfolder", "{}").await;
    let function = create(&server, "resize").await;
    assert_eq!(function["@type"], "type.googleapis.com/yandex.cloud.serverless.functions.v1.Function");
    assert_eq!((&function["folderId"], &function["status"]), (&json!("b1gfolder"), &json!("ACTIVE")));
    let mut asked = version(&function, &answers());
    let config = json!({
        "retriesCount": "2",
        "successTarget": { "ymqTarget": {
            "queueArn": "yrn:yc:ymq:ru-central1:b1gfolder:good", "serviceAccountId": "ajeaccount",
        } },
        "failureTarget": { "emptyTarget": {} },
        "serviceAccountId": "ajeaccount",
    });
    asked["asyncInvocationConfig"] = config.clone();
    asked["tag"] = json!(["prod"]);
    let version = done(&server, server.post("/functions/v1/versions", asked.to_string()).await).await;
    let (id, version_id) = (function["id"].as_str().unwrap(), version["id"].as_str().unwrap());
    assert_eq!(version_id, format!("{id}-1"));
    assert_eq!((&version["asyncInvocationConfig"], &version["executionTimeout"]), (&config, &json!("7s")));
    assert_eq!(version["tags"], json!(["$latest", "prod"]));

    let shown = server.get(&format!("/functions/v1/versions/{version_id}")).await.is(200).json();
    assert_eq!((&shown["id"], &shown["resources"]), (&version["id"], &json!({ "memory": "134217728" })));
    let by_tag = server.get(&format!("/functions/v1/versions:byTag?functionId={id}&tag=prod")).await.is(200);
    assert_eq!(by_tag.json(), shown);
    let listed = server.get("/functions/v1/functions?folderId=b1gfolder&pageSize=5").await.is(200).json();
    assert_eq!(listed["functions"][0]["name"], "resize");
    let listed = server.get(&format!("/functions/v1/functions/{id}/operations")).await.is(200).json();
    assert_eq!(listed["operations"].as_array().unwrap().len(), 2);
    // It is a function like any other.
    let native = server.get("/v1/functions/resize?namespace=b1gfolder").await.is(200).json();
    assert_eq!(native["version"]["version"], 1);

    let answer = server.post(&format!("/{id}?a=1"), "hello").await.is(201);
    assert_eq!((answer.text().as_str(), answer.header("x-made-by")), ("made", "wasm"));
    let accepted = server.post(&format!("/{id}?integration=async"), "hello").await.is(202);
    let received = until("the message", async || {
        let receive =
            server.post("/v1/queues/good/receive?namespace=b1gfolder", r#"{"wait_s": 1}"#).await.is(200).json();
        receive["messages"][0]["body"].as_str().map(ToOwned::to_owned)
    });
    assert_eq!(serde_json::from_str::<Value>(&received.await).unwrap()["body"], "made");
    let looked_up = server.settled(accepted.header("x-request-id"), "succeeded").await;
    assert_eq!(looked_up["function"], "resize");

    // What was done, and what was said, is there after a crash.
    let server = server.killed().await.restarted().await;
    let again = server.get(&format!("/functions/v1/versions/{version_id}")).await.is(200).json();
    assert_eq!(again, shown);
    let listed = server.get(&format!("/functions/v1/functions/{id}/operations")).await.is(200).json();
    assert_eq!(listed["operations"].as_array().unwrap().len(), 2);

    let patched = json!({ "updateMask": "description", "description": "b" }).to_string();
    let path = format!("/functions/v1/functions/{id}");
    let patched = server.send(server.request(Method::PATCH, &path).body(patched)).await;
    assert_eq!(done(&server, patched).await["description"], "b");
    done(&server, server.delete(&path).await).await;
    refused(&server.get(&path).await, 404, 5, id);
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_the_dialects_form_with_the_field() {
    let server = Server::in_memory().await;
    let function = create(&server, "resize").await;
    let create = async |body: &Value| server.post("/functions/v1/functions", body.to_string()).await;
    refused(&create(&json!({})).await, 400, 3, "folder_id: is required");
    refused(&create(&json!({ "folderId": "b1g", "name": "A" })).await, 400, 3, "name: is `A`");
    refused(&create(&json!({ "folderId": "b1g", "nmae": "a" })).await, 400, 3, "nmae: there is no such field");
    refused(&create(&json!({ "folderId": 1 })).await, 400, 3, "folder_id: ");
    refused(&create(&json!({ "folderId": "b1gfolder", "name": "resize" })).await, 409, 6, "resize");
    refused(&server.post("/functions/v1/functions", "{").await, 400, 3, "no JSON");
    refused(&server.get("/functions/v1/functions").await, 400, 3, "folder_id: is required");
    refused(&server.get("/functions/v1/functions/d4enothing").await, 404, 5, "d4enothing");
    refused(&server.get("/functions/v1/nothing").await, 404, 5, "/functions/v1/nothing");
    refused(&server.put("/functions/v1/functions", "{}").await, 501, 12, "GET, POST");
    refused(&server.get("/operations/nothing").await, 404, 5, "nothing");
    let asked = version(&function, b"print(1)");
    refused(&server.post("/functions/v1/versions", asked.to_string()).await, 400, 3, "content: ");
    let mut asked = version(&function, &answers());
    asked["resources"]["memory"] = json!("1");
    refused(&server.post("/functions/v1/versions", asked.to_string()).await, 400, 3, "resources.memory: is 1");
    let missing = server.post(&format!("/{}", function["id"].as_str().unwrap()), "").await.is(404).json();
    assert_eq!((&missing["errorCode"], &missing["errorType"]), (&json!(404), &json!("ClientError")));
}

#[tokio::test]
async fn nothing_that_is_sent_over_rest_is_answered_with_a_fault_of_the_server() {
    let server = Server::in_memory().await;
    let id = create(&server, "resize").await["id"].as_str().unwrap().to_owned();
    let bodies = ["", "{", "null", "[1]", "{}", r#"{"folderId":{}}"#, r#"{"functionId":"x","tag":"$"}"#, "\u{0}"];
    let queries =
        ["", "?folderId=%00", "?functionId=x&functionId=y", "?pageSize=-1&folderId=a", "?tag=$latest", "?%ff=%ff"];
    let paths = [
        "/functions/v1/functions",
        "/functions/v1/versions",
        "/functions/v1/versions:byTag",
        "/functions/v1/runtimes",
        "/functions/v1/functions/ID",
        "/functions/v1/functions/ID:tagHistory",
        "/functions/v1/functions/ID/operations",
        "/functions/v1/functions/ID/scalingPolicies",
        "/functions/v1/functions/ID:setScalingPolicy",
        "/functions/v1/functions/ID:removeScalingPolicy",
        "/functions/v1/functions/ID:listAccessBindings",
        "/functions/v1/functions/ID:setAccessBindings",
        "/functions/v1/functions/ID:updateAccessBindings",
        "/functions/v1/versions/ID-1",
        "/functions/v1/versions/ID-1:setTag",
        "/functions/v1/versions/ID-1:removeTag",
        "/operations/ID",
        "/operations/ID:cancel",
        "/endpoints",
        "/endpoints/iam",
        "/iam/v1/tokens",
        "/ID",
    ];
    for path in paths {
        for path in [path.replace("ID", &id), path.replace("ID", "%F0%9F"), path.replace("ID", "x")] {
            for method in [Method::GET, Method::POST, Method::PATCH] {
                for query in queries {
                    let body = bodies[(path.len() + query.len()) % bodies.len()];
                    let request = server.request(method.clone(), &format!("{path}{query}")).body(body);
                    let answer = server.send(request).await;
                    let is_fault = answer.status >= 500 && answer.status != 501;
                    assert!(!is_fault, "{method} {path}{query} {body}: {} {}", answer.status, answer.text());
                }
            }
        }
    }
}
