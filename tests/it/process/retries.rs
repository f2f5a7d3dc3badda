//! Attempts that fail: what is tried again, when, and where it ends.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Server, attempts, hostile, prebuilt};
use tidemill::model::time::Timestamp;

fn ms(time: &Value) -> u64 {
    Timestamp::parse(time.as_str().unwrap()).unwrap().as_ms()
}

/// Checks that each attempt starts when the one before said, and returns the pauses between end and next start.
fn pauses(invocation: &Value) -> Vec<Duration> {
    let attempts = invocation["attempts"].as_array().unwrap();
    let pause = |pair: &[Value]| {
        let (ended, retry_at, started) =
            (ms(&pair[0]["ended_at"]), ms(&pair[0]["retry_at"]), ms(&pair[1]["started_at"]));
        assert!(started >= retry_at, "an attempt started before it was due: {invocation:#}");
        Duration::from_millis(retry_at - ended)
    };
    attempts.windows(2).map(pause).collect()
}

#[tokio::test]
async fn what_is_retried_is_of_the_function_that_ran_whatever_that_is_called_by_now() {
    let server = Server::in_memory().await;
    server.deploy("first", prebuilt("echo")).await;
    let id = server.accept("first", r#""x""#).await;
    server.settled(&id, "succeeded").await;
    let listed = server.get("/functions/v1/functions?folderId=default").await.is(200).json();
    let path = format!("/functions/v1/functions/{}", listed["functions"][0]["id"].as_str().unwrap());
    let named = json!({"updateMask": "name", "name": "second"}).to_string();
    server.send(server.request(Method::PATCH, &path).body(named)).await.is(200);
    server.deploy("first", prebuilt("echo")).await; // another one
    let again = server.post(&format!("/v1/invocations/{id}/retry"), "").await.is(202).json();
    let again = server.settled(again["id"].as_str().unwrap(), "succeeded").await;
    assert_eq!(again["function"], "second");
}

#[tokio::test]
async fn a_function_that_fails_twice_is_tried_again_with_growing_pauses_and_succeeds() {
    let server = Server::durable().await;
    let settings = json!({"async_config": {"max_retries": 2, "retry_delay_ms": 200}});
    server.deploy_with("flaky", prebuilt("flaky"), &settings).await;
    let id = server.accept("flaky", r#"{"fail_attempts": 2}"#).await;
    let invocation = server.settled(&id, "succeeded").await;
    assert_eq!(attempts(&invocation), [(1, "retryable"), (2, "retryable"), (3, "")]);
    assert_eq!(invocation["result"]["body"], json!({"ok_on_attempt": 3, "failed_attempts": 2}));
    let pauses = pauses(&invocation);
    assert!(pauses[0] >= Duration::from_millis(100) && pauses[0] <= Duration::from_millis(200), "{pauses:?}");
    assert!(pauses[1] >= pauses[0] && pauses[1] >= Duration::from_millis(200), "{pauses:?}");
}

#[tokio::test]
async fn a_guest_that_always_traps_is_tried_as_often_as_allowed_and_becomes_a_dead_letter() {
    let server = Server::durable().await;
    let settings = json!({"async_config": {"max_retries": 2, "retry_delay_ms": 20}});
    server.deploy_with("trap", hostile("trap"), &settings).await;
    server.deploy("echo", prebuilt("echo")).await;
    let fine = server.accept("echo", "fine").await;
    let id = server.accept("trap", "lost?").await;
    let invocation = server.settled(&id, "failed").await;
    assert_eq!(invocation["condition"], "RetriesExhausted");
    assert_eq!(attempts(&invocation), [(1, "trap"), (2, "trap"), (3, "trap")]);
    assert!(invocation["attempts"][2]["error"]["message"].as_str().unwrap().contains("unreachable"));
    assert_eq!(invocation["attempts"][2]["retry_at"], json!(null));
    assert_eq!(invocation["dead_letter"], true);
    server.settled(&fine, "succeeded").await;
    assert_eq!(server.listed("dead_letter=true").await, [id.as_str()]);
    assert_eq!(server.get(&format!("/v1/invocations/{id}/payload")).await.is(200).body, "lost?");
}

#[tokio::test]
async fn a_permanent_failure_is_not_tried_again() {
    let server = Server::in_memory().await;
    let settings = json!({"async_config": {"max_retries": 5, "retry_delay_ms": 1}});
    server.deploy_with("flaky", prebuilt("flaky"), &settings).await;
    let id = server.accept("flaky", r#"{"always": true, "kind": "permanent"}"#).await;
    let invocation = server.settled(&id, "failed").await;
    assert_eq!((&invocation["condition"], attempts(&invocation)), (&json!("PermanentFailure"), vec![(1, "permanent")]));
    assert_eq!(invocation["attempts"][0]["error"]["message"], "told to fail on attempt 1");
}

#[tokio::test]
async fn a_throttled_attempt_comes_back_when_it_said_and_is_not_counted() {
    let server = Server::in_memory().await;
    let settings = json!({"async_config": {"max_retries": 0, "max_event_age_s": 4}});
    server.deploy_with("flaky", prebuilt("flaky"), &settings).await;
    let id = server.accept("flaky", r#"{"always": true, "kind": "throttled", "delay_ms": 300}"#).await;
    let invocation = server.settled(&id, "expired").await;
    let attempts = attempts(&invocation);
    assert!(attempts.len() >= 3 && attempts.iter().all(|it| *it == (1, "throttled")), "{attempts:?}");
    assert!(pauses(&invocation).iter().all(|pause| *pause == Duration::from_millis(300)));
    assert_eq!(invocation["condition"], "EventAgeExceeded");

    let answer = server.invoke("flaky", r#"{"always": true, "kind": "throttled", "delay_ms": 1500}"#).await;
    assert_eq!(answer.problem(429, "function_failed")["kind"], "throttled");
    assert_eq!(answer.header("retry-after"), "2");
}

#[tokio::test]
async fn with_time_running_3600_times_faster_an_age_limit_of_six_hours_is_over_in_seconds() {
    let server = Server::with(&["--store", "memory", "--time-scale", "3600", "--concurrency", "1"]).await;
    let six_hours = json!({"max_event_age_s": 21_600, "max_retries": 0});
    server.deploy_with("spin", hostile("spin"), &json!({"timeout_ms": 600_000, "async_config": six_hours})).await;
    let occupier = server.accept("spin", "").await;
    server.reaches(&occupier, "running").await;
    let before = tokio::time::Instant::now();
    let late = server.accept("spin", "").await;
    let invocation = server.settled(&late, "expired").await;
    assert!(before.elapsed() >= Duration::from_secs(5), "{:?}", before.elapsed());
    assert_eq!((&invocation["condition"], attempts(&invocation)), (&json!("EventAgeExceeded"), vec![]));
    server.post(&format!("/v1/invocations/{occupier}/cancel"), "").await.is(200);
}

#[tokio::test]
async fn an_invocation_that_finds_no_free_slot_expires_unattempted_and_its_failure_destination_learns_of_it() {
    let server = Server::in_memory().await;
    server.deploy("describe", prebuilt("describe")).await;
    let config = json!({"max_event_age_s": 1, "max_retries": 0, "on_failure": "function:describe"});
    let settings = json!({"concurrency": 1, "timeout_ms": 600_000, "async_config": config});
    server.deploy_with("spin", hostile("spin"), &settings).await;
    let occupier = server.accept("spin", "").await;
    server.reaches(&occupier, "running").await;
    let late = server.accept("spin", "too late").await;
    let invocation = server.settled(&late, "expired").await;
    assert_eq!((&invocation["condition"], attempts(&invocation)), (&json!("EventAgeExceeded"), vec![]));
    assert_eq!(server.look(&occupier).await["status"], "running", "it expired on time, not when a slot came free");
    assert_eq!((&invocation["dead_letter"], &invocation["next"]["on"]), (&json!(false), &json!("failure")));

    let next = server.settled(invocation["next"]["id"].as_str().unwrap(), "succeeded").await;
    let record = &next["result"]["body"]["payload"];
    assert_eq!(record["request_context"]["condition"], "EventAgeExceeded");
    assert_eq!(record["request_context"]["approximate_invoke_count"], 0);
    assert_eq!(record["request_payload"], "too late");
    server.post(&format!("/v1/invocations/{occupier}/cancel"), "").await.is(200);
}
