//! Key-value stores: who may open which, what they keep through restarts and `kill -9`, and where they end.

use serde_json::{Value, json};

use super::support::{Server, prebuilt, run, run_with};

async fn deploy_keeper(server: &Server, stores: &[&str]) {
    server.deploy_with("keeper", prebuilt("keeper"), &json!({"grants": {"key_value": stores}})).await;
}

/// What the keeper says of each step.
async fn done(server: &Server, store: &str, steps: Value) -> Value {
    server.invoke("keeper", json!({"store": store, "do": steps}).to_string()).await.is(200).json()
}

#[tokio::test]
async fn a_store_is_read_and_written_by_functions_that_were_granted_it() {
    let server = Server::durable().await;
    deploy_keeper(&server, &["carts"]).await;
    let steps = json!([
        ["get", "a"],
        ["set", "a", "1"],
        ["get", "a"],
        ["set", "a", "two"],
        ["get", "a"],
        ["exists", "a"],
        ["set", "", "x"],
        ["delete", "a"],
        ["exists", "a"],
        ["delete", "a"],
        ["get", "a"],
        ["set", "empty", ""],
        ["get", "empty"],
        ["keys"],
    ]);
    let expected = json!([
        null, null, "1", null, "two", true, {"error": "a key has 1 to 1024 bytes, and this one has 0"},
        null, false, null, null, null, "", {"keys": ["empty"], "pages": 1},
    ]);
    assert_eq!(done(&server, "carts", steps).await, expected);
}

#[tokio::test]
async fn a_store_that_was_not_granted_is_closed_and_each_namespace_has_its_own() {
    let server = Server::in_memory().await;
    deploy_keeper(&server, &["carts"]).await;
    assert_eq!(done(&server, "orders", json!([["get", "a"]])).await, json!([{"error": "access-denied"}]));
    assert_eq!(done(&server, "a b", json!([["get", "a"]])).await, json!([{"error": "no-such-store"}]));
    server.deploy("nothing", prebuilt("keeper")).await;
    let order = json!({"store": "carts", "do": [["get", "a"]]}).to_string();
    assert_eq!(server.invoke("nothing", order.clone()).await.is(200).json(), json!([{"error": "access-denied"}]));

    done(&server, "carts", json!([["set", "a", "ours"]])).await;
    server.deploy_with("keeper?namespace=shop", prebuilt("keeper"), &json!({"grants": {"key_value": ["carts"]}})).await;
    let theirs = server.post("/v1/functions/keeper/invocations?namespace=shop", order).await.is(200).json();
    assert_eq!(theirs, json!([null]));
}

#[tokio::test]
async fn many_pairs_are_set_read_listed_in_pages_and_removed_at_once() {
    let server = Server::durable().await;
    deploy_keeper(&server, &["carts"]).await;
    let many: serde_json::Map<_, _> = (0..250).map(|n| (format!("key-{n:03}"), json!(n.to_string()))).collect();
    let keys: Vec<_> = many.keys().cloned().collect();
    let steps = json!([["set-many", many], ["keys"], ["get-many", ["key-007", "absent", "key-249"]]]);
    let answers = done(&server, "carts", steps).await;
    assert_eq!(answers[1], json!({"keys": keys, "pages": 3}));
    assert_eq!(answers[2], json!([["key-007", "7"], null, ["key-249", "249"]]));
    let answers = done(&server, "carts", json!([["delete-many", &keys[1..]], ["keys"]])).await;
    assert_eq!(answers[1], json!({"keys": ["key-000"], "pages": 1}));
}

#[tokio::test]
async fn increments_of_many_functions_at_once_lose_nothing() {
    let server = Server::durable().await;
    deploy_keeper(&server, &["counters"]).await;
    let calls = (0..30).map(|_| done(&server, "counters", json!([["increment", "n", 2], ["increment", "n", 1]])));
    futures::future::join_all(calls).await;
    let end = json!([["get", "n"], ["set", "text", "x"], ["increment", "text", 1], ["increment", "n", u64::MAX]]);
    let answers = done(&server, "counters", end).await;
    assert_eq!(answers[0], "90");
    for error in [&answers[2]["error"], &answers[3]["error"]] {
        let text = error.as_str().unwrap();
        assert!(text.contains("no number") || text.contains("would be more than"), "{text}");
    }
}

#[tokio::test]
async fn what_was_set_is_there_after_a_kill_and_in_an_export() {
    let mut server = Server::durable().await;
    deploy_keeper(&server, &["carts"]).await;
    for round in 0..3_u64 {
        let text = round.to_string();
        let steps = json!([["set", "last", text], ["increment", "n", 1], ["set-bytes", "large", 1_048_576 - round]]);
        assert_eq!(done(&server, "carts", steps).await, json!([null, round + 1, null]));
        // Nothing between the answer and the kill.
        server = server.killed().await.restarted().await;
        let steps = json!([["get", "last"], ["get", "n"], ["keys"]]);
        let keys = json!({"keys": ["large", "last", "n"], "pages": 1});
        assert_eq!(done(&server, "carts", steps).await, json!([text, (round + 1).to_string(), keys]));
        let large = done(&server, "carts", json!([["get", "large"]])).await;
        assert_eq!(large[0].as_str().unwrap().len() as u64, 1_048_576 - round);
    }
}

#[tokio::test]
async fn a_key_a_value_and_a_batch_that_are_too_large_are_refused_and_nothing_is_kept_of_them() {
    let server = Server::in_memory().await;
    deploy_keeper(&server, &["carts"]).await;
    let many: serde_json::Map<_, _> = (0..257).map(|n| (n.to_string(), json!(""))).collect();
    let long = "k".repeat(1_025);
    let steps = json!([
        ["set", long, ""],
        ["get", long],
        ["set-bytes", "a", 1_048_577],
        ["set-many", many],
        ["get-many", many.keys().collect::<Vec<_>>()],
        ["keys"],
    ]);
    let answers = done(&server, "carts", steps).await;
    for (place, part) in
        [(0, "1 to 1024 bytes"), (1, "1 to 1024"), (2, "up to 1048576"), (3, "up to 256"), (4, "up to 256")]
    {
        let text = answers[place]["error"].as_str().unwrap_or_else(|| panic!("{place}: {answers}"));
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(answers[5], json!({"keys": [], "pages": 1}));
    // Values that no answer could carry are not put together either.
    let fill: Vec<_> = (0..9).map(|n| json!(["set-bytes", n.to_string(), 1_048_576])).collect();
    done(&server, "carts", json!(fill)).await;
    let nine: Vec<_> = (0..9).map(|n| n.to_string()).collect();
    let answers = done(&server, "carts", json!([["get-many", nine]])).await;
    assert!(answers[0]["error"].as_str().unwrap().contains("8388608 bytes in all"), "{answers}");
}

#[tokio::test]
async fn people_see_and_change_what_functions_keep() {
    let server = Server::durable().await;
    deploy_keeper(&server, &["carts"]).await;
    done(&server, "carts", json!([["set", "a", "1"], ["set", "users/7?x=ä", "seven"]])).await;
    let stores = server.get("/v1/key-value").await.is(200).json();
    assert_eq!(stores, json!({"stores": [{"namespace": "default", "name": "carts"}]}));
    assert_eq!(server.get("/v1/key-value?namespace=shop").await.is(200).json(), json!({"stores": []}));
    let first = server.get("/v1/key-value/carts?limit=1").await.is(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = server.get(&format!("/v1/key-value/carts?limit=1&cursor={cursor}")).await.is(200).json();
    let mut keys = [&first["keys"][0], &second["keys"][0]];
    keys.sort_by_key(|key| key["bytes"].as_u64());
    assert_eq!(keys, [&json!({"key": "a", "bytes": 1}), &json!({"key": "users/7?x=ä", "bytes": 5})]);
    assert_eq!(second["next_cursor"], json!(null));
    assert_eq!(server.get("/v1/key-value/carts/users/7%3Fx%3D%C3%A4").await.is(200).text(), "seven");

    server.put("/v1/key-value/carts/a", "2").await.is(204);
    assert_eq!(done(&server, "carts", json!([["get", "a"]])).await, json!(["2"]));
    server.delete("/v1/key-value/carts/a").await.is(204);
    server.delete("/v1/key-value/carts/a").await.refusal(404, "key_not_found", "`a`");
    server.get("/v1/key-value/carts/a").await.refusal(404, "key_not_found", "`carts`");
    server.get("/v1/key-value/carts?cursor=x").await.refusal(400, "bad_cursor", "`x`");
    server.get("/v1/key-value/a.b").await.refusal(400, "bad_name", "`a.b`");
    server.put("/v1/key-value/carts/a", vec![0; 1_048_577]).await.problem(413, "body_too_large");
    server.put(&format!("/v1/key-value/carts/{}", "k".repeat(1_025)), "").await.refusal(400, "bad_range", "1 to 1024");

    run_with(&server.url(""), &["kv", "set", "carts", "by/hand"], b"a value").await.exits(0);
    assert_eq!(run(&server, &["kv", "get", "carts", "by/hand"]).await.exits(0).out, b"a value");
    assert!(run(&server, &["kv", "list"]).await.exits(0).text().contains("carts"));
    let keys = run(&server, &["kv", "keys", "carts"]).await.exits(0).text();
    assert!(keys.contains("by/hand") && keys.contains("users/7?x=ä"), "{keys}");
    run(&server, &["kv", "delete", "carts", "by/hand"]).await.exits(0);
    run(&server, &["kv", "get", "carts", "by/hand"]).await.exits(4);
}
