//! Versions and the names for them.

use serde_json::json;

use super::support::{Server, prebuilt};

#[tokio::test]
async fn each_deployment_makes_a_version_and_the_same_one_again_makes_none() {
    let server = Server::durable().await;
    let first = server.put("/v1/functions/f", prebuilt("echo")).await.is(201).json();
    assert_eq!(first["latest"], 1);
    let again = server.put("/v1/functions/f", prebuilt("echo")).await.is(200).json();
    assert_eq!((&again["latest"], &again["id"]), (&json!(1), &first["id"]));
    let second = server.deploy("f", prebuilt("describe")).await;
    assert_eq!((&second["latest"], &second["id"]), (&json!(2), &first["id"]));
    let third = server.deploy_with("f", prebuilt("describe"), &json!({"timeout_ms": 5_000})).await;
    assert_eq!((&third["latest"], &third["version"]["timeout_ms"]), (&json!(3), &json!(5_000)));
    let versions = server.get("/v1/functions/f/versions").await.is(200).json();
    let numbers: Vec<_> = versions["versions"].as_array().unwrap().iter().map(|it| it["version"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
    assert_ne!(versions["versions"][0]["digest"], versions["versions"][1]["digest"]);
    assert_eq!(versions["versions"][1]["digest"], versions["versions"][2]["digest"]);
}

#[tokio::test]
async fn a_version_is_invoked_by_its_number_or_by_a_name_that_moves() {
    let server = Server::in_memory().await;
    server.deploy("f", prebuilt("echo")).await;
    server.deploy("f", prebuilt("describe")).await;
    let function = server.put("/v1/functions/f/aliases/prod", r#"{"version": 1}"#).await.is(200).json();
    assert_eq!(function["aliases"], json!({"prod": 1}));
    let invoke = async |qualifier: &str| {
        server.post(&format!("/v1/functions/f/invocations?qualifier={qualifier}"), "hello").await
    };
    assert_eq!(invoke("1").await.is(200).text(), "hello");
    assert_eq!(invoke("prod").await.is(200).text(), "hello");
    assert_eq!(invoke("2").await.is(200).json()["version"], 2);
    assert_eq!(invoke("latest").await.is(200).json()["version"], 2);
    server.put("/v1/functions/f/aliases/prod", r#"{"version": 2}"#).await.is(200);
    assert_eq!(invoke("prod").await.is(200).json()["version"], 2);
    assert_eq!(server.get("/v1/functions/f?qualifier=1").await.is(200).json()["version"]["version"], 1);

    invoke("3").await.refusal(404, "version_not_found", "`3`");
    invoke("nobody").await.refusal(404, "version_not_found", "`nobody`");
    invoke("no%20name").await.refusal(400, "bad_name", "no name");
    let missing = server.put("/v1/functions/f/aliases/prod", r#"{"version": 3}"#).await;
    missing.refusal(404, "version_not_found", "`3`");
    server.put("/v1/functions/f/aliases/latest", r#"{"version": 1}"#).await.refusal(400, "bad_name", "latest");
    server.delete("/v1/functions/f/aliases/prod").await.is(204);
    server.delete("/v1/functions/f/aliases/prod").await.refusal(404, "version_not_found", "`prod`");
    invoke("prod").await.refusal(404, "version_not_found", "`prod`");
}

#[tokio::test]
async fn a_configuration_of_one_version_wins_over_that_of_the_function() {
    let server = Server::in_memory().await;
    server.deploy("f", prebuilt("echo")).await;
    server.deploy("f", prebuilt("describe")).await;
    let shown = async |query: &str| server.get(&format!("/v1/functions/f/async-config{query}")).await.is(200).json();
    assert_eq!((&shown("").await["set"], &shown("").await["max_retries"]), (&json!(false), &json!(1)));
    server.configure("f", &json!({"max_retries": 5})).await.is(200);
    server.put("/v1/functions/f/async-config?qualifier=1", r#"{"max_retries": 0}"#).await.is(200);
    assert_eq!(shown("?qualifier=1").await["max_retries"], 0);
    assert_eq!(shown("?qualifier=2").await["max_retries"], 5);
    // What is shown can be sent back.
    server.configure("f", &shown("").await).await.is(200);
    server.delete("/v1/functions/f/async-config?qualifier=1").await.is(204);
    assert_eq!(shown("?qualifier=1").await["max_retries"], 5);
    server.put("/v1/functions/f/aliases/prod", r#"{"version": 1}"#).await.is(200);
    let answer = server.put("/v1/functions/f/async-config?qualifier=prod", "{}").await;
    answer.refusal(400, "alias_has_no_config", "`prod`");
    let answer = server.put("/v1/functions/f/async-config?qualifier=9", "{}").await;
    answer.refusal(404, "version_not_found", "`9`");
    let answer = server.delete("/v1/functions/f/async-config?qualifier=9").await;
    answer.refusal(404, "version_not_found", "`9`");
}

#[tokio::test]
async fn a_deployment_without_a_configuration_leaves_the_one_there_is() {
    let server = Server::in_memory().await;
    server.deploy_with("f", prebuilt("echo"), &json!({"async_config": {"max_retries": 7}})).await;
    server.deploy("f", prebuilt("describe")).await;
    assert_eq!(server.get("/v1/functions/f/async-config").await.json()["max_retries"], 7);
}

#[tokio::test]
async fn an_alias_sends_so_many_invocations_elsewhere_as_its_weights_say() {
    let server = Server::in_memory().await;
    server.deploy("f", prebuilt("echo")).await;
    server.deploy("f", prebuilt("describe")).await;
    let all_to_the_second =
        server.put("/v1/functions/f/aliases/prod", r#"{"version": 1, "weights": {"2": 100}}"#).await;
    let function = all_to_the_second.is(200).json();
    assert_eq!((&function["aliases"], &function["weights"]), (&json!({"prod": 1}), &json!({"prod": {"2": 100}})));
    let invoke = async || server.post("/v1/functions/f/invocations?qualifier=prod", "hello").await.is(200).text();
    assert_ne!(invoke().await, "hello");
    // One half: that 64 go the same way happens once in 2^63 runs.
    server.put("/v1/functions/f/aliases/prod", r#"{"version": 1, "weights": {"2": 50}}"#).await.is(200);
    let mut to_the_first = 0;
    for _ in 0..64 {
        to_the_first += u32::from(invoke().await == "hello");
    }
    assert!((1..64).contains(&to_the_first), "{to_the_first}");
    let too_much = server.put("/v1/functions/f/aliases/prod", r#"{"version": 1, "weights": {"2": 101}}"#).await;
    too_much.refusal(400, "bad_range", "weights");
    server.put("/v1/functions/f/aliases/prod", r#"{"version": 1}"#).await.is(200);
    assert_eq!(invoke().await, "hello");
}

#[tokio::test]
async fn a_disabled_function_is_refused_also_after_a_restart_and_what_waits_runs_once_it_is_enabled() {
    let server = Server::durable().await;
    server.deploy("f", prebuilt("echo")).await;
    server.post("/v1/functions/f/queue/pause", "").await.is(200);
    let waits = server.post("/v1/functions/f/invocations?mode=async", "hello").await.is(202).json();
    let settled = server.post("/v1/functions/f/invocations?mode=async", "hello").await.is(202).json();
    let settled = format!("/v1/invocations/{}", settled["id"].as_str().unwrap());
    server.post(&format!("{settled}/cancel"), "").await.is(200);
    assert_eq!(server.post("/v1/functions/f/disable", "").await.is(200).json()["disabled"], true);
    server.post("/v1/functions/f/queue/resume", "").await.is(200);
    server.post("/v1/functions/f/invocations", "x").await.refusal(429, "function_disabled", "`f`");
    server.post("/v1/functions/f/invocations?mode=async", "x").await.refusal(429, "function_disabled", "`f`");
    server.post(&format!("{settled}/retry"), "").await.refusal(429, "function_disabled", "`f`");
    let server = server.killed().await.restarted().await;
    server.post("/v1/functions/f/invocations", "x").await.refusal(429, "function_disabled", "`f`");
    let path = format!("/v1/invocations/{}", waits["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.is(200).json()["status"], "queued");
    assert_eq!(server.post("/v1/functions/f/enable", "").await.is(200).json()["disabled"], false);
    assert_eq!(server.get(&format!("{path}?wait=20s")).await.is(200).json()["status"], "succeeded");
    assert_eq!(server.post("/v1/functions/f/invocations", "x").await.is(200).text(), "x");
    server.post("/v1/functions/no/disable", "").await.refusal(404, "function_not_found", "`no`");
}
