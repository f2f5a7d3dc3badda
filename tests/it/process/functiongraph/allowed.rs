//! Who may ask for what: tokens, signatures, roles, and the log of changes.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tidemill::clock::Clock;
use tidemill::model::time::Timestamp;
use tidemill::signature::{Key, Payload, Request, sdk_hmac};

use super::{PROJECT, create, creation, of, path, refused, urn};
use crate::process::support::{Answer, Server, prebuilt};

/// Makes an account of the project with this role on the project, and returns a token of it.
async fn account(server: &Server, name: &str, role: &str) -> String {
    account_on(server, name, role, &format!("namespace:{PROJECT}")).await
}

async fn account_on(server: &Server, name: &str, role: &str, on: &str) -> String {
    let account = |rest: &str| format!("/v1/accounts/{name}{rest}?namespace={PROJECT}");
    server.put(&account(""), "").await.is(201);
    let grant = json!({ "role": role, "on": on }).to_string();
    server.post(&account("/roles"), grant).await.is(200);
    let made = server.post(&account("/tokens"), "").await.is(201).json();
    made["token"].as_str().unwrap().to_owned()
}

/// A request with the header that clients of this service put a token in.
async fn with_token(server: &Server, method: Method, path: &str, token: &str, body: String) -> Answer {
    let request = server.request_with(method, path, None).header("X-Auth-Token", token).body(body);
    server.send(request).await
}

#[tokio::test]
async fn a_token_says_who_asks_and_each_operation_needs_its_role() {
    let server = Server::asking(&[]).await;
    create(&server, "test", "echo").await;
    let viewer = account(&server, "viewer", "viewer").await;
    let editor = account(&server, "editor", "functions.editor").await;
    let nobody = server.send(server.request_with(Method::GET, &of("test", "config"), None)).await;
    refused(&nobody, 401, "FSS.0401", "");
    let unknown = with_token(&server, Method::GET, &of("test", "config"), "unknown", String::new()).await;
    refused(&unknown, 401, "FSS.0401", "");
    // What is there is told to nobody who may not see it.
    refused(&server.send(server.request_with(Method::GET, &of("none", "config"), None)).await, 401, "FSS.0401", "");

    with_token(&server, Method::GET, &of("test", "config"), &viewer, String::new()).await.is(200);
    with_token(&server, Method::GET, &path("/functions"), &viewer, String::new()).await.is(200);
    let body = creation("new", &prebuilt("echo"), &json!({})).to_string();
    let denied = with_token(&server, Method::POST, &path("/functions"), &viewer, body.clone()).await;
    refused(&denied, 403, "FSS.0403", "functions.editor");
    let denied =
        with_token(&server, Method::DELETE, &path(&format!("/functions/{}", urn("test"))), &viewer, String::new())
            .await;
    refused(&denied, 403, "FSS.0403", "functions.editor");
    with_token(&server, Method::POST, &path("/functions"), &editor, body).await.is(200);
    // Another project is not theirs.
    let elsewhere = with_token(&server, Method::GET, "/v2/other/fgs/functions", &editor, String::new()).await;
    refused(&elsewhere, 403, "FSS.0403", "other");

    let log = server.get("/v1/audit").await.is(200).json();
    let noted: Vec<_> = log["entries"].as_array().unwrap().iter().map(Value::to_string).collect();
    let entry = noted.iter().find(|it| it.contains("/fgs/functions") && it.contains("editor")).unwrap();
    assert!(entry.contains("POST /v2/{project_id}/fgs/functions") && entry.contains("200"), "{entry}");
    assert!(
        noted.iter().any(|it| it.contains("viewer") && it.contains("403") && it.contains(&urn("test"))),
        "{noted:?}"
    );
    assert!(!noted.iter().any(|it| it.contains("GET")), "{noted:?}");
}

#[tokio::test]
async fn triggers_are_the_projects_and_no_business_of_whoever_may_edit_one_function() {
    let server = Server::asking(&[]).await;
    create(&server, "test", "echo").await;
    server.put(&format!("/v1/queues/jobs?namespace={PROJECT}"), "").await.is(201);
    let work = format!("/v1/triggers/work?namespace={PROJECT}");
    server.put(&work, r#"{"kind": "queue", "function": "test", "queue": "jobs"}"#).await.is(201);
    let all = path(&format!("/triggers/{}", urn("test")));
    let id = server.get(&all).await.is(200).json()[0]["trigger_id"].as_str().unwrap().to_owned();

    let one = account_on(&server, "one", "functions.editor", &format!("function:{PROJECT}/test")).await;
    with_token(&server, Method::GET, &of("test", "config"), &one, String::new()).await.is(200);
    let timer = json!({
        "trigger_type_code": "TIMER",
        "event_data": { "name": "often", "schedule_type": "Rate", "schedule": "3m" },
    });
    let function = path(&format!("/functions/{}", urn("test")));
    let part = format!("`namespace:{PROJECT}`");
    for (method, path, body) in [
        (Method::GET, all.clone(), String::new()),
        (Method::POST, all.clone(), timer.to_string()),
        (Method::PUT, format!("{all}/DMS/{id}"), r#"{"trigger_status": "DISABLED"}"#.to_owned()),
        (Method::DELETE, format!("{all}/DMS/{id}"), String::new()),
        (Method::DELETE, all.clone(), String::new()),
        (Method::DELETE, function.clone(), String::new()), // which would take the trigger along
    ] {
        refused(&with_token(&server, method, &path, &one, body).await, 403, "FSS.0403", &part);
    }
    assert_eq!(server.get(&work).await.is(200).json()["enabled"], true);
    let editor = account(&server, "editor", "functions.editor").await;
    with_token(&server, Method::DELETE, &function, &editor, String::new()).await.is(204);
    server.get(&work).await.is(404);
}

#[tokio::test]
async fn a_server_that_asks_nobody_notes_changes_too() {
    let server = Server::durable().await;
    create(&server, "test", "echo").await;
    server.get(&of("test", "config")).await.is(200);
    let log = server.get("/v1/audit").await.is(200).json().to_string();
    assert!(log.contains("POST /v2/{project_id}/fgs/functions") && !log.contains("GET"), "{log}");
}

/// Sends a request as the SDK of the service signs it.
async fn signed(server: &Server, key: Key<'_>, at: Timestamp, method: Method, path: &str, body: &str) -> Answer {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = HeaderMap::new();
    headers.insert("host", server.address().parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("x-project-id", PROJECT.parse().unwrap());
    let request = Request { method: method.as_str(), path: bare, query, headers: &headers };
    let added = sdk_hmac(&request, key, Payload::Bytes(body.as_bytes()), at).unwrap();
    headers.extend(added);
    let request = server.request_with(method, path, None).headers(headers).body(body.to_owned());
    server.send(request).await
}

#[tokio::test]
async fn a_request_is_signed_over_its_escaped_path_and_its_query() {
    let server = Server::asking(&[]).await;
    account(&server, "signer", "functions.editor").await;
    let made = server.post(&format!("/v1/accounts/signer/keys?namespace={PROJECT}"), "").await.is(201).json();
    let key = Key { id: made["id"].as_str().unwrap(), secret: made["secret"].as_str().unwrap() };
    let now = Clock::system().now();

    let body = creation("test", &prebuilt("echo"), &json!({})).to_string();
    signed(&server, key, now, Method::POST, &path("/functions"), &body).await.is(200);
    let escaped = path(&format!("/functions/{}/config", format!("{}:latest", urn("test")).replace(':', "%3A")));
    signed(&server, key, now, Method::GET, &escaped, "").await.is(200);
    signed(&server, key, now, Method::GET, &of("test", "config"), "").await.is(200);
    let list = path("/functions?func_name=a%20b&marker=0&maxitems=2");
    assert_eq!(signed(&server, key, now, Method::GET, &list, "").await.is(200).json()["count"], 0);

    let wrong = Key { secret: "wrong", ..key };
    refused(&signed(&server, wrong, now, Method::GET, &escaped, "").await, 401, "FSS.0401", "not that of this request");
    let unknown = Key { id: "TMAKAAAAAAAAAAAAAAAA", ..key };
    refused(&signed(&server, unknown, now, Method::GET, &escaped, "").await, 401, "FSS.0401", "no such token or key");
    let old = now.minus(std::time::Duration::from_secs(16 * 60));
    refused(&signed(&server, key, old, Method::GET, &escaped, "").await, 401, "FSS.0401", "15 minutes apart");
}
