//! Functions that have other functions run: what they were granted, what they are told, and where a circle ends.

use serde_json::{Value, json};

use super::support::{Server, hostile, prebuilt, texts, until};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Deploys `caller` under a name, with functions that it may call.
async fn deploy_caller(server: &Server, name: &str, functions: &[&str]) {
    let settings = json!({"grants": {"functions": functions}, "async_config": {"max_retries": 0}});
    server.deploy_with(name, prebuilt("caller"), &settings).await;
}

/// What the caller `name` says became of its order.
async fn told(server: &Server, name: &str, order: &Value) -> Value {
    server.invoke(name, order.to_string()).await.is(200).json()
}

/// Checks that the runtime did not do it, for this reason.
#[track_caller]
fn is_error(told: &Value, error: &str, part: &str) {
    assert_eq!(told["error"], error, "{told}");
    assert!(told["message"].as_str().is_some_and(|message| message.contains(part)), "`{part}` is not in {told}");
}

#[tokio::test]
async fn a_function_waits_for_another_that_it_was_granted_and_both_stand_in_one_chain_and_trace() {
    let server = Server::in_memory().await;
    server.deploy("b", prebuilt("describe")).await;
    deploy_caller(&server, "a", &["b"]).await;
    let order = json!({"function": "b", "payload": "{\"n\": 7}", "content_type": "application/json"});
    let request = server.request(reqwest::Method::POST, "/v1/functions/a/invocations").header("traceparent", TRACE);
    let answer = server.send(request.body(order.to_string())).await.is(200);
    let (a, told) = (answer.header("tidemill-invocation-id"), answer.json());
    let b = &told["body"];
    assert_eq!((&b["chain"], &b["hop"], &b["traceparent"]), (&json!([a]), &json!(1), &json!(TRACE)));
    assert_eq!(
        (&b["payload"], &b["content_type"], &b["function"]),
        (&json!({"n": 7}), &json!("application/json"), &json!("b"))
    );
    assert_eq!(b["id"], told["id"]);
    let record = until("the record", async || {
        let answer = server.get(&format!("/v1/invocations/{}", told["id"].as_str().unwrap())).await;
        (answer.status == 200).then(|| answer.json())
    });
    let record = record.await;
    assert_eq!((&record["mode"], &record["chain"], &record["hop"]), (&json!("sync"), &json!([a]), &json!(1)));
}

#[tokio::test]
async fn a_function_reaches_nothing_that_it_was_not_granted_and_does_not_learn_whether_it_is_there() {
    let server = Server::in_memory().await;
    server.deploy("b", prebuilt("echo")).await;
    server.put("/v1/functions/b?namespace=shop", prebuilt("echo")).await.is(201);
    deploy_caller(&server, "nothing", &[]).await;
    deploy_caller(&server, "own", &["*"]).await;
    deploy_caller(&server, "shopper", &["shop/b"]).await;
    for enqueue in [false, true] {
        let order = |function| json!({"function": function, "payload": "x", "enqueue": enqueue});
        for name in ["b", "absent", "shop/b", "nothing"] {
            is_error(&told(&server, "nothing", &order(name)).await, "denied", "--allow-function");
        }
        is_error(&told(&server, "own", &order("shop/b")).await, "denied", "`shop/b`");
        is_error(&told(&server, "own", &order("absent")).await, "not-found", "there is no function `absent`");
        is_error(&told(&server, "own", &order("b@live")).await, "not-found", "`live`");
        is_error(&told(&server, "own", &order("b@")).await, "bad-request", "is not");
        is_error(&told(&server, "own", &order("a b")).await, "bad-request", "`a b` is not a function name");
        is_error(&told(&server, "shopper", &order("b")).await, "denied", "`b`");
        assert!(told(&server, "shopper", &order("shop/b@1")).await["id"].is_string());
        assert!(told(&server, "own", &order("default/b@latest")).await["id"].is_string());
    }
    assert_eq!(server.listed("function=b").await.len(), 2);
}

/// The records of `a`, by hop: each must stand in the chain of the ones before it.
async fn circle(server: &Server, expected: usize) -> Vec<Value> {
    let ids =
        until("every record", async || Some(server.listed("function=a").await).filter(|ids| ids.len() >= expected));
    let mut records = Vec::new();
    for id in ids.await {
        records.push(server.settled(&id, "succeeded").await);
    }
    records.sort_by_key(|record| record["hop"].as_u64());
    assert_eq!(records.len(), expected);
    for (hop, record) in records.iter().enumerate() {
        let before: Vec<_> = records[..hop].iter().map(|record| record["id"].as_str().unwrap()).collect();
        assert_eq!((record["hop"].as_u64(), texts(&record["chain"])), (Some(hop as u64), before));
    }
    records
}

#[tokio::test]
async fn a_function_that_waits_for_itself_is_stopped_at_the_hop_limit() {
    let server = Server::with(&["--store", "memory", "--hop-limit", "4"]).await;
    deploy_caller(&server, "a", &["a"]).await;
    let mut answer = told(&server, "a", &json!({})).await;
    for _ in 0..4 {
        answer = answer["body"].take();
    }
    is_error(&answer, "hop-limit", "would be step 5 of its chain, and the limit is 4");
    circle(&server, 5).await;
}

#[tokio::test]
async fn a_function_that_enqueues_itself_is_stopped_at_the_hop_limit() {
    let server = Server::with(&["--hop-limit", "4"]).await;
    deploy_caller(&server, "a", &["a"]).await;
    server.accept("a", json!({"enqueue": true}).to_string()).await;
    let records = circle(&server, 5).await;
    for (record, next) in records.iter().zip(&records[1..]) {
        assert_eq!(record["result"]["body"], json!({"id": next["id"]}));
    }
    is_error(&records[4]["result"]["body"], "hop-limit", "would be step 5 of its chain");
}

#[tokio::test]
async fn a_caller_learns_how_the_function_failed_and_what_an_http_function_answered() {
    let server = Server::in_memory().await;
    server.deploy("flaky", prebuilt("flaky")).await;
    server.deploy("trap", hostile("trap")).await;
    server.deploy("hello", prebuilt("hello-http")).await;
    deploy_caller(&server, "a", &["*"]).await;
    let order = json!({"function": "flaky", "payload": r#"{"always": true, "kind": "permanent"}"#});
    let failed = told(&server, "a", &order).await;
    is_error(&failed, "failed", "told to fail");
    assert_eq!((&failed["kind"], &failed["answer"]), (&json!("permanent"), &json!(null)));
    // The record of what was waited for is written behind the answer's back.
    let path = format!("/v1/invocations/{}", failed["id"].as_str().unwrap());
    let record =
        until("the record", async || Some(server.get(&path).await).filter(|record| record.status == 200)).await;
    assert_eq!(record.json()["status"], "failed");
    let trapped = told(&server, "a", &json!({"function": "trap"})).await;
    assert_eq!((&trapped["error"], &trapped["kind"]), (&json!("failed"), &json!("trap")));
    let hello = told(&server, "a", &json!({"function": "hello", "payload": "hi", "content_type": "text/x"})).await;
    let expected = (&json!(200), &json!("hi"), &json!("text/x"));
    assert_eq!((&hello["status"], &hello["body"], &hello["content_type"]), expected);
}

#[tokio::test]
async fn what_is_too_large_or_makes_no_sense_is_refused_and_nothing_is_run() {
    let server = Server::in_memory().await;
    server.deploy("b", prebuilt("echo")).await;
    deploy_caller(&server, "a", &["b"]).await;
    let with = |more: Value| {
        let mut order = json!({"function": "b"});
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        order
    };
    let mib = 1_024 * 1_024;
    is_error(&told(&server, "a", &with(json!({"bytes": 6 * mib + 1}))).await, "too-large", "the limit is 6291456");
    let queued = with(json!({"bytes": mib + 1, "enqueue": true}));
    is_error(&told(&server, "a", &queued).await, "too-large", "the limit is 1048576");
    let content_type = "x".repeat(256);
    let long = with(json!({"content_type": content_type}));
    is_error(&told(&server, "a", &long).await, "bad-request", "up to 255 visible ASCII");
    is_error(&told(&server, "a", &with(json!({"content_type": "a\nb"}))).await, "bad-request", "visible ASCII");
    let late = with(json!({"enqueue": true, "delay_ms": 16_u64 * 86_400_000}));
    is_error(&told(&server, "a", &late).await, "bad-request", "15 days");
    let key = with(json!({"enqueue": true, "idempotency_key": "a b"}));
    is_error(&told(&server, "a", &key).await, "bad-request", "an idempotency key has");
    assert_eq!(server.listed("function=b").await, [""; 0]);
    // Past what one call may copy at all the guest is stopped.
    let huge = server.invoke("a", with(json!({"bytes": 20 * mib})).to_string()).await;
    huge.problem(502, "function_failed");
    assert_eq!(server.listed("function=b").await, [""; 0]);
}

#[tokio::test]
async fn a_caller_is_told_of_a_function_that_is_disabled_and_of_a_payload_that_does_not_fit() {
    let server = Server::in_memory().await;
    let shop = wat::parse_str(include_str!("../../../guests/typed/shop.wat")).unwrap();
    server.deploy_with("total", shop, &json!({"entrypoint": "tidemill:shop/counter#total"})).await;
    server.deploy("b", prebuilt("echo")).await;
    server.post("/v1/functions/b/disable", "").await.is(200);
    deploy_caller(&server, "a", &["*"]).await;
    for enqueue in [false, true] {
        let order = |function, payload| json!({"function": function, "payload": payload, "enqueue": enqueue});
        is_error(&told(&server, "a", &order("b", "x")).await, "overloaded", "is disabled");
        is_error(&told(&server, "a", &order("total", r#"{"order": 7}"#)).await, "bad-request", "/order");
    }
}

#[tokio::test]
async fn what_is_enqueued_has_its_delay_its_priority_and_its_key() {
    let server = Server::durable().await;
    server.deploy("b", prebuilt("echo")).await;
    deploy_caller(&server, "a", &["b"]).await;
    let order = json!({
        "function": "b", "payload": "x", "enqueue": true, "delay_ms": 3_600_000, "priority": "high", "idempotency_key": "k",
    });
    let first = told(&server, "a", &order).await["id"].take();
    assert_eq!(told(&server, "a", &order).await["id"], first, "the same key and the same request");
    let other = json!({"function": "b", "payload": "y", "enqueue": true, "idempotency_key": "k"});
    is_error(&told(&server, "a", &other).await, "bad-request", "was used for a different request");
    let queued = server.look(first.as_str().unwrap()).await;
    assert_eq!((&queued["status"], &queued["priority"]), (&json!("queued"), &json!("high")));
    let server = server.killed().await.restarted().await;
    assert_eq!(server.look(first.as_str().unwrap()).await["status"], "queued");
    assert_eq!(server.listed("function=b").await.len(), 1);
}

#[tokio::test]
async fn the_one_that_is_waited_for_is_stopped_at_the_callers_deadline_and_what_was_enqueued_stays() {
    let server = Server::in_memory().await;
    server.deploy_with("spin", hostile("spin"), &json!({"timeout_ms": 600_000})).await;
    server.deploy("b", prebuilt("echo")).await;
    let settings = json!({"grants": {"functions": ["*"]}, "timeout_ms": 3_000});
    server.deploy_with("a", prebuilt("caller"), &settings).await;
    let queued = told(&server, "a", &json!({"function": "b", "payload": "x", "enqueue": true})).await;
    server.invoke("a", json!({"function": "spin"}).to_string()).await.problem(504, "function_failed");
    let spin = until("its record", async || server.listed("function=spin").await.pop()).await;
    assert_eq!(server.look(&spin).await["status"], "cancelled");
    assert_eq!(server.settled(queued["id"].as_str().unwrap(), "succeeded").await["result"]["body"], "x");
    server.runs(0).await;
}

#[tokio::test]
async fn the_one_that_is_waited_for_is_stopped_when_its_caller_is_cancelled() {
    let server = Server::in_memory().await;
    server.deploy("spin", hostile("spin")).await;
    deploy_caller(&server, "a", &["spin"]).await;
    let a = server.accept("a", json!({"function": "spin"}).to_string()).await;
    until("both to run", async || (server.get("/v1/runtime").await.is(200).json()["running"] == 2).then_some(())).await;
    server.post(&format!("/v1/invocations/{a}/cancel"), "").await.is(200);
    let spin = until("its record", async || server.listed("function=spin").await.pop()).await;
    let record = server.look(&spin).await;
    assert_eq!((&record["status"], texts(&record["chain"])), (&json!("cancelled"), vec![a.as_str()]));
}

#[tokio::test]
async fn a_caller_that_holds_the_last_slot_is_told_that_there_is_none() {
    let server = Server::with(&["--store", "memory", "--concurrency", "1"]).await;
    server.deploy("b", prebuilt("echo")).await;
    deploy_caller(&server, "a", &["b"]).await;
    let answer = told(&server, "a", &json!({"function": "b"})).await;
    is_error(&answer, "overloaded", "no slot came free");
    assert_eq!(answer["retry_after_ms"], 1_000);
}
