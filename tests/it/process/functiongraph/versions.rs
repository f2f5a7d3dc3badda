//! Heads are published as versions, which stay as they are.

use serde_json::{Value, json};

use super::{PROJECT, create, encoded, native, of, path, refused, urn};
use crate::process::support::{Answer, Server, prebuilt};

async fn publish(server: &Server, body: &Value) -> Answer {
    server.post(&of("test", "versions"), body.to_string()).await
}

async fn describe(server: &Server, text: &str) -> Value {
    let change = json!({ "func_name": "test", "runtime": "Custom", "timeout": 30, "handler": "index.handler", "memory_size": 128, "description": text });
    server.put(&of("test", "config"), change.to_string()).await.is(200).json()
}

/// What is shown of a version.
async fn shown(server: &Server, version: &str) -> Answer {
    server.get(&path(&format!("/functions/{}:{version}/config", urn("test")))).await
}

#[tokio::test]
async fn a_version_stays_as_it_was_published_while_the_head_moves_on() {
    let server = Server::durable().await;
    let made = create(&server, "test", "echo").await;
    let body = json!({ "version": "v1.0", "description": "the first", "digest": made["digest"] });
    let published = publish(&server, &body).await.is(200).json();
    assert_eq!((&published["version"], &published["version_description"]), (&"v1.0".into(), &"the first".into()));
    assert_eq!(published["func_urn"], format!("{}:v1.0", urn("test")));
    let code = json!({ "code_type": "inline", "func_code": { "file": encoded(&prebuilt("upper")) } }).to_string();
    server.put(&of("test", "code"), code).await.is(200);

    let server = server.killed().await.restarted().await;
    let first = shown(&server, "v1.0").await.is(200).json();
    assert_eq!((&first["digest"], &first["version"]), (&made["digest"], &"v1.0".into()));
    assert_ne!(shown(&server, "latest").await.is(200).json()["digest"], made["digest"]);
    let code = server.get(&path(&format!("/functions/{}:v1.0/code", urn("test")))).await.is(200).json();
    assert_eq!(code["func_code"]["file"], encoded(&prebuilt("echo")));
    // Natively it has the number that it had.
    let old = format!("/v1/functions/test/invocations?namespace={PROJECT}&qualifier=1");
    assert_eq!(server.post(&old, "ebb").await.is(200).text(), "ebb");

    let second = publish(&server, &json!({})).await.is(200).json();
    assert!(second["version"].as_str().unwrap().starts_with("v20"), "{second}");
    let listed = server.get(&of("test", "versions")).await.is(200).json();
    let names: Vec<_> =
        listed["versions"].as_array().unwrap().iter().map(|it| it["version"].as_str().unwrap()).collect();
    assert_eq!(names, ["latest", "v1.0", second["version"].as_str().unwrap()]);
    assert_eq!((&listed["count"], &listed["next_marker"]), (&3.into(), &3.into()));
    let page = server.get(&format!("{}?marker=1&maxitems=1", of("test", "versions"))).await.is(200).json();
    assert_eq!((&page["versions"][0]["version"], &page["next_marker"]), (&"v1.0".into(), &2.into()));
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_with_the_reason() {
    let server = Server::in_memory().await;
    create(&server, "test", "echo").await;
    for (body, code, part) in [
        (json!({ "version": "latest" }), "FSS.1015", "`latest`"),
        (json!({ "version": "a:b" }), "FSS.1015", "`a:b`"),
        (json!({ "version": "v".repeat(43) }), "FSS.1015", "42"),
        (json!({ "version": 1 }), "FSS.1015", "`1`"),
        (json!({ "description": "d".repeat(513) }), "FSS.1019", "513"),
        (json!({ "digest": "0123" }), "FSS.0400", "`0123`"),
    ] {
        refused(&publish(&server, &body).await, 400, code, part);
    }
    publish(&server, &json!({ "version": "v1" })).await.is(200);
    refused(&publish(&server, &json!({ "version": "v2" })).await, 400, "FSS.1016", "since version 'v1'");
    describe(&server, "changed").await;
    refused(&publish(&server, &json!({ "version": "v1" })).await, 409, "FSS.1062", "'v1'");
    let of_version = path(&format!("/functions/{}:v1/versions", urn("test")));
    refused(&server.post(&of_version, "{}").await, 400, "FSS.0400", "only `latest`");
    refused(&server.post(&of("none", "versions"), "").await, 404, "FSS.1051", "function 'none' not exist");
    refused(&server.get(&of("none", "versions")).await, 404, "FSS.1051", "function 'none' not exist");
    refused(&server.get(&format!("{}?maxitems=-1", of("test", "versions"))).await, 400, "FSS.1001", "-1");
    refused(&shown(&server, "v9").await, 404, "FSS.1052", "'v9'");
    refused(&shown(&server, "9").await, 404, "FSS.1052", "`9`");
}

#[tokio::test]
async fn a_function_has_up_to_twenty_versions() {
    let server = Server::in_memory().await;
    create(&server, "test", "echo").await;
    for n in 1..20 {
        describe(&server, &format!("number {n}")).await;
        publish(&server, &json!({ "version": n.to_string() })).await.is(200);
    }
    describe(&server, "one more").await;
    refused(&publish(&server, &json!({})).await, 403, "FSS.1042", "20");
    assert_eq!(shown(&server, "7").await.is(200).json()["description"], "number 7");
}

#[tokio::test]
async fn a_version_is_deleted_by_its_urn_and_everything_else_stays() {
    let server = Server::in_memory().await;
    create(&server, "test", "echo").await;
    publish(&server, &json!({ "version": "v1" })).await.is(200);
    describe(&server, "second").await;
    publish(&server, &json!({ "version": "v2" })).await.is(200);
    let version = |name: &str| path(&format!("/functions/{}:{name}", urn("test")));

    let alias = json!({ "name": "prod", "version": "v1" }).to_string();
    server.post(&of("test", "aliases"), alias).await.is(200);
    refused(&server.delete(&version("v1")).await, 409, "FSS.0409", "'prod'");
    server.delete(&version("%21prod")).await.is(204);
    refused(&server.delete(&version("!prod")).await, 404, "FSS.1053", "'prod'");
    server.delete(&version("v1")).await.is(204);
    refused(&server.delete(&version("v1")).await, 404, "FSS.1052", "'v1'");
    refused(&shown(&server, "v1").await, 404, "FSS.1052", "'v1'");
    // The published head loses its name alone, and what was said of it under that name.
    let config = |name: &str| format!("{}/async-invoke-config", version(name));
    let retries = async || server.get(&native("test", "")).await.is(200).json()["async_config"]["max_retries"].clone();
    server.put(&config("v2"), r#"{"max_async_retry_attempts": 3}"#).await.is(200);
    assert_eq!(retries().await, 3);
    server.delete(&version("v2")).await.is(204);
    assert_eq!(retries().await, 1);
    assert_eq!(shown(&server, "latest").await.is(200).json()["description"], "second");
    let versions = server.get(&native("test", "/versions")).await.is(200).json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1, "{versions}");
    publish(&server, &json!({ "version": "v2" })).await.is(200);
}

#[tokio::test]
async fn a_published_version_goes_by_its_number_and_in_another_dialect_as_it_does_by_its_name() {
    let server = Server::in_memory().await;
    let made = create(&server, "test", "echo").await;
    let version = |name: &str| path(&format!("/functions/{}:{name}", urn("test")));
    let config = |name: &str| format!("{}/async-invoke-config", version(name));
    let elsewhere = format!("/functions/v1/versions/{}-2", made["func_id"].as_str().unwrap());
    for (number, deleted) in [("1", version("1")), ("2", elsewhere)] {
        publish(&server, &json!({ "version": "v1" })).await.is(200);
        let said = server.put(&config(number), r#"{"log_group_id": "g"}"#).await.is(200).json();
        assert_eq!(said["func_urn"], format!("{}:v1", urn("test")));
        assert_eq!(server.get(&config("v1")).await.is(200).json(), said);
        let alias = json!({ "name": "prod", "version": number }).to_string();
        assert_eq!(server.post(&of("test", "aliases"), alias).await.is(200).json()["version"], "v1");
        let again = json!({ "name": "again", "version": "v1" }).to_string();
        refused(&server.post(&of("test", "aliases"), again).await, 409, "FSS.1066", "'prod'");
        server.delete(&of("test", "aliases/prod")).await.is(204);

        describe(&server, &format!("after {number}")).await;
        let answer = server.delete(&deleted).await;
        assert!([200, 204].contains(&answer.status), "{}", answer.text());
        refused(&shown(&server, "v1").await, 404, "FSS.1052", "'v1'");
        refused(&server.delete(&version("v1")).await, 404, "FSS.1052", "'v1'");
        assert_eq!(server.get(&of("test", "versions")).await.is(200).json()["count"], 1);
    }
    // Of the name nothing is left but that it can be given again, by which also goes what was said of the number.
    server.put(&config("3"), r#"{"max_async_retry_attempts": 3, "log_group_id": "h"}"#).await.is(200);
    publish(&server, &json!({ "version": "v1" })).await.is(200);
    assert_eq!(server.get(&config("v1")).await.is(200).json()["log_group_id"], "h");
}
