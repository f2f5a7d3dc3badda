//! Outcomes that go to services outside and into buckets of this machine, from the invocation to what arrives.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::{Server, hostile, prebuilt, run, run_with, until};
use crate::services::{NO_MOTO, NO_NATS, Nats, Queues};
use crate::skipped;

/// The server may reach what runs on this machine.
const OUTWARD: [&str; 2] = ["--allow-private-targets", "127.0.0.0/8"];

/// Objects below a folder, and not what is being written.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    found.filter(|file| file.extension().is_some_and(|ending| ending == "json")).collect()
}

async fn delivered(server: &Server, id: &str) -> Value {
    server.settled(id, "succeeded").await;
    until("the delivery", async || Some(server.look(id).await).filter(|it| it["delivery"] == "delivered")).await
}

#[tokio::test]
async fn outcomes_become_objects_of_this_machine_that_are_deleted_when_their_days_are_over() {
    let server = Server::with(&["--time-scale", "3600"]).await;
    // The hour that an invocation may wait unless it is told is a second of this server.
    let day = 86_400;
    let objects = server.folder().join("tidemill-data/objects/default/results");
    let success = json!({"to": "object:results/shop", "format": "payload", "expires_days": 1});
    let settings = json!({"async_config": {"max_event_age_s": day, "on_success": success}});
    server.deploy_with("a", prebuilt("describe"), &settings).await;
    let failure = json!({"max_event_age_s": day, "max_retries": 0, "on_failure": "object:results/failed"});
    let settings = json!({"async_config": failure});
    server.deploy_with("b", hostile("trap"), &settings).await;
    let (a, b) = (server.accept("a", "{}").await, server.accept("b", "{}").await);
    server.settled(&b, "failed").await;
    let two = until("both objects", async || Some(files(&objects)).filter(|files| files.len() == 2)).await;
    let of = |id: &str| two.iter().find(|file| file.ends_with(format!("{id}.json"))).unwrap();
    assert!(of(&a).starts_with(objects.join("shop")) && of(&a).parent().unwrap().ends_with("a"), "{two:?}");
    let record: Value = serde_json::from_slice(&fs::read(of(&b)).unwrap()).unwrap();
    assert_eq!(record["request_context"]["request_id"], b);

    let key = of(&a).strip_prefix(&objects).unwrap().to_str().unwrap().to_owned();
    let result = run(&server, &["objects", "get", "results", &key]).await.exits(0).json();
    assert_eq!(result["payload"], json!({}), "the bare result: {result}");
    let listed = run(&server, &["objects", "list", "results", "--json"]).await.exits(0).json();
    assert!(listed["objects"].to_string().contains("expires_at"), "{listed}");
    // A day of this server is 24 s.
    let left = until("the end of one", async || Some(files(&objects)).filter(|files| files.len() == 1)).await;
    assert_eq!(left, [of(&b).clone()]);
}

#[tokio::test]
async fn what_a_queue_outside_does_not_take_yet_gets_there_also_when_the_server_is_killed_meanwhile() {
    let Some(queues) = Queues::start().await else { return skipped(NO_MOTO) };
    let server = Server::with(&OUTWARD).await;
    let connect = [
        "connections",
        "set",
        "sqs",
        "mq",
        "--region",
        "eu-west-1",
        "--access-key-id",
        "AK",
        "--secret-key-from",
        "aws-key",
    ];
    let endpoint = format!("http://{}", queues.address);
    let refused = run(&server, &[&connect[..], &["--endpoint", &endpoint]].concat()).await.exits(4);
    assert!(refused.err.contains("`aws-key`"), "{}", refused.err);
    run_with(&server.url(""), &["secrets", "set", "aws-key"], b"secret").await.exits(0);
    let to = json!({"to": "queue:outcomes", "connection": "mq"});
    server.deploy("a", prebuilt("describe")).await;
    let config = json!({"on_success": to});
    server.configure("a", &config).await.refusal(400, "destination_not_found", "no connection `mq`");
    run(&server, &[&connect[..], &["--endpoint", &endpoint]].concat()).await.exits(0);
    server.configure("a", &config).await.is(200);
    server.configure("a", &json!({"on_success": {"to": "stream:x", "connection": "mq"}})).await.refusal(
        400,
        "destination_not_found",
        "`sqs`",
    );

    let id = server.accept("a", r#"{"order": 7}"#).await;
    let told =
        until("a try", async || Some(server.look(&id).await).filter(|it| it.to_string().contains("QueueDoesNotExist")))
            .await;
    assert!(told.to_string().contains("the connection `mq`"), "{told:#}");
    let server = server.killed().await.restarted_with(&OUTWARD).await;
    let url = queues.create("outcomes", json!({})).await;
    delivered(&server, &id).await;
    let received = queues.received(&url).await;
    let record: Value = serde_json::from_str(received[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&record["request_context"]["request_id"], &record["request_payload"]),
        (&json!(id), &json!({"order": 7}))
    );
    assert!(!server.log().contains("secret"), "{}", server.log());
}

#[tokio::test]
async fn a_queue_of_another_server_is_a_queue_of_a_service_outside() {
    let other = Server::in_memory().await;
    other.put("/v1/queues/outcomes", "").await.is(201);
    other.put("/v1/queues/once.fifo", "").await.is(201);
    let server = Server::with(&OUTWARD).await;
    run_with(&server.url(""), &["secrets", "set", "key"], b"secret").await.exits(0);
    let endpoint = other.url("");
    let connect = ["connections", "set", "sqs", "other", "--access-key-id", "AK", "--secret-key-from", "key"];
    run(&server, &[&connect[..], &["--endpoint", &endpoint]].concat()).await.exits(0);
    let received = async |queue: &str| {
        let messages = other.post(&format!("/v1/queues/{queue}/receive?wait_s=20&max_messages=10"), "").await.is(200);
        messages.json()["messages"].as_array().unwrap().clone()
    };
    for (name, queue) in [("a", "outcomes"), ("b", "once.fifo")] {
        let to = json!({"to": format!("queue:{queue}"), "connection": "other", "format": "payload"});
        server.deploy_with(name, prebuilt("describe"), &json!({"async_config": {"on_success": to}})).await;
        let id = server.accept(name, r#"{"order": 7}"#).await;
        delivered(&server, &id).await;
        let messages = received(queue).await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        let body: Value = serde_json::from_str(messages[0]["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["payload"], json!({"order": 7}), "the bare result: {body}");
        let told = &messages[0]["attributes"]["tidemill-id"]["value"];
        if queue.ends_with("fifo") {
            assert_eq!(&messages[0]["deduplication_id"], told);
        }
    }
}

#[tokio::test]
async fn outcomes_are_in_a_stream_of_nats_once_each_however_often_the_server_is_killed_meanwhile() {
    const COUNT: usize = 60;
    let Some(nats) = Nats::start().await else { return skipped(NO_NATS) };
    let mut server = Server::with(&OUTWARD).await;
    let url = format!("nats://{}", nats.address);
    run(&server, &["connections", "set", "nats", "bus", "--url", &url]).await.exits(0);
    let to = json!({"to": "stream:outcomes.orders", "connection": "bus"});
    server.deploy_with("a", prebuilt("describe"), &json!({"async_config": {"on_success": to}})).await;
    let mut ids = BTreeSet::new();
    for n in 0..COUNT {
        if n == COUNT / 3 || n == 2 * COUNT / 3 {
            // First while no stream takes anything, then while some are taken.
            server = server.killed().await.restarted_with(&OUTWARD).await;
            nats.make_stream().await;
        }
        ids.insert(server.accept("a", json!({"order": n}).to_string()).await);
    }
    for id in &ids {
        delivered(&server, id).await;
    }
    let messages = nats.messages().await;
    let mut known = BTreeSet::new();
    let told: BTreeSet<_> = messages
        .iter()
        .map(|(id, body)| {
            assert!(known.insert(id.clone()), "the id {id} stands twice");
            let record: Value = serde_json::from_slice(body).unwrap();
            record["request_context"]["request_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!((messages.len(), told), (COUNT, ids));
}
