//! Ways to call a function, and what comes back.

use reqwest::Method;
use serde_json::json;

use super::support::{Server, hostile, prebuilt};

#[tokio::test]
async fn a_function_answers_with_its_result_and_a_record_of_it_is_kept() {
    let server = Server::in_memory().await;
    let function = server.deploy("echo", prebuilt("echo")).await;
    assert_eq!(function["version"]["entrypoint"], "handler");
    assert_eq!(function["urn"], "urn:fss:local:default:function:default:echo:1");

    let answer = server.invoke("echo", "hello\0world").await.is(200);
    assert_eq!(answer.body, "hello\0world");
    let id = answer.header("tidemill-invocation-id");
    let invocation = server.recorded(&answer).await;
    assert_eq!(invocation["status"], "succeeded");
    assert_eq!((&invocation["mode"], &invocation["condition"]), (&json!("sync"), &json!("")));
    assert_eq!(invocation["result"]["bytes"], 11);
    server.get(&format!("/v1/invocations/{id}/payload")).await.refusal(404, "payload_not_kept", "synchronous");
    server.get(&format!("/v1/invocations/{id}/result")).await.refusal(404, "no_result", "synchronous");
    server.post(&format!("/v1/invocations/{id}/retry"), "").await.refusal(409, "payload_not_kept", "again");
}

#[tokio::test]
async fn what_an_attempt_used_is_told_with_the_answer_and_kept_with_its_record() {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    let answer = server.invoke("echo", "hello").await.is(200);
    let times = answer.header("server-timing").to_owned();
    for name in ["wait;dur=", "load;dur=", "instantiate;dur=", "run;dur=", "cpu;dur="] {
        assert!(times.contains(name), "{times}");
    }
    let invocation = server.recorded(&answer).await;
    let usage = &invocation["attempts"][0]["usage"];
    assert_eq!((&usage["input_bytes"], &usage["output_bytes"]), (&json!(5), &json!(5)));
    assert!(usage["memory_bytes"].as_u64() >= Some(65_536) && usage["cpu_us"].as_u64() > Some(0), "{usage}");

    let id = server.accept("echo", "later").await;
    let settled = server.settled(&id, "succeeded").await;
    assert!(settled["attempts"][0]["usage"]["instantiated_us"].as_u64() > Some(0), "{settled}");
}

#[tokio::test]
async fn a_function_is_told_about_its_invocation() {
    let server = Server::in_memory().await;
    server.deploy("describe", prebuilt("describe")).await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = server
        .request(Method::POST, "/v1/functions/describe/invocations")
        .header("content-type", "application/json")
        .header("traceparent", traceparent)
        .header("Tidemill-Attribute-Tenant", "blue")
        .body(r#"{"a":1}"#);
    let answer = server.send(request).await.is(200);
    let told = answer.json();
    assert_eq!(told["id"], answer.header("tidemill-invocation-id"));
    assert_eq!((&told["function"], &told["version"], &told["attempt"]), (&json!("describe"), &json!(1), &json!(1)));
    assert_eq!((&told["content_type"], &told["traceparent"]), (&json!("application/json"), &json!(traceparent)));
    assert_eq!((&told["attributes"], &told["payload"]), (&json!([["tenant", "blue"]]), &json!({"a": 1})));
    assert_eq!((&told["chain"], &told["hop"]), (&json!([]), &json!(0)));
    assert!(told["deadline_ms"].as_u64() > told["accepted_ms"].as_u64());
}

#[tokio::test]
async fn an_asynchronous_invocation_is_accepted_at_once_and_its_result_can_be_waited_for() {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    let request = server
        .request(Method::POST, "/v1/functions/echo/invocations")
        .header("prefer", "respond-async")
        .header("content-type", "text/plain")
        .body("later");
    let accepted = server.send(request).await.is(202);
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(accepted.json(), json!({"id": id, "status": "queued", "function": "echo", "version": 1}));
    assert_eq!(accepted.header("location"), format!("/v1/invocations/{id}"));
    assert_eq!(accepted.header("tidemill-invocation-id"), id);

    let invocation = server.get(&format!("{}?wait=60s", accepted.header("location"))).await.is(200).json();
    assert_eq!((&invocation["status"], &invocation["mode"]), (&json!("succeeded"), &json!("async")));
    assert_eq!(invocation["result"]["body"], "later");
    assert_eq!(invocation["payload"], json!({"bytes": 5, "content_type": "text/plain"}));
    assert_eq!((&invocation["dead_letter"], &invocation["delivery"]), (&json!(false), &json!("none")));
    let result = server.get(&format!("/v1/invocations/{id}/result")).await.is(200);
    assert_eq!(result.body, "later");
    let payload = server.get(&format!("/v1/invocations/{id}/payload")).await.is(200);
    assert_eq!((payload.header("content-type"), &payload.body[..]), ("text/plain", &b"later"[..]));
}

#[tokio::test]
async fn a_wait_ends_with_what_there_is_when_its_time_is_over() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let id = server.accept_with("echo", "x", &[("tidemill-delay", "1h")]).await;
    let invocation = server.get(&format!("/v1/invocations/{id}?wait=50ms")).await.is(200).json();
    assert_eq!((&invocation["status"], &invocation["result"]), (&json!("queued"), &json!(null)));
    assert!(invocation["due_at"].as_str() > invocation["accepted_at"].as_str());
    server.get(&format!("/v1/invocations/{id}/result")).await.refusal(404, "no_result", &id);
    assert_eq!(server.get(&format!("/v1/invocations/{id}/payload")).await.is(200).body, "x");
}

#[tokio::test]
async fn a_result_that_is_not_text_is_shown_as_base64_and_given_as_it_is() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let id = server.accept("echo", vec![0xff, 0x00]).await;
    let result = server.settled(&id, "succeeded").await["result"].take();
    assert_eq!((&result["body"], &result["encoding"]), (&json!("/wA="), &json!("base64")));
    assert_eq!(&server.get(&format!("/v1/invocations/{id}/result")).await.is(200).body[..], [0xff, 0x00]);
    let id = server.accept("echo", vec![b'x'; 1024 * 1024]).await;
    let result = server.settled(&id, "succeeded").await["result"].take();
    assert_eq!((&result["bytes"], &result["omitted"]), (&json!(1024 * 1024), &json!(true)));
    assert_eq!(server.get(&format!("/v1/invocations/{id}/result")).await.is(200).body.len(), 1024 * 1024);
}

#[tokio::test]
async fn an_http_function_gets_requests_as_they_are_and_its_answers_are_passed_on() {
    let server = Server::in_memory().await;
    assert_eq!(server.deploy("web", prebuilt("hello-http")).await["version"]["entrypoint"], "http");
    assert_eq!(server.get("/fn/web").await.is(200).text(), "hello from tidemill\n");
    assert_eq!(server.get("/fn/web/").await.is(200).text(), "hello from tidemill\n");

    let request = server
        .request(Method::PATCH, "/fn/web/echo/a%2Fb//c?q=1&r=%20")
        .header("tidemill-attribute-tenant", "blue")
        .body("the body");
    let answer = server.send(request).await.is(200);
    let echo = answer.json();
    assert_eq!((&echo["method"], &echo["body"]), (&json!("PATCH"), &json!("the body")));
    assert_eq!(echo["path"], "/echo/a%2Fb//c?q=1&r=%20");
    assert_eq!(echo["headers"]["tidemill-attribute-tenant"], "blue");
    assert_eq!(echo["headers"]["tidemill-invocation-id"], answer.header("tidemill-invocation-id"));

    for status in [201, 404, 418, 500] {
        let answer = server.get(&format!("/fn/web/status/{status}")).await.is(status);
        assert_eq!(answer.text(), format!("status {status}\n"));
    }
    let busy = server.get("/fn/web/status/503").await.is(503);
    assert_eq!((busy.header("retry-after"), busy.header("tidemill-fault")), ("1", "function"));
    assert_eq!(server.recorded(&busy).await["attempts"][0]["error"]["kind"], "http_status");
    server.send(server.request(Method::DELETE, "/fn/web/status/204")).await.is(204);
}

#[tokio::test]
async fn an_http_function_that_is_invoked_gets_the_payload_as_a_post() {
    let server = Server::in_memory().await;
    server.deploy("web", prebuilt("hello-http")).await;
    let request = server
        .request(Method::POST, "/v1/functions/web/invocations")
        .header("content-type", "application/json")
        .body("[1]");
    let answer = server.send(request).await.is(200);
    assert_eq!((answer.header("content-type"), answer.text().as_str()), ("application/json", "[1]"));
    let id = server.accept("web", "later").await;
    assert_eq!(server.settled(&id, "succeeded").await["result"]["body"], "later");
}

#[tokio::test]
async fn a_handler_under_its_own_url_is_told_the_request() {
    let server = Server::in_memory().await;
    server.deploy("describe", prebuilt("describe")).await;
    let told = server.post("/fn/describe/some/path?x=1", "hello").await.is(200).json();
    assert_eq!(told["payload"], "hello");
    let attributes = json!([["http-method", "POST"], ["http-path", "/some/path"], ["http-query", "x=1"]]);
    assert_eq!(told["attributes"], attributes);
    server.get("/fn/nobody/x").await.refusal(404, "function_not_found", "`nobody`");
}

#[tokio::test]
async fn a_command_has_arguments_an_environment_and_stdin() {
    let server = Server::in_memory().await;
    server.deploy("hello", prebuilt("hello-command")).await;
    assert_eq!(server.invoke("hello", "").await.is(200).text(), "hello, world\n");
    assert_eq!(server.invoke("hello", "Ada").await.is(200).text(), "hello, Ada\n");
    let settings = json!({"arguments": ["Grace"], "environment": {"GREETING": "good morning"}});
    server.deploy_with("hello", prebuilt("hello-command"), &settings).await;
    assert_eq!(server.invoke("hello", "Ada").await.is(200).text(), "good morning, Grace\n");
}

#[tokio::test]
async fn an_exit_code_of_a_command_decides_what_follows_and_its_stderr_is_the_log() {
    let server = Server::in_memory().await;
    let settings = json!({"arguments": ["--top", "1"], "async_config": {"max_retries": 3, "retry_delay_ms": 1}});
    server.deploy_with("count", prebuilt("word-count"), &settings).await;
    let answer = server.invoke("count", "the tide and the mill\n").await.is(200);
    let count = json!({"lines": 1, "words": 5, "bytes": 22, "top": [{"word": "the", "count": 2}]});
    assert_eq!(answer.json(), count);
    let id = server.recorded(&answer).await["id"].take();
    let log = server.get(&format!("/v1/invocations/{}/logs", id.as_str().unwrap())).await.is(200);
    assert_eq!(log.text(), "counted 5 words\n");

    let failed = server.invoke("count", vec![0xff]).await.problem(502, "function_failed");
    assert_eq!((&failed["kind"], &failed["exit_code"]), (&json!("exit_code"), &json!(65)));
    assert_eq!((&failed["fault"], &failed["effect"]), (&json!("function"), &json!("unknown")));
    let id = server.accept("count", vec![0xff]).await;
    let invocation = server.settled(&id, "failed").await;
    assert_eq!(invocation["condition"], "PermanentFailure");
    assert_eq!(invocation["attempts"].as_array().unwrap().len(), 1);
    let log = server.get(&format!("/v1/invocations/{id}/logs")).await.is(200);
    assert!(log.text().contains("the text is not UTF-8"), "{}", log.text());

    let settings = json!({"arguments": ["7"], "async_config": {"max_retries": 1, "retry_delay_ms": 1}});
    server.deploy_with("exit", hostile("exit"), &settings).await;
    let id = server.accept("exit", "").await;
    let invocation = server.settled(&id, "failed").await;
    assert_eq!(invocation["condition"], "RetriesExhausted");
    assert_eq!(invocation["attempts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn functions_of_one_name_in_two_namespaces_are_two() {
    let server = Server::in_memory().await;
    server.deploy("same", prebuilt("echo")).await;
    server.put("/v1/functions/same?namespace=shop", prebuilt("describe")).await.is(201);
    assert_eq!(server.invoke("same", "plain").await.is(200).text(), "plain");
    let described = server.post("/v1/functions/same/invocations?namespace=shop", "plain").await.is(200);
    assert_eq!(described.json()["payload"], "plain");
    assert_eq!(server.post("/fn/~shop/same/x", "own url").await.is(200).json()["payload"], "own url");
    server.get("/v1/functions/same?namespace=nowhere").await.refusal(404, "function_not_found", "nowhere/same");
    server.delete("/v1/functions/same?namespace=shop").await.is(204);
    assert_eq!(server.invoke("same", "plain").await.is(200).text(), "plain");
}
