//! What a version may ask of how its module is compiled and run, beyond what is usual: fuel, instances that serve again.

use serde_json::{Value, json};

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

#[tokio::test]
async fn a_version_that_asks_for_it_has_one_instance_serve_many_invocations_and_no_other_version_sees_that() {
    let server = Server::in_memory().await;
    let counter = wat::parse_str(
        r#"(module
             (memory (export "memory") 1)
             (global $runs (mut i32) (i32.const 48))
             (func (export "alloc") (param i32) (result i32) (i32.const 1024))
             (func (export "count") (param i32 i32) (result i64)
               (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
               (i32.store8 (i32.const 64) (global.get $runs))
               (i64.or (i64.shl (i64.const 64) (i64.const 32)) (i64.const 1))))"#,
    )
    .unwrap();
    let module = server.folder().join("counter.wasm");
    std::fs::write(&module, &counter).unwrap();
    let deploy = ["deploy", module.to_str().unwrap(), "--name", "counter"];
    run(&server, &[&deploy[..], &["--reuse", "3"]].concat()).await.exits(0);
    assert_eq!(server.get("/v1/functions/counter").await.json()["version"]["reuse"], 3);
    let count = async || server.invoke("counter", "").await.is(200).text();
    let mut counts = Vec::new();
    for _ in 0..5 {
        counts.push(count().await);
    }
    assert_eq!(counts, ["1", "2", "3", "1", "2"]);
    // The queue is served by them as well.
    let id = server.accept("counter", "").await;
    assert_eq!(server.settled(&id, "succeeded").await["result"]["body"], 3);
    run(&server, &deploy).await.exits(0);
    assert_eq!([count().await, count().await], ["1", "1"]);
    let refused = server.deployment("command", hostile("sleep"), &json!({"reuse": 2})).await;
    refused.refusal(400, "reuse_not_supported", "a command ends with its run");
    let refused = server.deployment("counter", counter, &json!({"reuse": 0})).await;
    refused.refusal(400, "bad_range", "reuse is 0: use 1 to 1000000");
}

#[tokio::test]
async fn components_of_wasi_0_3_run_on_a_server_that_was_told_to_and_are_refused_by_others() {
    let component = |path: &str| wat::parse_file(format!("{}/guests/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let server = Server::durable().await;
    let refused = server.deployment("web", component("bench/http-0.3.wat"), &json!({})).await;
    refused.refusal(422, "module_refused", "`tidemill serve --wasi-0.3`");
    let server = server.terminated().await.restarted_with(&["--wasi-0.3"]).await;
    let web = server.deploy_with("web", component("bench/http-0.3.wat"), &json!({})).await;
    assert_eq!((&web["version"]["entrypoint"], &web["version"]["wasi_0_3"]), (&json!("http"), &json!(true)));
    assert_eq!(server.get("/fn/web/").await.is(200).text(), "hello from tidemill");
    let echo = server.deploy_with("echo", component("async/echo.wat"), &json!({"reuse": 10})).await;
    assert_eq!(echo["version"]["entrypoint"], "handler");
    for payload in ["ebb", "flood"] {
        assert_eq!(server.invoke("echo", payload).await.is(200).text(), payload);
    }
    let id = server.accept("echo", "tide").await;
    assert_eq!(server.settled(&id, "succeeded").await["result"]["body"], "tide");
    // Deployed is deployed: without the flag it is there, and each attempt says why it does not run.
    let server = server.terminated().await.restarted_with(&[]).await;
    let problem = server.invoke("web", "").await.problem(503, "function_failed");
    assert!(problem["detail"].as_str().unwrap().contains("`tidemill serve --wasi-0.3`"), "{problem}");
}

#[tokio::test]
async fn invocations_share_an_instance_where_the_version_says_so_and_its_code_can() {
    let component = |path: &str| wat::parse_file(format!("{}/guests/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let server = Server::with(&["--store", "memory", "--wasi-0.3"]).await;
    let several = component("async/several.wat");
    let settings = json!({"reuse": 100, "instance_concurrency": 4});
    let deployed = server.deploy_with("several", several.clone(), &settings).await;
    assert_eq!(deployed["version"]["instance_concurrency"], 4);
    let slow = || async { server.get("/fn/several/s").await.is(200).text().parse::<u32>().unwrap() };
    let counts = futures::future::join_all((0..8).map(|_| slow())).await;
    assert!(counts.iter().all(|count| *count <= 4) && counts.iter().any(|count| *count > 1), "{counts:?}");
    let shown = run(&server, &["functions", "show", "several"]).await.exits(0);
    assert!(shown.text().contains("up to 4 invocations in an instance"), "{}", shown.text());

    let refused = async |module: &[u8], settings: Value, why: &str| {
        let refused = server.deployment("refused", module.to_vec(), &settings).await;
        refused.refusal(400, "instance_concurrency_not_supported", why);
    };
    let echo = component("async/echo.wat");
    refused(&echo, json!({"reuse": 9, "instance_concurrency": 2}), "only an http function of WASI 0.3").await;
    let of_0_2 = component("bench/http.wat");
    refused(&of_0_2, json!({"reuse": 9, "instance_concurrency": 2}), "only an http function of WASI 0.3").await;
    refused(&several, json!({"instance_concurrency": 2}), "without `reuse`").await;
    refused(&several, json!({"reuse": 9, "instance_concurrency": 2, "fuel": 9}), "`fuel` is counted").await;
    for grants in [json!({"http": ["https://a.example"]}), json!({"functions": ["other"]})] {
        let settings = json!({"reuse": 9, "instance_concurrency": 2, "grants": grants});
        refused(&several, settings, "nobody could tell which of those in it asks: leave out `instance_concurrency`")
            .await;
    }
    let refused = server.deployment("several", several, &json!({"reuse": 9, "instance_concurrency": 17})).await;
    refused.refusal(400, "bad_range", "instance_concurrency is 17: use 1 to 16");
}

#[tokio::test]
async fn a_core_dump_of_an_attempt_that_trapped_is_fetched_over_http_and_by_the_command_line() {
    let server = Server::durable().await;
    let module = write_hostile(server.folder(), "divide");
    let deploy = ["deploy", module.to_str().unwrap(), "--name", "divide", "--max-retries", "0"];
    run(&server, &[&deploy[..], &["--core-dump"]].concat()).await.exits(0);
    assert_eq!(server.get("/v1/functions/divide").await.json()["version"]["core_dump"], true);
    let id = server.accept("divide", "").await;
    server.settled(&id, "failed").await;
    let server = server.terminated().await.restarted().await;
    let dump = server.get(&format!("/v1/invocations/{id}/coredump")).await.is(200);
    assert_eq!(dump.header("content-type"), "application/wasm");
    assert!(dump.text().contains("corestack") && dump.text().starts_with("\0asm"));
    let printed = run(&server, &["invocations", "core-dump", &id]).await.exits(0);
    assert!(printed.text().contains("coremodules"));
    assert!(run(&server, &["invocations", "logs", &id]).await.exits(0).text().contains("a core dump of"));

    run(&server, &deploy).await.exits(0);
    let id = server.accept("divide", "").await;
    server.settled(&id, "failed").await;
    let none = server.get(&format!("/v1/invocations/{id}/coredump")).await;
    none.refusal(404, "no_core_dump", "where the version was deployed with `core_dump`");
}
