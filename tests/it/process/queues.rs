//! Queues and what can be said about them while they are worked: pause, limits, priorities, times, keys.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Server, hostile, prebuilt, run, until};

const LATER: (&str, &str) = ("tidemill-delay", "1h");
const QUEUE: &str = "/v1/functions/echo/queue";

async fn server() -> Server {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    server
}

/// Sends an asynchronous invocation of `echo`.
async fn sent(server: &Server, payload: &str, headers: &[(&str, &str)]) -> Answer {
    let request = server.request(Method::POST, "/v1/functions/echo/invocations?mode=async").body(payload.to_owned());
    server.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

async fn tidemill(server: &Server, line: &str) -> super::support::Finished {
    run(server, &line.split(' ').collect::<Vec<_>>()).await
}

#[tokio::test]
async fn the_settings_of_a_queue_are_replaced_whole_and_survive_a_restart() {
    let server = server().await;
    let all = json!({
        "concurrency": 2, "max_queued": 10, "max_queued_bytes": 1000,
        "retention": {"succeeded": {"age_s": 60, "count": 5}, "failed": {"bytes": 1_000_000}},
    });
    let set = server.put(QUEUE, all.to_string()).await.is(200).json();
    let nothing = json!({"age_s": null, "count": null, "bytes": null});
    let expected = json!({
        "paused": false, "concurrency": 2, "max_queued": 10, "max_queued_bytes": 1000,
        "retention": {
            "succeeded": {"age_s": 60, "count": 5, "bytes": null},
            "failed": {"age_s": null, "count": null, "bytes": 1_000_000},
            "expired": nothing, "cancelled": nothing,
        },
    });
    assert_eq!(set["config"], expected);
    let server = server.killed().await.restarted().await;
    let shown = server.get(QUEUE).await.is(200).json();
    assert_eq!((&shown["config"], &shown["function"], &shown["accepted"]), (&expected, &json!("echo"), &json!(0)));
    // What was answered can be sent back.
    assert_eq!(server.put(QUEUE, shown["config"].to_string()).await.is(200).json()["config"], expected);
    let emptied = server.put(QUEUE, "{}").await.is(200).json();
    assert_eq!((&emptied["config"]["concurrency"], &emptied["config"]["max_queued"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_paused_queue_is_not_taken_from_until_it_is_resumed_and_limits_do_not_resume_it() {
    let server = server().await;
    for _ in 0..2 {
        assert_eq!(server.post(&format!("{QUEUE}/pause"), "").await.is(200).json()["config"]["paused"], true);
    }
    let id = server.accept("echo", "x").await;
    assert_eq!(server.put(QUEUE, r#"{"max_queued": 9}"#).await.is(200).json()["config"]["paused"], true);
    let still = server.get(&format!("/v1/invocations/{id}?wait=1s")).await.is(200).json();
    assert_eq!(still["status"], "queued");
    let queue = server.get(QUEUE).await.is(200).json();
    assert_eq!((&queue["live"], &queue["running"]), (&json!({"count": 1, "bytes": 1}), &json!(0)));
    assert!(queue["oldest_due_age_s"].as_f64().unwrap() >= 0.9, "{queue}");

    let server = server.killed().await.restarted().await;
    assert_eq!(server.look(&id).await["status"], "queued");
    for _ in 0..2 {
        assert_eq!(server.post(&format!("{QUEUE}/resume"), "").await.is(200).json()["config"]["paused"], false);
    }
    server.settled(&id, "succeeded").await;
}

#[tokio::test]
async fn a_pause_that_is_neither_true_nor_false_is_refused_and_changes_nothing() {
    let server = server().await;
    server.post(&format!("{QUEUE}/pause"), "").await.is(200);
    let refused = server.put(QUEUE, r#"{"paused": null, "max_queued": 9}"#).await;
    refused.refusal(400, "bad_json", "`paused` is null: use true or false, or leave it out");
    server.put(QUEUE, r#"{"paused": "no"}"#).await.refusal(400, "bad_json", "expected a boolean");
    let config = server.get(QUEUE).await.is(200).json()["config"].clone();
    assert_eq!((&config["paused"], &config["max_queued"]), (&json!(true), &Value::Null));
    // Where a limit of its own may be given, null is none.
    let config = server.put(QUEUE, r#"{"max_queued": null, "retention": null}"#).await.is(200).json();
    assert_eq!((&config["config"]["paused"], &config["config"]["max_queued"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn a_full_queue_refuses_with_its_limit_and_when_to_come_again() {
    let server = server().await;
    server.put(QUEUE, r#"{"max_queued": 2}"#).await.is(200);
    let first = server.accept_with("echo", "x", &[LATER]).await;
    server.accept_with("echo", "x", &[LATER]).await;
    let refused = sent(&server, "x", &[]).await;
    let problem = refused.refusal(429, "queue_full_function", "the limit is 2");
    assert_eq!((&problem["limit"], &problem["queued"], &problem["oldest_age_s"]), (&json!(2), &json!(2), &Value::Null));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    server.put(QUEUE, r#"{"max_queued_bytes": 4}"#).await.is(200);
    let problem = sent(&server, "abc", &[]).await.refusal(429, "queue_full_function_bytes", "the limit is 4");
    assert_eq!((&problem["limit"], &problem["queued"]), (&json!(4), &json!(2)));
    server.post(&format!("/v1/invocations/{first}/cancel"), "").await.is(200);
    sent(&server, "abc", &[LATER]).await.is(202);
}

#[tokio::test]
async fn an_invocation_runs_at_the_time_it_was_asked_for_or_at_once_when_told() {
    let server = server().await;
    let at = "2999-01-01T00:00:00Z";
    sent(&server, "", &[("tidemill-run-at", at)]).await.refusal(400, "bad_range", "15 days");
    let soon = server.look(&server.accept_with("echo", "x", &[LATER]).await).await;
    assert_eq!((&soon["due_at"], &soon["priority"]), (&soon["run_at"], &json!("normal")));
    let at = soon["due_at"].as_str().unwrap();
    let id = sent(&server, "x", &[("tidemill-run-at", at), ("tidemill-priority", "high")]).await.is(202).json();
    let id = id["id"].as_str().unwrap();
    let shown = server.look(id).await;
    assert_eq!((&shown["due_at"], &shown["priority"]), (&soon["due_at"], &json!("high")));

    let told = server.post(&format!("/v1/invocations/{id}/run-now"), "").await.is(200).json();
    assert_eq!(told["id"], id);
    server.settled(id, "succeeded").await;
    server.post(&format!("/v1/invocations/{id}/run-now"), "").await.refusal(409, "not_queued", "succeeded");
    let past = [("tidemill-run-at", "2001-01-01T00:00:00Z")];
    let id = server.accept_with("echo", "x", &past).await;
    server.settled(&id, "succeeded").await;
}

#[tokio::test]
async fn the_same_key_and_request_is_the_same_invocation_and_another_request_is_refused() {
    let server = server().await;
    let key = ("idempotency-key", "order-7");
    let first = sent(&server, "x", &[key]).await.is(202);
    assert_eq!(first.header("idempotency-replayed"), "");
    let id = first.json()["id"].as_str().unwrap().to_owned();
    server.settled(&id, "succeeded").await;
    let server = server.killed().await.restarted().await;
    let again = sent(&server, "x", &[key]).await.is(202);
    assert_eq!((again.header("idempotency-replayed"), again.header("location")), ("true", first.header("location")));
    let answer = again.json();
    assert_eq!((&answer["id"], &answer["status"]), (&json!(id), &json!("succeeded")));
    let problem = sent(&server, "another", &[key]).await.refusal(409, "idempotency_key_reused", &id);
    assert_eq!(problem["invocation_id"], *id);
    assert_eq!(server.listed("").await, [id]);
}

#[tokio::test]
async fn how_much_runs_at_once_is_changed_while_it_runs() {
    let server = server().await;
    let shown = server.get("/v1/runtime").await.is(200).json();
    assert_eq!((&shown["concurrency"], &shown["store"]["room"]), (&json!(64), &json!("plenty")));
    assert_eq!((&shown["version"], &shown["functions"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(1)));
    let set = server.put("/v1/runtime", r#"{"concurrency": 1}"#).await.is(200).json();
    assert_eq!(set["concurrency"], 1);
    let id = server.accept("echo", "x").await;
    server.settled(&id, "succeeded").await;
    server.put("/v1/runtime", r#"{"concurrency": 200}"#).await.is(200);
    assert_eq!(server.get("/v1/runtime").await.json()["concurrency"], 200);
}

#[tokio::test]
async fn queues_and_the_runtime_are_managed_from_the_command_line() {
    let server = server().await;
    let set = "queue set echo --concurrency 3 --max-queued 5 --max-queued-bytes 1MiB --keep-succeeded age=1h,count=9";
    let shown = tidemill(&server, set).await.exits(0).text();
    for line in ["concurrency         3", "max queued          5", "max queued bytes    1 MiB"] {
        assert!(shown.lines().any(|shown| shown.trim_end() == line), "{line:?} in\n{shown}");
    }
    assert!(shown.contains("age=1h,count=9"), "{shown}");
    assert!(tidemill(&server, "queue pause echo").await.exits(0).text().contains("paused"));
    let id = tidemill(&server, "invoke echo --async --priority low --idempotency-key k --data x").await.exits(0).text();
    let again = tidemill(&server, "invoke echo --async --priority low --idempotency-key k --data x").await.exits(0);
    assert_eq!(again.text(), id);
    let at = "invoke echo --async --at 2001-01-01T00:00:00Z --data y";
    let at = tidemill(&server, at).await.exits(0).text();
    let queue = tidemill(&server, "queue show echo --json").await.exits(0).json();
    assert_eq!((&queue["config"]["paused"], &queue["live"]["count"]), (&json!(true), &json!(2)));
    assert!(tidemill(&server, "queue resume echo").await.exits(0).text().contains("open"));
    server.settled(id.trim(), "succeeded").await;
    server.settled(at.trim(), "succeeded").await;
    let later = server.accept_with("echo", "x", &[LATER]).await;
    tidemill(&server, &format!("invocations run-now {later}")).await.exits(0);
    server.settled(&later, "succeeded").await;
    tidemill(&server, "runtime set --concurrency 7").await.exits(0);
    let runtime = tidemill(&server, "runtime show").await.exits(0).text();
    assert!(runtime.contains("7, at most 256"), "{runtime}");
    let refused = tidemill(&server, "runtime set --concurrency 100000").await.exits(4);
    assert!(refused.err.contains("use 1 to 256"), "{}", refused.err);
}

#[tokio::test]
async fn the_more_urgent_of_those_that_are_due_go_first() {
    let server = server().await;
    server.post(&format!("{QUEUE}/pause"), "").await.is(200);
    server.put("/v1/runtime", r#"{"concurrency": 1}"#).await.is(200);
    let mut ids = Vec::new();
    for priority in ["low", "normal", "high"] {
        ids.push(server.accept_with("echo", "x", &[("tidemill-priority", priority)]).await);
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    server.post(&format!("{QUEUE}/resume"), "").await.is(200);
    let mut started = Vec::new();
    for id in &ids {
        let settled = server.settled(id, "succeeded").await;
        started.push((settled["attempts"][0]["started_at"].as_str().unwrap().to_owned(), settled["priority"].clone()));
    }
    assert!(started[2].0 <= started[1].0 && started[1].0 <= started[0].0, "{started:?}");
    until("an idle queue", async || (server.get(QUEUE).await.json()["live"]["count"] == 0).then_some(())).await;
}

#[tokio::test]
async fn a_backlog_of_one_function_delays_another_by_the_attempts_that_run_and_no_more() {
    const BACKLOG: u64 = 6;
    let server = Server::with(&["--store", "memory", "--concurrency", "1"]).await;
    server.deploy("a", hostile("sleep")).await;
    server.deploy("b", prebuilt("echo")).await;
    server.post("/v1/functions/a/queue/pause", "").await.is(200);
    let mut backlog = Vec::new();
    for _ in 0..BACKLOG {
        backlog.push(server.accept("a", "300").await);
    }
    server.post("/v1/functions/a/queue/resume", "").await.is(200);
    server.runs(1).await;
    let b = server.accept("b", "x").await;
    let queue = server.get("/v1/functions/a/queue").await.is(200).json();
    let over = BACKLOG - queue["live"]["count"].as_u64().unwrap();
    let begun = |settled: Value| settled["attempts"][0]["started_at"].as_str().unwrap().to_owned();
    let b = begun(server.settled(&b, "succeeded").await);
    let mut before = 0;
    for a in &backlog {
        before += u64::from(begun(server.settled(a, "succeeded").await) < b);
    }
    // The one that runs, and one that may be taken while `b` gets in line.
    assert!(before <= over + 2, "{before} of {BACKLOG} began before it, and {over} were over when it came");
}
