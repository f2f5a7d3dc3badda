//! A description with everything there is: the one that users read.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::Site;
use crate::process::support::{Server, run_with};

/// The example that the repository shows, and the guests that it names.
pub(super) fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/tidemill.toml");
    fs::read_to_string(path).unwrap().replace("prebuilt/", "")
}

/// A server with the secrets that the example names.
pub(super) async fn server() -> Server {
    let server = Server::in_memory().await;
    for secret in ["cloud-key", "api-key"] {
        let set = run_with(&server.url(""), &["secrets", "set", secret, "--namespace", "shop"], b"very-secret").await;
        set.exits(0);
    }
    server
}

#[tokio::test]
async fn a_file_with_everything_is_planned_applied_and_then_nothing_is_left_to_do() {
    let (server, site) = (server().await, Site::new(&example()));
    let planned = site.run(&server, "plan").await.exits(5);
    for line in
        ["+ function shop/order", "+ trigger shop/nightly", "+ subscription function:alarm of topic shop/orders"]
    {
        assert!(planned.text().lines().any(|it| it == line), "{line}: {}", planned.text());
    }
    assert_eq!(server.get("/v1/functions?namespace=shop").await.is(200).json()["functions"], json!([]));
    let applied = site.applied(&server).await;
    assert!(applied.text().contains("done: create function shop/order"), "{}", applied.text());
    for told in [&planned, &applied] {
        assert!(!told.text().contains("very-secret") && !told.err.contains("very-secret"));
    }
    let order = server.get("/v1/functions/order?namespace=shop").await.is(200).json();
    assert_eq!(order["version"]["timeout_ms"], 5_000);
    assert_eq!(order["async_config"]["on_success"]["to"], "queue:receipts");
    assert_eq!(order["aliases"]["live"], 1);
    server.post("/v1/functions/upper/invocations?namespace=shop", "x").await.refusal(429, "function_disabled", "upper");
    let own = server.get("/v1/functions/upper/async-config?namespace=shop&qualifier=1").await.is(200).json();
    assert_eq!((&own["max_retries"], &own["on_failure"]["to"]), (&json!(0), &json!("stream:events")));
    let site_of = server.get("/v1/functions/site?namespace=shop").await.is(200).json();
    assert_eq!(site_of["version"]["entrypoint"], "http");
    let answer = server.get("/fn/site?namespace=shop").await;
    assert!(answer.status < 500, "{}", answer.text());
}

#[tokio::test]
async fn an_applied_file_stays_applied_over_a_restart() {
    let site = Site::new(
        "[queues.jobs]\nvisibility = \"1m\"\n[functions.a]\nmodule = \"echo.wasm\"\naliases = { live = 1 }\n",
    );
    let server = Server::durable().await;
    site.applied(&server).await;
    let server = server.killed().await.restarted().await;
    assert_eq!(site.run(&server, "plan").await.exits(0).text(), "nothing to do\n");
}

#[tokio::test]
async fn a_plan_tells_programs_what_it_tells_people() {
    let (server, site) = (Server::in_memory().await, Site::new("[queues.jobs]\nvisibility = \"1m\"\n"));
    site.applied(&server).await;
    site.edit("1m", "90s");
    let change = json!({
        "changes": [{
            "action": "change", "kind": "queue", "namespace": "default", "name": "jobs", "part": null,
            "settings": [{"key": "visibility", "before": "1m", "after": "90s"}],
        }],
        "left": [],
    });
    assert_eq!(site.run(&server, "plan --json").await.exits(5).json(), change);
    let applied = site.run(&server, "apply --json").await.exits(0).json();
    assert_eq!((&applied["done"], &applied["not_done"]), (&change["changes"], &json!([])));
    assert_eq!(site.run(&server, "plan --json").await.exits(0).json(), json!({"changes": [], "left": []}));
}
