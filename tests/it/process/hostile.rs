//! Guests that misbehave: each is stopped and told apart, and nobody else notices.

use serde_json::{Value, json};

use super::support::{Server, attempts, hostile, prebuilt};

/// Deploys a hostile guest and checks how a call of it fails.
async fn check(server: &Server, name: &str, settings: &Value, status: u16, kind: &str) {
    server.deploy_with(name, hostile(name), settings).await;
    let problem = server.invoke(name, "").await.problem(status, "function_failed");
    assert_eq!((&problem["kind"], &problem["fault"]), (&json!(kind), &json!("function")), "{problem}");
    server.invoke("echo", name.to_owned()).await.is(200);
}

#[tokio::test]
async fn each_harm_has_a_kind_of_its_own_and_the_server_goes_on() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let short = json!({"timeout_ms": 300});
    let small = json!({"memory_bytes": 16 * 1024 * 1024});
    check(&server, "spin", &short, 504, "timeout").await;
    check(&server, "forever-grow", &short, 504, "timeout").await;
    check(&server, "grow", &small, 502, "out_of_memory").await;
    check(&server, "recurse", &json!({}), 502, "stack_overflow").await;
    check(&server, "flood", &json!({}), 502, "response_too_large").await;
    check(&server, "table", &json!({}), 502, "table_too_large").await;
    check(&server, "handles", &json!({}), 502, "too_many_handles").await;
    check(&server, "trap", &json!({}), 502, "trap").await;
    check(&server, "divide", &json!({}), 502, "trap").await;
}

#[tokio::test]
async fn a_flood_of_log_is_cut_and_the_function_succeeds() {
    let server = Server::in_memory().await;
    server.deploy("flood", hostile("flood-stderr")).await;
    let id = server.accept("flood", "").await;
    server.settled(&id, "succeeded").await;
    let log = server.get(&format!("/v1/invocations/{id}/logs")).await.is(200).text();
    assert!(log.len() < 70 * 1024 && log.contains("were written and dropped"), "{}", &log[log.len() - 200..]);
}

#[tokio::test]
async fn an_asynchronous_invocation_that_never_ends_is_stopped_and_tried_again() {
    let server = Server::in_memory().await;
    let settings = json!({"timeout_ms": 100, "async_config": {"max_retries": 1, "retry_delay_ms": 1}});
    server.deploy_with("spin", hostile("spin"), &settings).await;
    let id = server.accept("spin", "").await;
    let invocation = server.settled(&id, "failed").await;
    assert_eq!(attempts(&invocation), [(1, "timeout"), (2, "timeout")]);
    for attempt in invocation["attempts"].as_array().unwrap() {
        assert!(attempt["duration_ms"].as_u64().unwrap() >= 100, "{attempt}");
    }
}

#[tokio::test]
async fn others_are_answered_while_guests_spin_eat_memory_and_recurse() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    // Long after the end of this test: whoever waited for those that never end would wait in vain.
    let settings = json!({"timeout_ms": 600_000, "async_config": {"max_retries": 0}});
    let (mut endless, mut harmful) = (Vec::new(), Vec::new());
    for name in ["spin", "forever-grow", "recurse", "flood", "trap"] {
        server.deploy_with(name, hostile(name), &settings).await;
        for _ in 0..3 {
            let id = server.accept(name, "").await;
            if ["spin", "forever-grow"].contains(&name) { &mut endless } else { &mut harmful }.push(id);
        }
    }
    for n in 0..30 {
        assert_eq!(server.invoke("echo", n.to_string()).await.is(200).text(), n.to_string());
    }
    let one = server.accept("echo", "through the queue as well").await;
    server.settled(&one, "succeeded").await;
    for id in harmful {
        server.settled(&id, "failed").await;
    }
    for id in endless {
        assert_eq!(server.reaches(&id, "running").await["attempts"].as_array().map(Vec::len), Some(1));
        server.post(&format!("/v1/invocations/{id}/cancel"), "").await.is(200);
    }
}

#[tokio::test]
async fn a_function_at_its_concurrency_turns_callers_away_with_when_to_come_again() {
    let server = Server::in_memory().await;
    let settings = json!({"concurrency": 1, "timeout_ms": 20_000});
    server.deploy_with("spin", hostile("spin"), &settings).await;
    server.deploy("echo", prebuilt("echo")).await;
    let occupier = server.accept("spin", "").await;
    server.reaches(&occupier, "running").await;
    let (turned_away, answered) = tokio::join!(server.invoke("spin", ""), server.invoke("echo", "beside"));
    answered.is(200);
    turned_away.refusal(429, "overloaded", "concurrency limit");
    assert_eq!(turned_away.header("retry-after"), "1");
    server.post(&format!("/v1/invocations/{occupier}/cancel"), "").await.is(200);
}

#[tokio::test]
async fn a_guest_cannot_abort_the_process_unless_it_was_started_for_that() {
    let server = Server::in_memory().await;
    let refusal = server.put("/v1/functions/abort", hostile("abort")).await;
    refusal.refusal(422, "module_refused", "tidemill-fault");
}
