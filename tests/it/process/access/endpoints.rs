//! Every endpoint of the native API with every role: what it should allow is allowed, and the rest refused.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use super::{account, asked};
use crate::process::support::{Answer, Server, prebuilt};

/// Roles by a letter each, for the table: Admin, functions.Editor, functions.Invoker, objects.writer (O), queues.reader
/// (R), queues.writer (W), streams.writer (S), topics.publisher (T), Viewer.
const ROLES: [(char, &str); 9] = [
    ('A', "admin"),
    ('E', "functions.editor"),
    ('I', "functions.invoker"),
    ('O', "objects.writer"),
    ('R', "queues.reader"),
    ('W', "queues.writer"),
    ('S', "streams.writer"),
    ('T', "topics.publisher"),
    ('V', "viewer"),
];

/// Everybody who is somebody.
const ALL: &str = "AEIORWSTV";

/// An endpoint: method, pattern, what is asked, who may with a role on the namespace, and who with one on everything.
/// `ID` stands for an invocation of the function `f`. Requests that would change something are about what is not there,
/// or have a body that says nothing.
const ENDPOINTS: &[(&str, &str, &str, &str, &str)] = &[
    ("GET", "/v1/functions", "/v1/functions", ALL, ALL),
    ("GET", "/v1/roles", "/v1/roles", ALL, ALL),
    ("PUT", "/v1/functions/{name}", "/v1/functions/no", "AE", "AE"),
    ("GET", "/v1/functions/{name}", "/v1/functions/f", "AEV", "AEV"),
    ("DELETE", "/v1/functions/{name}", "/v1/functions/no", "AE", "AE"),
    ("GET", "/v1/functions/{name}/versions", "/v1/functions/f/versions", "AEV", "AEV"),
    ("GET", "/v1/functions/{name}/module", "/v1/functions/f/module", "AEV", "AEV"),
    ("GET", "/v1/functions/{name}/schema", "/v1/functions/f/schema", "AEV", "AEV"),
    ("PUT", "/v1/functions/{name}/aliases/{alias}", "/v1/functions/f/aliases/a", "AE", "AE"),
    ("DELETE", "/v1/functions/{name}/aliases/{alias}", "/v1/functions/f/aliases/a", "AE", "AE"),
    ("GET", "/v1/functions/{name}/async-config", "/v1/functions/f/async-config", "AEV", "AEV"),
    ("PUT", "/v1/functions/{name}/async-config", "/v1/functions/f/async-config", "AE", "AE"),
    ("DELETE", "/v1/functions/{name}/async-config", "/v1/functions/no/async-config", "AE", "AE"),
    ("POST", "/v1/functions/{name}/invocations", "/v1/functions/f/invocations", "AEI", "AEI"),
    ("GET", "/v1/functions/{name}/queue", "/v1/functions/f/queue", "AEV", "AEV"),
    ("PUT", "/v1/functions/{name}/queue", "/v1/functions/f/queue", "AE", "AE"),
    ("POST", "/v1/functions/{name}/disable", "/v1/functions/no/disable", "AE", "AE"),
    ("POST", "/v1/functions/{name}/enable", "/v1/functions/no/enable", "AE", "AE"),
    ("POST", "/v1/functions/{name}/queue/pause", "/v1/functions/no/queue/pause", "AE", "AE"),
    ("POST", "/v1/functions/{name}/queue/resume", "/v1/functions/no/queue/resume", "AE", "AE"),
    ("GET", "/v1/functions/{name}/dead-letters", "/v1/functions/f/dead-letters", "AEV", "AEV"),
    ("GET", "/v1/invocations", "/v1/invocations?function=f", "AEV", "AEV"),
    ("GET", "/v1/invocations", "/v1/invocations?namespace=default", "AEV", "AEV"),
    ("GET", "/v1/invocations", "/v1/invocations", "", "AEV"),
    ("POST", "/v1/invocations/bulk", "/v1/invocations/bulk?namespace=default", "AE", "AE"),
    ("POST", "/v1/invocations/bulk", "/v1/invocations/bulk", "", "AE"),
    ("GET", "/v1/invocations/{id}", "/v1/invocations/ID", "AEIV", "AEIV"),
    ("POST", "/v1/invocations/{id}/cancel", "/v1/invocations/ID/cancel", "AE", "AE"),
    ("POST", "/v1/invocations/{id}/retry", "/v1/invocations/ID/retry", "AE", "AE"),
    ("POST", "/v1/invocations/{id}/redrive", "/v1/invocations/ID/redrive", "AE", "AE"),
    ("POST", "/v1/invocations/{id}/redeliver", "/v1/invocations/ID/redeliver", "AE", "AE"),
    ("POST", "/v1/invocations/{id}/run-now", "/v1/invocations/ID/run-now", "AE", "AE"),
    ("GET", "/v1/invocations/{id}/logs", "/v1/invocations/ID/logs", "AEV", "AEV"),
    ("GET", "/v1/invocations/{id}/coredump", "/v1/invocations/ID/coredump", "AE", "AE"),
    ("GET", "/v1/invocations/{id}/payload", "/v1/invocations/ID/payload", "AEV", "AEV"),
    ("GET", "/v1/invocations/{id}/result", "/v1/invocations/ID/result", "AEIV", "AEIV"),
    ("GET", "/v1/key-value", "/v1/key-value", "AEV", "AEV"),
    ("GET", "/v1/key-value/{store}", "/v1/key-value/s", "AEV", "AEV"),
    ("GET", "/v1/key-value/{store}/{*key}", "/v1/key-value/s/k", "AE", "AE"),
    ("PUT", "/v1/key-value/{store}/{*key}", "/v1/key-value/s/k/l", "AE", "AE"),
    ("DELETE", "/v1/key-value/{store}/{*key}", "/v1/key-value/s/no", "AE", "AE"),
    ("GET", "/v1/connections", "/v1/connections", "AEV", "AEV"),
    ("GET", "/v1/connections/{name}", "/v1/connections/no", "AEV", "AEV"),
    ("PUT", "/v1/connections/{name}", "/v1/connections/no", "A", "A"),
    ("DELETE", "/v1/connections/{name}", "/v1/connections/no", "A", "A"),
    ("GET", "/v1/objects", "/v1/objects", "AEV", "AEV"),
    ("GET", "/v1/objects/{bucket}", "/v1/objects/no", "AEV", "AEV"),
    ("GET", "/v1/objects/{bucket}/{*key}", "/v1/objects/no/a/b", "AE", "AE"),
    ("DELETE", "/v1/objects/{bucket}/{*key}", "/v1/objects/no/a/b", "AE", "AE"),
    ("GET", "/v1/deliveries", "/v1/deliveries?namespace=default", "AEV", "AEV"),
    ("GET", "/v1/deliveries", "/v1/deliveries", "", "AEV"),
    ("POST", "/v1/deliveries/redrive", "/v1/deliveries/redrive?namespace=default", "AE", "AE"),
    ("POST", "/v1/deliveries/redrive", "/v1/deliveries/redrive", "", "AE"),
    ("GET", "/v1/webhooks/keys", "/v1/webhooks/keys", "A", "A"),
    ("POST", "/v1/webhooks/keys/rotate", "/v1/webhooks/keys/rotate?namespace=default&no=1", "A", "A"),
    ("GET", "/v1/queues", "/v1/queues", "ARWV", "ARWV"),
    ("GET", "/v1/queues/{name}", "/v1/queues/no", "ARWV", "ARWV"),
    ("PUT", "/v1/queues/{name}", "/v1/queues/q", "AW", "AW"),
    ("DELETE", "/v1/queues/{name}", "/v1/queues/no", "A", "A"),
    ("POST", "/v1/queues/{name}/purge", "/v1/queues/no/purge", "AR", "AR"),
    ("POST", "/v1/queues/{name}/receive", "/v1/queues/no/receive", "AR", "AR"),
    ("POST", "/v1/queues/{name}/messages", "/v1/queues/no/messages", "AW", "AW"),
    ("DELETE", "/v1/queues/{name}/messages/{receipt}", "/v1/queues/no/messages/0", "AR", "AR"),
    ("PUT", "/v1/queues/{name}/messages/{receipt}/visibility", "/v1/queues/no/messages/0/visibility", "AR", "AR"),
    ("GET", "/v1/streams", "/v1/streams", "AV", "AV"),
    ("GET", "/v1/streams/{name}", "/v1/streams/no", "AV", "AV"),
    ("PUT", "/v1/streams/{name}", "/v1/streams/s", "A", "A"),
    ("DELETE", "/v1/streams/{name}", "/v1/streams/no", "A", "A"),
    ("GET", "/v1/streams/{name}/records", "/v1/streams/no/records", "AV", "AV"),
    ("POST", "/v1/streams/{name}/records", "/v1/streams/no/records", "AS", "AS"),
    ("GET", "/v1/topics", "/v1/topics", "AV", "AV"),
    ("GET", "/v1/topics/{name}", "/v1/topics/no", "AV", "AV"),
    ("PUT", "/v1/topics/{name}", "/v1/topics/t", "A", "A"),
    ("DELETE", "/v1/topics/{name}", "/v1/topics/no", "A", "A"),
    ("POST", "/v1/topics/{name}/publications", "/v1/topics/no/publications", "AT", "AT"),
    ("GET", "/v1/topics/{name}/subscriptions", "/v1/topics/no/subscriptions", "AV", "AV"),
    ("POST", "/v1/topics/{name}/subscriptions", "/v1/topics/no/subscriptions", "A", "A"),
    ("GET", "/v1/topics/{name}/subscriptions/{id}", "/v1/topics/no/subscriptions/0", "AV", "AV"),
    ("DELETE", "/v1/topics/{name}/subscriptions/{id}", "/v1/topics/no/subscriptions/0", "A", "A"),
    ("GET", "/v1/topics/{name}/subscriptions/{id}/dead", "/v1/topics/no/subscriptions/0/dead", "AV", "AV"),
    ("DELETE", "/v1/topics/{name}/subscriptions/{id}/dead", "/v1/topics/no/subscriptions/0/dead", "A", "A"),
    ("POST", "/v1/topics/{name}/subscriptions/{id}/redrive", "/v1/topics/no/subscriptions/0/redrive", "A", "A"),
    ("GET", "/v1/triggers", "/v1/triggers", "AEV", "AEV"),
    ("GET", "/v1/triggers/{name}", "/v1/triggers/no", "AEV", "AEV"),
    ("PUT", "/v1/triggers/{name}", "/v1/triggers/no", "AE", "AE"),
    ("DELETE", "/v1/triggers/{name}", "/v1/triggers/no", "AE", "AE"),
    ("POST", "/v1/triggers/{name}/enable", "/v1/triggers/no/enable", "AE", "AE"),
    ("POST", "/v1/triggers/{name}/disable", "/v1/triggers/no/disable", "AE", "AE"),
    ("POST", "/v1/triggers/{name}/fire", "/v1/triggers/no/fire", "AE", "AE"),
    ("GET", "/v1/secrets", "/v1/secrets", "AEV", "AEV"),
    ("PUT", "/v1/secrets/{name}", "/v1/secrets/no", "AE", "AE"),
    ("DELETE", "/v1/secrets/{name}", "/v1/secrets/no", "AE", "AE"),
    ("GET", "/v1/accounts", "/v1/accounts", "A", "A"),
    ("PUT", "/v1/accounts/{name}", "/v1/accounts/new", "A", "A"),
    ("GET", "/v1/accounts/{name}", "/v1/accounts/no", "A", "A"),
    ("DELETE", "/v1/accounts/{name}", "/v1/accounts/no", "A", "A"),
    ("POST", "/v1/accounts/{name}/roles", "/v1/accounts/no/roles", "A", "A"),
    ("DELETE", "/v1/accounts/{name}/roles", "/v1/accounts/no/roles?role=viewer", "A", "A"),
    ("GET", "/v1/accounts/{name}/tokens", "/v1/accounts/no/tokens", "A", "A"),
    ("POST", "/v1/accounts/{name}/tokens", "/v1/accounts/no/tokens", "A", "A"),
    ("DELETE", "/v1/accounts/{name}/tokens/{id}", "/v1/accounts/no/tokens/0", "A", "A"),
    ("GET", "/v1/accounts/{name}/keys", "/v1/accounts/no/keys", "A", "A"),
    ("POST", "/v1/accounts/{name}/keys", "/v1/accounts/no/keys", "A", "A"),
    ("DELETE", "/v1/accounts/{name}/keys/{id}", "/v1/accounts/no/keys/0", "A", "A"),
    ("GET", "/v1/audit", "/v1/audit", "", "A"),
    ("GET", "/v1/graph", "/v1/graph?namespace=default", "AEV", "AEV"),
    ("GET", "/v1/graph", "/v1/graph", "", "AEV"),
    ("GET", "/v1/runtime", "/v1/runtime", "", "AV"),
    ("PUT", "/v1/runtime", "/v1/runtime", "", "A"),
    ("GET", "/metrics", "/metrics", "", "AV"),
    ("*", "/fn/{name}", "/fn/f", "AEI", "AEI"),
    ("*", "/fn/{name}/", "/fn/f/", "AEI", "AEI"),
    ("*", "/fn/{name}/{*path}", "/fn/f/a/b", "AEI", "AEI"),
    // Last: the invocation is gone after that.
    ("DELETE", "/v1/invocations/{id}", "/v1/invocations/ID", "AE", "AE"),
];

/// What needs nothing: health, and what a subscriber does who has no account here.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/openapi.json", "/v1/topics/{name}/subscriptions/{id}/confirm"];

#[track_caller]
fn check(answer: &Answer, is_allowed: bool, what: &str) {
    let told = answer.text();
    if is_allowed {
        assert!(![401, 403].contains(&answer.status), "{what} should be allowed: {told}");
    } else {
        assert_eq!(answer.status, 403, "{what} should be refused: {told}");
        let problem = answer.refusal(403, "access_denied", "lacks the role");
        assert!(problem["account"].is_string() && problem["role"].is_string(), "{problem}");
        assert!(problem["resource"].is_string(), "{problem}");
    }
}

#[tokio::test]
async fn each_role_allows_at_each_endpoint_what_it_should_and_nothing_else() {
    let server = Server::asking(&[]).await;
    server.deploy("f", prebuilt("echo")).await;
    for wide in [false, true] {
        for (letter, role) in ROLES {
            let (on, name) = if wide {
                ("everything", format!("all-{letter}"))
            } else {
                ("namespace:default", format!("own-{letter}"))
            };
            let token = account(&server, &name, &[(role, on)]).await;
            let id = server.accept("f", "").await;
            server.settled(&id, "succeeded").await;
            for (method, _, path, within, everywhere) in ENDPOINTS {
                let allowed = if wide { everywhere } else { within };
                let sent = if *method == "*" { Method::POST } else { method.parse().unwrap() };
                let answer = asked(&server, sent, &path.replace("ID", &id), Some(&token), "").await;
                check(&answer, allowed.contains(letter), &format!("{method} {path} by {role} on {on}"));
            }
            server.delete("/v1/accounts/new").await;
        }
    }
}

#[tokio::test]
async fn every_endpoint_stands_in_the_table() {
    let source = include_str!("../../../../src/http/native/mod.rs");
    let declared: BTreeSet<_> = source.split(".route(").skip(1).map(|call| call.split('"').nth(1).unwrap()).collect();
    let asked: BTreeSet<_> = ENDPOINTS.iter().map(|(_, pattern, ..)| *pattern).chain(OPEN).collect();
    assert_eq!(declared, asked);
}

#[tokio::test]
async fn whoever_shows_nothing_or_something_wrong_is_told_to_say_who_they_are_and_reaches_nothing() {
    let server = Server::asking(&[]).await;
    server.deploy("f", prebuilt("echo")).await;
    let id = server.accept("f", "").await;
    let token = account(&server, "a", &[("admin", "everything")]).await;
    let other = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' });
    for (method, _, path, ..) in ENDPOINTS {
        let (sent, path) =
            (if *method == "*" { "GET" } else { method }.parse::<Method>().unwrap(), path.replace("ID", &id));
        for token in [None, Some(other.as_str()), Some("tm_"), Some("")] {
            let answer = asked(&server, sent.clone(), &path, token, "").await;
            answer.refusal(401, "unauthenticated", "");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"tidemill\"", "{path}");
        }
    }
    for path in ["/nowhere", "/v1/functions/f/nowhere", "/v1/invocations/0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77"] {
        asked(&server, Method::GET, path, None, "").await.refusal(401, "unauthenticated", "");
    }
    asked(&server, Method::GET, "/nowhere", Some(&token), "").await.refusal(404, "no_such_path", "/nowhere");
    for path in ["/healthz", "/readyz"] {
        asked(&server, Method::GET, path, None, "").await.is(200);
    }
}

#[tokio::test]
async fn a_role_on_one_function_or_in_another_namespace_reaches_no_other() {
    let server = Server::asking(&[]).await;
    for name in ["f", "g", "f?namespace=shop"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    let one = account(&server, "one", &[("functions.invoker", "function:f"), ("viewer", "function:f")]).await;
    let shop = account(&server, "shop", &[("admin", "namespace:shop")]).await;
    let status =
        async |method: Method, path: &str, token: &str| asked(&server, method, path, Some(token), "").await.status;
    assert_eq!(status(Method::POST, "/v1/functions/f/invocations", &one).await, 200);
    assert_eq!(status(Method::POST, "/v1/functions/g/invocations", &one).await, 403);
    assert_eq!(status(Method::POST, "/v1/functions/f/invocations?namespace=shop", &one).await, 403);
    assert_eq!(status(Method::POST, "/fn/~shop/f/x", &one).await, 403);
    assert_eq!(status(Method::POST, "/fn/~shop/f/x", &shop).await, 200);
    assert_eq!(status(Method::GET, "/v1/functions/f", &shop).await, 403);
    assert_eq!(status(Method::GET, "/v1/functions/%66", &one).await, 200, "a name is what it is however it is escaped");
    assert_eq!(status(Method::GET, "/v1/functions/%67", &one).await, 403);
    // A namespace that is said twice is not understood in two ways.
    let twice = "/v1/functions/f?namespace=shop&namespace=default";
    assert_eq!(status(Method::GET, twice, &shop).await, 400);
    let names = async |token: &str| {
        let list = asked(&server, Method::GET, "/v1/functions", Some(token), "").await.is(200).json();
        let functions = list["functions"].as_array().unwrap().clone();
        functions.iter().map(|it| format!("{}/{}", it["namespace"], it["name"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(names(&one).await, ["default/f"]);
    assert_eq!(names(&shop).await, ["shop/f"]);
    assert_eq!(names(server.token()).await.len(), 3);
    let role = json!({"role": "admin", "on": "everything"}).to_string();
    asked(&server, Method::PUT, "/v1/accounts/mine?namespace=shop", Some(&shop), "").await.is(201);
    let climbs = asked(&server, Method::POST, "/v1/accounts/mine/roles?namespace=shop", Some(&shop), &role).await;
    climbs.refusal(403, "access_denied", "lacks the role `admin` on `everything`");
}

#[tokio::test]
async fn an_admin_of_a_namespace_cannot_become_one_of_everything_by_way_of_an_account_there() {
    let server = Server::asking(&[]).await;
    let own = account(&server, "own", &[("admin", "namespace:default")]).await;
    for path in ["tokens", "keys"] {
        let refused = asked(&server, Method::POST, &format!("/v1/accounts/admin/{path}"), Some(&own), "").await;
        refused.refusal(403, "access_denied", "on `everything`");
    }
    asked(&server, Method::DELETE, "/v1/accounts/admin", Some(&own), "").await.refusal(403, "access_denied", "own");
    asked(&server, Method::POST, "/v1/accounts/own/tokens", Some(&own), "").await.is(201);
}
