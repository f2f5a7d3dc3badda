//! What leads to something without being asked for it: triggers, subscriptions and redrive policies. Whoever sets one must be
//! allowed to do themselves what it will do, or name an account that is.

use reqwest::Method;
use serde_json::{Value, json};

use super::{account, asked, grant, revoke};
use crate::process::support::{Server, prebuilt, until};

/// A server with a function in each of two namespaces, and queues in the first.
async fn server() -> Server {
    let server = Server::asking(&[]).await;
    for name in ["f", "f?namespace=shop"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    for queue in ["jobs", "dead"] {
        server.put(&format!("/v1/queues/{queue}"), "").await.is(201);
    }
    server.put("/v1/topics/news", "").await.is(201);
    server
}

fn hourly(function: &str) -> String {
    json!({"kind": "timer", "function": function, "cron": "0 * * * *"}).to_string()
}

fn taking(function: &str) -> String {
    json!({"kind": "queue", "function": function, "queue": "jobs", "format": "body"}).to_string()
}

#[tokio::test]
async fn whoever_sets_a_trigger_must_be_allowed_to_run_its_function_and_to_take_from_its_queue() {
    let server = server().await;
    let editor = account(&server, "editor", &[("functions.editor", "namespace:default")]).await;
    let put = async |body: String| asked(&server, Method::PUT, "/v1/triggers/t", Some(&editor), &body).await;
    let part = "`default/editor` lacks the role `functions.invoker` on `function:shop/f`";
    put(hourly("shop/f")).await.refusal(403, "access_denied", part);
    // Also where there is no such function: that is nobody's business either.
    put(hourly("shop/none")).await.refusal(403, "access_denied", "on `function:shop/none`");
    put(hourly("f")).await.is(201);
    let part = "`default/editor` lacks the role `queues.reader` on `queue:default/jobs`";
    put(taking("f")).await.refusal(403, "access_denied", part);
    grant(&server, "editor", "queues.reader", "queue:jobs").await.is(200);
    put(taking("f")).await.is(200);
    put(taking("shop/f")).await.refusal(403, "access_denied", "on `function:shop/f`");
    grant(&server, "editor", "functions.invoker", "function:shop/f").await.is(200);
    put(taking("shop/f")).await.is(200);
}

#[tokio::test]
async fn a_trigger_that_another_has_set_is_fired_and_switched_on_by_those_alone_who_could_have_set_it() {
    let server = server().await;
    server.put("/v1/triggers/t", hourly("shop/f")).await.is(201);
    let editor = account(&server, "editor", &[("functions.editor", "namespace:default")]).await;
    let post =
        async |verb: &str| asked(&server, Method::POST, &format!("/v1/triggers/t/{verb}"), Some(&editor), "").await;
    post("fire").await.refusal(403, "access_denied", "on `function:shop/f`");
    post("disable").await.is(200);
    post("enable").await.refusal(403, "access_denied", "on `function:shop/f`");
    grant(&server, "editor", "functions.invoker", "function:shop/f").await.is(200);
    post("enable").await.is(200);
    post("fire").await.is(202);
}

#[tokio::test]
async fn the_account_of_a_trigger_is_asked_for_when_it_is_set_and_each_time_it_acts() {
    let server = server().await.expecting(&["a trigger could not fire"]);
    let of = |kind: &str, account: &str| -> Value {
        let mut body: Value =
            serde_json::from_str(&if kind == "timer" { hourly("shop/f") } else { taking("shop/f") }).unwrap();
        body["service_account"] = account.into();
        body
    };
    server.put("/v1/triggers/t", of("timer", "worker").to_string()).await.refusal(
        403,
        "access_denied",
        "there is no service account `default/worker`",
    );
    account(&server, "worker", &[("functions.invoker", "function:shop/f")]).await;
    server.put("/v1/triggers/t", of("timer", "everyone").to_string()).await.refusal(400, "everyone", "");
    let editor = account(&server, "editor", &[("functions.editor", "namespace:default")]).await;
    let one = account(&server, "one", &[("functions.editor", "function:f")]).await;
    // An editor may use the accounts of the namespace, and needs no role of theirs.
    let set = asked(&server, Method::PUT, "/v1/triggers/t", Some(&editor), &of("timer", "worker").to_string()).await;
    assert_eq!(set.is(201).json()["service_account"], "worker");
    asked(&server, Method::PUT, "/v1/triggers/t", Some(&one), &of("timer", "worker").to_string()).await.is(403);
    let put = async |body: Value| server.put("/v1/triggers/q", body.to_string()).await;
    let part = "`default/worker` lacks the role `queues.reader` on `queue:default/jobs`";
    put(of("queue", "worker")).await.refusal(403, "access_denied", part);
    grant(&server, "worker", "queues.reader", "queue:jobs").await.is(200);
    put(of("queue", "worker")).await.is(201);

    let fired = async |count: u64| {
        until("the trigger to fire", async || {
            let shown = server.get("/v1/triggers/q").await.json();
            (shown["fired"].as_u64() == Some(count)).then_some(shown)
        })
        .await
    };
    let send = async || server.post("/v1/queues/jobs/messages", json!({"body": "work"}).to_string()).await.is(201);
    send().await;
    fired(1).await;
    revoke(&server, "worker", "functions.invoker", "function:shop/f").await;
    send().await;
    let shown = until("why it stands still", async || {
        let shown = server.get("/v1/triggers/q").await.json();
        shown["last_error"].is_object().then_some(shown)
    })
    .await;
    let why = shown["last_error"]["message"].as_str().unwrap();
    assert_eq!(why, "the service account `default/worker` lacks the role `functions.invoker` on `function:shop/f`");
    assert_eq!(shown["fired"], 1);
    server.post("/v1/triggers/t/fire", "").await.refusal(403, "access_denied", "`default/worker`");
    // The message goes its way once that is put right.
    grant(&server, "worker", "functions.invoker", "function:shop/f").await.is(200);
    fired(2).await;
}

#[tokio::test]
async fn whoever_subscribes_something_must_be_allowed_to_bring_publications_there() {
    let server = server().await;
    let admin = account(&server, "own", &[("admin", "topic:news")]).await;
    let subscribe = async |to: &str| {
        let body = json!({"to": to}).to_string();
        asked(&server, Method::POST, "/v1/topics/news/subscriptions", Some(&admin), &body).await
    };
    for (to, role, on) in [
        ("function:shop/f", "functions.invoker", "function:shop/f"),
        ("function:f", "functions.invoker", "function:default/f"),
        ("queue:jobs", "queues.writer", "queue:default/jobs"),
    ] {
        let part = format!("`default/own` lacks the role `{role}` on `{on}`");
        subscribe(to).await.refusal(403, "access_denied", &part);
        grant(&server, "own", role, on).await.is(200);
        subscribe(to).await.is(201);
    }
}

#[tokio::test]
async fn whoever_sets_a_redrive_policy_must_be_allowed_to_send_to_its_queue() {
    let server = server().await;
    let admin = account(&server, "own", &[("admin", "queue:jobs")]).await;
    let settings = json!({"redrive": {"to": "dead", "max_receives": 2}}).to_string();
    let put = async || asked(&server, Method::PUT, "/v1/queues/jobs", Some(&admin), &settings).await;
    put().await.refusal(403, "access_denied", "`default/own` lacks the role `queues.writer` on `queue:default/dead`");
    grant(&server, "own", "queues.writer", "queue:dead").await.is(200);
    put().await.is(200);
}
