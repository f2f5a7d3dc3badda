//! What functions are granted: whoever says what a function does must be allowed themselves what it may.

use reqwest::Method;
use serde_json::{Value, json};

use super::{account, grant};
use crate::process::support::{Answer, Server, prebuilt};

/// Deploys the function `f` with these grants, as somebody.
async fn deploy(server: &Server, token: &str, grants: Value) -> Answer {
    server.deployment_with(Some(token), "f", prebuilt("echo"), &json!({ "grants": grants })).await
}

#[tokio::test]
async fn whoever_grants_functions_must_be_allowed_to_run_them() {
    let server = Server::asking(&[]).await;
    let editor = account(&server, "editor", &[("functions.editor", "namespace:default")]).await;
    let with = async |functions: &[&str]| deploy(&server, &editor, json!({ "functions": functions })).await;
    // Also where there is no such function: that is nobody's business either.
    for (granted, on) in [("shop/b", "function:shop/b"), ("shop/*", "namespace:shop")] {
        let part = format!("`default/editor` lacks the role `functions.invoker` on `{on}`");
        with(&["*", granted]).await.refusal(403, "access_denied", &part);
    }
    with(&["*", "g"]).await.is(201);
    grant(&server, "editor", "functions.invoker", "function:shop/b").await.is(200);
    with(&["shop/b"]).await.is(200);
    with(&["shop/*"]).await.refusal(403, "access_denied", "on `namespace:shop`");
}

#[tokio::test]
async fn whoever_edits_one_function_alone_grants_it_nothing_that_is_the_namespaces() {
    let server = Server::asking(&[]).await;
    server.put("/v1/secrets/database", "hunter2").await.is(201);
    let one = account(&server, "one", &[("functions.editor", "function:f")]).await;
    let all = account(&server, "all", &[("functions.editor", "namespace:default")]).await;
    deploy(&server, &one, json!({"functions": ["f"]})).await.is(201);
    for (grants, role, on) in [
        (json!({"functions": ["g"]}), "functions.invoker", "function:default/g"),
        (json!({"functions": ["*"]}), "functions.invoker", "namespace:default"),
        (json!({"key_value": ["carts"]}), "functions.editor", "namespace:default"),
        (json!({"secrets": {"PASSWORD": "database"}}), "functions.editor", "namespace:default"),
    ] {
        let part = format!("`default/one` lacks the role `{role}` on `{on}`");
        deploy(&server, &one, grants.clone()).await.refusal(403, "access_denied", &part);
        deploy(&server, &all, grants.clone()).await.is(200);
        // What it has been granted meanwhile was granted to what it did before.
        deploy(&server, &one, grants).await.refusal(403, "access_denied", &part);
    }
    deploy(&server, &one, json!({})).await.is(200);
}

#[tokio::test]
async fn a_secret_is_shown_to_a_registry_by_those_alone_who_could_have_set_it() {
    let server = Server::asking(&[]).await;
    let one = account(&server, "one", &[("functions.editor", "function:f")]).await;
    let all = account(&server, "all", &[("functions.editor", "namespace:default")]).await;
    let source = json!({"source": "oci://registry.invalid/a:1", "source_user": "u", "source_password": "none"});
    let deploy = async |token: &str| {
        let request = server.request_with(Method::PUT, "/v1/functions/f", Some(token));
        server.send(request.json(&source)).await
    };
    let part = "`default/one` lacks the role `functions.editor` on `namespace:default`";
    deploy(&one).await.refusal(403, "access_denied", part);
    deploy(&all).await.refusal(404, "secret_not_found", "`none`");
}
