//! The commands of the program, against a real server: what they print and how they exit.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::support::{Finished, Server, output, prebuilt, prebuilt_path, run, run_with, until, write_hostile};
use crate::skipped;

/// Runs a command that is written with spaces between its words.
async fn tidemill(server: &Server, words: &str) -> Finished {
    run(server, &words.split(' ').collect::<Vec<_>>()).await
}

/// Deploys a prebuilt guest.
async fn deploy(server: &Server, guest: &str, more: &str) -> Finished {
    let mut words = vec![OsString::from("deploy"), prebuilt_path(guest).into()];
    words.extend(more.split(' ').map(OsString::from));
    run(server, &words).await
}

#[tokio::test]
async fn a_function_is_deployed_invoked_named_and_deleted() {
    let server = Server::in_memory().await;
    let deployed = deploy(&server, "echo", "--name echo").await.exits(0);
    assert!(deployed.text().contains("echo"), "{}", deployed.text());
    let answer = tidemill(&server, "invoke echo --data hello").await.exits(0);
    assert_eq!((answer.text().as_str(), answer.err.as_str()), ("hello", ""));
    let piped = run_with(&server.url(""), &["invoke", "echo"], b"from a pipe\xff").await.exits(0);
    assert_eq!(piped.out, b"from a pipe\xff");
    deploy(&server, "describe", "--name echo --timeout 5s --memory 64MiB --env A=b").await.exits(0);
    tidemill(&server, "functions alias echo first 1").await.exits(0);
    assert_eq!(tidemill(&server, "invoke echo --qualifier first --data one").await.exits(0).text(), "one");
    let shown = tidemill(&server, "functions show echo --json").await.exits(0).json();
    assert_eq!((&shown["latest"], &shown["version"]["timeout_ms"]), (&json!(2), &json!(5_000)));
    assert_eq!(shown["version"]["environment"], json!({"A": "b"}));
    let versions = tidemill(&server, "functions versions echo").await.exits(0).text();
    assert!(versions.lines().any(|line| line.starts_with('1') && line.contains("first")), "{versions}");
    let list = tidemill(&server, "functions list").await.exits(0).text();
    assert!(list.contains("echo") && list.lines().count() == 2, "{list}");
    tidemill(&server, "functions delete echo").await.exits(0);
    let listed = tidemill(&server, "functions list --json").await.exits(0).json();
    assert_eq!(listed["functions"], json!([]));
}

#[tokio::test]
async fn an_asynchronous_invocation_is_left_waited_for_and_looked_at() {
    let server = Server::in_memory().await;
    deploy(&server, "flaky", "--name flaky --max-retries 2 --retry-delay 10ms").await.exits(0);
    let waited = run(&server, &["invoke", "flaky", "--async", "--wait", "--data", r#"{"fail_attempts":2}"#]).await;
    assert_eq!(waited.exits(0).json(), json!({"ok_on_attempt": 3, "failed_attempts": 2}));
    let left = tidemill(&server, "invoke flaky --async").await.exits(0).text();
    let id = left.trim();
    let shown = tidemill(&server, &format!("invocations show {id} --wait 30s --json")).await.exits(0).json();
    assert_eq!((&shown["status"], &shown["id"]), (&json!("succeeded"), &json!(id)));
    let text = tidemill(&server, &format!("invocations show {id}")).await.exits(0).text();
    assert!(text.contains("succeeded") && text.contains("ATTEMPT"), "{text}");
    let result = tidemill(&server, &format!("invocations result {id}")).await.exits(0);
    assert_eq!(result.json()["ok_on_attempt"], 1);
    let delayed = tidemill(&server, "invoke flaky --async --delay 1h").await.exits(0).text();
    let late = tidemill(&server, &format!("invocations show {} --wait 100ms", delayed.trim())).await;
    let late = late.exits(4);
    assert!(late.text().contains("queued") && late.err.contains("is still queued"), "{}", late.err);
    tidemill(&server, &format!("invocations cancel {}", delayed.trim())).await.exits(0);
    let list = tidemill(&server, "invocations list --status cancelled --json").await.exits(0).json();
    assert_eq!(list["invocations"][0]["id"], delayed.trim());
    let again = tidemill(&server, &format!("invocations retry {id}")).await.exits(0).text();
    tidemill(&server, &format!("invocations show {} --wait", again.trim())).await.exits(0);
    let all = tidemill(&server, "invocations list").await.exits(0).text();
    assert_eq!(all.lines().count(), 5, "{all}");
}

#[tokio::test]
async fn configurations_are_set_shown_and_drawn() {
    let server = Server::in_memory().await;
    deploy(&server, "describe", "--name b").await.exits(0);
    deploy(&server, "echo", "--name a --on-success function:b").await.exits(0);
    let graph = tidemill(&server, "graph").await.exits(0).text();
    assert_eq!(graph, "a\n└─ on success ─> b\n");
    assert!(tidemill(&server, "graph --dot").await.exits(0).text().contains("\"a\" -> \"b\""));
    assert_eq!(tidemill(&server, "graph --json").await.exits(0).json()["edges"][0]["to"], "b");
    let shown = tidemill(&server, "async-config get a --json").await.exits(0).json();
    assert_eq!(shown["on_success"], json!({"to": "function:b"}));
    let refused = tidemill(&server, "async-config set b --on-success function:a").await.exits(4);
    assert!(refused.err.contains("b -> a -> b"), "{}", refused.err);
    let refused = tidemill(&server, "functions delete b").await.exits(4);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    tidemill(&server, "async-config set a --max-retries 3").await.exits(0);
    let replaced = tidemill(&server, "async-config get a --json").await.exits(0).json();
    assert_eq!((&replaced["max_retries"], &replaced["on_success"]), (&json!(3), &json!(null)));
    tidemill(&server, "async-config delete a").await.exits(0);
    assert_eq!(tidemill(&server, "async-config get a --json").await.exits(0).json()["set"], false);
}

#[tokio::test]
async fn each_way_to_fail_has_an_exit_code_and_says_what_to_do() {
    let server = Server::in_memory().await;
    let trap = write_hostile(server.folder(), "trap");
    run(&server, &[&OsString::from("deploy"), &trap.into(), &"--name".into(), &"trap".into()]).await.exits(0);
    let failed = tidemill(&server, "invoke trap").await.exits(1);
    assert!(failed.err.starts_with("error: the function failed: trap: ") && failed.out.is_empty(), "{}", failed.err);
    assert!(failed.err.contains("hint: `tidemill invocations logs "), "{}", failed.err);
    tidemill(&server, "async-config set trap --max-retries 0").await.exits(0);
    let failed = tidemill(&server, "invoke trap --async --wait").await.exits(1);
    assert!(failed.err.contains("RetriesExhausted"), "{}", failed.err);

    tidemill(&server, "invoke").await.exits(2);
    tidemill(&server, "frobnicate").await.exits(2);
    let missing = tidemill(&server, "deploy /nowhere.wasm --name x").await.exits(2);
    assert!(missing.err.contains("/nowhere.wasm"), "{}", missing.err);

    let nobody = run_with("http://127.0.0.1:1", &["functions", "list"], b"").await.exits(3);
    assert!(nobody.err.contains("tidemill serve"), "{}", nobody.err);

    let unsent = run(&server, &["invoke", "trap", "--content-type", "a\nb"]).await.exits(2);
    assert!(unsent.err.contains("`a b` cannot be sent as `content-type`"), "{}", unsent.err);
    let elsewhere = run(&server, &["kv", "get", "carts", ".."]).await.exits(2);
    assert!(elsewhere.err.contains("`..` cannot be asked for"), "{}", elsewhere.err);
    tidemill(&server, "queues create jobs").await.exits(0);
    let exists = tidemill(&server, "queues create jobs").await.exits(4);
    assert!(exists.err.contains("tidemill queues set"), "{}", exists.err);
    let unnamed = tidemill(&server, "deliveries redrive").await.exits(2);
    assert!(unnamed.err.contains("`--all`"), "{}", unnamed.err);
    let cramped = format!("compile {} --output x --max-memory 1GiB", prebuilt_path("echo").display());
    let cramped = tidemill(&server, &cramped).await.exits(2);
    assert!(cramped.err.contains("at least 2 GiB"), "{}", cramped.err);

    let unknown = tidemill(&server, "invoke nobody").await.exits(4);
    assert!(unknown.err.contains("there is no function `nobody`"), "{}", unknown.err);
    let refused = run(&server, &["deploy", "Cargo.toml", "--name", "x"]).await.exits(4);
    assert!(refused.err.contains("not a valid WebAssembly module"), "{}", refused.err);
    let pending = tidemill(&server, "invoke trap --async --delay 1h --wait 100ms").await.exits(4);
    assert!(pending.err.contains("is still queued"), "{}", pending.err);
    tidemill(&server, "serve --listen 0.0.0.0:0").await.exits(2);
    tidemill(&server, "serve --hop-limit 0 --store memory").await.exits(2);
    let taken = tidemill(&server, &format!("serve --store memory --listen {}", server.address())).await.exits(4);
    assert!(taken.err.contains(server.address()), "{}", taken.err);
}

#[tokio::test]
async fn an_http_function_that_answers_with_a_failure_shows_its_answer_and_fails() {
    let server = Server::in_memory().await;
    server.deploy("web", prebuilt("fetch")).await;
    // It is granted nothing, which it answers with 502 and this line.
    let failed = tidemill(&server, r#"invoke web --data {"url":"http://api.example.com/"}"#).await.exits(1);
    assert_eq!(failed.text(), "HttpRequestDenied\n");
    assert!(failed.err.starts_with("error: the function failed: it answered 502 Bad Gateway\n"), "{}", failed.err);
}

#[tokio::test]
async fn completions_help_and_version_need_no_server() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run_with("http://127.0.0.1:1", &["completions", shell], b"").await.exits(0).text();
        assert!(script.contains("tidemill") && script.contains("async-config"), "{shell}");
    }
    assert!(run_with("", &["--version"], b"").await.exits(0).text().starts_with("tidemill "));
    assert!(run_with("", &["invoke", "--help"], b"").await.exits(0).text().contains("--qualifier"));
}

#[tokio::test]
async fn what_is_wrong_with_a_variable_is_told_by_its_name_to_the_commands_that_need_it() {
    for needs_none in [&["openapi"][..], &["completions", "bash"]] {
        run_with("nonsense", needs_none, b"").await.exits(0);
    }
    let refused = run_with("nonsense", &["functions", "list"], b"").await.exits(2);
    assert!(refused.err.contains("TIDEMILL_SERVER=nonsense is set"), "{}", refused.err);
    let usage = run_with("http://127.0.0.1:1", &["functions", "show"], b"").await.exits(2);
    assert!(!usage.err.contains("--server"), "{}", usage.err);
    let serve = |authenticate: &'static str| async move {
        let mut serve = tokio::process::Command::new(env!("CARGO_BIN_EXE_tidemill"));
        // What it says of --hop-limit comes after what it would say of the variable.
        serve.args(["serve", "--store", "memory", "--hop-limit", "0"]).env("TIDEMILL_AUTH", authenticate);
        String::from_utf8(output(&mut serve).await.stderr).unwrap()
    };
    assert!(serve("maybe").await.contains("TIDEMILL_AUTH=maybe is set"));
    assert!(serve("").await.contains("--hop-limit"));
}

#[tokio::test]
async fn what_has_been_made_is_printed_for_programs() {
    let server = Server::in_memory().await;
    let topic = tidemill(&server, "topics create news --json").await.exits(0).json();
    assert_eq!(topic["name"], "news");
    let account = tidemill(&server, "access accounts create ci --json").await.exits(0).json();
    assert_eq!(account["name"], "ci");
    tidemill(&server, "access tokens create ci --expires 0s").await.exits(2);
    tidemill(&server, "streams create s").await.exits(0);
    run_with(&server.url(""), &["streams", "append", "s"], b"\xff").await.exits(0);
    let read = tidemill(&server, "streams read s --json").await.exits(0).json();
    assert_eq!(read["records"][0]["data_base64"], "/w==");
    run_with(&server.url(""), &["topics", "publish", "news"], b"\xff").await.exits(0);
    let echo = std::fs::read(prebuilt_path("echo")).unwrap();
    run_with(&server.url(""), &["deploy", "-", "--name", "piped"], &echo).await.exits(0);
    assert_eq!(tidemill(&server, "invoke piped --data here").await.exits(0).text(), "here");
}

#[tokio::test]
async fn the_examples_print_commands_that_work_as_they_stand() {
    check_examples(&Server::with(&["--store", "memory", "--examples"]).await).await;
}

#[tokio::test]
async fn the_examples_of_a_server_with_tls_that_asks_for_a_token_print_commands_that_work_as_they_stand() {
    let server = Server::secured(&["--examples", "--public-host", "localhost"]).await;
    check_examples(&server).await;
    assert!(server.printed().contains(" https://localhost:"), "{}", server.printed());
}

/// Runs what the examples print.
async fn check_examples(server: &Server) {
    let printed = super::support::until("the examples", async || {
        Some(server.printed()).filter(|printed| printed.trim_end().ends_with("/v1/graph"))
    })
    .await;
    assert!(printed.contains("deployed: echo, describe, word-count, hello-http, order-total, flaky"), "{printed}");
    let curl = std::process::Command::new("curl").arg("--version").stdout(Stdio::null()).status();
    if curl.is_err() {
        return skipped("the curl lines of the examples, since curl is not here: run tests/clients/fetch");
    }
    let mut said = Vec::new();
    for line in printed.lines().filter(|line| line.starts_with("curl ")) {
        let output = output(tokio::process::Command::new("sh").args(["-c", line])).await;
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        said.push(String::from_utf8(output.stdout).unwrap());
    }
    let graph: serde_json::Value = serde_json::from_str(&said[3]).unwrap();
    let drawn = json!({"from": "order-total", "to": "describe", "on": "success", "version": null, "trigger": null});
    assert!(graph["edges"].as_array().unwrap().contains(&drawn), "{graph}");
    assert_eq!(said[0], "hello");
    assert!(said[1].lines().next().is_some_and(|status| status.contains(" 202")), "{}", said[1]);
    let invocation: serde_json::Value = serde_json::from_str(&said[2]).unwrap();
    assert_eq!(
        (&invocation["status"], &invocation["result"]["body"]["total_cents"]),
        (&json!("succeeded"), &json!(900))
    );
    let id: serde_json::Value = serde_json::from_str(said[1].lines().last().unwrap()).unwrap();
    let flaky = server.settled(id["id"].as_str().unwrap(), "succeeded").await;
    assert_eq!(flaky["attempts"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn ctrl_c_stops_a_command_that_reads_standard_input() {
    let server = Server::in_memory().await;
    let commands =
        ["deploy - --name x", "streams append s", "topics publish t", "queues send q", "secrets set s", "kv set s k"];
    for command in commands {
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_tidemill"))
            .args(command.split(' '))
            .env("TIDEMILL_SERVER", server.url(""))
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"the beginning").await.unwrap();
        until("the command to read", async || (rustix::io::ioctl_fionread(&stdin).unwrap() == 0).then_some(())).await;
        let id = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(id, Signal::INT).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await;
        assert_eq!(ended.unwrap_or_else(|_| panic!("`{command}` goes on")).unwrap().code(), Some(130), "{command}");
    }
}
