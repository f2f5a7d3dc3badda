//! Functions that are run while their caller waits, in both forms of answer.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{accept, below, create, path, refused, urn};
use crate::process::support::{Answer, Server, hostile, prebuilt};

/// A command that writes 3,000 bytes to its log, `x` but for `end` and a line end, and answers `ok`.
fn talkative() -> Vec<u8> {
    let module = r#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\40\00\00\00\b8\0b\00\00" "\20\00\00\00\02\00\00\00")
      (data (i32.const 32) "ok")
      (data (i32.const 3060) "end\0a")
      (func (export "_start")
        (memory.fill (i32.const 64) (i32.const 0x78) (i32.const 2996))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
        (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))"#;
    wat::parse_str(module).unwrap()
}

async fn invoke(server: &Server, name: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = server.request(Method::POST, &below(name, "invocations")).body(body.to_owned());
    server.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

const V1: (&str, &str) = ("X-CFF-Request-Version", "v1");
const TAIL: (&str, &str) = ("X-Cff-Log-Type", "tail");

#[tokio::test]
async fn the_older_answer_is_the_bare_result_and_says_the_rest_in_headers() {
    let server = Server::in_memory().await;
    create(&server, "echo", &prebuilt("echo")).await;
    let event = r#"{"k": "v",  "n": 1.50}"#;
    let answer = invoke(&server, "echo", &[], event).await.is(200);
    assert_eq!((answer.text().as_str(), answer.header("content-type")), (event, "application/json"));
    let id = answer.header("x-cff-request-id").to_owned();
    let told = ["x-func-err-code", "x-is-func-err", "x-cff-response-version"].map(|name| answer.header(name));
    assert_eq!(told, ["0", "false", "v0"]);
    assert!(!answer.headers.contains_key("x-cff-function-log"));
    let summary: Value = serde_json::from_str(answer.header("x-cff-invoke-summary")).unwrap();
    assert_eq!(summary["memorySize"], 128);
    let billed = summary["billingDuration"].as_u64().unwrap();
    assert_eq!(answer.header("x-cff-billing-duration"), billed.to_string());
    let ran = summary["duration"].as_f64().unwrap();
    let rounded = format!("{:.0}", ran.ceil());
    assert!(summary["memoryUsed"].as_f64().unwrap() > 0.0 && ran > 0.0);
    assert_eq!(rounded, billed.to_string());
    // The same invocation is known to the other dialect.
    let look = format!("/v1/invocations/{id}");
    let record = crate::process::support::until("the record", async || {
        Some(server.get(&look).await).filter(|answer| answer.status == 200)
    });
    assert_eq!(record.await.json()["status"], "succeeded");
}

#[tokio::test]
async fn the_newer_answer_has_the_result_as_a_string_and_the_end_of_the_log() {
    let server = Server::in_memory().await;
    create(&server, "talkative", &talkative()).await;
    let answer = invoke(&server, "talkative", &[V1, TAIL], "{}").await.is(200);
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["request_id", "result", "log", "status"]);
    assert_eq!((&body["result"], &body["status"]), (&json!("ok"), &json!(200)));
    assert_eq!(body["request_id"], answer.header("x-cff-request-id"));
    let log = body["log"].as_str().unwrap();
    assert!(log.len() == 3_000 && log.ends_with("xend\n"), "{log}");
    let tail = STANDARD.decode(answer.header("x-cff-function-log")).unwrap();
    assert_eq!((tail.len(), tail.as_slice()), (2_000, &log.as_bytes()[1_000..]));
    let quiet = invoke(&server, "talkative", &[V1], "").await.is(200);
    assert_eq!(quiet.json()["log"], "");
    assert!(!quiet.headers.contains_key("x-cff-function-log"));
}

#[tokio::test]
async fn a_function_that_fails_is_told_of_in_both_forms_with_whose_fault_it_was() {
    let server = Server::in_memory().await;
    create(&server, "trap", &hostile("trap")).await;
    create(&server, "http", &prebuilt("hello-http")).await;
    let answer = invoke(&server, "trap", &[], "{}").await;
    assert!(refused(&answer, 500, "FSS.0500").starts_with("trap: "));
    assert_eq!(["x-func-err-code", "x-is-func-err"].map(|name| answer.header(name)), ["FSS.0500", "true"]);
    assert!(!answer.header("x-cff-request-id").is_empty());
    let answer = invoke(&server, "trap", &[V1, TAIL], "{}").await.is(200);
    assert_eq!(answer.json()["status"], 500);
    assert!(answer.json()["result"].as_str().unwrap().starts_with("trap: "));
    assert_eq!(answer.header("x-is-func-err"), "true");
    // Of an http function it is the answer, not the request, that is shown.
    assert_eq!(invoke(&server, "http", &[], "{}").await.is(200).header("x-is-func-err"), "false");
}

#[tokio::test]
async fn what_is_wrong_with_an_invocation_is_refused_before_anything_runs() {
    let server = Server::in_memory().await;
    create(&server, "echo", &prebuilt("echo")).await;
    for body in ["{", "hello", "{}{}", "\"\u{1}\""] {
        for rest in ["invocations", "invocations-async"] {
            let answer = server.post(&below("echo", rest), body).await;
            assert!(refused(&answer, 406, "FSS.0406").contains("cannot be read as JSON"), "{body}");
        }
    }
    for (header, code) in [
        (("X-CFF-Request-Version", "v2"), "FSS.0400"),
        (("X-Cff-Log-Type", "head"), "FSS.0400"),
        (("X-Cff-Instance-Memory", "much"), "FSS.1007"),
        (("X-Cff-Instance-Memory", "129"), "FSS.1007"),
        (("X-Cff-Instance-Memory", "256"), "FSS.1007"),
        (("tidemill-chain", "nobody"), "FSS.0400"),
    ] {
        let told = refused(&invoke(&server, "echo", &[header], "{}").await, 400, code);
        assert!(told.contains(header.1), "{told}");
    }
    invoke(&server, "echo", &[("X-Cff-Instance-Memory", "128")], "{}").await.is(200);
    let missing = [(urn("echo", ":9"), "FSS.0404"), (urn("echo", ":!none"), "FSS.0404"), (urn("none", ""), "FSS.0404")];
    for (urn, code) in missing {
        let answer = server.post(&path(&format!("functions/{urn}/invocations")), "{}").await;
        refused(&answer, 404, code);
    }
    for urn in ["echo", "urn:fss:local:other:function:default:echo", "urn:fss:local:a:b"] {
        let answer = server.post(&path(&format!("functions/{urn}/invocations")), "{}").await;
        refused(&answer, 400, "FSS.1309");
    }
    let listed = server.get(&below("echo", "async-invocations")).await.is(200).json();
    assert_eq!(listed["count"], 0);
}

#[tokio::test]
async fn an_event_may_be_as_large_as_the_service_lets_it_be() {
    let server = Server::in_memory().await;
    create(&server, "echo", &prebuilt("echo")).await;
    let event = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    accept(&server, "echo", &event(256 * 1_024)).await;
    let answer = server.post(&below("echo", "invocations-async"), event(256 * 1_024 + 1)).await;
    assert!(refused(&answer, 413, "FSS.1201").contains("262144"));
    let large = server.post(&below("echo", "invocations"), event(2 * 1_024 * 1_024)).await.is(200);
    assert_eq!(large.body.len(), 2 * 1_024 * 1_024);
    let answer = server.post(&below("echo", "invocations"), event(6 * 1_024 * 1_024 + 1)).await;
    refused(&answer, 413, "FSS.1201");
}

#[tokio::test]
async fn what_calls_itself_over_this_dialect_is_cut_at_the_hop_limit() {
    let server = Server::in_memory().await;
    create(&server, "echo", &prebuilt("echo")).await;
    let id = |n: u32| uuid::Uuid::from_u128(u128::from(n)).to_string();
    let chain = (0..17).fold(String::new(), |mut chain, n| {
        write!(chain, "{},", id(n)).unwrap();
        chain
    });
    let answer = invoke(&server, "echo", &[("tidemill-chain", &chain)], "{}").await;
    assert!(answer.status >= 400 && answer.json()["error_msg"].as_str().unwrap().contains("the limit is 16"));
}
