//! The document of the API, and whether the API is as it says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::process::Command;

use crate::skipped;

use super::support::{Server, prebuilt_path, run};

#[tokio::test]
async fn the_document_is_the_same_from_a_server_and_from_the_command() {
    let server = Server::in_memory().await;
    let answer = server.get("/openapi.json").await.is(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text(), run(&server, &["openapi"]).await.exits(0).text());
    assert_eq!(answer.json()["openapi"], "3.1.0");
}

#[tokio::test]
async fn each_path_allows_the_methods_that_the_document_has() {
    let server = Server::in_memory().await;
    for (path, item) in paths(&server).await.iter().filter(|(path, _)| !path.starts_with("/fn/")) {
        let answer = server.send(server.request(Method::PATCH, &filled(path))).await.is(405);
        let allowed: BTreeSet<_> = answer.header("allow").split(',').map(|name| name.trim().to_lowercase()).collect();
        let mut told: BTreeSet<_> = item.as_object().unwrap().keys().cloned().collect();
        if told.contains("get") {
            told.insert("head".to_owned()); // as HTTP has it
        }
        assert_eq!(allowed, told, "{path}");
    }
}

#[tokio::test]
async fn each_operation_takes_the_query_parameters_that_the_document_names() {
    let server = Server::in_memory().await;
    let mut compared = 0;
    for (path, item) in paths(&server).await.iter().filter(|(path, _)| !path.starts_with("/fn/")) {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            let told = parameters.iter().filter(|parameter| parameter["in"] == "query");
            let told: BTreeSet<_> = told.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
            let path = format!("{}?no_such_parameter=1", filled(path));
            let answer = server.send(server.request(method.to_uppercase().parse().unwrap(), &path)).await;
            if told.is_empty() {
                assert!(!answer.text().contains("no_such_parameter"), "{method} {path}: {}", answer.text());
                continue;
            }
            let detail = answer.is(400).json()["detail"].as_str().unwrap().to_owned();
            let expected = detail.split_once("expected").unwrap().1;
            let taken: BTreeSet<_> = expected.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
            assert_eq!(taken, told, "{method} {path}: {detail}");
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
}

#[tokio::test]
async fn a_validator_accepts_the_document_and_schemathesis_finds_nothing_in_the_api() {
    let Some(tools) = tools() else { return };
    let server = Server::with(&["--examples"]).await;
    let document = server.folder().join("openapi.json");
    std::fs::write(&document, server.get("/openapi.json").await.is(200).text()).unwrap();
    finished(Command::new(tools.join("openapi-spec-validator")).arg(&document)).await;

    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi");
    let modules = ["echo", "hello-http", "word-count"].map(|name| prebuilt_path(name).to_str().unwrap().to_owned());
    let mut schemathesis = Command::new(tools.join("schemathesis"));
    schemathesis.arg("--config-file").arg(here.join("schemathesis.toml"));
    schemathesis.args(["--no-color", "run", "--max-examples", EXAMPLES, "--seed", SEED]);
    schemathesis.arg("--no-shrink").arg(server.url("/openapi.json"));
    schemathesis.env("SCHEMATHESIS_HOOKS", here.join("hooks.py")).env("TIDEMILL_TEST_MODULES", modules.join(":"));
    let report = finished(schemathesis.current_dir(server.folder())).await;
    // All but the one that the document itself is from, of which it has been read.
    let operations = paths(&server).await.values().map(|item| item.as_object().unwrap().len()).sum::<usize>() - 1;
    let selected = format!("Selected: {operations}/{operations}");
    let tested = format!("Tested: {operations}");
    for line in [&*selected, &*tested, "✅ Examples", "✅ Coverage", "✅ Fuzzing", "✅ Stateful"] {
        assert!(report.lines().any(|told| told.trim() == line), "`{line}` is not told: {report}");
    }
    server.get("/readyz").await.is(200);
}

/// Enough to meet each parameter wrong and right.
const EXAMPLES: &str = "10";
/// The same requests each time, as far as the answers allow.
const SEED: &str = "1";

/// For a tool that should have ended long before. It is told of no time, or it would leave out what does not fit.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs it to its end, which is to be a good one, and returns what it printed.
async fn finished(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

/// Where `tests/openapi/fetch` has put the tools; nothing where it was not run, unless all must be there.
fn tools() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/openapi/venv/bin");
    if tools.join("schemathesis").exists() {
        return Some(tools);
    }
    skipped("the API by its document, since schemathesis is not here: run tests/openapi/fetch");
    None
}

/// The paths of the document.
async fn paths(server: &Server) -> serde_json::Map<String, Value> {
    let document = server.get("/openapi.json").await.is(200).json();
    document["paths"].as_object().unwrap().clone()
}

/// A path of the document with something in each place.
fn filled(path: &str) -> String {
    path.replace("{id}", "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77").replace(['{', '}'], "")
}
