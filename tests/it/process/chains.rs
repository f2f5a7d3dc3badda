//! Destinations: what follows from an outcome, and what it is told.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::{Server, attempts, hostile, prebuilt, texts};

fn fields(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn id(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Deploys `describe` under each name, so that each leads to the one after it.
async fn deploy_chain(server: &Server, names: &[&str]) {
    let mut next: Option<String> = None;
    for name in names.iter().rev() {
        let settings = json!({"async_config": {"on_success": next}});
        server.deploy_with(name, prebuilt("describe"), &settings).await;
        next = Some(format!("function:{name}"));
    }
}

#[tokio::test]
async fn a_success_leads_to_the_next_function_with_a_record_of_what_happened() {
    let server = Server::durable().await;
    deploy_chain(&server, &["a", "b", "c"]).await;
    let root = server.accept("a", r#"{"order": 7}"#).await;

    let a = server.settled(&root, "succeeded").await;
    assert_eq!((&a["hop"], &a["chain"], &a["delivery"]), (&json!(0), &json!([]), &json!("delivered")));
    assert_eq!((&a["next"]["function"], &a["next"]["on"]), (&json!("b"), &json!("success")));
    let b = server.settled(id(&a["next"]["id"]), "succeeded").await;
    assert_eq!((&b["function"], &b["hop"], &b["chain"]), (&json!("b"), &json!(1), &json!([root])));
    let c = server.settled(id(&b["next"]["id"]), "succeeded").await;
    assert_eq!((&c["hop"], &c["chain"], &c["next"]), (&json!(2), &json!([root, b["id"]]), &json!(null)));
    assert_eq!(server.listed("").await.len(), 3);

    let told = &b["result"]["body"];
    assert_eq!(
        (&told["hop"], &told["chain"], &told["content_type"]),
        (&json!(1), &json!([root]), &json!("application/json"))
    );
    let record = &told["payload"];
    let expected = ["request_context", "request_payload", "response_context", "response_payload", "timestamp"].into();
    assert_eq!(fields(record), expected);
    let context = json!({
        "request_id": root,
        "function_urn": "urn:fss:local:default:function:default:a:1",
        "condition": "",
        "approximate_invoke_count": 1,
    });
    assert_eq!(record["request_context"], context);
    assert_eq!(record["response_context"], json!({"status_code": 200, "function_error": ""}));
    assert_eq!((&record["timestamp"], &record["request_payload"]), (&a["accepted_at"], &json!({"order": 7})));
    assert_eq!(record["response_payload"], a["result"]["body"]);
}

#[tokio::test]
async fn a_failure_leads_to_its_destination_which_learns_why_and_how_often() {
    let server = Server::in_memory().await;
    server.deploy("describe", prebuilt("describe")).await;
    let config = json!({
        "max_retries": 1, "retry_delay_ms": 10,
        "on_success": {"to": "function:describe"}, "on_failure": "function:describe",
    });
    server.deploy_with("flaky", prebuilt("flaky"), &json!({ "async_config": config })).await;
    let failed = server.accept("flaky", r#"{"always": true}"#).await;
    let failed = server.settled(&failed, "failed").await;
    assert_eq!((&failed["condition"], &failed["dead_letter"]), (&json!("RetriesExhausted"), &json!(false)));
    let record = server.settled(id(&failed["next"]["id"]), "succeeded").await["result"]["body"]["payload"].take();
    assert_eq!(record["request_context"]["condition"], "RetriesExhausted");
    assert_eq!(record["request_context"]["approximate_invoke_count"], 2);
    assert_eq!(record["response_context"]["function_error"], "retryable: told to fail on attempt 2");
    assert_eq!((&record["request_payload"], &record["response_payload"]), (&json!({"always": true}), &json!("")));

    let cancelled = server.accept_with("flaky", "", &[("tidemill-delay", "1h")]).await;
    server.post(&format!("/v1/invocations/{cancelled}/cancel"), "").await.is(200);
    let cancelled = server.settled(&cancelled, "cancelled").await;
    let record = server.settled(id(&cancelled["next"]["id"]), "succeeded").await["result"]["body"]["payload"].take();
    assert_eq!(record["request_context"]["condition"], "Cancelled");
    assert_eq!(record["request_context"]["approximate_invoke_count"], 0);
}

#[tokio::test]
async fn a_destination_may_name_an_alias_and_gets_the_version_that_it_means_then() {
    let server = Server::in_memory().await;
    server.deploy("b", prebuilt("describe")).await;
    server.put("/v1/functions/b/aliases/live", r#"{"version": 1}"#).await.is(200);
    server.deploy_with("b", prebuilt("describe"), &json!({"environment": {"NEW": "1"}})).await;
    let settings = json!({"async_config": {"on_success": "function:b@live"}});
    server.deploy_with("a", prebuilt("echo"), &settings).await;
    for version in [1, 2] {
        server.put("/v1/functions/b/aliases/live", json!({ "version": version }).to_string()).await.is(200);
        let a = server.accept("a", "").await;
        let a = server.settled(&a, "succeeded").await;
        assert_eq!(server.settled(id(&a["next"]["id"]), "succeeded").await["version"], version);
    }
}

#[tokio::test]
async fn a_synchronous_invocation_has_no_destinations() {
    let server = Server::in_memory().await;
    deploy_chain(&server, &["a", "b"]).await;
    let answer = server.invoke("a", "now").await.is(200);
    let a = server.recorded(&answer).await;
    assert_eq!((&a["next"], &a["delivery"]), (&json!(null), &json!("none")));
    assert_eq!(server.listed("function=b").await, [""; 0]);
}

#[tokio::test]
async fn the_graph_shows_what_leads_to_what() {
    let server = Server::in_memory().await;
    deploy_chain(&server, &["a", "b", "c"]).await;
    server.configure("c", &json!({"max_retries": 0})).await.is(200);
    server.put("/v1/functions/a/async-config?qualifier=1", r#"{"on_failure": "function:c"}"#).await.is(200);
    let graph = server.get("/v1/graph").await.is(200).json();
    let names: Vec<_> = graph["functions"].as_array().unwrap().iter().map(|it| id(&it["name"])).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let edges = json!([
        {"from": "a", "to": "b", "on": "success", "version": null, "trigger": null},
        {"from": "a", "to": "c", "on": "failure", "version": 1, "trigger": null},
        {"from": "b", "to": "c", "on": "success", "version": null, "trigger": null},
    ]);
    assert_eq!(graph["edges"], edges);
    assert_eq!(
        server.get("/v1/graph?namespace=shop").await.is(200).json(),
        json!({"functions": [], "queues": [], "topics": [], "timers": [], "edges": []})
    );
}

#[tokio::test]
async fn a_chain_that_is_longer_than_the_hop_limit_is_cut_and_says_where() {
    let server = Server::with(&["--store", "memory", "--hop-limit", "2"]).await;
    deploy_chain(&server, &["a", "b", "c", "d"]).await;
    server.configure("d", &json!({"on_failure": "function:e"})).await.problem(400, "destination_not_found");
    server.deploy("e", prebuilt("echo")).await;
    server.configure("d", &json!({"on_failure": "function:e"})).await.is(200);
    let root = server.accept("a", "").await;
    let b = server.settled(&root, "succeeded").await["next"]["id"].take();
    let c = server.settled(id(&b), "succeeded").await["next"]["id"].take();
    let d = server.settled(id(&c), "succeeded").await["next"]["id"].take();
    let d = server.settled(id(&d), "failed").await;
    assert_eq!((&d["condition"], attempts(&d)), (&json!("HopLimitExceeded"), vec![]));
    assert_eq!((&d["hop"], &d["chain"]), (&json!(3), &json!([root, b, c])));
    assert_eq!((&d["next"], &d["dead_letter"]), (&json!(null), &json!(true)));
    assert_eq!(server.listed("function=e").await, [""; 0]);
}

#[tokio::test]
async fn functions_that_call_each_other_over_http_are_stopped_by_the_hop_limit() {
    let server = Server::with(&["--store", "memory", "--hop-limit", "2"]).await;
    server.deploy("describe", prebuilt("describe")).await;
    let some = server.accept("describe", "").await;
    let request = |mode: &str, count: usize| {
        let path = format!("/v1/functions/describe/invocations?mode={mode}");
        server.request(reqwest::Method::POST, &path).header("tidemill-chain", vec![some.as_str(); count].join(", "))
    };
    let answer = server.send(request("sync", 2)).await.is(200);
    assert_eq!((answer.json()["hop"].clone(), texts(&answer.json()["chain"]).len()), (json!(2), 2));
    for mode in ["sync", "async"] {
        let problem = server.send(request(mode, 3)).await.problem(508, "hop_limit_exceeded");
        assert!(id(&problem["detail"]).contains("step 3"), "{problem}");
        assert_eq!(problem["effect"], "none");
    }
    server.recorded(&answer).await;
    assert_eq!(server.listed("").await.len(), 2);
    let path = "/v1/functions/describe/invocations";
    let bad = server.request(reqwest::Method::POST, path).header("tidemill-chain", "not-an-id");
    server.send(bad).await.refusal(400, "bad_name", "not-an-id");
}

#[tokio::test]
async fn deleting_a_destination_is_refused_with_who_would_lose_it_and_force_loses_no_record() {
    let server = Server::durable().await;
    deploy_chain(&server, &["a", "b"]).await;
    let problem = server.delete("/v1/functions/b").await.refusal(409, "function_in_use", "`a`");
    assert_eq!(problem["used_by"], json!(["a"]));
    server.get("/v1/functions/b").await.is(200);
    let before = server.accept_with("b", "waits", &[("tidemill-delay", "1h")]).await;
    server.delete("/v1/functions/b?force=true").await.is(204);
    server.get("/v1/functions/b").await.refusal(404, "function_not_found", "`b`");

    let before = server.settled(&before, "failed").await;
    assert_eq!((&before["condition"], attempts(&before)), (&json!("FunctionRemoved"), vec![]));
    let a = server.accept("a", "goes on").await;
    let a = server.settled(&a, "succeeded").await;
    let next = server.settled(id(&a["next"]["id"]), "failed").await;
    assert_eq!((&next["condition"], &next["dead_letter"]), (&json!("FunctionRemoved"), &json!(true)));
    assert_eq!((&next["function"], &next["version"]), (&json!("b"), &json!(null)));
    let payload = server.get(&format!("/v1/invocations/{}/payload", id(&next["id"]))).await.is(200).json();
    assert_eq!(payload["request_payload"], "goes on");
    assert_eq!(server.listed("dead_letter=true").await.len(), 2);

    // Its name may be given again; a redrive of the dead letter then runs what has the name now.
    server.deploy("b", prebuilt("echo")).await;
    let again = server.post(&format!("/v1/invocations/{}/retry", id(&next["id"])), "").await.is(202).json();
    let again = server.settled(id(&again["id"]), "succeeded").await;
    assert_eq!((&again["retry_of"], &again["hop"]), (&next["id"], &json!(1)));
}

#[tokio::test]
async fn an_alias_that_is_a_destination_is_removed_in_no_dialect_until_the_configuration_is_another() {
    let server = Server::in_memory().await;
    let made = server.deploy("b", prebuilt("echo")).await;
    server.put("/v1/functions/b/aliases/live", r#"{"version": 1}"#).await.is(200);
    server.deploy_with("a", prebuilt("echo"), &json!({"async_config": {"on_success": "function:b@live"}})).await;
    let problem = server.delete("/v1/functions/b/aliases/live").await.refusal(409, "function_in_use", "`b@live`");
    assert_eq!(problem["used_by"], json!(["a"]));
    let functiongraph = "/v2/default/fgs/functions/urn:fss:local:default:function:default:b/aliases/live";
    let refused = server.delete(functiongraph).await.is(409).text();
    assert!(refused.contains("FSS.0409") && refused.contains("`b@live`"), "{refused}");
    let yandex = format!("/functions/v1/versions/{}-1:removeTag", id(&made["id"]));
    let refused = server.post(&yandex, r#"{"tag": "live"}"#).await.is(400).text();
    assert!(refused.contains("\"code\":9") && refused.contains("`b@live`"), "{refused}");
    let a = server.accept("a", "still").await;
    let a = server.settled(&a, "succeeded").await;
    server.settled(id(&a["next"]["id"]), "succeeded").await;
    server.configure("a", &json!({"on_success": "function:b"})).await.is(200);
    server.delete("/v1/functions/b/aliases/live").await.is(204);
}

#[tokio::test]
async fn what_runs_when_its_function_is_deleted_goes_on_and_is_not_tried_again() {
    let server = Server::in_memory().await;
    let settings = json!({"timeout_ms": 4_000, "async_config": {"max_retries": 3, "retry_delay_ms": 10}});
    server.deploy_with("spin", hostile("spin"), &settings).await;
    let running = server.accept("spin", "").await;
    server.reaches(&running, "running").await;
    server.delete("/v1/functions/spin").await.is(204);
    assert_eq!(server.look(&running).await["status"], "running");
    let ended = server.settled(&running, "failed").await;
    assert_eq!((&ended["condition"], attempts(&ended)), (&json!("FunctionRemoved"), vec![(1, "timeout")]));
}
