//! Aliases name versions, and share what is asked of them between versions.

use serde_json::{Value, json};

use super::{PROJECT, create, create_with, encoded, native, of, path, refused, urn};
use crate::process::support::{Answer, Server, prebuilt};

/// A function with the versions `v1`, which echoes, and `v2`, which answers in upper case.
async fn two_versions(server: &Server) {
    create(server, "test", "echo").await;
    server.post(&of("test", "versions"), r#"{"version": "v1"}"#).await.is(200);
    let code = json!({ "code_type": "inline", "func_code": { "file": encoded(&prebuilt("upper")) } }).to_string();
    server.put(&of("test", "code"), code).await.is(200);
    server.post(&of("test", "versions"), r#"{"version": "v2"}"#).await.is(200);
}

async fn set(server: &Server, body: &Value) -> Answer {
    server.post(&of("test", "aliases"), body.to_string()).await
}

async fn change(server: &Server, name: &str, body: &Value) -> Answer {
    server.put(&of("test", &format!("aliases/{name}")), body.to_string()).await
}

/// What the function answers that an alias names.
async fn asked(server: &Server, alias: &str) -> String {
    let path = format!("/v1/functions/test/invocations?namespace={PROJECT}&qualifier={alias}");
    server.post(&path, "ebb").await.is(200).text()
}

#[tokio::test]
async fn an_alias_names_a_version_until_it_is_pointed_elsewhere_or_deleted() {
    let server = Server::durable().await;
    two_versions(&server).await;
    let made =
        set(&server, &json!({ "name": "prod", "version": "v1", "description": "what is live" })).await.is(200).json();
    assert_eq!(
        (&made["name"], &made["version"], &made["description"]),
        (&"prod".into(), &"v1".into(), &"what is live".into())
    );
    assert_eq!(made["alias_urn"], format!("{}:!prod", urn("test")));
    assert_eq!(made["additional_version_weights"], json!({}));
    assert!(made["last_modified"].as_str().unwrap().ends_with('Z'));
    assert_eq!(asked(&server, "prod").await, "ebb");
    let server = server.killed().await.restarted().await;
    assert_eq!(server.get(&of("test", "aliases/prod")).await.is(200).json(), made);
    assert_eq!(server.get(&of("test", "aliases")).await.is(200).json(), json!([made]));
    let config = server.get(&path(&format!("/functions/{}:!prod/config", urn("test")))).await.is(200).json();
    assert_eq!((&config["version"], &config["func_urn"]), (&"v1".into(), &format!("{}:v1", urn("test")).into()));

    let changed = change(&server, "prod", &json!({ "version": "v2" })).await.is(200).json();
    assert_eq!((&changed["version"], &changed["description"]), (&"v2".into(), &"what is live".into()));
    assert_eq!(asked(&server, "prod").await, "EBB");
    server.delete(&of("test", "aliases/prod")).await.is(204);
    refused(&server.get(&of("test", "aliases/prod")).await, 404, "FSS.1053", "'prod'");
    assert_eq!(server.get(&of("test", "aliases")).await.is(200).json(), json!([]));
}

#[tokio::test]
async fn weights_send_part_of_an_aliass_invocations_to_another_version() {
    let server = Server::in_memory().await;
    two_versions(&server).await;
    let strategy = json!({ "v2": { "combine_type": "and", "rules": [] } });
    let body = json!({ "name": "prod", "version": "v1", "additional_version_weights": { "v2": 100 }, "additional_version_strategy": strategy });
    let made = set(&server, &body).await.is(200).json();
    assert_eq!(
        (&made["additional_version_weights"], &made["additional_version_strategy"]),
        (&json!({ "v2": 100 }), &strategy)
    );
    assert_eq!(asked(&server, "prod").await, "EBB");
    change(&server, "prod", &json!({ "version": "v1", "additional_version_weights": { "v2": 50 } })).await.is(200);
    let (mut own, mut other) = (0, 0);
    for _ in 0..60 {
        match &*asked(&server, "prod").await {
            "ebb" => own += 1,
            "EBB" => other += 1,
            answer => panic!("{answer}"),
        }
    }
    // One of the two being missing has a chance of 1 in 2^59.
    assert!(own > 0 && other > 0, "{own} and {other}");
    change(&server, "prod", &json!({ "version": "v1" })).await.is(200);
    assert_eq!(asked(&server, "prod").await, "ebb");
}

#[tokio::test]
async fn an_alias_of_latest_moves_with_the_head() {
    let server = Server::in_memory().await;
    create(&server, "test", "echo").await;
    let made = set(&server, &json!({ "name": "newest", "version": "latest" })).await.is(200).json();
    assert_eq!(made["version"], "latest");
    assert_eq!(asked(&server, "newest").await, "ebb");
    let code = json!({ "code_type": "inline", "func_code": { "file": encoded(&prebuilt("upper")) } }).to_string();
    server.put(&of("test", "code"), code).await.is(200);
    assert_eq!(asked(&server, "newest").await, "EBB");
    assert_eq!(server.get(&of("test", "aliases/newest")).await.is(200).json()["version"], "latest");
}

#[tokio::test]
async fn an_alias_that_was_set_natively_is_one_here() {
    let server = Server::in_memory().await;
    two_versions(&server).await;
    server.put(&native("test", "/aliases/canary"), r#"{"version": 2}"#).await.is(200);
    let shown = server.get(&of("test", "aliases/canary")).await.is(200).json();
    assert_eq!((&shown["version"], &shown["description"]), (&"v2".into(), &"".into()));
}

#[tokio::test]
async fn what_an_alias_cannot_be_is_refused_with_its_code() {
    let server = Server::in_memory().await;
    two_versions(&server).await;
    set(&server, &json!({ "name": "prod", "version": "v1" })).await.is(200);
    let weights = |weights: Value| json!({ "name": "new", "version": "v2", "additional_version_weights": weights });
    let of_latest = json!({ "name": "new", "version": "latest", "additional_version_weights": { "v2": 10 } });
    for (body, status, code, part) in [
        (json!({ "version": "v2" }), 400, "FSS.1014", "`name`"),
        (json!({ "name": "9", "version": "v2" }), 400, "FSS.1014", "`9`"),
        (json!({ "name": "latest", "version": "v2" }), 400, "FSS.1014", "`latest`"),
        (json!({ "name": "new" }), 400, "FSS.1015", "`version`"),
        (json!({ "name": "new", "version": 2 }), 400, "FSS.1015", "`2`"),
        (json!({ "name": "new", "version": "v9" }), 404, "FSS.1052", "'v9'"),
        (json!({ "name": "prod", "version": "v2" }), 409, "FSS.1063", "'prod'"),
        (json!({ "name": "new", "version": "v1" }), 409, "FSS.1066", "'prod'"),
        (weights(json!({ "v9": 10 })), 400, "FSS.1091", "'v9'"),
        (weights(json!({ "v1": 101 })), 400, "FSS.1092", "101"),
        (weights(json!({ "v1": -1 })), 400, "FSS.1092", "-1"),
        (weights(json!({ "v1": "10" })), 400, "FSS.1092", "`10`"),
        (weights(json!([])), 400, "FSS.1092", "an array"),
        (weights(json!({ "v2": 10 })), 400, "FSS.1093", "additional_version_weights.v2"),
        (weights(json!({ "latest": 10 })), 400, "FSS.1091", "publish one"),
        (of_latest, 400, "FSS.1093", "`latest`"),
        (json!({ "name": "new", "version": "v2", "description": 1 }), 400, "FSS.1019", "`1`"),
    ] {
        refused(&set(&server, &body).await, status, code, part);
    }
    let strategy = json!({ "v1": { "rules": ["r".repeat(70_000)] } });
    let body = json!({ "name": "new", "version": "v2", "additional_version_strategy": strategy });
    refused(&set(&server, &body).await, 400, "FSS.0400", "shorter texts");
    refused(&change(&server, "none", &json!({ "version": "v2" })).await, 404, "FSS.1053", "'none'");
    refused(&change(&server, "prod", &json!({})).await, 400, "FSS.1015", "`version`");
    refused(&server.delete(&of("test", "aliases/none")).await, 404, "FSS.1053", "'none'");
    for path in [of("none", "aliases"), of("none", "aliases/prod")] {
        refused(&server.get(&path).await, 404, "FSS.1051", "function 'none' not exist");
    }
    assert_eq!(server.get(&of("test", "aliases")).await.is(200).json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_function_has_up_to_ten_aliases() {
    let server = Server::in_memory().await;
    create_with(&server, "test", &prebuilt("echo"), &json!({})).await;
    for n in 0..11 {
        if n > 0 {
            let config = json!({ "func_name": "test", "runtime": "Custom", "timeout": 30, "handler": "index.handler", "memory_size": 128, "description": n.to_string() });
            server.put(&of("test", "config"), config.to_string()).await.is(200);
        }
        server.post(&of("test", "versions"), json!({ "version": format!("v{n}") }).to_string()).await.is(200);
        let answer = set(&server, &json!({ "name": format!("a{n}"), "version": format!("v{n}") })).await;
        if n < 10 { drop(answer.is(200)) } else { refused(&answer, 403, "FSS.1043", "10") }
    }
}
