//! What a file says of a function beside its code: whether it may be invoked, and what single versions have of their own.

use std::fs;

use serde_json::{Value, json};

use super::Site;
use crate::process::support::{Server, run};

const ONE: &str = "[functions.a]\nmodule = \"echo.wasm\"\nasync.max_retries = 2\n";

/// The asynchronous configuration that applies to a version of `a`.
async fn config_of(server: &Server, version: u32) -> Value {
    server.get(&format!("/v1/functions/a/async-config?qualifier={version}")).await.is(200).json()
}

/// A server with two versions of `a`.
async fn with_two_versions(site: &Site) -> Server {
    let server = Server::in_memory().await;
    site.applied(&server).await;
    fs::copy(site.path("upper.wasm"), site.path("echo.wasm")).unwrap();
    site.applied(&server).await;
    server
}

#[tokio::test]
async fn a_function_is_disabled_and_enabled_by_its_file_and_left_alone_where_that_says_nothing() {
    let (server, site) = (Server::in_memory().await, Site::new(&format!("{ONE}disabled = true\n")));
    let applied = site.applied(&server).await.text();
    assert!(applied.contains("done: change switch of function a\n"), "{applied}");
    server.invoke("a", "x").await.refusal(429, "function_disabled", "`a`");
    let exported = run(&server, &["export"]).await.exits(0).text();
    assert!(exported.contains("disabled = true\n"), "{exported}");
    // Who says nothing of it neither enables nor disables, whatever else is changed or pruned.
    site.describe(&ONE.replace("max_retries = 2", "max_retries = 3"));
    site.run(&server, "apply --prune").await.exits(0);
    server.invoke("a", "x").await.refusal(429, "function_disabled", "`a`");
    site.describe(&format!("{ONE}disabled = false\n"));
    let planned = site.run(&server, "plan").await.exits(5).text();
    assert!(planned.contains("~ switch of function a\n    - disabled = true\n    + disabled = false\n"), "{planned}");
    site.applied(&server).await;
    assert_eq!(server.invoke("a", "x").await.is(200).text(), "x");
    assert!(!run(&server, &["export"]).await.exits(0).text().contains("disabled"));
    assert_eq!(server.get("/v1/functions/a").await.json()["latest"], 1);
}

#[tokio::test]
async fn a_version_has_a_configuration_of_its_own_that_the_functions_does_not_touch() {
    let site = Site::new(ONE);
    let server = with_two_versions(&site).await;
    let own = "[queues.q]\n[functions.a.versions.1.async]\nmax_retries = 0\non_failure = \"queue:q\"\n";
    site.describe(&format!("{ONE}{own}"));
    let planned = site.run(&server, "plan").await.exits(5).text();
    let expected = "+ async of version 1 of function a\n    + max_retries = 0\n    + on_failure = \"queue:q\"\n";
    assert!(planned.contains(expected), "{planned}");
    site.applied(&server).await;
    let (first, second) = (config_of(&server, 1).await, config_of(&server, 2).await);
    assert_eq!((&first["max_retries"], &first["on_failure"]["to"]), (&json!(0), &json!("queue:q")));
    assert_eq!((&second["max_retries"], &second["on_failure"]), (&json!(2), &Value::Null));

    site.edit("max_retries = 2", "max_retries = 5");
    site.applied(&server).await;
    assert_eq!(config_of(&server, 1).await["max_retries"], 0);
    assert_eq!(config_of(&server, 2).await["max_retries"], 5);

    let exported = run(&server, &["export"]).await.exits(0).text();
    site.describe(&exported);
    let planned = site.run(&server, "plan --prune").await.exits(0);
    assert_eq!((planned.text().as_str(), planned.err.as_str()), ("nothing to do\n", ""), "{exported}");

    site.describe("[queues.q]\n[functions.a]\nmodule = \"echo.wasm\"\nasync.max_retries = 5\n");
    let left = site.run(&server, "plan").await.exits(0);
    assert!(left.err.contains("async of version 1 of function a"), "{}", left.err);
    site.run(&server, "apply --prune").await.exits(0);
    assert_eq!(config_of(&server, 1).await["max_retries"], 5);
}

#[tokio::test]
async fn the_newest_versions_own_configuration_is_told_apart_from_the_functions() {
    let (server, site) = (Server::in_memory().await, Site::new(ONE));
    site.applied(&server).await;
    let config = r#"{"max_retries": 9, "max_event_age_s": 60}"#;
    server.put("/v1/functions/a/async-config?qualifier=1", config).await.is(200);
    // The function's is as the file has it, and what wins over it is named.
    let planned = site.run(&server, "plan").await.exits(0);
    assert!(planned.err.contains("async of version 1 of function a"), "{}", planned.err);
    let exported = run(&server, &["export"]).await.exits(0).text();
    site.describe(&exported);
    assert_eq!(site.run(&server, "plan --prune").await.exits(0).err, "");
    // Another server gets this one version, and what applies to it.
    let file = site.path("tidemill.toml");
    run(&server, &["export", "--modules", "modules", "--file", file.to_str().unwrap()]).await.exits(0);
    let other = Server::in_memory().await;
    site.applied(&other).await;
    let there = config_of(&other, 1).await;
    assert_eq!((&there["max_retries"], &there["max_event_age_s"]), (&json!(9), &json!(60)));
}

#[tokio::test]
async fn a_cycle_over_the_configuration_of_one_version_is_refused_before_anything_changes() {
    let (server, site) = (Server::in_memory().await, Site::new(ONE));
    site.applied(&server).await;
    let ring = "[functions.b]\nmodule = \"echo.wasm\"\nasync.on_success = \"function:a\"\n\
                [functions.a.versions.1.async]\non_failure = \"function:b\"\n";
    site.describe(&format!("{ONE}{ring}"));
    let refused = site.run(&server, "apply").await.exits(4);
    assert!(refused.err.contains("a -> b -> a") || refused.err.contains("b -> a -> b"), "{}", refused.err);
    server.get("/v1/functions/b").await.problem(404, "function_not_found");
}

#[tokio::test]
async fn a_version_that_is_none_is_refused_where_that_is_known() {
    let (server, site) = (Server::in_memory().await, Site::new(ONE));
    site.describe(&format!("{ONE}versions.prod.async.max_retries = 0\n"));
    let refused = site.run(&server, "plan").await.exits(2).err;
    assert!(refused.contains("line 1: function a: `versions.prod` is no version: versions have numbers"), "{refused}");
    site.describe(&format!("{ONE}versions.1 = {{}}\n"));
    assert!(site.run(&server, "plan").await.exits(2).err.contains("missing field `async`"));
    site.describe(&format!("{ONE}versions.7.async.max_retries = 0\n"));
    let refused = site.run(&server, "apply").await.exits(4);
    assert!(refused.err.contains("async of version 7 of function a could not be done"), "{}", refused.err);
    assert!(refused.text().contains("done: create function a\n"), "{}", refused.text());
}
