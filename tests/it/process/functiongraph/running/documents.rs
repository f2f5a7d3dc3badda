//! Every request and answer that the service's documents print, of asynchronous invocations and their configuration.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PROJECT, below, create, path, reaches, refused, send, urn};
use crate::process::support::{Server, prebuilt};

/// The URN as the documents have it: of another region, and not escaped.
fn documented(name: &str) -> String {
    format!("urn:fss:xxxxxxxxxxx:{PROJECT}:function:default:{name}:latest")
}

#[tokio::test]
async fn an_asynchronous_invocation_is_answered_as_the_document_prints_it() {
    let server = Server::in_memory().await;
    create(&server, "test", &prebuilt("echo")).await;
    let invoke = path(&format!("functions/{}/invocations-async", documented("test")));
    // The document's request has no body.
    let answer = server.post(&invoke, "").await.is(202);
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["request_id"]);
    let id = body["request_id"].as_str().unwrap().to_owned();
    assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");
    reaches(&server, "test", &id, "SUCCESS").await;

    server.delete(&path(&format!("functions/{}", urn("test", "")))).await.is(204);
    let answer = server.post(&invoke, "").await.is(404);
    assert_eq!(answer.text(), r#"{"error_code":"FSS.0404","error_msg":"function 'test' not exist"}"#);
}

#[tokio::test]
async fn a_disabled_function_is_refused_as_the_document_prints_it() {
    let server = Server::in_memory().await;
    create(&server, "test", &prebuilt("echo")).await;
    send(&server, Method::PUT, &below("test", "config-max-instance"), &json!({"max_instance_num": 0})).await.is(200);
    let printed = "{\n\t\"error_code\": \"FSS.0429\",\n\t\"error_msg\": \"Function Disabled\"\n}";
    for rest in ["invocations-async", "invocations"] {
        let answer = server.post(&below("test", rest), "{}").await.is(429);
        assert_eq!(answer.json(), serde_json::from_str::<Value>(printed).unwrap());
    }
    send(&server, Method::PUT, &below("test", "config-max-instance"), &json!({"max_instance_num": -1})).await.is(200);
    server.post(&below("test", "invocations"), "{}").await.is(200);
}

#[tokio::test]
async fn the_documents_configuration_is_set_and_has_every_member_that_its_answer_prints() {
    let server = Server::in_memory().await;
    for name in ["test", "testPython"] {
        create(&server, name, &prebuilt("echo")).await;
    }
    let config = path(&format!("functions/{}/async-invoke-config", documented("test")));
    let request = r#"{
     "max_async_event_age_in_seconds" : 10,
     "max_async_retry_attempts" : 3,
     "enable_async_status_log" : true
   }"#;
    let answer = server.put(&config, request).await.is(200).json();
    let (age, retries, log) = ("max_async_event_age_in_seconds", "max_async_retry_attempts", "enable_async_status_log");
    assert_eq!((&answer[age], &answer[retries], &answer[log]), (&json!(10), &json!(3), &json!(true)));
    assert_eq!(answer["destination_config"], json!({}));

    // What the printed answer says is what is asked for, so that it can be compared.
    let param = format!(r#"{{"func_urn":"urn:fss:{{region}}:{PROJECT}:function:default:testPython:latest"}}"#);
    let to = json!({"destination": "FunctionGraph", "param": param});
    let request = json!({age: 60, retries: 1, "destination_config": {"on_success": to, "on_failure": to}});
    let answer = send(&server, Method::PUT, &config, &request).await.is(200);
    assert_eq!(answer.json(), server.get(&config).await.is(200).json());
    let answer = answer.json();
    let members: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    let printed = ["func_urn", age, retries, "destination_config", "created_time", "last_modified", log];
    assert_eq!(members, printed);
    assert_eq!(answer["func_urn"], urn("test", ":latest"));
    assert_eq!((&answer[age], &answer[retries]), (&json!(60), &json!(1)));
    assert_eq!(answer["destination_config"], json!({"on_success": to, "on_failure": to}));
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    shaped(&text("created_time"), "2021-03-04T14:50:02+08:00");
    shaped(&text("last_modified"), "2021-03-04 14:50:02");
}

/// A text like another, in which any digit stands for any.
#[track_caller]
fn shaped(text: &str, like: &str) {
    let shape = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    assert_eq!(shape(text), shape(like), "{text}");
}

#[tokio::test]
async fn the_three_warnings_of_the_document_are_kept() {
    let server = Server::in_memory().await;
    for name in ["A", "B"] {
        create(&server, name, &prebuilt("echo")).await;
    }
    let to = |name: &str| {
        let param = json!({"func_urn": urn(name, ":latest")}).to_string();
        json!({"destination_config": {"on_success": {"destination": "FunctionGraph", "param": param}}})
    };
    // A -> B -> A is refused, and told.
    send(&server, Method::PUT, &below("A", "async-invoke-config"), &to("B")).await.is(200);
    let answer = send(&server, Method::PUT, &below("B", "async-invoke-config"), &to("A")).await;
    let told = refused(&answer, 400, "FSS.0400");
    assert_eq!(told, format!("this would close a cycle: {PROJECT}/B -> {PROJECT}/A -> {PROJECT}/B"));
    // An alias takes none, whether or not it moves with the head.
    for (alias, version) in [("fixed", "1"), ("moving", "latest")] {
        if version == "1" {
            let body = json!({"version": version});
            send(&server, Method::POST, &below("A", "versions"), &body).await.is(200);
        }
        let body = json!({"name": alias, "version": version});
        send(&server, Method::POST, &below("A", "aliases"), &body).await.is(200);
        let of_alias = path(&format!("functions/{}/async-invoke-config", urn("A", &format!(":%21{alias}"))));
        let answer = send(&server, Method::PUT, &of_alias, &json!({})).await;
        assert!(refused(&answer, 400, "FSS.0400").contains("is an alias, which takes no asynchronous configuration"));
    }
}

#[tokio::test]
async fn the_record_at_a_destination_has_the_members_that_the_document_prints() {
    let server = Server::in_memory().await;
    create(&server, "test", &prebuilt("echo")).await;
    let param = json!({"bucket": "outcomes", "prefix": "/done/", "expires": 7}).to_string();
    let config = json!({"destination_config": {"on_success": {"destination": "OBS", "param": param}}});
    send(&server, Method::PUT, &below("test", "async-invoke-config"), &config).await.is(200);
    let id = super::accept(&server, "test", "\"hello world!\"").await;
    reaches(&server, "test", &id, "SUCCESS").await;
    let objects = format!("/v1/objects/outcomes?namespace={PROJECT}");
    let key = crate::process::support::until("the object", async || {
        let listed = server.get(&objects).await.is(200).json();
        listed["objects"].get(0).map(|object| object["key"].as_str().unwrap().to_owned())
    })
    .await;
    assert!(key.starts_with("done/") && key.contains(&id), "{key}");
    let record = server.get(&format!("/v1/objects/outcomes/{key}?namespace={PROJECT}")).await.is(200).json();
    let printed: Value = serde_json::from_str(
        r#"{"timestamp": "2020-08-20T12:00:00.000Z",
            "request_context": {"request_id": "1167bf8c-87b0-43ab-8f5f-26b16c64f252",
                                "function_urn": "urn:fss:cn-north-1:xxxxxxx:function:xxxx:xxxx:latest",
                                "condition": "", "approximate_invoke_count": 0},
            "request_payload": "",
            "response_context": {"status_code": 200, "function_error": ""},
            "response_payload": "hello world!"}"#,
    )
    .unwrap();
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&record), members(&printed));
    for inner in ["request_context", "response_context"] {
        assert_eq!(members(&record[inner]), members(&printed[inner]));
    }
    shaped(record["timestamp"].as_str().unwrap(), "2020-08-20T12:00:00.000Z");
    assert_eq!(record["response_context"], printed["response_context"]);
    assert_eq!(record["request_context"]["condition"], "");
    assert_eq!(record["request_context"]["request_id"], id.as_str());
    assert_eq!(record["request_context"]["function_urn"], urn("test", ":1"));
    assert_eq!(record["request_context"]["approximate_invoke_count"], 1);
    assert_eq!(
        (&record["request_payload"], &record["response_payload"]),
        (&json!("\"hello world!\""), &json!("\"hello world!\""))
    );
}
