//! A disk that is full: new work is refused, what was accepted settles, nothing is lost and the process lives.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::support::{Answer, Server, prebuilt, until};

const QUEUE: &str = "/v1/functions/echo/queue";
/// What the log may say of it.
const TOLD: &[&str] = &[
    "store_full",
    "could not be written",
    "could not be removed",
    "did not end",
    "could not be noted in the audit log",
];
/// The least that a store can have, and a payload of which that holds some dozens.
const MAX_DISK: &str = "--max-disk=100663296";
const PAYLOAD_BYTES: usize = 1_000_000;

async fn sent(server: &Server) -> Answer {
    let request = server.request(Method::POST, "/v1/functions/echo/invocations?mode=async");
    server.send(request.body(vec![b'x'; PAYLOAD_BYTES])).await
}

/// Sends until it is refused: how many were not, and the refusal.
async fn filled(server: &Server) -> (u64, Answer) {
    for accepted in 0..200 {
        let answer = sent(server).await;
        if answer.status != 202 {
            return (accepted, answer);
        }
    }
    panic!("there is no end to the disk");
}

#[tokio::test]
async fn a_full_disk_refuses_new_work_and_all_that_was_accepted_settles() {
    // What settles goes at once, so that there is room again.
    let server = Server::with(&[MAX_DISK, "--retention=0s"]).await.expecting(TOLD);
    server.deploy("echo", prebuilt("echo")).await;
    server.post(&format!("{QUEUE}/pause"), "").await.is(200);
    let (accepted, refused) = filled(&server).await;
    let problem = refused.is(507).json();
    assert_eq!((&problem["code"], &problem["effect"]), (&json!("store_full"), &json!("none")), "{problem}");
    assert!(accepted > 20, "{accepted}");
    server.get("/healthz").await.is(200);
    assert_eq!(server.get(QUEUE).await.is(200).json()["live"]["count"], accepted);

    // Also of one that starts on a full disk nothing is lost.
    let server = server.killed().await.restarted_with(&[MAX_DISK, "--retention=0s"]).await.expecting(TOLD);
    assert_eq!(sent(&server).await.status, 507);
    server.post(&format!("{QUEUE}/resume"), "").await.is(200);
    let all_settled = async || {
        let queue = server.get(QUEUE).await.is(200).json();
        (queue["settled"]["succeeded"] == accepted && queue["live"]["count"] == 0).then_some(())
    };
    until("all that was accepted to settle", all_settled).await;
    until("room for new work", async || (sent(&server).await.status == 202).then_some(())).await;
}

#[tokio::test]
async fn on_a_full_disk_that_is_full_of_what_is_kept_a_purge_is_possible_and_lets_the_rest_settle() {
    let server = Server::with(&["--max-disk=167772160"]).await.expecting(TOLD);
    server.deploy("echo", prebuilt("echo")).await;
    server.post(&format!("{QUEUE}/pause"), "").await.is(200);
    let (accepted, _) = filled(&server).await;
    server.post(&format!("{QUEUE}/resume"), "").await.is(200);
    let settled = async || {
        let queue = server.get(QUEUE).await.is(200).json();
        queue["settled"]["succeeded"].as_u64().unwrap()
    };
    // As far as the reserve goes, and no further.
    let stuck = async || {
        let before = settled().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        (before > 0 && settled().await == before).then_some(before)
    };
    let before = until("nothing to settle any more", stuck).await;
    assert!(before < accepted, "{before} of {accepted}");
    server.get("/healthz").await.is(200);

    let purge = json!({"action": "purge", "function": "echo"}).to_string();
    let all_settled = async || {
        server.post("/v1/invocations/bulk", purge.clone()).await.is(200);
        (settled().await == accepted).then_some(())
    };
    until("all that was accepted to settle", all_settled).await;
    server.post("/v1/invocations/bulk", purge.clone()).await.is(200);
    until("room for new work", async || (sent(&server).await.status == 202).then_some(())).await;
}
