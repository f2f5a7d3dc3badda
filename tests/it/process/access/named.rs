//! Accounts that configurations name: what they must be allowed to is looked at when they are set and when they act.

use reqwest::Method;
use serde_json::json;

use super::{account, asked, grant, revoke};
use crate::process::support::{Server, attempts, prebuilt, until};

#[tokio::test]
async fn a_configuration_names_only_accounts_that_may_do_what_they_are_named_for() {
    // Also where nobody is asked who they are.
    let server = Server::in_memory().await;
    for name in ["a", "b"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    let own = json!({"service_account": "worker"});
    let refused = server.configure("a", &own).await;
    refused.refusal(403, "access_denied", "there is no service account `default/worker`");
    server.put("/v1/accounts/worker", "").await.is(201);
    let refused = server.configure("a", &own).await;
    let part = "the service account `default/worker` lacks the role `functions.invoker` on `function:default/a`";
    let problem = refused.refusal(403, "access_denied", part);
    assert_eq!(
        (&problem["account"], &problem["role"], &problem["resource"]),
        (&json!("default/worker"), &json!("functions.invoker"), &json!("function:default/a"))
    );
    grant(&server, "worker", "functions.invoker", "function:a").await.is(200);
    let set = server.configure("a", &own).await.is(200).json();
    assert_eq!(set["service_account"], "worker");

    for (to, part) in [
        ("function:b", "lacks the role `functions.invoker` on `function:default/b`"),
        ("queue:jobs", "lacks the role `queues.writer` on `queue:default/jobs`"),
        ("object:records/of/a", "lacks the role `objects.writer` on `bucket:default/records`"),
        ("stream:log", "lacks the role `streams.writer` on `stream:default/log`"),
        ("topic:news", "lacks the role `topics.publisher` on `topic:default/news`"),
    ] {
        let config = json!({"on_success": {"to": to, "service_account": "worker"}});
        server.configure("a", &config).await.refusal(403, "access_denied", part);
    }
    let deployed = json!({"async_config": {"on_failure": {"to": "function:b", "service_account": "worker"}}});
    server.deployment("c", prebuilt("echo"), &deployed).await.refusal(403, "access_denied", "`function:default/b`");
    server.configure("a", &json!({"service_account": "everyone"})).await.refusal(
        400,
        "everyone",
        "whoever shows nothing",
    );
}

#[tokio::test]
async fn what_acts_for_an_account_that_lost_its_role_ends_with_that_reason() {
    let server = Server::in_memory().await;
    for name in ["a", "b"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    server.put("/v1/accounts/worker", "").await.is(201);
    for on in ["function:a", "function:b"] {
        grant(&server, "worker", "functions.invoker", on).await.is(200);
    }
    let config = json!({"service_account": "worker", "on_success": {"to": "function:b", "service_account": "worker"}});
    server.configure("a", &config).await.is(200);
    let next = async |id: &str| {
        let settled = server.settled(id, "succeeded").await;
        settled["next"]["id"].as_str().unwrap().to_owned()
    };
    let first = server.accept("a", "1").await;
    server.settled(&next(&first).await, "succeeded").await;

    revoke(&server, "worker", "functions.invoker", "function:b").await;
    let second = server.accept("a", "2").await;
    let denied = server.settled(&next(&second).await, "failed").await;
    assert_eq!((&denied["condition"], attempts(&denied)), (&json!("PermanentFailure"), vec![(1, "access_denied")]));
    let message = denied["attempts"][0]["error"]["message"].as_str().unwrap();
    assert_eq!(
        message,
        "the service account `default/worker` lacks the role `functions.invoker` on `function:default/b`"
    );
    assert_eq!(denied["dead_letter"], true, "it is kept for whoever sets that right");

    server.delete("/v1/accounts/worker").await.is(204);
    let third = server.settled(&server.accept("a", "3").await, "failed").await;
    assert_eq!(attempts(&third), [(1, "access_denied")]);
    let message = third["attempts"][0]["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("there is no service account `default/worker`"), "{message}");
    // Whoever waits for an answer asks for itself.
    server.invoke("a", "4").await.is(200);
}

#[tokio::test]
async fn whoever_sets_a_destination_must_be_allowed_to_write_there_or_to_use_an_account_that_is() {
    let server = Server::asking(&[]).await;
    for name in ["a", "b?namespace=shop"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    let config = async |token: &str, config: serde_json::Value| {
        asked(&server, Method::PUT, "/v1/functions/a/async-config", Some(token), &config.to_string()).await
    };
    let one = account(&server, "one", &[("functions.editor", "function:a")]).await;
    let all = account(&server, "all", &[("functions.editor", "namespace:default")]).await;
    let elsewhere = json!({"on_success": "function:shop/b"});
    for token in [&one, &all] {
        config(token, elsewhere.clone()).await.refusal(403, "access_denied", "on `function:shop/b`");
    }
    account(&server, "worker", &[("functions.invoker", "function:shop/b")]).await;
    let named = json!({"on_success": {"to": "function:shop/b", "service_account": "worker"}});
    let refused = config(&one, named.clone()).await;
    refused.refusal(403, "access_denied", "`default/one` lacks the role `functions.editor` on `namespace:default`");
    config(&all, named).await.is(200);
    grant(&server, "one", "functions.invoker", "function:shop/b").await.is(200);
    config(&one, elsewhere).await.is(200);
}

#[tokio::test]
async fn an_account_that_may_do_everything_is_named_by_those_alone_who_may_as_well() {
    let server = Server::asking(&[]).await;
    for name in ["a", "b?namespace=shop"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    server.put("/v1/topics/news", "").await.is(201);
    let editor = account(&server, "editor", &[("functions.editor", "namespace:default")]).await;
    let trigger = json!({"kind": "timer", "function": "shop/b", "cron": "0 * * * *", "service_account": "admin"});
    let named = json!({"to": "function:shop/b", "service_account": "admin"});
    for (path, body) in [
        ("/v1/triggers/t", trigger),
        ("/v1/functions/a/async-config", json!({"service_account": "admin"})),
        ("/v1/functions/a/async-config", json!({"on_success": named})),
        ("/v1/functions/a/async-config", json!({"on_failure": {"to": "topic:news", "service_account": "admin"}})),
    ] {
        let body = body.to_string();
        let refused = asked(&server, Method::PUT, path, Some(&editor), &body).await;
        refused.refusal(403, "access_denied", "`default/editor` lacks the role `admin` on `everything`");
        let set = server.put(path, body).await;
        assert!([200, 201].contains(&set.status), "{}", set.text());
    }
    let fired = asked(&server, Method::POST, "/v1/triggers/t/fire", Some(&editor), "").await;
    fired.refusal(403, "access_denied", "on `everything`");
}

#[tokio::test]
async fn a_destination_whose_account_lost_its_role_gets_nothing_more_and_says_why() {
    let server = Server::in_memory().await.expecting(&["a delivery is given up"]);
    server.deploy("a", prebuilt("echo")).await;
    server.put("/v1/queues/jobs", "").await.is(201);
    server.put("/v1/accounts/worker", "").await.is(201);
    grant(&server, "worker", "queues.writer", "queue:jobs").await.is(200);
    let config = json!({"on_success": {"to": "queue:jobs", "service_account": "worker"}});
    server.configure("a", &config).await.is(200);
    let delivery = async |state: &str| {
        let id = server.accept("a", "1").await;
        let path = format!("/v1/invocations/{id}");
        until(state, async || {
            Some(server.get(&path).await.json())
                .filter(|it| it["delivery"] == state || it["delivery"]["state"] == state)
        })
        .await
    };
    delivery("delivered").await;
    revoke(&server, "worker", "queues.writer", "queue:jobs").await;
    let dead = delivery("dead").await.to_string();
    assert!(dead.contains("lacks the role `queues.writer` on `queue:default/jobs`"), "{dead}");
}
