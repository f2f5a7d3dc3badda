//! The graph of functions and their destinations never has a cycle.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Server, prebuilt};

fn to(name: &str) -> Value {
    json!({"on_success": format!("function:{name}")})
}

#[track_caller]
fn check_cycle(answer: &Answer, path: &[&str]) {
    let problem = answer.refusal(409, "cycle", &path.join(" -> "));
    assert_eq!(problem["path"], json!(path));
}

async fn deployed(names: &[&str]) -> Server {
    let server = Server::in_memory().await;
    for name in names {
        server.deploy(name, prebuilt("echo")).await;
    }
    server
}

#[tokio::test]
async fn a_destination_that_would_close_a_cycle_is_refused_with_the_whole_way() {
    let server = deployed(&["a", "b", "c", "d"]).await;
    server.configure("a", &to("b")).await.is(200);
    check_cycle(&server.configure("b", &to("a")).await, &["b", "a", "b"]);
    check_cycle(&server.configure("b", &json!({"on_failure": "function:a"})).await, &["b", "a", "b"]);
    check_cycle(&server.configure("b", &to("b")).await, &["b", "b"]);
    server.configure("b", &json!({"on_success": "function:d", "on_failure": "function:c"})).await.is(200);
    server.configure("c", &to("d")).await.is(200);
    check_cycle(&server.configure("d", &to("a")).await, &["d", "a", "b", "d"]);
    check_cycle(&server.configure("d", &to("c")).await, &["d", "c", "d"]);
    assert_eq!(server.get("/v1/functions/d/async-config").await.json()["set"], false);

    // What is no cycle any more is allowed.
    server.configure("a", &json!({})).await.is(200);
    server.configure("d", &to("a")).await.is(200);
    server.delete("/v1/functions/d/async-config").await.is(204);
    server.configure("a", &to("b")).await.is(200);
}

#[tokio::test]
async fn a_cycle_is_refused_with_a_deployment_and_nothing_of_it_is_kept() {
    let server = deployed(&["a", "b"]).await;
    server.configure("a", &to("b")).await.is(200);
    let settings = json!({"async_config": to("a"), "timeout_ms": 77});
    check_cycle(&server.deployment("b", prebuilt("describe"), &settings).await, &["b", "a", "b"]);
    assert_eq!(server.get("/v1/functions/b").await.json()["latest"], 1);
    let itself = json!({"async_config": to("new")});
    check_cycle(&server.deployment("new", prebuilt("echo"), &itself).await, &["new", "new"]);
    server.get("/v1/functions/new").await.refusal(404, "function_not_found", "`new`");
}

#[tokio::test]
async fn configurations_of_single_versions_count_too() {
    let server = deployed(&["a", "b"]).await;
    server.put("/v1/functions/a/async-config?qualifier=1", to("b").to_string()).await.is(200);
    check_cycle(&server.configure("b", &to("a")).await, &["b", "a", "b"]);
    check_cycle(&server.put("/v1/functions/b/async-config?qualifier=1", to("a").to_string()).await, &["b", "a", "b"]);
    // An old version's configuration still is one: it can be invoked, and chosen by an alias.
    server.deploy("a", prebuilt("describe")).await;
    check_cycle(&server.configure("b", &to("a")).await, &["b", "a", "b"]);
    server.delete("/v1/functions/a/async-config?qualifier=1").await.is(204);
    server.configure("b", &to("a")).await.is(200);
    check_cycle(&server.put("/v1/functions/a/async-config?qualifier=2", to("b").to_string()).await, &["a", "b", "a"]);
}

#[tokio::test]
async fn a_cycle_through_two_namespaces_is_one() {
    let server = deployed(&["a"]).await;
    server.put("/v1/functions/b?namespace=shop", prebuilt("echo")).await.is(201);
    server.configure("a", &to("shop/b")).await.is(200);
    let answer = server.put("/v1/functions/b/async-config?namespace=shop", to("default/a").to_string()).await;
    check_cycle(&answer, &["shop/b", "a", "shop/b"]);
}

#[tokio::test]
async fn of_two_writers_who_would_close_a_cycle_together_one_is_refused() {
    let server = deployed(&["a", "b", "c"]).await;
    for round in 0..20 {
        for name in ["a", "b", "c"] {
            server.configure(name, &json!({})).await.is(200);
        }
        server.configure("b", &to("c")).await.is(200);
        let (to_a, to_b) = (to("a"), to("b"));
        let (a, c) = tokio::join!(server.configure("a", &to_b), server.configure("c", &to_a));
        let mut statuses = [a.status, c.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "round {round}");
        let graph = server.get("/v1/graph").await.is(200).json();
        assert_eq!(graph["edges"].as_array().unwrap().len(), 2, "{graph}");
    }
}

#[tokio::test]
async fn a_cycle_is_refused_across_a_restart() {
    let server = Server::durable().await;
    for name in ["a", "b"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    server.configure("a", &to("b")).await.is(200);
    let server = server.killed().await.restarted().await;
    check_cycle(&server.configure("b", &to("a")).await, &["b", "a", "b"]);
    let request = server.request(Method::PUT, "/v1/functions/b/async-config").json(&to("a"));
    check_cycle(&server.send(request).await, &["b", "a", "b"]);
}
