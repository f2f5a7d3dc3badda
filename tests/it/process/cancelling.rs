//! Stopping an invocation, and repeating one that has ended.

use serde_json::json;

use super::support::{Server, attempts, hostile, prebuilt};

const LATER: [(&str, &str); 1] = [("tidemill-delay", "1000")];

#[tokio::test]
async fn an_invocation_that_waits_is_cancelled_before_it_is_attempted() {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    let id = server.accept_with("echo", "x", &LATER).await;
    let cancelled = server.post(&format!("/v1/invocations/{id}/cancel"), "").await.is(200).json();
    assert_eq!((&cancelled["status"], &cancelled["condition"]), (&json!("cancelled"), &json!("Cancelled")));
    assert_eq!((attempts(&cancelled), &cancelled["dead_letter"]), (vec![], &json!(false)));
    let refusal = server.post(&format!("/v1/invocations/{id}/cancel"), "").await;
    refusal.refusal(409, "already_settled", "cancelled already");
    server.settled(&id, "cancelled").await;
}

#[tokio::test]
async fn an_invocation_that_waits_for_its_next_attempt_is_cancelled() {
    let server = Server::in_memory().await;
    let settings = json!({"async_config": {"max_retries": 3, "retry_delay_ms": 100_000}});
    server.deploy_with("flaky", prebuilt("flaky"), &settings).await;
    let id = server.accept("flaky", r#"{"always": true}"#).await;
    server.reaches(&id, "retrying").await;
    let cancelled = server.post(&format!("/v1/invocations/{id}/cancel"), "").await.is(200).json();
    assert_eq!((&cancelled["status"], attempts(&cancelled)), (&json!("cancelled"), vec![(1, "retryable")]));
}

#[tokio::test]
async fn a_running_invocation_is_stopped_while_others_are_answered() {
    let server = Server::in_memory().await;
    server.deploy_with("spin", hostile("spin"), &json!({"timeout_ms": 600_000})).await;
    server.deploy("echo", prebuilt("echo")).await;
    let id = server.accept("spin", "").await;
    server.reaches(&id, "running").await;
    server.invoke("echo", "beside it").await.is(200);
    let cancelled = server.post(&format!("/v1/invocations/{id}/cancel"), "").await.is(200).json();
    assert_eq!((&cancelled["status"], attempts(&cancelled)), (&json!("cancelled"), vec![(1, "interrupted")]));
    server.invoke("echo", "after it").await.is(200);
}

#[tokio::test]
async fn cancelling_stops_a_guest_that_would_spin_for_ten_minutes_and_leaves_its_neighbours_running() {
    let server = Server::durable().await;
    server.deploy_with("spin", hostile("spin"), &json!({"timeout_ms": 600_000})).await;
    server.deploy("echo", prebuilt("echo")).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(server.accept("spin", "").await);
    }
    for id in &ids {
        server.reaches(id, "running").await;
    }
    let cancelled = server.post(&format!("/v1/invocations/{}/cancel", ids[1]), "").await.is(200).json();
    assert_eq!((&cancelled["status"], attempts(&cancelled)), (&json!("cancelled"), vec![(1, "interrupted")]));
    server.invoke("echo", "beside them").await.is(200);
    for neighbour in [&ids[0], &ids[2]] {
        let running = server.look(neighbour).await;
        assert_eq!((&running["status"], running["attempts"].as_array().map(Vec::len)), (&json!("running"), Some(1)));
    }
}

#[tokio::test]
async fn what_has_ended_cannot_be_cancelled_and_what_never_was_is_not_found() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let id = server.accept("echo", "").await;
    server.settled(&id, "succeeded").await;
    let again = server.post(&format!("/v1/invocations/{id}/cancel"), "").await;
    again.refusal(409, "already_settled", "has succeeded already");
    let nobody = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77";
    for verb in ["cancel", "retry"] {
        let answer = server.post(&format!("/v1/invocations/{nobody}/{verb}"), "").await;
        answer.refusal(404, "invocation_not_found", nobody);
    }
}

#[tokio::test]
async fn repeating_a_settled_invocation_makes_a_new_one_with_its_payload_and_the_present_configuration() {
    let server = Server::durable().await;
    let settings = json!({"async_config": {"max_retries": 0}});
    server.deploy_with("flaky", prebuilt("flaky"), &settings).await;
    let request = r#"{"fail_attempts": 1}"#;
    let first = server.accept_with("flaky", request, &[("content-type", "application/json")]).await;
    server.settled(&first, "failed").await;
    server.configure("flaky", &json!({"max_retries": 1, "retry_delay_ms": 1})).await.is(200);

    let answer = server.post(&format!("/v1/invocations/{first}/retry"), "").await.is(202);
    let second = answer.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(second, first);
    assert_eq!(answer.header("location"), format!("/v1/invocations/{second}"));
    let repeated = server.settled(&second, "succeeded").await;
    assert_eq!((&repeated["retry_of"], attempts(&repeated).len()), (&json!(first), 2));
    assert_eq!(repeated["payload"]["content_type"], "application/json");
    assert_eq!(server.look(&first).await["status"], "failed", "the old record stays as it is");
}

#[tokio::test]
async fn what_has_not_ended_cannot_be_repeated() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let id = server.accept_with("echo", "", &LATER).await;
    server.post(&format!("/v1/invocations/{id}/retry"), "").await.refusal(409, "not_settled", &id);
    assert_eq!(server.listed("").await.len(), 1);
}
