//! Queues that invoke functions: each message is accepted once and none is lost; and no way leads in a circle, through
//! queues and topics either.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::support::{Answer, Server, prebuilt, until};

async fn put(server: &Server, path: &str, body: &Value) -> Answer {
    server.put(path, body.to_string()).await
}

async fn made(server: &Server, path: &str, body: &Value) {
    let answer = put(server, path, body).await;
    assert!([200, 201].contains(&answer.status), "{path}: {}", answer.text());
}

async fn send(server: &Server, queue: &str, body: &str) {
    let message = json!({"body": body, "attributes": {"size": {"type": "Number", "value": "7"}}});
    server.post(&format!("/v1/queues/{queue}/messages"), message.to_string()).await.is(201);
}

/// Every invocation of a function, once `count` of them have succeeded, by what they brought.
async fn brought(server: &Server, function: &str, count: usize) -> Vec<Value> {
    let path = format!("/v1/invocations?function={function}&status=succeeded&limit=1000");
    let all = until("the invocations", async || {
        let listed = server.get(&path).await.is(200).json();
        let all = listed["invocations"].as_array().unwrap().clone();
        (all.len() >= count).then_some(all)
    });
    let mut payloads = Vec::new();
    for invocation in all.await {
        let id = invocation["id"].as_str().unwrap();
        let payload = server.get(&format!("/v1/invocations/{id}/payload")).await.is(200);
        payloads.push(serde_json::from_slice(&payload.body).unwrap_or_else(|_| payload.text().into()));
    }
    payloads
}

fn work(function: &str, queue: &str) -> Value {
    json!({"kind": "queue", "function": function, "queue": queue})
}

#[track_caller]
fn check_cycle(answer: &Answer, path: &[&str]) {
    let problem = answer.refusal(409, "cycle", &path.join(" -> "));
    assert_eq!(problem["path"], json!(path));
}

#[tokio::test]
async fn messages_for_a_disabled_function_stay_in_their_queue() {
    let server = Server::in_memory().await.expecting(&["could not fire"]);
    server.deploy("echo", prebuilt("echo")).await;
    made(&server, "/v1/queues/jobs", &json!({})).await;
    server.post("/v1/functions/echo/disable", "").await.is(200);
    let trigger = json!({"kind": "queue", "function": "echo", "queue": "jobs", "format": "body"});
    made(&server, "/v1/triggers/work", &trigger).await;
    send(&server, "jobs", "high tide").await;
    let told = until("the refusal", async || {
        let shown = server.get("/v1/triggers/work").await.is(200).json();
        shown["last_error"]["message"].as_str().map(str::to_owned)
    });
    assert!(told.await.contains("disabled"));
    let invocations = server.get("/v1/invocations?function=echo").await.is(200).json();
    assert_eq!(invocations["invocations"], json!([]));
    server.post("/v1/functions/echo/enable", "").await.is(200);
    assert_eq!(brought(&server, "echo", 1).await, [json!("high tide")]);
}

#[tokio::test]
async fn a_message_is_handed_over_as_it_is_or_in_a_batch_with_its_attributes() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    server.deploy("other", prebuilt("echo")).await;
    for queue in ["jobs", "batches"] {
        made(&server, &format!("/v1/queues/{queue}"), &json!({})).await;
    }
    let trigger = json!({"kind": "queue", "function": "echo", "queue": "jobs", "format": "body"});
    made(&server, "/v1/triggers/bodies", &trigger).await;
    send(&server, "jobs", "high tide").await;
    assert_eq!(brought(&server, "echo", 1).await, [json!("high tide")]);

    let trigger =
        json!({"kind": "queue", "function": "other", "queue": "batches", "batch_size": 3, "batch_window_s": 2});
    // They are there before anybody waits for a batch to be full.
    for n in 0..4 {
        send(&server, "batches", &n.to_string()).await;
    }
    made(&server, "/v1/triggers/batched", &trigger).await;
    let batches = brought(&server, "other", 2).await;
    let mut sizes: Vec<_> = batches.iter().map(|batch| batch["messages"].as_array().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 3], "{batches:?}");
    let message = &batches[0]["messages"][0];
    assert_eq!(message["attributes"], json!({"size": {"type": "Number", "value": "7"}}));
    assert_eq!((&batches[0]["queue"], &message["receives"]), (&json!("batches"), &json!(1)));
    let shown = server.get("/v1/triggers/batched").await.is(200).json();
    assert_eq!((&shown["fired"], &shown["last_error"]), (&json!(2), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_accepted_once_and_none_is_lost_though_the_server_is_killed() {
    const MESSAGES: usize = 300;
    let mut server = Server::durable().await;
    // One may be under way at each of the kills.
    server.deploy_with("echo", prebuilt("echo"), &json!({"async_config": {"max_retries": 5}})).await;
    made(&server, "/v1/queues/jobs", &json!({})).await;
    let off = json!({"kind": "queue", "function": "echo", "queue": "jobs", "format": "body", "concurrency": 4,
                     "enabled": false});
    made(&server, "/v1/triggers/worker", &off).await;
    for n in 0..MESSAGES {
        send(&server, "jobs", &format!("job {n}")).await;
    }
    server.post("/v1/triggers/worker/enable", "").await.is(200);
    for part in 1..=2 {
        brought(&server, "echo", part * MESSAGES / 6).await;
        server = server.killed().await.restarted().await;
    }
    let mut times = BTreeMap::<String, usize>::new();
    for body in brought(&server, "echo", MESSAGES).await {
        *times.entry(body.as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(times.len(), MESSAGES);
    assert!(times.values().all(|count| *count == 1), "{times:?}");
    let queue = server.get("/v1/queues/jobs").await.is(200).json();
    let listed = server.get("/v1/invocations?function=echo&limit=1000").await.is(200).json();
    assert_eq!(listed["invocations"].as_array().unwrap().len(), MESSAGES, "{queue}");
}

#[tokio::test]
async fn while_a_function_can_take_no_more_its_messages_wait_in_the_queue() {
    let server = Server::in_memory().await.expecting(&["a trigger could not fire"]);
    server.deploy("echo", prebuilt("echo")).await;
    put(&server, "/v1/functions/echo/queue", &json!({"paused": true, "max_queued": 2})).await.is(200);
    made(&server, "/v1/queues/jobs", &json!({})).await;
    let trigger = json!({"kind": "queue", "function": "echo", "queue": "jobs", "format": "body"});
    made(&server, "/v1/triggers/worker", &trigger).await;
    for n in 0..5 {
        send(&server, "jobs", &format!("job {n}")).await;
    }
    let error = until("the error", async || {
        let shown = server.get("/v1/triggers/worker").await.is(200).json();
        shown["last_error"]["message"].as_str().map(str::to_owned)
    });
    assert!(error.await.contains("the limit is 2"));
    put(&server, "/v1/functions/echo/queue", &json!({"paused": false, "max_queued": 100})).await.is(200);
    let mut bodies = brought(&server, "echo", 5).await;
    bodies.sort_by_key(ToString::to_string);
    assert_eq!(bodies, (0..5).map(|n| json!(format!("job {n}"))).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cycle_through_a_queue_and_its_trigger_is_refused_with_its_path() {
    let server = Server::in_memory().await;
    for function in ["a", "b"] {
        server.deploy(function, prebuilt("echo")).await;
    }
    for queue in ["jobs", "dead"] {
        made(&server, &format!("/v1/queues/{queue}"), &json!({})).await;
    }
    server.configure("a", &json!({"on_success": "queue:jobs"})).await.is(200);
    check_cycle(&put(&server, "/v1/triggers/worker", &work("a", "jobs")).await, &["queue:jobs", "a", "queue:jobs"]);
    server.get("/v1/triggers/worker").await.refusal(404, "trigger_not_found", "`worker`");
    made(&server, "/v1/triggers/worker", &work("b", "jobs")).await;
    let back = server.configure("b", &json!({"on_failure": "function:a"})).await;
    check_cycle(&back, &["b", "a", "queue:jobs", "b"]);

    // Dead letters are a way too, and a trigger that is switched off can be switched on.
    made(&server, "/v1/queues/jobs", &json!({"redrive": {"to": "dead", "max_receives": 3}})).await;
    let mut again = work("a", "dead");
    again["enabled"] = false.into();
    let refused = put(&server, "/v1/triggers/again", &again).await;
    check_cycle(&refused, &["queue:dead", "a", "queue:jobs", "queue:dead"]);
    let back = put(&server, "/v1/queues/dead", &json!({"redrive": {"to": "jobs", "max_receives": 3}})).await;
    check_cycle(&back, &["queue:dead", "queue:jobs", "queue:dead"]);
    let graph = server.get("/v1/graph").await.is(200).json();
    let edges: Vec<_> = graph["edges"].as_array().unwrap().iter().map(|edge| edge["on"].as_str().unwrap()).collect();
    assert_eq!(edges, ["success", "redrive", "trigger"], "{graph}");
    server.delete("/v1/triggers/worker").await.is(204);
    server.configure("b", &json!({"on_failure": "function:a"})).await.is(200);
}

#[tokio::test]
async fn a_cycle_through_a_topic_is_refused_with_its_path() {
    let server = Server::in_memory().await;
    for function in ["a", "b"] {
        server.deploy(function, prebuilt("echo")).await;
    }
    made(&server, "/v1/queues/jobs", &json!({})).await;
    made(&server, "/v1/topics/news", &json!({})).await;
    let subscribe = async |to: &str| server.post("/v1/topics/news/subscriptions", json!({"to": to}).to_string()).await;
    server.configure("a", &json!({"on_success": "topic:news"})).await.is(200);
    check_cycle(&subscribe("function:a").await, &["topic:news", "a", "topic:news"]);
    assert!([200, 201].contains(&subscribe("queue:jobs").await.status));
    check_cycle(
        &put(&server, "/v1/triggers/worker", &work("a", "jobs")).await,
        &["queue:jobs", "a", "topic:news", "queue:jobs"],
    );
    assert!([200, 201].contains(&subscribe("function:b").await.status));
    check_cycle(&server.configure("b", &json!({"on_success": "function:a"})).await, &["b", "a", "topic:news", "b"]);
}

#[tokio::test]
async fn of_two_writers_who_would_close_a_cycle_through_a_queue_or_a_topic_together_one_is_refused() {
    let server = Server::in_memory().await;
    server.deploy("a", prebuilt("echo")).await;
    made(&server, "/v1/queues/jobs", &json!({})).await;
    made(&server, "/v1/topics/news", &json!({})).await;
    for round in 0..20 {
        let (trigger, to_queue) = (work("a", "jobs"), json!({"on_success": "queue:jobs"}));
        let (one, other) =
            tokio::join!(put(&server, "/v1/triggers/worker", &trigger), server.configure("a", &to_queue));
        assert_ne!(one.status == 409, other.status == 409, "round {round}: {} {}", one.text(), other.text());
        server.configure("a", &json!({})).await.is(200);
        server.delete("/v1/triggers/worker").await;

        let (subscription, to_topic) = (json!({"to": "function:a"}), json!({"on_success": "topic:news"}));
        let subscribed = server.post("/v1/topics/news/subscriptions", subscription.to_string());
        let (one, other) = tokio::join!(subscribed, server.configure("a", &to_topic));
        assert_ne!(one.status == 409, other.status == 409, "round {round}: {} {}", one.text(), other.text());
        server.configure("a", &json!({})).await.is(200);
        if let Some(id) = one.json()["id"].as_str() {
            server.delete(&format!("/v1/topics/news/subscriptions/{id}")).await.is(204);
        }
    }
}
