//! Asynchronous configurations: what may be set, what of it is kept, and how it is seen in the other dialect.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PROJECT, below, create, path, refused, send, urn};
use crate::process::support::{Answer, Server, prebuilt};

async fn configure(server: &Server, name: &str, config: &Value) -> Answer {
    send(server, Method::PUT, &below(name, "async-invoke-config"), config).await
}

fn to(service: &str, param: &Value) -> Value {
    json!({"destination_config": {"on_failure": {"destination": service, "param": param.to_string()}}})
}

async fn server_with(names: &[&str]) -> Server {
    let server = Server::in_memory().await;
    for name in names {
        create(&server, name, &prebuilt("echo")).await;
    }
    server
}

#[tokio::test]
async fn what_is_not_said_has_the_services_defaults_and_ranges_are_those_of_the_documents() {
    let server = server_with(&["f"]).await;
    let config = configure(&server, "f", &json!({})).await.is(200).json();
    assert_eq!(
        (&config["max_async_event_age_in_seconds"], &config["max_async_retry_attempts"]),
        (&json!(3_600), &json!(1))
    );
    assert_eq!((&config["destination_config"], &config["enable_async_status_log"]), (&json!({}), &json!(false)));
    for (name, least, most) in [("max_async_event_age_in_seconds", 1, 86_400), ("max_async_retry_attempts", 0, 3)] {
        for value in [least, most] {
            assert_eq!(configure(&server, "f", &json!({name: value})).await.is(200).json()[name], value);
        }
        for value in [least - 1, most + 1] {
            let told = refused(&configure(&server, "f", &json!({name: value})).await, 400, "FSS.0400");
            assert_eq!(told, format!("`{name}` is {value}: send {least} to {most}"));
        }
        for value in [json!("5"), json!(1.5), json!([]), json!(true)] {
            let told = refused(&configure(&server, "f", &json!({name: value})).await, 400, "FSS.0400");
            assert!(told.contains(name) && told.contains("send an integer"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_configuration_is_there_from_when_it_is_set_until_it_is_deleted() {
    let server = server_with(&["f"]).await;
    let config = below("f", "async-invoke-config");
    assert!(refused(&server.get(&config).await, 404, "FSS.0404").contains(&urn("f", ":latest")));
    refused(&server.delete(&config).await, 404, "FSS.0404");
    let sent = json!({"log_group_id": "g", "log_stream_name": "s", "enable_async_status_log": true});
    let first = configure(&server, "f", &sent).await.is(200).json();
    assert_eq!((&first["log_group_id"], &first["log_stream_name"]), (&json!("g"), &json!("s")));
    let second = configure(&server, "f", &json!({"max_async_retry_attempts": 0})).await.is(200).json();
    assert_eq!(second["created_time"], first["created_time"]);
    assert_eq!((second.get("log_group_id"), &second["enable_async_status_log"]), (None, &json!(false)));
    server.delete(&config).await.is(204);
    refused(&server.get(&config).await, 404, "FSS.0404");
    let none = below("none", "async-invoke-config");
    assert_eq!(refused(&server.get(&none).await, 404, "FSS.1051"), "function 'none' not exist");
}

#[tokio::test]
async fn every_service_is_a_destination_and_is_seen_in_the_native_dialect() {
    let server = server_with(&["f", "g"]).await;
    for (kind, name) in [("streams", "ticks"), ("topics", "news")] {
        let answer = server.put(&format!("/v1/{kind}/{name}?namespace={PROJECT}"), "{}").await;
        assert!([200, 201].contains(&answer.status), "{}", answer.text());
    }
    let topic = format!("urn:smn:cn-north-1:{PROJECT}:news");
    for (service, param, native) in [
        ("FunctionGraph", json!({"func_urn": urn("g", "")}), json!({"to": "function:g"})),
        (
            "OBS",
            json!({"bucket": "lost", "prefix": "a/", "expires": 365}),
            json!({"to": "object:lost/a/", "expires_days": 365}),
        ),
        ("OBS", json!({"bucket": "lost", "expires": "0"}), json!({"to": "object:lost"})),
        ("DIS", json!({"stream_name": "ticks"}), json!({"to": "stream:ticks"})),
        ("SMN", json!({"topic_urn": topic}), json!({"to": "topic:news"})),
    ] {
        let answer = configure(&server, "f", &to(service, &param)).await.is(200).json();
        let shown = &answer["destination_config"]["on_failure"];
        assert_eq!((&shown["destination"], &shown["param"]), (&json!(service), &json!(param.to_string())));
        let config = server.get(&format!("/v1/functions/f/async-config?namespace={PROJECT}")).await.is(200).json();
        assert_eq!(config["on_failure"], native);
    }
}

#[tokio::test]
async fn what_is_set_in_the_native_dialect_is_seen_here_and_what_was_sent_before_is_not() {
    let server = server_with(&["f", "g"]).await;
    configure(&server, "f", &to("FunctionGraph", &json!({"func_urn": urn("g", "")}))).await.is(200);
    let native = format!("/v1/functions/f/async-config?namespace={PROJECT}");
    let sent = json!({"max_retries": 7, "on_success": "function:g", "on_failure": "object:lost/x"}).to_string();
    server.put(&native, sent).await.is(200);
    let config = server.get(&below("f", "async-invoke-config")).await.is(200).json();
    assert_eq!(config["max_async_retry_attempts"], 7);
    let param = |name: &str| {
        let to = &config["destination_config"][name];
        (to["destination"].clone(), serde_json::from_str::<Value>(to["param"].as_str().unwrap()).unwrap())
    };
    assert_eq!(param("on_success"), (json!("FunctionGraph"), json!({"func_urn": urn("g", ":latest")})));
    assert_eq!(param("on_failure"), (json!("OBS"), json!({"bucket": "lost", "prefix": "x", "expires": 0})));
}

#[tokio::test]
async fn a_destination_that_is_none_is_refused_with_the_member_that_is_wrong() {
    let server = server_with(&["f"]).await;
    for (service, param, part) in [
        ("FunctionGraph", json!({}), "it says no `func_urn`"),
        ("FunctionGraph", json!({"func_urn": "f"}), "`f` is not the URN of a function"),
        ("FunctionGraph", json!({"func_urn": urn("none", "")}), "names a function or version that does not exist"),
        ("FunctionGraph", json!({"func_urn": urn("f", ":7")}), ""),
        ("OBS", json!({"bucket": "lost", "expires": 366}), "`expires` is 366: send 0 to 365 days"),
        ("OBS", json!({"bucket": "lost", "expires": -1}), "`expires` is -1"),
        ("OBS", json!({"prefix": "a"}), "it says no `bucket`"),
        ("OBS", json!({"bucket": "L"}), "not the name of a bucket"),
        ("SMN", json!({"topic_urn": "news"}), "write `urn:smn:REGION:PROJECT:TOPIC`"),
        ("SMN", json!({"topic_urn": "urn:smn:r:other:news"}), "must be of the function's own project"),
        ("SMN", json!({"topic_urn": format!("urn:smn:r:{PROJECT}:none")}), "none"),
        ("DIS", json!({"stream_name": 1}), "`stream_name` is `1`: send a string"),
        ("DIS", json!({"stream_name": "none"}), "none"),
        ("EVENT", json!({}), "is `EVENT`: send FunctionGraph, OBS, SMN or DIS"),
    ] {
        let told = refused(&configure(&server, "f", &to(service, &param)).await, 400, "FSS.0400");
        assert!(told.contains(part), "{service} {param}: {told}");
    }
    for config in [
        json!({"destination_config": []}),
        json!({"destination_config": {"on_success": "f"}}),
        json!({"destination_config": {"on_success": {"destination": "OBS", "param": {"bucket": "lost"}}}}),
        json!({"destination_config": {"on_success": {"destination": "OBS", "param": "bucket"}}}),
        json!({"destination_config": {"on_success": {"param": "{}"}}}),
        json!({"enable_async_status_log": "yes"}),
        json!({"log_group_id": "x".repeat(70_000)}), // more than can be kept, and so nothing is set
    ] {
        refused(&configure(&server, "f", &config).await, 400, "FSS.0400");
    }
    refused(&server.get(&below("f", "async-invoke-config")).await, 404, "FSS.0404");
}

#[tokio::test]
async fn versions_have_configurations_of_their_own_and_all_of_a_function_are_listed() {
    let server = server_with(&["f"]).await;
    configure(&server, "f", &json!({"max_async_retry_attempts": 0})).await.is(200);
    for name in ["v1", "v2"] {
        send(&server, Method::PUT, &below("f", "config"), &settings(name)).await.is(200);
        send(&server, Method::POST, &below("f", "versions"), &json!({"version": name})).await.is(200);
        let of_version = path(&format!("functions/{}/async-invoke-config", urn("f", &format!(":{name}"))));
        let config = send(&server, Method::PUT, &of_version, &json!({"max_async_retry_attempts": 3})).await.is(200);
        assert_eq!(config.json()["func_urn"], urn("f", &format!(":{name}")));
    }
    let list = async |query: &str| server.get(&below("f", &format!("async-invoke-configs{query}"))).await;
    let all = list("").await.is(200).json();
    let urns = |page: &Value| {
        let configs = page["async_invoke_configs"].as_array().unwrap().iter();
        configs.map(|it| it["func_urn"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(urns(&all), ["latest", "v1", "v2"]);
    assert_eq!((&all["count"], &all["page_info"]["current_count"]), (&json!(3), &json!(3)));
    let page = list("?limit=2").await.is(200).json();
    assert_eq!(
        (urns(&page), &page["page_info"]["next_marker"]),
        (vec!["latest".to_owned(), "v1".to_owned()], &json!(2))
    );
    let page = list("?limit=1000&marker=2").await.is(200).json();
    let info = json!({"next_marker": 3, "previous_marker": 0, "current_count": 1});
    assert_eq!((urns(&page), &page["page_info"]), (vec!["v2".to_owned()], &info));
    refused(&list("?limit=-1").await, 400, "FSS.1001");
    refused(&list("?marker=x").await, 400, "FSS.1001");
    let missing = path(&format!("functions/{}/async-invoke-config", urn("f", ":v3")));
    refused(&send(&server, Method::PUT, &missing, &json!({})).await, 404, "FSS.1052");
}

fn settings(description: &str) -> Value {
    json!({
        "func_name": "f", "runtime": "Custom", "timeout": 30, "handler": "index.handler", "memory_size": 128,
        "description": description,
    })
}
