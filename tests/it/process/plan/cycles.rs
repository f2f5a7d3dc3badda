//! What leads in a circle is refused before anything is done, also where a part of the circle is on the server alone.

use serde_json::json;

use super::Site;
use crate::process::support::{Server, prebuilt};

const RING: &str = "\
    [functions.a]\nmodule = \"echo.wasm\"\nasync.on_success = \"function:b\"\n\
    [functions.b]\nmodule = \"echo.wasm\"\nasync.on_failure = \"queue:jobs\"\n\
    [queues.jobs]\n\
    [triggers.worker]\nkind = \"queue\"\nqueue = \"jobs\"\nfunction = \"a\"\n";

#[tokio::test]
async fn a_file_with_a_cycle_is_refused_with_its_path_before_anything_changes() {
    let (server, site) = (Server::in_memory().await, Site::new(RING));
    for command in ["plan", "apply"] {
        let refused = site.run(&server, command).await.exits(4);
        assert!(refused.err.contains("a -> b -> queue:jobs -> a"), "{}", refused.err);
        assert_eq!(refused.text(), "");
    }
    assert_eq!(server.get("/v1/functions").await.json()["functions"], json!([]));
    assert_eq!(server.get("/v1/queues").await.json()["queues"], json!([]));
}

#[tokio::test]
async fn a_cycle_that_goes_over_what_the_file_does_not_name_is_refused_too() {
    let server = Server::in_memory().await;
    for name in ["a", "b"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    server.configure("b", &json!({"on_success": "function:a"})).await.is(200);
    let site = Site::new("[functions.a]\nmodule = \"echo.wasm\"\nasync.on_failure = \"function:b\"\n");
    let refused = site.run(&server, "apply").await.exits(4);
    assert!(refused.err.contains("a -> b -> a"), "{}", refused.err);
    let config = server.get("/v1/functions/a/async-config").await.json();
    assert_eq!(config["set"], false);
}

#[tokio::test]
async fn an_edge_that_is_turned_around_is_broken_before_it_is_made() {
    let server = Server::in_memory().await;
    let site = Site::new(
        "[functions.a]\nmodule = \"echo.wasm\"\n\
         [functions.b]\nmodule = \"echo.wasm\"\nasync.on_success = \"function:a\"\n",
    );
    site.applied(&server).await;
    site.describe(
        "[functions.a]\nmodule = \"echo.wasm\"\nasync.on_success = \"function:b\"\n\
         [functions.b]\nmodule = \"echo.wasm\"\n",
    );
    site.applied(&server).await;
    let config = server.get("/v1/functions/a/async-config").await.json();
    assert_eq!(config["on_success"]["to"], "function:b");
}
