//! Outcomes that are brought to what is built in: queues, streams, topics and objects; successes, failures, each format.

use serde_json::{Value, json};

use super::support::{Receiver, Server, hostile, prebuilt, until};

/// Makes one of each kind.
async fn made() -> Server {
    let server = Server::with(&["--allow-private-targets", "127.0.0.1"]).await;
    for path in ["/v1/queues/jobs", "/v1/streams/orders", "/v1/topics/news"] {
        server.put(path, "").await.is(201);
    }
    server.deploy("echo", prebuilt("echo")).await;
    server
}

/// Has a function's outcomes brought there, runs it once, and returns the invocation once that is done.
async fn told(server: &Server, function: &str, to: &str, format: &str) -> Value {
    let destination = json!({"to": to, "format": format});
    let config = json!({"max_retries": 0, "on_success": destination, "on_failure": destination});
    server.configure(function, &config).await.is(200);
    let id = server.accept_with(function, r#"{"order": 7}"#, &[("content-type", "application/json")]).await;
    until("a delivery", async || Some(server.look(&id).await).filter(|it| it["delivery"] == "delivered")).await
}

/// What stands in the queue, one message, which is deleted.
async fn message(server: &Server) -> Value {
    let received = server.post("/v1/queues/jobs/receive?wait_s=20", "").await.is(200).json();
    let message = received["messages"][0].clone();
    let receipt = message["receipt"].as_str().unwrap_or_else(|| panic!("{received}"));
    server.delete(&format!("/v1/queues/jobs/messages/{receipt}")).await;
    message
}

async fn record(server: &Server) -> Value {
    let read = server.get("/v1/streams/orders/records?from=1&limit=100").await.is(200).json();
    read["records"].as_array().unwrap().last().unwrap().clone()
}

async fn object(server: &Server) -> (String, Value) {
    let page = server.get("/v1/objects/results").await.is(200).json();
    let key = page["objects"].as_array().unwrap().last().unwrap()["key"].as_str().unwrap().to_owned();
    let body = server.get(&format!("/v1/objects/results/{key}")).await.is(200);
    (key, body.json())
}

fn parsed(text: &Value) -> Value {
    let text = text.as_str().unwrap_or_else(|| panic!("{text}"));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn check(body: &Value, format: &str, invocation: &Value, condition: &str) {
    let record = match format {
        "payload" if condition.is_empty() => {
            assert_eq!(*body, json!({"order": 7}));
            return;
        }
        "cloudevent" | "cloudevent-binary" => {
            assert_eq!((&body["specversion"], &body["subject"]), (&json!("1.0"), &invocation["id"]));
            &body["data"]
        }
        _ => body,
    };
    let context = &record["request_context"];
    assert_eq!((&context["request_id"], &context["condition"]), (&invocation["id"], &json!(condition)), "{record}");
    assert_eq!((&record["request_payload"], &context["approximate_invoke_count"]), (&json!({"order": 7}), &json!(1)));
    assert_eq!(record["response_context"]["function_error"] == "", condition.is_empty());
    assert_eq!(record["timestamp"], invocation["accepted_at"]);
}

#[tokio::test]
async fn successes_and_failures_arrive_in_queues_streams_and_buckets_in_each_format() {
    let server = made().await;
    server.deploy("trap", hostile("trap")).await;
    for (function, condition) in [("echo", ""), ("trap", "RetriesExhausted")] {
        for format in ["record", "payload", "cloudevent", "cloudevent-binary"] {
            let invocation = told(&server, function, "queue:jobs", format).await;
            check(&parsed(&message(&server).await["body"]), format, &invocation, condition);
            let invocation = told(&server, function, "stream:orders", format).await;
            check(&parsed(&record(&server).await["data"]), format, &invocation, condition);
            let prefix = format!("{function}/{format}");
            let invocation = told(&server, function, &format!("object:results/{prefix}"), format).await;
            let (key, body) = object(&server).await;
            let id = invocation["id"].as_str().unwrap();
            let day = invocation["settled_at"].as_str().unwrap()[..10].replace('-', "/");
            assert_eq!(key, format!("{prefix}/{day}/{function}/{id}.json"));
            check(&body, format, &invocation, condition);
            server.delete(&format!("/v1/objects/results/{key}")).await.is(204);
        }
    }
}

#[tokio::test]
async fn what_is_published_on_a_topic_goes_to_the_queues_that_are_subscribed() {
    let server = made().await;
    let subscription = json!({"to": "queue:jobs", "filter": {"outcomes": ["succeeded"]}});
    server.post("/v1/topics/news/subscriptions", subscription.to_string()).await.is(201);
    let invocation = told(&server, "echo", "topic:news", "record").await;
    check(&parsed(&message(&server).await["body"]), "record", &invocation, "");
}

#[tokio::test]
async fn a_record_for_a_queue_leaves_out_first_what_was_given_and_then_what_was_brought() {
    let server = made().await;
    server.configure("echo", &json!({"on_success": "queue:jobs"})).await.is(200);
    let sizes = [(150_000, false, true), (255 * 1_024, true, true)];
    for (bytes, request, response) in sizes {
        let payload = "x".repeat(bytes);
        let id = server.accept("echo", payload).await;
        let record = parsed(&message(&server).await["body"]);
        assert_eq!(record["request_context"]["request_id"], json!(id));
        for (name, is_left_out) in [("request_payload", request), ("response_payload", response)] {
            let omitted = &record[format!("{name}_omitted_bytes")];
            assert_eq!(omitted.as_u64(), is_left_out.then_some(bytes as u64), "{name} of {bytes}");
            assert_eq!(record[name] == "", is_left_out);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_and_what_goes_later_is_a_dead_delivery() {
    let server = made().await.expecting(&["a delivery is given up"]);
    for (kind, name) in [("queue", "lost"), ("stream", "lost"), ("topic", "lost")] {
        let told = server.configure("echo", &json!({"on_success": format!("{kind}:{name}")})).await;
        told.refusal(400, "destination_not_found", &format!("there is no `{kind}:{name}`"));
    }
    server.configure("echo", &json!({"on_success": "queue:jobs"})).await.is(200);
    server.delete("/v1/queues/jobs").await.is(204);
    let id = server.accept("echo", "{}").await;
    let dead = until("its end", async || Some(server.look(&id).await).filter(|it| it["delivery"] == "dead")).await;
    assert!(dead["deliveries"][0]["error"].as_str().unwrap().contains("jobs"), "{dead}");
    server.put("/v1/queues/jobs", "").await.is(201);
    server.post(&format!("/v1/invocations/{id}/redeliver"), "").await.is(200);
    assert_eq!(parsed(&message(&server).await["body"])["request_context"]["request_id"], json!(id));
}

#[tokio::test]
async fn one_that_is_down_delays_none_of_the_other_kinds() {
    let server = made().await;
    let receiver = Receiver::start().await;
    let url = receiver.url("/");
    let _gone = receiver.gone().await;
    server.deploy_with("down", prebuilt("echo"), &json!({"async_config": {"on_success": url}})).await;
    for _ in 0..50 {
        server.accept("down", "{}").await;
    }
    for to in ["queue:jobs", "stream:orders", "object:results"] {
        told(&server, "echo", to, "record").await;
    }
    let pending = server.get("/v1/deliveries?state=pending&function=down&limit=100").await.is(200).json();
    assert_eq!(pending["deliveries"].as_array().map(Vec::len), Some(50), "what is down has got nothing");
}
