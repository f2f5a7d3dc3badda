//! What a version may ask of how its module is compiled and run, beyond what is usual: fuel.

use serde_json::json;

use super::support::*;

#[tokio::test]
async fn a_version_with_a_limit_on_fuel_is_told_what_it_used_and_ends_where_that_is_used_up() {
    let server = Server::durable().await;
    let module = server.folder().join("echo.wasm");
    std::fs::write(&module, prebuilt("echo")).unwrap();
    let arguments = ["deploy", module.to_str().unwrap(), "--name", "echo", "--fuel", "1000000"];
    run(&server, &arguments).await.exits(0);
    assert_eq!(server.get("/v1/functions/echo").await.json()["version"]["fuel"], 1_000_000);
    let used = async || {
        let answer = server.invoke("echo", "tide").await.is(200);
        server.recorded(&answer).await["attempts"][0]["usage"]["fuel"].as_u64().unwrap()
    };
    let (first, second) = (used().await, used().await);
    assert!(first > 0 && first == second, "{first} {second}");
    // Where the server starts anew, the code is found again that was compiled so.
    let server = server.terminated().await.restarted().await;
    let answer = server.invoke("echo", "tide").await.is(200);
    assert_eq!(server.recorded(&answer).await["attempts"][0]["usage"]["fuel"], first);

    server.deploy_with("echo", prebuilt("echo"), &json!({"fuel": first / 2})).await;
    let problem = server.invoke("echo", "tide").await.problem(502, "function_failed");
    assert_eq!(problem["kind"], "out_of_fuel");
    server.deploy_with("echo", prebuilt("echo"), &json!({})).await;
    let answer = server.invoke("echo", "tide").await.is(200);
    assert_eq!(server.recorded(&answer).await["attempts"][0]["usage"].get("fuel"), None);
    let refused = server.deployment("echo", prebuilt("echo"), &json!({"fuel": 0})).await;
    refused.refusal(400, "bad_range", "fuel is 0: use 1 to");
}
