//! Many invocations at once: cancelled, retried, redriven, purged, so much at a time and never more than was meant.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Server, prebuilt, run, until};

const LATER: [(&str, &str); 1] = [("tidemill-delay", "1h")];
const FAILS: &str = r#"{"always": true}"#;

/// A server on which `flaky` fails at once and `echo` does not.
async fn server() -> Server {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    server.deploy_with("flaky", prebuilt("flaky"), &json!({"async_config": {"max_retries": 0}})).await;
    server
}

/// So many dead letters of `flaky`.
async fn dead_letters(server: &Server, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = server.accept("flaky", FAILS).await;
        server.settled(&id, "failed").await;
        ids.push(id);
    }
    ids
}

async fn bulk(server: &Server, body: Value) -> Value {
    server.post("/v1/invocations/bulk", body.to_string()).await.is(200).json()
}

/// What was matched, done, skipped and failed.
#[track_caller]
fn counts(done: &Value) -> [u64; 4] {
    ["matched", "done", "skipped", "failed_count"].map(|name| done[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_dry_run_counts_what_would_be_cancelled_and_cancels_nothing() {
    let server = server().await;
    for _ in 0..5 {
        server.accept_with("echo", "", &LATER).await;
    }
    let other = server.accept_with("flaky", "", &LATER).await;
    let cancel = |dry_run| json!({"action": "cancel", "function": "echo", "dry_run": dry_run});
    let would = bulk(&server, cancel(true)).await;
    assert_eq!((counts(&would), &would["next"]), ([5, 5, 0, 0], &Value::Null));
    assert_eq!(server.listed("status=queued").await.len(), 6);
    assert_eq!(bulk(&server, cancel(false)).await, would);
    assert_eq!(server.listed("status=cancelled").await.len(), 5);
    assert_eq!(server.listed("status=queued").await, [&*other]);
    assert_eq!(counts(&bulk(&server, cancel(false)).await), [0, 0, 0, 0]);
}

#[tokio::test]
async fn a_call_that_is_limited_says_where_the_next_one_goes_on() {
    let server = server().await;
    for _ in 0..7 {
        server.accept_with("echo", "", &LATER).await;
    }
    let (mut cursor, mut calls) = (Value::Null, Vec::new());
    loop {
        let asked = json!({"action": "cancel", "status": ["queued"], "limit": 3, "cursor": cursor});
        let done = bulk(&server, asked).await;
        calls.push(counts(&done)[1]);
        cursor = done["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(calls.iter().sum::<u64>(), 7, "{calls:?}");
    assert!(calls.iter().all(|done| *done <= 3), "{calls:?}");
    assert_eq!(server.listed("status=queued").await, [""; 0]);
}

#[tokio::test]
async fn a_redriven_dead_letter_gives_its_place_to_a_new_invocation() {
    let server = server().await;
    let dead = dead_letters(&server, 3).await;
    let listed = server.get("/v1/functions/flaky/dead-letters?limit=2").await.is(200).json();
    assert_eq!(listed["invocations"].as_array().unwrap().len(), 2);
    assert!(listed["next_cursor"].is_string());

    let single = server.post(&format!("/v1/invocations/{}/redrive", dead[0]), "").await.is(202).json();
    let new = server.settled(single["id"].as_str().unwrap(), "failed").await;
    assert_eq!(new["retry_of"], *dead[0]);
    server.get(&format!("/v1/invocations/{}", dead[0])).await.refusal(404, "invocation_not_found", &dead[0]);

    let done = bulk(&server, json!({"action": "redrive", "function": "flaky"})).await;
    assert_eq!(counts(&done), [3, 3, 0, 0]);
    for old in &dead {
        server.get(&format!("/v1/invocations/{old}")).await.is(404);
    }
    let again = until("the redriven ones", async || {
        Some(server.listed("dead_letter=true&function=flaky").await).filter(|ids| ids.len() == 3)
    });
    assert!(again.await.iter().all(|id| !dead.contains(id)));
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_redrive_loses_and_doubles_no_dead_letter() {
    const COUNT: usize = 60;
    let mut server = server().await;
    for _ in 0..COUNT {
        server.accept("flaky", FAILS).await;
    }
    for pause_ms in [2, 6, 15] {
        server = {
            idle_with(&server, COUNT).await;
            let body = json!({"action": "redrive", "all": true}).to_string();
            let redrive = server.request(Method::POST, "/v1/invocations/bulk").body(body).send();
            let killed = async {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                server.killed().await
            };
            tokio::join!(redrive, killed).1.restarted().await
        };
    }
    idle_with(&server, COUNT).await;
}

/// Waits until nothing of `flaky` is live, and checks how many dead letters of it there are.
async fn idle_with(server: &Server, dead_letters: usize) {
    until("an idle queue", async || {
        let queue = server.get("/v1/functions/flaky/queue").await.is(200).json();
        (queue["live"]["count"] == 0).then_some(())
    })
    .await;
    assert_eq!(server.listed("dead_letter=true&limit=1000").await.len(), dead_letters);
    assert_eq!(server.listed("limit=1000").await.len(), dead_letters);
}

#[tokio::test]
async fn only_a_dead_letter_is_redriven_and_only_what_is_settled_is_purged() {
    let server = server().await;
    let waiting = server.accept_with("echo", "", &LATER).await;
    let fine = server.accept("echo", "").await;
    server.settled(&fine, "succeeded").await;
    let path = |id: &str, rest: &str| format!("/v1/invocations/{id}{rest}");
    server.post(&path(&fine, "/redrive"), "").await.refusal(409, "not_a_dead_letter", &fine);
    server.post(&path(&waiting, "/redrive"), "").await.refusal(409, "not_a_dead_letter", &waiting);
    server.delete(&path(&waiting, "")).await.refusal(409, "not_settled", &waiting);
    server.delete(&path(&fine, "")).await.is(204);
    server.delete(&path(&fine, "")).await.refusal(404, "invocation_not_found", &fine);
    assert_eq!(server.look(&waiting).await["status"], "queued");
}

#[tokio::test]
async fn what_is_purged_is_gone_and_no_longer_counted_as_kept() {
    let server = server().await;
    let dead = dead_letters(&server, 2).await;
    let fine = server.accept("echo", "").await;
    server.settled(&fine, "succeeded").await;
    let waiting = server.accept_with("flaky", "", &LATER).await;
    let purge = json!({"action": "purge", "function": "flaky", "status": ["failed", "cancelled"], "older_than_s": 0});
    assert_eq!(counts(&bulk(&server, purge).await), [2, 2, 0, 0]);
    for id in dead {
        server.get(&format!("/v1/invocations/{id}/payload")).await.is(404);
    }
    let queue = server.get("/v1/functions/flaky/queue").await.is(200).json();
    assert_eq!(queue["kept"]["failed"]["count"], 0);
    assert_eq!((&queue["settled"]["failed"], &queue["accepted"]), (&json!(2), &json!(3)));
    assert_eq!(bulk(&server, json!({"action": "purge", "all": true})).await["done"], 1);
    assert_eq!(server.listed("").await, [&*waiting]);
}

#[tokio::test]
async fn what_cannot_be_retried_is_told_by_name_and_the_rest_is_retried() {
    let server = server().await;
    server.deploy("gone", prebuilt("echo")).await;
    let lost = server.accept("gone", "").await;
    server.settled(&lost, "succeeded").await;
    let fine = server.accept("echo", "again").await;
    server.settled(&fine, "succeeded").await;
    let answered = server.invoke("echo", "nobody keeps this").await.is(200);
    server.recorded(&answered).await;
    server.delete("/v1/functions/gone").await.is(204);

    let retry = |dry_run| json!({"action": "retry", "status": ["succeeded"], "dry_run": dry_run});
    let would = bulk(&server, retry(true)).await;
    let done = bulk(&server, retry(false)).await;
    assert_eq!((counts(&would), counts(&done)), ([3, 1, 1, 1], [3, 1, 1, 1]));
    let failed = &done["failed"][0];
    assert_eq!((&failed["id"], &failed["code"]), (&json!(lost), &json!("function_not_found")));
    let again = until("the repeated one", async || {
        let all = server.get("/v1/invocations?function=echo").await.json()["invocations"].take();
        all.as_array().unwrap().iter().find(|it| it["retry_of"] == *fine).cloned()
    });
    server.settled(again.await["id"].as_str().unwrap(), "succeeded").await;
}

#[tokio::test]
async fn times_and_namespaces_narrow_what_is_meant() {
    let server = server().await;
    server.put("/v1/functions/echo?namespace=shop", prebuilt("echo")).await.is(201);
    let first = server.accept_with("echo", "", &LATER).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let second = server.accept_with("echo", "", &LATER).await;
    let between = server.look(&second).await["accepted_at"].take();
    let there = server.post("/v1/functions/echo/invocations?mode=async&namespace=shop", "").await.is(202).json();
    server.settled(there["id"].as_str().unwrap(), "succeeded").await;

    let before = json!({"action": "cancel", "accepted_before": between});
    assert_eq!(bulk(&server, before).await["done"], 1);
    assert_eq!(server.look(&first).await["status"], "cancelled");
    let after = json!({"action": "cancel", "accepted_after": between});
    assert_eq!(bulk(&server, after).await["done"], 1);
    assert_eq!(server.look(&second).await["status"], "cancelled");
    let purge = json!({"action": "purge", "all": true}).to_string();
    let done = server.post("/v1/invocations/bulk?namespace=shop", purge).await.is(200).json();
    assert_eq!(done["done"], 1);
    assert_eq!(server.listed("namespace=shop").await, [""; 0]);
    assert_eq!(server.listed("namespace=default").await, [&*second, &first]);
}

#[tokio::test]
async fn the_command_line_means_one_namespace_unless_it_is_told_all() {
    let server = server().await;
    server.put("/v1/functions/echo?namespace=shop", prebuilt("echo")).await.is(201);
    let here = server.accept("echo", "").await;
    let there = server.post("/v1/functions/echo/invocations?mode=async&namespace=shop", "").await.is(202).json();
    let there = there["id"].as_str().unwrap();
    server.settled(&here, "succeeded").await;
    server.settled(there, "succeeded").await;
    let tidemill = async |line: &str| run(&server, &line.split(' ').collect::<Vec<_>>()).await;
    let purged = tidemill("invocations purge --all").await.exits(0).text();
    assert_eq!(purged, "purged: 1 of 1 that match\n");
    assert_eq!(server.listed("").await, [there]);
    let both = tidemill("invocations purge --all --all-namespaces --namespace shop").await.exits(2);
    assert!(both.err.contains("take one of them away"), "{}", both.err);
    let purged = tidemill("invocations purge --all --all-namespaces").await.exits(0).text();
    assert_eq!(purged, "purged: 1 of 1 that match\n");
    assert_eq!(server.listed("").await, [""; 0]);
}

#[tokio::test]
async fn the_command_line_goes_on_until_all_are_done_and_sums_up() {
    let server = server().await;
    let dead: BTreeSet<_> = dead_letters(&server, 3).await.into_iter().collect();
    let tidemill = async |line: &str| run(&server, &line.split(' ').collect::<Vec<_>>()).await;
    let would = tidemill("invocations redrive --function flaky --dry-run").await.exits(0).text();
    assert_eq!(would, "would be redriven: 3 of 3 that match\n");
    let done = tidemill("invocations redrive --function flaky --limit 2").await.exits(0).text();
    assert_eq!(done, "redriven: 2 of 2 that match\n");
    let one = tidemill(&format!("invocations redrive {}", dead.first().unwrap())).await.exits(0).text();
    server.settled(one.trim(), "failed").await;
    let json =
        tidemill("invocations purge --function flaky --status failed --older-than 0 --json").await.exits(0).json();
    assert_eq!(json["done"], 3, "{json}");
    let one = server.accept("echo", "").await;
    server.settled(&one, "succeeded").await;
    tidemill(&format!("invocations purge {one}")).await.exits(0);
    let refused = tidemill("invocations retry --status queued").await.exits(4);
    assert!(refused.err.contains("use succeeded, failed, expired, cancelled"), "{}", refused.err);
    let unnamed = tidemill("invocations purge").await.exits(2);
    assert!(unnamed.err.contains("`--function NAME` or `--all`"), "{}", unnamed.err);
    let all = tidemill("invocations list --json --all").await.exits(0).json();
    assert_eq!(all["invocations"], json!([]));
}
