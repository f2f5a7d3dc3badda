//! Triggers of functions: timers fire with the service's own event; what could not act here is refused.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PROJECT, below, create, path, refused, send, urn};
use crate::process::support::{Server, prebuilt, until};

fn of(name: &str) -> String {
    path(&format!("triggers/{}", urn(name, ":latest")))
}

fn timer(name: &str, schedule_type: &str, schedule: &str) -> Value {
    let data = json!({"name": name, "schedule_type": schedule_type, "schedule": schedule, "user_event": "more"});
    json!({"trigger_type_code": "TIMER", "trigger_status": "ACTIVE", "event_data": data})
}

#[tokio::test]
async fn a_timer_fires_with_the_event_that_functions_of_the_service_expect() {
    let server = Server::in_memory().await;
    create(&server, "f", &prebuilt("echo")).await;
    let made = send(&server, Method::POST, &of("f"), &timer("Timer_001", "Cron", "* * * * * ?")).await.is(200).json();
    let members: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    let named =
        ["trigger_id", "trigger_type_code", "trigger_status", "event_data", "created_time", "last_updated_time"];
    assert_eq!(members, named);
    let fired = until("a success", async || {
        let page = server.get(&below("f", "async-invocations?status=SUCCESS")).await.is(200).json();
        page["invocations"].get(0).map(|it| it["request_id"].as_str().unwrap().to_owned())
    });
    let event = server.get(&format!("/v1/invocations/{}/payload", fired.await)).await.is(200).json();
    let time = event["time"].as_str().unwrap();
    assert!(time.len() == 25 && time.ends_with("+00:00"), "{time}");
    let expected = json!({
        "version": "v1.0", "time": time, "trigger_type": "TIMER", "trigger_name": "Timer_001", "user_event": "more",
    });
    assert_eq!(event, expected);
    let native = server.get(&format!("/v1/triggers/Timer_001?namespace={PROJECT}")).await.is(200).json();
    assert_eq!((&native["kind"], &native["time_member"]), (&json!("timer"), &json!("time")));
}

#[tokio::test]
async fn a_timer_is_made_listed_switched_off_and_deleted_and_goes_with_its_function() {
    let server = Server::in_memory().await;
    create(&server, "f", &prebuilt("echo")).await;
    assert_eq!(server.get(&of("f")).await.is(200).json(), json!([]));
    for (name, kind, schedule) in [
        ("a", "Rate", "7m"),
        ("b", "Cron", "0 15 2 * * ?"),
        ("c", "Cron", "CRON_TZ=Asia/Shanghai 0 15 2 * * ?"),
        ("d", "Cron", "@every 1h30m"),
    ] {
        let made = send(&server, Method::POST, &of("f"), &timer(name, kind, schedule)).await.is(200).json();
        let data = &made["event_data"];
        let told = ["name", "schedule_type", "schedule", "user_event"].map(|name| data[name].as_str().unwrap());
        assert_eq!(told, [name, kind, schedule, "more"]);
        assert_eq!(data["triggerid"], made["trigger_id"]);
    }
    let all = server.get(&of("f")).await.is(200).json();
    let names: Vec<_> = all.as_array().unwrap().iter().map(|it| it["event_data"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    let one = format!("{}/TIMER/{}", of("f"), all[1]["trigger_id"].as_str().unwrap());
    assert_eq!(server.get(&one).await.is(200).json(), all[1]);
    let off = send(&server, Method::PUT, &one, &json!({"trigger_status": "DISABLED"})).await.is(200).json();
    assert_eq!(off["trigger_status"], "DISABLED");
    assert_eq!(server.get(&one).await.is(200).json()["trigger_status"], "DISABLED");
    refused(&send(&server, Method::PUT, &one, &json!({})).await, 400, "FSS.0400");
    let changed = json!({"trigger_status": "ACTIVE", "event_data": [{"is_serial": true}]});
    refused(&send(&server, Method::PUT, &one, &changed).await, 400, "FSS.0400");
    server.delete(&one).await.is(204);
    refused(&server.delete(&one).await, 404, "FSS.0404");
    refused(&send(&server, Method::POST, &of("f"), &timer("a", "Rate", "1d")).await, 409, "FSS.0409");
    server.delete(&of("f")).await.is(204);
    assert_eq!(server.get(&of("f")).await.is(200).json(), json!([]));
    send(&server, Method::POST, &of("f"), &timer("e", "Rate", "60m")).await.is(200);
    server.delete(&path(&format!("functions/{}", urn("f", "")))).await.is(204);
    server.get(&format!("/v1/triggers/e?namespace={PROJECT}")).await.is(404);
}

#[tokio::test]
async fn a_trigger_of_a_queue_is_shown_as_one_of_messages() {
    let server = Server::in_memory().await;
    create(&server, "f", &prebuilt("echo")).await;
    server.put(&format!("/v1/queues/jobs?namespace={PROJECT}"), "{}").await;
    let trigger = json!({"kind": "queue", "function": "f", "queue": "jobs"});
    let answer = server.put(&format!("/v1/triggers/work?namespace={PROJECT}"), trigger.to_string()).await.is(201);
    assert_eq!(answer.json()["queue"], "jobs");
    let all = server.get(&of("f")).await.is(200).json();
    assert_eq!((&all[0]["trigger_type_code"], &all[0]["event_data"]["queue_id"]), (&json!("DMS"), &json!("jobs")));
}

#[tokio::test]
async fn a_trigger_that_could_not_act_here_is_refused_and_not_kept() {
    let server = Server::in_memory().await;
    create(&server, "f", &prebuilt("echo")).await;
    for (code, part) in [
        ("OBS", "objects that are written tell nobody"),
        ("SMN", "functions subscribe to a topic"),
        ("DMS", "messages of a queue trigger functions by"),
        ("KAFKA", "there is no such broker"),
        ("CLOCK", "there is no such type"),
    ] {
        let body =
            json!({"trigger_type_code": code, "event_data": {"bucket": "lost", "events": ["s3:ObjectCreated:*"]}});
        let told = refused(&send(&server, Method::POST, &of("f"), &body).await, 400, "FSS.0400");
        assert!(told.contains(part) && told.contains("TIMER"), "{told}");
    }
    let with = |name: &str, value: Value| {
        let mut body = timer("a", "Rate", "3m");
        body["event_data"][name] = value;
        body
    };
    for (body, part) in [
        (json!({}), "`trigger_type_code` is missing"),
        (json!({"trigger_type_code": "TIMER"}), "`event_data` is missing"),
        (with("name", json!(null)), "`event_data.name` is missing"),
        (with("name", json!("1st")), "`1st` is not a name of a trigger"),
        (with("schedule_type", json!("Often")), "`event_data.schedule_type` is `Often`"),
        (with("schedule", json!("61m")), "`schedule` is `61m`"),
        (with("schedule", json!("0h")), "`schedule` is `0h`"),
        (with("schedule", json!("3")), "`schedule` is `3`"),
        (with("user_event", json!("x".repeat(2_049))), "has 2049 bytes"),
        (timer("a", "Cron", "every day"), "`every day` is not a cron expression"),
        (timer("a", "Cron", "CRON_TZ=Mars/Olympus 0 0 0 * * ?"), "`Mars/Olympus` is not a time zone"),
    ] {
        let told = refused(&send(&server, Method::POST, &of("f"), &body).await, 400, "FSS.0400");
        assert!(told.contains(part), "{body}: {told}");
    }
    let mut wrong = timer("a", "Rate", "3m");
    wrong["trigger_status"] = json!("ON");
    refused(&send(&server, Method::POST, &of("f"), &wrong).await, 400, "FSS.0400");
    refused(&send(&server, Method::POST, &of("none"), &timer("a", "Rate", "3m")).await, 404, "FSS.1051");
    assert_eq!(server.get(&of("f")).await.is(200).json(), json!([]));
}
