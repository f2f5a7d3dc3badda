//! Whole HTTP requests that wait in the queue, and programs that answer requests as CGI has it.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Server, attempts, prebuilt, until};

/// A program that answers 201 with its environment, each variable ended by NUL, and behind it its input.
const CGI: &str = r#"
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (data (i32.const 1024) "Status: 201 Made\0aContent-Type: text/plain\0aX-By: cgi\0a\0a")
  (func $out (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (call $out (i32.const 1024) (i32.const 53))
    (drop (call $sizes (i32.const 16) (i32.const 20)))
    (drop (call $environ (i32.const 2048) (i32.const 65536)))
    (call $out (i32.const 65536) (i32.load (i32.const 20)))
    (i32.store (i32.const 0) (i32.const 131072))
    (i32.store (i32.const 4) (i32.const 65536))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $out (i32.const 131072) (i32.load (i32.const 8)))))
"#;

/// Sends a request to a function's own URL that is to wait in the queue, and returns the answer.
async fn left(server: &Server, method: Method, path: &str, body: &'static str) -> Answer {
    let request = server.request(method, path).header("prefer", "respond-async");
    let request = request.header("tidemill-attribute-color", "blue").header("content-type", "text/plain");
    server.send(request.body(body)).await
}

async fn result(server: &Server, id: &str) -> Value {
    server.get(&format!("/v1/invocations/{id}/result")).await.is(200).json()
}

#[tokio::test]
async fn a_request_that_waits_is_run_as_it_was_sent_also_after_a_crash() {
    let server = Server::durable().await;
    server.deploy("f", prebuilt("hello-http")).await;
    server.post("/v1/functions/f/queue/pause", "").await.is(200);
    let accepted = left(&server, Method::PATCH, "/fn/f/echo/a%20b//c?d=e&f", "the body").await.is(202);
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(accepted.header("location"), format!("/v1/invocations/{id}"));

    let server = server.killed().await.restarted().await;
    assert_eq!(server.look(&id).await["status"], "queued");
    server.post("/v1/functions/f/queue/resume", "").await.is(200);
    server.settled(&id, "succeeded").await;
    let seen = result(&server, &id).await;
    let sent = json!({"method": "PATCH", "path": "/echo/a%20b//c?d=e&f", "body": "the body"});
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(&seen[name], value, "{seen:#}");
    }
    assert_eq!(
        (&seen["headers"]["tidemill-attribute-color"], &seen["headers"]["tidemill-attempt"]),
        (&json!("blue"), &json!("1"))
    );

    let again = server.post(&format!("/v1/invocations/{id}/retry"), "").await.is(202).json();
    let again = again["id"].as_str().unwrap().to_owned();
    server.settled(&again, "succeeded").await;
    assert_eq!(result(&server, &again).await["path"], sent["path"]);
}

#[tokio::test]
async fn a_request_is_the_same_at_every_attempt_and_its_status_decides() {
    let server = Server::in_memory().await;
    let config = json!({"async_config": {"max_retries": 1, "retry_delay_ms": 1, "retry_delay_max_ms": 1}});
    server.deploy_with("f", prebuilt("hello-http"), &config).await;
    let id = left(&server, Method::GET, "/fn/f/status/500", "").await.is(202).json();
    let failed = server.settled(id["id"].as_str().unwrap(), "failed").await;
    assert_eq!(attempts(&failed), [(1, "http_status"), (2, "http_status")]);
    let id = left(&server, Method::GET, "/fn/f/status/404", "").await.is(202).json();
    let failed = server.settled(id["id"].as_str().unwrap(), "failed").await;
    assert_eq!(attempts(&failed).len(), 1, "it was wrong, and stays wrong");
}

#[tokio::test]
async fn what_is_asked_of_an_invocation_that_waits_is_asked_of_a_request_too() {
    let server = Server::in_memory().await;
    server.deploy("f", prebuilt("hello-http")).await;
    server.deploy("g", prebuilt("describe")).await;
    let keyed = async |path: &str| {
        let request = server.request(Method::POST, path).header("prefer", "wait=1, respond-async");
        server.send(request.header("idempotency-key", "one").body("x")).await
    };
    let (first, same) = (keyed("/fn/f/echo").await.is(202), keyed("/fn/f/echo").await.is(202));
    assert_eq!((&first.json()["id"], same.header("idempotency-replayed")), (&same.json()["id"], "true"));
    keyed("/fn/f/echo/other").await.problem(409, "idempotency_key_reused");
    server.deploy_with("f", prebuilt("hello-http"), &json!({"environment": {"NEW": "1"}})).await;
    let later = keyed("/fn/f/echo").await.is(202);
    assert_eq!((&first.json()["id"], later.header("idempotency-replayed")), (&later.json()["id"], "true"));
    let large = "x".repeat(17_000);
    let request = server.request(Method::GET, "/fn/f/echo").header("prefer", "respond-async").header("x-large", large);
    server.send(request).await.refusal(431, "head_too_large", "16384");
    left(&server, Method::GET, "/fn/nobody/", "").await.problem(404, "function_not_found");

    // Others than those that answer requests are told what they always are.
    let id = left(&server, Method::PUT, "/fn/g/a?b=c", "{}").await.is(202).json();
    let id = id["id"].as_str().unwrap();
    server.settled(id, "succeeded").await;
    let told = result(&server, id).await["attributes"].to_string();
    assert!(told.contains("http-method") && told.contains("PUT") && told.contains("/a"), "{told}");
}

#[tokio::test]
async fn a_program_answers_requests_as_cgi_has_it_now_and_later() {
    let server = Server::in_memory().await;
    let program = wat::parse_str(CGI).unwrap();
    let settings = json!({"cgi": true, "environment": {"GREETING": "hi", "HTTP_X_OWN": "mine"}});
    let deployed = server.deploy_with("f", program.clone(), &settings).await;
    assert_eq!((&deployed["version"]["cgi"], &deployed["version"]["entrypoint"]), (&json!(true), &json!("command")));
    let request = server.request(Method::PUT, "/fn/f/a/b?c=d").header("x-own", "theirs").header("x-color", "blue");
    let answer = server.send(request.body("input")).await.is(201);
    assert_eq!((answer.header("x-by"), answer.header("content-type")), ("cgi", "text/plain"));
    let text = answer.text();
    let variables: Vec<_> = text.split('\0').collect();
    for expected in [
        "REQUEST_METHOD=PUT",
        "PATH_INFO=/a/b",
        "QUERY_STRING=c=d",
        "CONTENT_LENGTH=5",
        "HTTP_X_COLOR=blue",
        "HTTP_X_OWN=mine",
        "GREETING=hi",
        "TIDEMILL_FUNCTION=f",
        "input",
    ] {
        assert!(variables.contains(&expected), "{expected} is not in {variables:?}");
    }
    let id = left(&server, Method::DELETE, "/fn/f/later", "").await.is(202).json();
    let id = id["id"].as_str().unwrap();
    server.settled(id, "succeeded").await;
    let later = until("the result", async || Some(server.get(&format!("/v1/invocations/{id}/result")).await)).await;
    assert!(later.text().contains("REQUEST_METHOD=DELETE") && later.text().contains("PATH_INFO=/later"));
    // Invoked with a payload it is a command as any other.
    assert!(server.invoke("f", "x").await.is(200).text().starts_with("Status: 201"));

    server.deployment("g", prebuilt("echo"), &json!({"cgi": true})).await.refusal(
        400,
        "cgi_not_supported",
        "`handler`",
    );
    server.deploy_with("h", prebuilt("hello-command"), &json!({"cgi": true})).await;
    let problem = server.get("/fn/h/").await.problem(502, "function_failed");
    assert!(problem["detail"].as_str().unwrap().contains("no empty line"), "{problem}");
}
