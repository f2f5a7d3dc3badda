//! What has become of asynchronous invocations: states, filters, pages, windows of time; cancelling; figures.

use reqwest::Method;
use serde_json::{Value, json};

use super::{accept, below, create, path, reaches, refused, send, urn};
use crate::process::support::{Server, hostile, prebuilt};

async fn listed(server: &Server, name: &str, query: &str) -> Value {
    server.get(&below(name, &format!("async-invocations{query}"))).await.is(200).json()
}

fn ids(page: &Value) -> Vec<&str> {
    page["invocations"].as_array().unwrap().iter().map(|it| it["request_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_end_has_its_state_and_a_number_for_its_error() {
    let server = Server::in_memory().await;
    create(&server, "echo", &prebuilt("echo")).await;
    create(&server, "trap", &hostile("trap")).await;
    create(&server, "sleep", &hostile("sleep")).await;
    for name in ["trap", "sleep"] {
        let config = json!({"max_async_retry_attempts": 0});
        send(&server, Method::PUT, &below(name, "async-invoke-config"), &config).await.is(200);
    }
    let id = accept(&server, "echo", "{}").await;
    let entry = reaches(&server, "echo", &id, "SUCCESS").await;
    let members: Vec<_> = entry.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["request_id", "status", "error_message", "error_code", "start_time", "end_time"]);
    assert_eq!((&entry["error_message"], &entry["error_code"]), (&json!(""), &json!(0)));
    for time in ["start_time", "end_time"] {
        let text = entry[time].as_str().unwrap();
        assert!(text.len() == 19 && &text[10..11] == "T", "{text}");
    }
    let id = accept(&server, "trap", "{}").await;
    let entry = reaches(&server, "trap", &id, "FAIL").await;
    assert_eq!(entry["error_code"], 500);
    assert!(entry["error_message"].as_str().unwrap().starts_with("RetriesExhausted: trap: "));

    let id = accept(&server, "sleep", "25000").await;
    let entry = reaches(&server, "sleep", &id, "RUNNING").await;
    assert_eq!((&entry["end_time"], &entry["error_code"]), (&Value::Null, &json!(0)));
    let active = below("sleep", "active-async-invocations");
    assert_eq!(ids(&server.get(&active).await.is(200).json()), [id.as_str()]);
    let cancel = json!({"request_id": id, "type": "force"});
    let answer = send(&server, Method::POST, &below("sleep", "cancel"), &cancel).await.is(200);
    assert_eq!(answer.text(), "null");
    let entry = reaches(&server, "sleep", &id, "FAIL").await;
    assert_eq!((&entry["error_code"], &entry["error_message"]), (&json!(4208), &json!("function invocation canceled")));
    assert_eq!(server.get(&active).await.is(200).json()["invocations"], json!([]));
    let told = refused(&send(&server, Method::POST, &below("sleep", "cancel"), &cancel).await, 400, "FSS.0400");
    assert!(told.contains("cancelled already"), "{told}");
}

#[tokio::test]
async fn what_waits_and_what_grew_too_old_have_states_of_their_own() {
    let server = Server::in_memory().await;
    create(&server, "echo", &prebuilt("echo")).await;
    let namespaced = |rest: &str| format!("/v1/functions/echo/queue/{rest}?namespace={}", super::PROJECT);
    let config = json!({"max_async_event_age_in_seconds": 4});
    send(&server, Method::PUT, &below("echo", "async-invoke-config"), &config).await.is(200);
    server.post(&namespaced("pause"), "").await.is(200);
    let id = accept(&server, "echo", "{}").await;
    assert_eq!(listed(&server, "echo", "?status=WAIT").await["invocations"][0]["request_id"], id.as_str());
    let entry = reaches(&server, "echo", &id, "DISCARD").await;
    assert!(entry["error_message"].as_str().unwrap().starts_with("EventAgeExceeded"));
    assert_ne!(entry["error_code"], 0);
}

#[tokio::test]
async fn a_history_is_filtered_paged_and_looked_at_through_a_window() {
    let server = Server::in_memory().await;
    for name in ["echo", "other"] {
        create(&server, name, &prebuilt("echo")).await;
    }
    let mut all = Vec::new();
    for n in 0..5 {
        all.push(accept(&server, "echo", &n.to_string()).await);
    }
    let other = accept(&server, "other", "{}").await;
    server.post(&below("echo", "invocations"), "{}").await.is(200); // whoever waited is not in it
    all.sort_unstable_by(|one, other| other.cmp(one)); // of one millisecond, by the rest of their ids
    let page = listed(&server, "echo", "").await;
    assert_eq!(
        (ids(&page), &page["count"], &page["next_marker"]),
        (all.iter().map(String::as_str).collect(), &json!(5), &json!(5))
    );
    let page = listed(&server, "echo", "?limit=2&marker=1").await;
    assert_eq!((ids(&page), &page["count"], &page["next_marker"]), (vec![&*all[1], &*all[2]], &json!(5), &json!(3)));
    assert_eq!(ids(&listed(&server, "echo", "?marker=9").await), [""; 0]);
    assert_eq!(ids(&listed(&server, "echo", &format!("?request_id={}", all[3])).await), [&*all[3]]);
    assert_eq!(ids(&listed(&server, "echo", &format!("?request_id={other}")).await), [""; 0]);
    for (query, count) in [
        ("?query_begin_time=2020-01-01T00:00:00", 5),
        ("?query_begin_time=2020-01-01T00%3A00%3A00.123456&query_end_time=2020-01-02T00:00:00", 0),
        ("?query_begin_time=2020-01-01%2000:00:00&query_end_time=9999-01-01T00:00:00Z", 5),
        ("?query_end_time=2020-01-01T00:00:00%2B08:00", 0),
        ("?status=DISCARD", 0),
    ] {
        assert_eq!(listed(&server, "echo", query).await["count"], count, "{query}");
    }
    let of_version = async |version: &str| {
        let path = path(&format!("functions/{}/async-invocations", urn("echo", version)));
        server.get(&path).await.is(200).json()["count"].clone()
    };
    assert_eq!([of_version("").await, of_version(":1").await], [json!(5), json!(5)]);
    // A version that has been made since has none of them.
    let code = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, prebuilt("describe"));
    let code = json!({"code_type": "inline", "func_code": {"file": code}});
    send(&server, Method::PUT, &below("echo", "code"), &code).await.is(200);
    assert_eq!(
        [of_version(":latest").await, of_version(":2").await, of_version(":1").await],
        [json!(5), json!(0), json!(5)]
    );
}

#[tokio::test]
async fn what_is_asked_wrongly_of_a_history_is_refused() {
    let server = Server::in_memory().await;
    create(&server, "echo", &prebuilt("echo")).await;
    let id = "e834cb5b-1b2b-4c6b-b41c-8bd10fd41826";
    let eleven = [id; 11].join(",");
    for (query, code, part) in [
        ("async-invocations?status=DONE", "FSS.0400", "`status` is `DONE`"),
        ("async-invocations?limit=501", "FSS.1001", "`limit` is 501"),
        ("async-invocations?limit=0", "FSS.1001", "`limit` is 0"),
        ("async-invocations?marker=-1", "FSS.1001", "`marker` is `-1`"),
        ("async-invocations?request_id=7", "FSS.0400", "`7` is not an id"),
        ("async-invocations?query_begin_time=yesterday", "FSS.0400", "`yesterday`"),
        ("async-invocations?query_end_time=1700000000000", "FSS.0400", "`1700000000000`"),
        (
            "async-invocations?query_begin_time=2026-01-02T00:00:00&query_end_time=2026-01-01T00:00:00",
            "FSS.0400",
            "exchange",
        ),
        (&format!("active-async-invocations?requests={eleven}"), "FSS.0400", "up to 10"),
        ("slareports/0", "FSS.1001", "the period is `0`"),
        ("statistics/hour", "FSS.1001", "the period is `hour`"),
    ] {
        let told = refused(&server.get(&below("echo", query)).await, 400, code);
        assert!(told.contains(part), "{query}: {told}");
    }
    for (body, code, part) in [
        (json!({}), "FSS.0400", "`request_id` is missing"),
        (json!({"request_id": 7}), "FSS.0400", "send a string"),
        (json!({"request_id": "7"}), "FSS.0400", "`7` is not an id"),
        (json!({"request_id": id}), "FSS.0400", "there is no invocation"),
        (json!({"request_id": id, "type": "gentle"}), "FSS.0400", "`type` is `gentle`"),
    ] {
        let told = refused(&send(&server, Method::POST, &below("echo", "cancel"), &body).await, 400, code);
        assert!(told.contains(part), "{body}: {told}");
    }
    for rest in ["async-invocations", "active-async-invocations", "slareports/5", "statistics/5"] {
        assert_eq!(server.get(&below("none", rest)).await.status, 404, "{rest}");
    }
}

#[tokio::test]
async fn a_request_of_another_function_cannot_be_cancelled() {
    let server = Server::in_memory().await;
    create(&server, "sleep", &hostile("sleep")).await;
    create(&server, "echo", &prebuilt("echo")).await;
    let id = accept(&server, "sleep", "20000").await;
    let answer = send(&server, Method::POST, &below("echo", "cancel"), &json!({"request_id": id})).await;
    assert!(refused(&answer, 400, "FSS.0400").contains(&id));
    reaches(&server, "sleep", &id, "RUNNING").await;
    let recursive = json!({"request_id": id, "type": "recursive"});
    send(&server, Method::POST, &below("sleep", "cancel"), &recursive).await.is(200);
    reaches(&server, "sleep", &id, "FAIL").await;
}

#[tokio::test]
async fn figures_are_those_of_what_has_run() {
    let server = Server::in_memory().await;
    create(&server, "trap", &hostile("trap")).await;
    for _ in 0..3 {
        refused(&server.post(&below("trap", "invocations"), "{}").await, 500, "FSS.0500");
    }
    let config = json!({"max_async_retry_attempts": 0});
    send(&server, Method::PUT, &below("trap", "async-invoke-config"), &config).await.is(200);
    let id = accept(&server, "trap", "{}").await;
    reaches(&server, "trap", &id, "FAIL").await;
    let sum = |metrics: &Value, name: &str| {
        let values = metrics[name].as_array().unwrap().iter();
        values.map(|it| it["value"].as_u64().unwrap()).sum::<u64>()
    };
    let longest = |metrics: &Value, name: &str| {
        metrics[name].as_array().unwrap().iter().map(|it| it["value"].as_f64().unwrap()).fold(0.0, f64::max)
    };
    let counted = crate::process::support::until("all four", async || {
        let metrics = server.get(&below("trap", "slareports/10")).await.is(200).json();
        Some(metrics).filter(|metrics| sum(metrics, "count") == 4)
    });
    let metrics = counted.await;
    assert_eq!([sum(&metrics, "fail_count"), sum(&metrics, "function_error_count")], [4, 4]);
    assert_eq!(sum(&metrics, "system_error_count"), 0);
    assert!(longest(&metrics, "max_duration") >= longest(&metrics, "duration") && sum(&metrics, "instance_num") >= 1);
    assert_eq!(metrics["count"].as_array().unwrap().len(), 10);
    let statistics = server.get(&below("trap", "statistics/10")).await.is(200).json();
    assert_eq!((sum(&statistics, "count"), statistics.get("instance_num")), (4, None));
    let at = statistics["count"][9]["timestamp"].as_u64().unwrap();
    assert!(at.is_multiple_of(60_000) && at > 1_600_000_000_000, "{at}");
}
