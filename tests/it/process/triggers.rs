//! Triggers: what invokes functions by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Server, prebuilt, run, until};

async fn made(server: &Server, name: &str, trigger: &Value) -> Value {
    let answer = server.put(&format!("/v1/triggers/{name}"), trigger.to_string()).await;
    assert!([200, 201].contains(&answer.status), "{}", answer.text());
    answer.json()
}

async fn shown(server: &Server, name: &str) -> Value {
    server.get(&format!("/v1/triggers/{name}")).await.is(200).json()
}

/// What every invocation of a function brought, as JSON, once all that were accepted have succeeded.
async fn payloads(server: &Server, function: &str) -> Vec<Value> {
    let listed = server.get(&format!("/v1/invocations?function={function}&limit=1000")).await.is(200).json();
    let mut payloads = Vec::new();
    for invocation in listed["invocations"].as_array().unwrap() {
        let id = invocation["id"].as_str().unwrap();
        server.settled(id, "succeeded").await;
        payloads.push(server.get(&format!("/v1/invocations/{id}/result")).await.is(200).json());
    }
    payloads
}

/// The times that these payloads of a timer are for.
fn times(payloads: &[Value]) -> BTreeSet<String> {
    payloads.iter().map(|payload| payload["scheduled_for"].as_str().unwrap().to_owned()).collect()
}

async fn fired(server: &Server, name: &str, times: u64) {
    until("the timer", async || (shown(server, name).await["fired"].as_u64() >= Some(times)).then_some(())).await;
}

#[tokio::test]
async fn the_hours_of_a_timer_pass_in_seconds_where_time_is_scaled() {
    let server = Server::with(&["--store", "memory", "--time-scale", "600"]).await;
    server.deploy_with("echo", prebuilt("echo"), &json!({"async_config": {"max_event_age_s": 86_400}})).await;
    let timer = json!({"kind": "timer", "function": "echo", "cron": "*/30 * * * *", "catch_up": "all"});
    made(&server, "half-hourly", &timer).await;
    fired(&server, "half-hourly", 3).await;
    server.post("/v1/triggers/half-hourly/disable", "").await.is(200);
    let payloads = payloads(&server, "echo").await;
    let fired_for: Vec<_> = times(&payloads).into_iter().collect();
    assert_eq!(fired_for.len(), payloads.len(), "{payloads:?}");
    let is_one = |time: &String| time.contains(":00:00.000Z") || time.contains(":30:00.000Z");
    assert!(fired_for.iter().all(is_one), "{fired_for:?}");
    let at = |time: &str| tidemill::model::time::Timestamp::parse(time).unwrap();
    let apart: Vec<_> = fired_for.windows(2).map(|pair| at(&pair[1]).since(at(&pair[0]))).collect();
    assert!(apart.iter().all(|apart| *apart == Duration::from_secs(1_800)), "{fired_for:?}");
}

#[tokio::test]
async fn a_timer_fires_each_second_and_no_second_twice_though_the_server_is_killed() {
    let mut server = Server::durable().await;
    // One may be under way at each of the kills.
    server.deploy_with("echo", prebuilt("echo"), &json!({"async_config": {"max_retries": 5}})).await;
    let timer = json!({"kind": "timer", "function": "echo", "cron": "* * * * * *", "catch_up": "all"});
    made(&server, "secondly", &timer).await;
    for round in 1..=3 {
        fired(&server, "secondly", 2 * round).await;
        server = server.killed().await.restarted().await;
    }
    fired(&server, "secondly", 9).await;
    server.post("/v1/triggers/secondly/disable", "").await.is(200);
    let payloads = payloads(&server, "echo").await;
    let fired_for = times(&payloads);
    assert_eq!(fired_for.len(), payloads.len(), "a second was fired for twice: {payloads:?}");
    let at = |time: &str| tidemill::model::time::Timestamp::parse(time).unwrap();
    let (first, last) = (at(fired_for.first().unwrap()), at(fired_for.last().unwrap()));
    assert_eq!(last.since(first).as_secs() + 1, fired_for.len() as u64, "a second was left out: {fired_for:?}");
    assert_eq!(shown(&server, "secondly").await["fired"], fired_for.len());
}

#[tokio::test]
async fn a_timer_gives_what_it_was_told_to_and_says_what_became_of_it() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let timer = json!({
        "kind": "timer", "function": "echo@1", "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "catch_up": "none",
        "payload": "high tide", "content_type": "text/plain", "enabled": false,
    });
    let answer = server.put("/v1/triggers/nightly", timer.to_string()).await.is(201).json();
    assert_eq!((&answer["enabled"], &answer["next_at"], &answer["fired"]), (&false.into(), &Value::Null, &0.into()));
    assert_eq!((&answer["function"], &answer["payload"]), (&"echo@1".into(), &"high tide".into()));
    let accepted = server.post("/v1/triggers/nightly/fire", "").await.is(202).json();
    let settled = server.settled(accepted["id"].as_str().unwrap(), "succeeded").await;
    assert_eq!(settled["result"]["body"], "high tide");
    let on = server.post("/v1/triggers/nightly/enable", "").await.is(200).json();
    assert!(on["next_at"].as_str().unwrap().ends_with(":30:00.000Z"), "{on}");
    assert_eq!((&on["fired"], &on["last_invocation_id"]), (&1.into(), &accepted["id"]));
    let graph = server.get("/v1/graph").await.is(200).json();
    let edge = json!({"from": "timer:nightly", "to": "echo", "on": "trigger", "version": null, "trigger": "nightly"});
    assert_eq!(graph["edges"], json!([edge]));
    server.delete("/v1/functions/echo").await.refusal(409, "function_in_use", "`trigger:nightly`");
    server.delete("/v1/triggers/nightly").await.is(204);
    server.get("/v1/triggers/nightly").await.refusal(404, "trigger_not_found", "`nightly`");
    server.delete("/v1/functions/echo").await.is(204);
}

#[tokio::test]
async fn a_timer_whose_function_was_deleted_by_force_says_so_and_fires_nothing() {
    let server = Server::in_memory().await.expecting(&["a trigger could not fire"]);
    server.deploy("echo", prebuilt("echo")).await;
    made(&server, "secondly", &json!({"kind": "timer", "function": "echo", "cron": "* * * * * *"})).await;
    fired(&server, "secondly", 1).await;
    server.delete("/v1/functions/echo?force=true").await.is(204);
    let error = until("the error", async || {
        shown(&server, "secondly").await["last_error"]["message"].as_str().map(str::to_owned)
    });
    assert!(error.await.contains("`echo`"));
    server.deploy("echo", prebuilt("echo")).await;
    let before = shown(&server, "secondly").await["fired"].clone();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(shown(&server, "secondly").await["fired"], before, "another function of that name is another function");
}

#[tokio::test]
async fn what_is_no_trigger_is_refused_with_what_was_wrong() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let timer = json!({"kind": "timer", "function": "echo", "cron": "* * * * *"});
    let check = async |field: &str, value: Value, status: u16, code: &str, part: &str| {
        let mut trigger = timer.clone();
        trigger[field] = value;
        server.put("/v1/triggers/t", trigger.to_string()).await.refusal(status, code, part);
    };
    check("cron", "soon".into(), 400, "bad_schedule", "`soon`").await;
    check("cron", "0 0 31 2 *".into(), 400, "bad_schedule", "never met").await;
    check("time_zone", "Berlin".into(), 400, "bad_schedule", "`Berlin`").await;
    check("catch_up", "some".into(), 400, "bad_trigger", "`some`").await;
    check("kind", "alarm".into(), 400, "bad_json", "alarm").await;
    check("every", "1s".into(), 400, "bad_json", "every").await;
    check("function", "ecco".into(), 404, "function_not_found", "`ecco`").await;
    check("function", "echo@9".into(), 404, "version_not_found", "`9`").await;
    check("function", "a b".into(), 400, "bad_name", "`a b`").await;
    check("payload_base64", "%".into(), 400, "bad_payload", "base64").await;
    check("content_type", "text/plain".into(), 400, "bad_payload", "content_type").await;
    check("payload", "x".repeat(64 * 1024 + 1).into(), 413, "body_too_large", "65537").await;
    server.put("/v1/triggers/0t", timer.to_string()).await.refusal(400, "bad_name", "`0t`");
    server.post("/v1/triggers/t/fire", "").await.refusal(404, "trigger_not_found", "`t`");
    assert_eq!(server.get("/v1/triggers").await.is(200).json()["triggers"], json!([]));
}

#[tokio::test]
async fn the_command_line_makes_lists_fires_and_deletes_triggers() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let typed = async |line: &[&str]| run(&server, line).await;
    let made = typed(&[
        "triggers",
        "create",
        "timer",
        "nightly",
        "--function",
        "echo",
        "--cron",
        "30 2 * * *",
        "--time-zone",
        "Europe/Berlin",
        "--catch-up",
        "all",
        "--data",
        "tide",
    ]);
    assert!(made.await.exits(0).text().contains("30 2 * * * Europe/Berlin"));
    let listed = typed(&["triggers", "list"]).await.exits(0).text();
    assert!(listed.contains("nightly") && listed.contains("timer") && listed.contains("on"), "{listed}");
    let id = typed(&["triggers", "fire", "nightly"]).await.exits(0).text();
    assert_eq!(server.settled(id.trim(), "succeeded").await["result"]["body"], "tide");
    assert!(typed(&["triggers", "disable", "nightly"]).await.exits(0).text().contains("off"));
    assert!(typed(&["graph"]).await.exits(0).text().contains("timer:nightly\n└─ triggers ─> echo"));
    typed(&["triggers", "delete", "nightly"]).await.exits(0).text();
    assert!(typed(&["triggers", "show", "nightly"]).await.exits(4).err.contains("there is no trigger `nightly`"));
}
