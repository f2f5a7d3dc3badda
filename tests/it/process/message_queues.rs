//! Message queues natively and on the command line, through restarts and `kill -9`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Server, run, run_with};

async fn made(server: &Server, name: &str, settings: Value) -> Value {
    server.put(&format!("/v1/queues/{name}"), settings.to_string()).await.is(201).json()
}

async fn sent(server: &Server, name: &str, message: Value) -> Value {
    server.post(&format!("/v1/queues/{name}/messages"), message.to_string()).await.is(201).json()
}

async fn received(server: &Server, name: &str, query: &str) -> Vec<Value> {
    let answer = server.post(&format!("/v1/queues/{name}/receive?{query}"), "").await.is(200).json();
    answer["messages"].as_array().unwrap().clone()
}

fn bodies(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["body"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn messages_are_sent_received_hidden_and_deleted_over_the_api() {
    let server = Server::in_memory().await;
    let queue = made(&server, "orders", json!({"visibility_s": 60, "tags": {"team": "shop"}})).await;
    assert_eq!(
        (&queue["visibility_s"], &queue["retention_s"], &queue["fifo"]),
        (&json!(60), &json!(345_600), &json!(false))
    );
    let attributes = json!({"kind": {"type": "String", "value": "ä"}, "raw": {"type": "Binary", "value": "AP8="}});
    let id = sent(&server, "orders", json!({"body": "one", "attributes": attributes})).await["id"].clone();
    let one = received(&server, "orders", "max_messages=10").await.remove(0);
    assert_eq!(
        (&one["id"], &one["body"], &one["attributes"], &one["receives"]),
        (&id, &json!("one"), &attributes, &json!(1))
    );
    let held = server.get("/v1/queues/orders").await.is(200).json();
    assert_eq!((&held["visible"], &held["in_flight"]), (&json!(0), &json!(1)));
    let receipt = one["receipt"].as_str().unwrap();
    let visibility = format!("/v1/queues/orders/messages/{receipt}/visibility");
    server.put(&visibility, json!({"visibility_s": 0}).to_string()).await.is(204);
    let again = received(&server, "orders", "wait_s=5").await.remove(0);
    let receipt = again["receipt"].as_str().unwrap();
    server.delete(&format!("/v1/queues/orders/messages/{receipt}")).await.is(204);
    let text = server.get("/metrics").await.is(200).text();
    let line = "tidemill_message_queue_visible{namespace=\"default\",queue=\"orders\"} 0";
    assert!(text.lines().any(|told| told == line), "{text}");
    sent(&server, "orders", json!({"body": "two"})).await;
    server.post("/v1/queues/orders/purge", "").await.is(204);
    assert_eq!(received(&server, "orders", "").await, [json!(null); 0]);
    server.delete("/v1/queues/orders").await.is(204);
    server.get("/v1/queues/orders").await.problem(404, "queue_not_found");
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_reason() {
    let server = Server::in_memory().await;
    server.put("/v1/queues/a.b", "").await.problem(400, "bad_name");
    server.put("/v1/queues/q", r#"{"colour": "blue"}"#).await.problem(400, "bad_json");
    server.put("/v1/queues/q", r#"{"visibility_s": 43201}"#).await.problem(400, "bad_range");
    server.put("/v1/queues/q", r#"{"redrive": {"to": "x", "max_receives": 1}}"#).await.problem(400, "bad_redrive");
    made(&server, "q", json!({})).await;
    let send = |message: Value| server.post("/v1/queues/q/messages", message.to_string());
    send(json!({"body": ""})).await.problem(400, "bad_message");
    send(json!({"body": "x".repeat(262_145)})).await.problem(413, "body_too_large");
    send(json!({"body": "x", "deduplication_id": "y"})).await.problem(400, "wrong_kind_of_queue");
    server.post("/v1/queues/none/messages", r#"{"body": "x"}"#).await.problem(404, "queue_not_found");
    server.post("/v1/queues/q/receive?max_messages=101", "").await.problem(400, "bad_range");
    server.delete("/v1/queues/q/messages/none").await.problem(400, "bad_receipt");
    // What is not of the SQS dialect is not taken for it.
    server.post("/", "{}").await.problem(404, "no_such_path");
    server.post("/v1/nothing", "Action=ListQueues").await.problem(404, "no_such_path");
}

#[tokio::test]
async fn a_page_of_the_web_cannot_use_the_sqs_dialect() {
    let server = Server::in_memory().await;
    let form = || {
        let request = server.request(Method::POST, "/").header("content-type", "application/x-www-form-urlencoded");
        request.body("Action=CreateQueue&QueueName=q")
    };
    server.send(form().header("origin", "https://evil.example")).await.problem(403, "foreign_origin");
    server.send(form().header("sec-fetch-site", "cross-site")).await.problem(403, "foreign_origin");
    assert_eq!(server.get("/v1/queues").await.is(200).json()["queues"], json!([]));
    server.send(form()).await.is(200);
    assert_eq!(server.get("/v1/queues").await.is(200).json()["queues"][0]["name"], "q");
}

#[tokio::test]
async fn each_namespace_has_its_own_queues_and_lists_go_on_where_they_ended() {
    let server = Server::in_memory().await;
    for name in ["a", "b", "c"] {
        made(&server, name, json!({})).await;
    }
    made(&server, "a?namespace=shop", json!({})).await;
    let page = server.get("/v1/queues?limit=2").await.is(200).json();
    assert_eq!((page["queues"].as_array().unwrap().len(), &page["next_cursor"]), (2, &json!("b")));
    let rest = server.get("/v1/queues?limit=2&cursor=b").await.is(200).json();
    assert_eq!((&rest["queues"][0]["name"], &rest["next_cursor"]), (&json!("c"), &json!(null)));
    sent(&server, "a", json!({"body": "ours"})).await;
    assert_eq!(server.get("/v1/queues/a?namespace=shop").await.is(200).json()["visible"], 0);
}

#[tokio::test]
async fn the_command_line_makes_queues_sends_receives_and_deletes() {
    let server = Server::in_memory().await;
    let none = run(&server, &["queues", "list"]).await.exits(0);
    assert!(none.err.contains("no queues"), "{}", none.err);
    run(&server, &["queues", "create", "dead"]).await.exits(0);
    let settings = ["--visibility", "1m", "--dead-letters", "dead", "--max-receives", "3", "--tag", "team=shop"];
    run(&server, &[&["queues", "create", "q"], &settings[..]].concat()).await.exits(0);
    let exists = run(&server, &["queues", "create", "q"]).await.exits(4);
    assert!(exists.err.contains("tidemill queues set"), "{}", exists.err);
    let shown = run(&server, &["queues", "show", "q"]).await.exits(0).text();
    for part in ["1m", "to dead after 3 receives", "team=shop"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    run(&server, &["queues", "send", "q", "first", "--attribute", "kind=order"]).await.exits(0);
    run_with(&server.url(""), &["queues", "send", "q"], b"second").await.exits(0);
    let first = run(&server, &["--json", "queues", "receive", "q"]).await.exits(0).json();
    let receipt = first["messages"][0]["receipt"].as_str().unwrap();
    run(&server, &["queues", "delete", "q", "--message", receipt]).await.exits(0);
    let second =
        run(&server, &["queues", "receive", "q", "--max", "5", "--wait", "5s", "--delete"]).await.exits(0).text();
    assert!(second.contains("second") && !second.contains("first"), "{second}");
    let listed = run(&server, &["queues", "list", "--prefix", "q"]).await.exits(0).text();
    let row: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["q", "0", "0", "0", "0", "B", "-"], "{listed}");
    run(&server, &["queues", "set", "q", "--retention", "1h"]).await.exits(0);
    let queue = server.get("/v1/queues/q").await.is(200).json();
    assert_eq!((&queue["retention_s"], &queue["visibility_s"]), (&json!(3_600), &json!(30)));
    run(&server, &["queues", "purge", "q"]).await.exits(0);
    run(&server, &["queues", "delete", "q"]).await.exits(0);
    run(&server, &["queues", "show", "q"]).await.exits(4);
    run(&server, &["queues", "set", "q"]).await.exits(4);
    run(&server, &["queues", "create", "x", "--delay", "1500ms"]).await.exits(2);
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_and_so_does_what_flies() {
    let server = Server::durable().await;
    made(&server, "q", json!({})).await;
    made(&server, "line.fifo", json!({"content_deduplication": true})).await;
    let mut acknowledged = BTreeSet::new();
    for n in 0..30 {
        let id = sent(&server, "q", json!({"body": format!("{n}")})).await["id"].clone();
        acknowledged.insert(id.as_str().unwrap().to_owned());
        sent(&server, "line.fifo", json!({"body": format!("{n}"), "group": "g"})).await;
    }
    let flies = received(&server, "q", "max_messages=10&visibility_s=600").await;
    let deleted = flies[0]["receipt"].as_str().unwrap();
    server.delete(&format!("/v1/queues/q/messages/{deleted}")).await.is(204);
    assert!(acknowledged.remove(flies[0]["id"].as_str().unwrap()));

    let server = server.killed().await.restarted().await;
    let queue = server.get("/v1/queues/q").await.is(200).json();
    assert_eq!((&queue["visible"], &queue["in_flight"]), (&json!(20), &json!(9)));
    let mut found: BTreeSet<String> = flies[1..].iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    for message in received(&server, "q", "max_messages=100").await {
        assert!(found.insert(message["id"].as_str().unwrap().to_owned()), "it was in flight");
    }
    assert_eq!(found, acknowledged);
    let again = sent(&server, "line.fifo", json!({"body": "7", "group": "g"})).await;
    let line = received(&server, "line.fifo", "max_messages=100&visibility_s=600").await;
    let expected: Vec<_> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&line), expected, "in order, and none twice");
    assert_eq!(again["id"], line[7]["id"]);
    let stopped = server.terminated().await;
    let server = stopped.restarted().await;
    let receipt = line[0]["receipt"].as_str().unwrap();
    server.delete(&format!("/v1/queues/line.fifo/messages/{receipt}")).await.is(204);
    assert_eq!(server.get("/v1/queues/line.fifo").await.is(200).json()["in_flight"], 29);
}
