//! Connections to services outside: set, replaced, listed, deleted, through restarts, and never with a key in them.

use serde_json::{Value, json};

use super::support::{Server, run, run_with};

fn s3(secret: &str) -> String {
    json!({
        "kind": "s3",
        "endpoint": "https://obs.example",
        "region": "eu-west-1",
        "path_style": true,
        "access_key_id": "AK",
        "secret_key": {"secret": secret},
    })
    .to_string()
}

async fn names(server: &Server, query: &str) -> Vec<String> {
    let page = server.get(&format!("/v1/connections{query}")).await.is(200).json();
    page["connections"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_connection_is_set_replaced_listed_and_deleted_and_survives_a_restart() {
    let server = Server::durable().await;
    server.put("/v1/secrets/obs-key", "the key itself").await.is(201);
    let set = server.put("/v1/connections/obs", s3("obs-key")).await.is(201).json();
    assert_eq!(
        (&set["kind"], &set["endpoint"], &set["path_style"]),
        (&json!("s3"), &json!("https://obs.example"), &json!(true))
    );
    assert_eq!((&set["secret_key"], &set["session_token"]), (&json!({"secret": "obs-key"}), &json!(null)));
    server.put("/v1/connections/bus", json!({"kind": "nats", "url": "nats://nats.example"}).to_string()).await.is(201);
    server
        .put("/v1/connections/other?namespace=shop", json!({"kind": "nats", "url": "tls://nats.example"}).to_string())
        .await
        .is(201);

    let server = server.killed().await.restarted().await;
    assert_eq!(server.get("/v1/connections/obs").await.is(200).json(), set);
    assert_eq!(names(&server, "").await, ["bus", "obs"]);
    assert_eq!(names(&server, "?limit=1").await, ["bus"]);
    assert_eq!(names(&server, "?limit=1&cursor=bus").await, ["obs"]);
    assert_eq!(names(&server, "?namespace=shop").await, ["other"]);
    let replaced =
        server.put("/v1/connections/obs", s3("obs-key").replace("eu-west-1", "eu-west-2")).await.is(200).json();
    assert_eq!((&replaced["region"], &replaced["created_at"]), (&json!("eu-west-2"), &set["created_at"]));
    server.delete("/v1/connections/obs").await.is(204);
    server.delete("/v1/connections/obs").await.refusal(404, "connection_not_found", "`obs`");
    server.get("/v1/connections/obs").await.refusal(404, "connection_not_found", "`obs`");
    assert!(!server.log().contains("the key itself"));
}

#[tokio::test]
async fn what_is_no_connection_is_refused_with_what_is_wrong_with_it() {
    let server = Server::in_memory().await;
    server.put("/v1/secrets/key", "x").await.is(201);
    let check = async |body: String, status: u16, code: &str, part: &str| {
        server.put("/v1/connections/a", body).await.refusal(status, code, part);
    };
    check(s3("gone"), 422, "secret_not_found", "`gone`").await;
    check(s3("key").replace("https://", "ftp://"), 400, "bad_connection", "`ftp://obs.example`").await;
    check(s3("key").replace("eu-west-1", "eu west"), 400, "bad_connection", "region").await;
    check(s3("key").replace("\"s3\"", "\"ftp\""), 400, "bad_json", "ftp").await;
    check(s3("key").replace("path_style", "paths"), 400, "bad_json", "paths").await;
    let pasted = s3("key").replace(r#"{"secret":"key"}"#, r#""wJalrXUtnFEMI""#);
    assert!(pasted.contains("wJalrXUtnFEMI"));
    let refused = server.put("/v1/connections/a", pasted).await;
    refused.refusal(400, "bad_json", "not the key itself");
    assert!(!refused.text().contains("wJalrXUtnFEMI"), "{}", refused.text());
    let user: Value = json!({"kind": "nats", "url": "nats://n.example", "user": "me"});
    check(user.to_string(), 400, "bad_connection", "leave out").await;
    server.put("/v1/connections/9", s3("key")).await.refusal(400, "bad_name", "`9`");
}

#[tokio::test]
async fn the_command_line_sets_lists_and_deletes_connections() {
    let server = Server::in_memory().await;
    run_with(&server.url(""), &["secrets", "set", "key"], b"x").await.exits(0);
    run(&server, &["connections", "list"]).await.exits(0);
    let signed = ["--access-key-id", "AK", "--secret-key-from", "key"];
    let s3 = [&["connections", "set", "s3", "obs", "--endpoint", "https://obs.example", "--path-style"], &signed[..]]
        .concat();
    run(&server, &s3).await.exits(0);
    run(&server, &[&["connections", "set", "sqs", "mq", "--region", "eu-west-1"], &signed[..]].concat()).await.exits(0);
    let nats = ["connections", "set", "nats", "bus", "--url", "tls://nats.example:4222", "--token-from", "key"];
    run(&server, &nats).await.exits(0);
    let listed = run(&server, &["connections", "list"]).await.exits(0).text();
    for line in
        ["bus   nats  tls://nats.example:4222", "mq    sqs   Amazon in eu-west-1", "obs   s3    https://obs.example"]
    {
        assert!(listed.contains(line), "{listed}");
    }
    let shown = server.get("/v1/connections/obs").await.is(200).json();
    assert_eq!((&shown["path_style"], &shown["region"]), (&json!(true), &json!("us-east-1")));
    run(&server, &["connections", "delete", "mq"]).await.exits(0);
    let refused = run(&server, &["connections", "delete", "mq"]).await.exits(4);
    assert!(refused.err.contains("`mq`"), "{}", refused.err);
}
