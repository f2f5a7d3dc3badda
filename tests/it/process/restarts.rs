//! What survives the end of the process, asked for or not.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Server, attempts, hostile, prebuilt, until};

/// Ways for a server to end.
#[derive(Clone, Copy, Debug)]
enum End {
    Terminated,
    Killed,
}

const BOTH: [End; 2] = [End::Terminated, End::Killed];

async fn restarted(server: Server, end: End) -> Server {
    match end {
        End::Terminated => server.terminated().await.restarted().await,
        End::Killed => server.killed().await.restarted().await,
    }
}

#[tokio::test]
async fn what_waits_is_still_there_after_a_restart_and_runs() {
    for end in BOTH {
        let server = Server::durable().await;
        server.deploy("echo", prebuilt("echo")).await;
        let settings = json!({"async_config": {"max_retries": 1, "retry_delay_ms": 6_000}});
        server.deploy_with("flaky", prebuilt("flaky"), &settings).await;
        let delayed = server.accept_with("echo", "delayed", &[("tidemill-delay", "1500ms")]).await;
        let far = server.accept_with("echo", "far", &[("tidemill-delay", "1h")]).await;
        let failed = server.accept("flaky", r#"{"fail_attempts": 1}"#).await;
        let before = server.reaches(&failed, "retrying").await;

        let server = restarted(server, end).await;
        assert_eq!(server.look(&far).await["status"], "queued");
        assert_eq!(server.settled(&delayed, "succeeded").await["result"]["body"], "delayed");
        let after = server.settled(&failed, "succeeded").await;
        assert_eq!(attempts(&after), [(1, "retryable"), (2, "")], "{end:?}");
        assert_eq!(after["attempts"][0], before["attempts"][0]);
        assert!(after["attempts"][1]["started_at"].as_str() >= before["due_at"].as_str());
    }
}

#[tokio::test]
async fn what_has_settled_is_still_known_after_a_restart() {
    for end in BOTH {
        let server = Server::durable().await;
        server.deploy_with("trap", hostile("trap"), &json!({"async_config": {"max_retries": 0}})).await;
        server.deploy("echo", prebuilt("echo")).await;
        let large = "x".repeat(300 * 1024);
        let fine = server.accept("echo", large.clone()).await;
        let fine_before = server.settled(&fine, "succeeded").await;
        let failed = server.accept("trap", "").await;
        let failed_before = server.settled(&failed, "failed").await;

        let server = restarted(server, end).await;
        assert_eq!(server.look(&fine).await, fine_before);
        assert_eq!(server.look(&failed).await, failed_before);
        assert_eq!(server.get(&format!("/v1/invocations/{fine}/result")).await.is(200).text(), large);
        assert_eq!(server.get(&format!("/v1/invocations/{fine}/payload")).await.is(200).text(), large);
        assert_eq!(server.listed("dead_letter=true").await, [failed]);
    }
}

#[tokio::test]
async fn functions_versions_aliases_and_configurations_survive() {
    for end in BOTH {
        let server = Server::durable().await;
        let settings = json!({
            "arguments": ["Ada"], "environment": {"GREETING": "ahoy"}, "timeout_ms": 4_321, "concurrency": 3,
            "memory_bytes": 32 * 1024 * 1024,
        });
        server.deploy_with("hello", prebuilt("hello-command"), &settings).await;
        server.deploy("hello", prebuilt("echo")).await;
        server.put("/v1/functions/hello/aliases/first", r#"{"version": 1}"#).await.is(200);
        server.deploy("end", prebuilt("echo")).await;
        let config = json!({"max_retries": 9, "on_success": "function:end", "on_failure": "function:end@1"});
        server.configure("hello", &config).await.is(200);
        let own = server.put("/v1/functions/hello/async-config?qualifier=1", r#"{"max_event_age_s": 5}"#).await;
        own.is(200);
        server.deploy("gone", prebuilt("echo")).await;
        server.delete("/v1/functions/gone").await.is(204);
        let shown = async |server: &Server| -> Vec<Value> {
            let paths =
                ["/v1/functions", "/v1/functions/hello/versions", "/v1/graph", "/v1/functions/hello?qualifier=1"];
            let mut shown = Vec::new();
            for path in paths {
                shown.push(server.get(path).await.is(200).json());
            }
            shown
        };
        let before = shown(&server).await;
        let server = restarted(server, end).await;
        assert_eq!(shown(&server).await, before, "{end:?}");
        let greeting = server.post("/v1/functions/hello/invocations?qualifier=first", "").await.is(200);
        assert_eq!(greeting.text(), "ahoy, Ada\n");
    }
}

#[tokio::test]
async fn an_attempt_cut_short_by_kill_9_counts() {
    let server = Server::durable().await;
    let settings = json!({"timeout_ms": 20_000, "async_config": {"max_retries": 1, "retry_delay_ms": 1}});
    server.deploy_with("spin", hostile("spin"), &settings).await;
    let id = server.accept("spin", "").await;
    server.reaches(&id, "running").await;
    let server = server.killed().await.restarted().await;
    until("the second attempt", async || {
        Some(attempts(&server.look(&id).await) == [(1, "interrupted"), (2, "")]).filter(|begun| *begun)
    })
    .await;
    // The second is the last, however it ends: a function that takes the process down cannot do so for ever.
    let server = server.killed().await.restarted().await;
    let invocation = server.settled(&id, "failed").await;
    assert_eq!(attempts(&invocation), [(1, "interrupted"), (2, "interrupted")]);
    assert_eq!((&invocation["condition"], &invocation["dead_letter"]), (&json!("RetriesExhausted"), &json!(true)));
}

#[tokio::test]
async fn a_function_that_takes_the_process_down_does_so_a_bounded_number_of_times() {
    let server = Server::with(&["--fault-injection"]).await;
    let settings = json!({"async_config": {"max_retries": 1, "retry_delay_ms": 1}});
    server.deploy_with("abort", hostile("abort"), &settings).await;
    server.deploy("echo", prebuilt("echo")).await;
    let beside = server.accept_with("echo", "beside", &[("tidemill-delay", "1h")]).await;
    // Later, or the process could be gone before the answer is out.
    let id = server.accept_with("abort", "", &[("tidemill-delay", "2s")]).await;
    let crashed = server.ended().await;
    assert_eq!(crashed.code, None, "by the signal of an abort");
    let crashed = crashed.runs_out(&["--fault-injection"]).await;
    assert_eq!(crashed.code, None, "by the second attempt");
    let server = crashed.restarted_with(&["--fault-injection"]).await;
    let invocation = server.settled(&id, "failed").await;
    assert_eq!(attempts(&invocation), [(1, "interrupted"), (2, "interrupted")]);
    assert_eq!(server.look(&beside).await["status"], "queued");
}

#[tokio::test]
async fn an_attempt_cut_short_by_a_shutdown_does_not_count() {
    let server = Server::with(&["--drain", "100ms"]).await;
    let settings = json!({"timeout_ms": 20_000, "async_config": {"max_retries": 0}});
    server.deploy_with("spin", hostile("spin"), &settings).await;
    let id = server.accept("spin", "").await;
    server.reaches(&id, "running").await;
    let server = server.terminated().await.restarted().await;
    let running = server.reaches(&id, "running").await;
    assert_eq!(attempts(&running), [(1, "interrupted"), (1, "")]);
    let message = running["attempts"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("does not count"), "{message}");
    server.post(&format!("/v1/invocations/{id}/cancel"), "").await.is(200);
}

#[tokio::test]
async fn a_shutdown_lets_what_runs_end() {
    let server = Server::durable().await;
    server.deploy("web", prebuilt("hello-http")).await;
    let settings = json!({"timeout_ms": 6_000, "async_config": {"max_retries": 0}});
    server.deploy_with("spin", hostile("spin"), &settings).await;
    let id = server.accept("spin", "").await;
    let slow = server.request(reqwest::Method::GET, "/fn/web/slow?ms=4000");
    let stop = async {
        server.runs(2).await;
        server.ask_to_stop().await;
    };
    let (answer, ()) = tokio::join!(server.send(slow), stop);
    assert_eq!(answer.is(200).text(), "slept 4000 ms\n");
    let stopped = server.ended().await;
    assert_eq!(stopped.code, Some(0));
    let server = stopped.restarted().await;
    assert_eq!(attempts(&server.settled(&id, "failed").await), [(1, "timeout")]);
}

#[tokio::test]
async fn a_caller_is_not_waited_for_longer_than_the_drain_and_is_told_so() {
    let server = Server::with(&["--drain", "100ms"]).await;
    // Longer than anybody waits for the server's end here.
    server.deploy_with("spin", hostile("spin"), &json!({"timeout_ms": 600_000})).await;
    let stop = async {
        server.runs(1).await;
        server.ask_to_stop().await;
    };
    let (cut, ()) = tokio::join!(server.post("/v1/functions/spin/invocations", ""), stop);
    assert_eq!(cut.problem(503, "interrupted")["effect"], "unknown");
    assert_eq!(server.ended().await.code, Some(0));
}

#[tokio::test]
async fn whoever_follows_an_invocation_when_the_server_ends_is_told_how_far_it_has_come() {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    let id = server.accept_with("echo", "x", &[("tidemill-delay", "1h")]).await;
    let path = format!("/v1/invocations/{id}?wait=60s");
    let follow = async {
        let mut following = Box::pin(server.get(&path));
        // It waits by now, or will when it is asked to stop: both are answered.
        tokio::select! {
            early = &mut following => panic!("{}", early.text()),
            () = server.ask_to_stop() => following.await,
        }
    };
    assert_eq!(follow.await.is(200).json()["status"], "queued");
    assert_eq!(server.ended().await.code, Some(0));
}

#[tokio::test]
async fn a_server_that_is_asked_to_stop_takes_no_more_and_what_waited_is_kept() {
    let server = Server::with(&["--concurrency", "1"]).await;
    let settings = json!({"timeout_ms": 6_000, "async_config": {"max_retries": 0}});
    server.deploy_with("spin", hostile("spin"), &settings).await;
    server.deploy("echo", prebuilt("echo")).await;
    let running = server.accept("spin", "").await;
    server.reaches(&running, "running").await;
    let waiting = server.accept("echo", "kept").await;
    let server = server.terminated().await.restarted().await;
    server.settled(&running, "failed").await;
    assert_eq!(server.settled(&waiting, "succeeded").await["result"]["body"], "kept");
}

#[tokio::test]
async fn compiled_code_is_kept_and_used_again() {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    server.invoke("echo", "").await.is(200);
    let stopped = server.terminated().await;
    let cache = stopped.data().join("cache");
    let compiled = || -> Vec<_> {
        let entries = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> =
            entries.map(|it| (it.file_name(), it.metadata().unwrap().modified().unwrap())).collect();
        files.sort();
        files
    };
    let before = compiled();
    assert_eq!(before.len(), 1, "{before:?}");
    let server = stopped.restarted().await;
    assert_eq!(server.invoke("echo", "again").await.is(200).text(), "again");
    assert_eq!(compiled(), before, "it was read, not written again");

    // Damage is noticed, told, and repaired.
    let stopped = server.terminated().await;
    for (name, _) in &before {
        fs::write(cache.join(name), b"damaged").unwrap();
    }
    let server = stopped.restarted().await.expecting(&["compiled code is"]);
    assert_eq!(server.invoke("echo", "all the same").await.is(200).text(), "all the same");
}

#[tokio::test]
async fn a_folder_of_a_newer_format_is_refused_and_left_as_it_is() {
    let server = Server::durable().await;
    let stopped = server.terminated().await;
    let format = stopped.data().join("FORMAT");
    let text = fs::read_to_string(&format).unwrap();
    let newer = text.replace('2', "3");
    assert_ne!(newer, text);
    fs::write(&format, &newer).unwrap();
    let refused = stopped.runs_out(&[]).await;
    let said = refused.log();
    assert_eq!(refused.code, Some(4), "{said}");
    assert_eq!(fs::read_to_string(&format).unwrap(), newer);
    assert!(said.contains("it is in format 3 and this program reads format 2"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test]
async fn a_folder_that_another_server_has_open_is_refused() {
    let server = Server::durable().await;
    let folder = server.folder().join("tidemill-data");
    let mut second = tokio::process::Command::new(env!("CARGO_BIN_EXE_tidemill"));
    second.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(30), second.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("another process has it open"), "{said}");
    server.get("/readyz").await.is(200);
}

#[tokio::test]
async fn chains_go_on_through_a_kill_without_losing_or_doubling_a_step() {
    let server = Server::durable().await;
    server.deploy("c", prebuilt("echo")).await;
    for (name, next) in [("b", "c"), ("a", "b")] {
        let settings = json!({"async_config": {"on_success": format!("function:{next}")}});
        server.deploy_with(name, prebuilt("echo"), &settings).await;
    }
    let mut roots = Vec::new();
    for n in 0..30 {
        roots.push(server.accept("a", format!("order {n}")).await);
    }
    let server = server.killed().await.restarted().await;
    for root in &roots {
        let mut id = root.clone();
        for hop in 0..3 {
            let invocation = server.settled(&id, "succeeded").await;
            assert_eq!(invocation["hop"], hop);
            id = invocation["next"]["id"].as_str().unwrap_or_default().to_owned();
        }
    }
    assert_eq!(server.listed("limit=1000").await.len(), 90);
}
