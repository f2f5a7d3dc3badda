//! Access over Yandex' REST: what is bound is what holds, whatever a function is called meanwhile; and what is read of whom.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{account, asked};
use crate::process::support::{Answer, Server, prebuilt};

const FUNCTIONS: &str = "/functions/v1/functions";
const CONTAINERS: &str = "/containers/v1/containers";
/// One role here, by two names there.
const INVOKERS: [&str; 2] = ["serverless.functions.invoker", "functions.functionInvoker"];

/// Makes a function or a container in `default` and returns its id.
async fn made(server: &Server, path: &str, name: &str) -> String {
    let made = server.post(path, json!({ "folderId": "default", "name": name }).to_string()).await.is(200).json();
    made["response"]["id"].as_str().unwrap().to_owned()
}

fn everyone(role: &str) -> Value {
    json!({ "roleId": role, "subject": { "id": "allUsers", "type": "system" } })
}

async fn bind(server: &Server, id: &str, bindings: &[Value]) -> Answer {
    let body = json!({ "accessBindings": bindings }).to_string();
    server.post(&format!("{FUNCTIONS}/{id}:setAccessBindings"), body).await
}

/// Adds and removes the first and the second.
async fn rebind(server: &Server, id: &str, added: &str, removed: &str) {
    let delta = |action: &str, role: &str| json!({ "action": action, "accessBinding": everyone(role) });
    let body = json!({ "accessBindingDeltas": [delta("ADD", added), delta("REMOVE", removed)] }).to_string();
    server.post(&format!("{FUNCTIONS}/{id}:updateAccessBindings"), body).await.is(200);
}

/// Checks whether everybody may call a function, and that its bindings say the same.
#[track_caller]
fn check(server: &Server, id: &str, is_public: bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let bound = server.get(&format!("{FUNCTIONS}/{id}:listAccessBindings")).await.is(200).json();
        let is_bound = bound["accessBindings"].as_array().is_some_and(|bindings| !bindings.is_empty());
        assert_eq!(is_bound, is_public, "{caller}: {bound}");
        // Whoever may call it is told at least that it has no version.
        let answer = asked(server, Method::POST, &format!("/{id}"), None, "").await;
        assert_eq!(answer.status != 401, is_public, "{caller}: {} {}", answer.status, answer.text());
    }
}

async fn rename(server: &Server, path: &str, id: &str, name: &str, token: &str) -> Answer {
    let body = json!({ "updateMask": "name", "name": name }).to_string();
    asked(server, Method::PATCH, &format!("{path}/{id}"), Some(token), &body).await
}

#[tokio::test]
async fn a_role_holds_as_long_as_some_binding_gives_it() {
    let server = Server::asking(&[]).await;
    let id = made(&server, FUNCTIONS, "hook").await;
    check(&server, &id, false).await;
    bind(&server, &id, &[everyone(INVOKERS[0])]).await.is(200);
    check(&server, &id, true).await;
    bind(&server, &id, &[everyone(INVOKERS[1])]).await.is(200);
    check(&server, &id, true).await;
    rebind(&server, &id, INVOKERS[0], INVOKERS[1]).await;
    check(&server, &id, true).await;
    // A role that was taken away in another way is nobody's again when others are bound, but when it is asked for.
    server.delete("/v1/accounts/everyone/roles?role=functions.invoker&on=function:hook").await.is(200);
    rebind(&server, &id, "viewer", "editor").await;
    asked(&server, Method::POST, &format!("/{id}"), None, "").await.is(401);
    bind(&server, &id, &[everyone(INVOKERS[0])]).await.is(200);
    check(&server, &id, true).await;
    bind(&server, &id, &[]).await.is(200);
    check(&server, &id, false).await;
}

#[tokio::test]
async fn what_is_bound_goes_with_a_function_and_not_with_its_name() {
    let server = Server::asking(&[]).await;
    // Who edits functions may not say who calls them, and takes nothing from it.
    let editor = account(&server, "editor", &[("functions.editor", "namespace:default")]).await;
    let hook = made(&server, FUNCTIONS, "hook").await;
    bind(&server, &hook, &[everyone(INVOKERS[0])]).await.is(200);
    rename(&server, FUNCTIONS, &hook, "moved", &editor).await.is(200);
    check(&server, &hook, true).await;
    let next = made(&server, FUNCTIONS, "hook").await;
    check(&server, &next, false).await;
    rename(&server, FUNCTIONS, &hook, "hook", &editor).await.is(409); // it is taken
    check(&server, &hook, true).await;
    check(&server, &next, false).await;
    asked(&server, Method::DELETE, &format!("{FUNCTIONS}/{hook}"), Some(&editor), "").await.is(200);
    check(&server, &made(&server, FUNCTIONS, "moved").await, false).await;
}

#[tokio::test]
async fn a_function_that_cannot_be_deleted_stays_as_public_as_it_was() {
    let server = Server::asking(&[]).await;
    let hook = made(&server, FUNCTIONS, "hook").await;
    bind(&server, &hook, &[everyone(INVOKERS[0])]).await.is(200);
    for name in ["hook", "first"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    server.configure("first", &json!({ "on_success": "function:hook" })).await.is(200);
    server.delete(&format!("{FUNCTIONS}/{hook}")).await.is(400);
    check(&server, &hook, true).await;
}

#[tokio::test]
async fn a_container_is_given_only_names_that_its_editor_may_edit() {
    let server = Server::asking(&[]).await;
    let mine = [("functions.editor", "function:mine"), ("functions.editor", "function:also")];
    let editor = account(&server, "editor", &mine).await;
    let id = made(&server, CONTAINERS, "mine").await;
    let told = rename(&server, CONTAINERS, &id, "theirs", &editor).await.is(403).text();
    assert!(told.contains("function:default/theirs"), "{told}");
    rename(&server, CONTAINERS, &id, "also", &editor).await.is(200);
}

/// The head of a request that announces 70 MB of code, whose client waits to be told to go on; and what is answered to it.
async fn announced(server: &Server, authorization: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /functions/v1/versions HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n\
         Content-Length: 70000000\r\n{authorization}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64 * 1_024];
    let length = stream.read(&mut answer).await.unwrap();
    (stream, String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[tokio::test]
async fn code_is_read_of_those_who_say_who_they_are_and_takes_room_only_as_it_arrives() {
    let server = Server::asking(&[]).await;
    let (_, told) = announced(&server, "").await;
    assert!(told.starts_with("HTTP/1.1 401 "), "{told}");
    let shown = format!("Authorization: Bearer {}\r\n", server.token());
    let mut read = Vec::new();
    for _ in 0..20 {
        let (stream, told) = announced(&server, &shown).await;
        assert!(told.starts_with("HTTP/1.1 100 "), "{told}");
        read.push(stream);
    }
    let large = json!({ "content": "A".repeat(8 * 1_024 * 1_024) }).to_string();
    server.post("/functions/v1/versions", large).await.is(400);
}

#[tokio::test]
async fn only_code_is_large() {
    let server = Server::asking(&[]).await;
    let large = "x".repeat(2 * 1_024 * 1_024);
    for (path, body, token, part) in [
        ("/iam/v1/tokens", json!({ "jwt": large }), None, "1048576 bytes"),
        (FUNCTIONS, json!({ "folderId": large }), Some(server.token()), "1048576 bytes"),
        ("/functions/v1/versions", json!({ "description": large }), Some(server.token()), "besides content"),
        ("/functions/v1/versions", json!({ "content": [0, 0, 0] }), Some(server.token()), "content: must be bytes"),
    ] {
        let told = asked(&server, Method::POST, path, token, &body.to_string()).await.is(400).text();
        assert!(told.contains(part), "{path}: {told}");
    }
}
