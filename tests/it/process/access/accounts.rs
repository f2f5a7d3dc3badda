//! Accounts over the API and the command line; what everybody may; the log of changes; and that nothing secret is told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use super::{account, asked, grant};
use crate::process::support::{Server, prebuilt, run, run_with};

/// The files below `folder` that hold these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

#[tokio::test]
async fn the_first_start_leaves_a_token_that_its_operator_alone_reads_and_the_next_leaves_none() {
    let server = Server::asking(&[]).await;
    let path = server.folder().join("tidemill-data/admin.token");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(server.log().contains("admin.token") && !server.log().contains(server.token()), "{}", server.log());
    let token = server.token().to_owned();
    fs::remove_file(&path).unwrap();
    let server = server.terminated().await.restarted_with(&["--auth"]).await;
    assert!(!path.exists());
    asked(&server, Method::GET, "/v1/runtime", Some(&token), "").await.is(200);
}

#[tokio::test]
async fn a_first_start_that_was_cut_short_begins_again() {
    let server = Server::durable().await;
    // As far as it comes without the role: an account, a token of it, and a file with a token.
    server.put("/v1/accounts/admin", "").await.is(201);
    server.post("/v1/accounts/admin/tokens", "").await.is(201);
    fs::write(server.folder().join("tidemill-data/admin.token"), "of the start before").unwrap();
    let server = server.killed().await.restarted_with(&["--auth"]).await.administered();
    server.get("/v1/runtime").await.is(200);
}

#[tokio::test]
async fn whoever_makes_a_token_of_an_account_could_have_given_it_its_roles_or_is_that_account() {
    let server = Server::asking(&[]).await;
    let roles = [("admin", "namespace:default"), ("functions.invoker", "function:shop/f")];
    let local = account(&server, "local", &roles).await;
    account(&server, "worker", &[("functions.editor", "namespace:default"), ("viewer", "queue:jobs")]).await;
    account(&server, "abroad", &[("viewer", "namespace:default"), ("admin", "namespace:shop")]).await;
    let ask = async |method: Method, path: &str| asked(&server, method, path, Some(&local), "").await;
    for name in ["worker", "local"] {
        ask(Method::POST, &format!("/v1/accounts/{name}/tokens")).await.is(201);
    }
    for path in ["/v1/accounts/abroad/tokens", "/v1/accounts/abroad/keys"] {
        let part = "`default/local` lacks the role `admin` on `namespace:shop`";
        ask(Method::POST, path).await.refusal(403, "access_denied", part);
    }
    ask(Method::DELETE, "/v1/accounts/abroad").await.refusal(403, "access_denied", "on `namespace:shop`");
    let part = "`default/local` lacks the role `admin` on `everything`";
    ask(Method::POST, "/v1/accounts/admin/tokens").await.refusal(403, "access_denied", part);
    grant(&server, "local", "admin", "namespace:shop").await.is(200);
    ask(Method::POST, "/v1/accounts/abroad/tokens").await.is(201);
}

#[tokio::test]
async fn a_public_function_is_everybodys_and_sees_what_its_callers_sent() {
    let server = Server::asking(&[]).await;
    for name in ["open", "closed"] {
        server.deploy(name, prebuilt("hello-http")).await;
    }
    asked(&server, Method::GET, "/fn/open", None, "").await.refusal(401, "unauthenticated", "Bearer");
    grant(&server, "everyone", "functions.invoker", "function:open").await.is(200);
    asked(&server, Method::GET, "/fn/open", None, "").await.is(200);
    asked(&server, Method::GET, "/fn/open", Some("a token of the function's own"), "").await.is(200);
    asked(&server, Method::POST, "/v1/functions/open/invocations", None, "").await.is(200);
    asked(&server, Method::GET, "/fn/closed", None, "").await.refusal(401, "unauthenticated", "");
    asked(&server, Method::GET, "/v1/functions/open", None, "").await.refusal(401, "unauthenticated", "");
    asked(&server, Method::GET, "/v1/functions", None, "").await.refusal(401, "unauthenticated", "");
    server.post("/v1/accounts/everyone/tokens", "").await.refusal(400, "everyone", "whoever shows nothing");
}

/// The HTTP function of the benches, made to answer `hello from tidemill` to a request without `Authorization`, and `hello`
/// to one with it.
fn tells_whether_it_got_authorization() -> Vec<u8> {
    let mut text = include_str!("../../../../guests/bench/http.wat").to_owned();
    for (from, to) in [
        (
            r#"(export "incoming-request" (type (sub resource)))"#,
            r#"(export "incoming-request" (type $incoming (sub resource)))
               (export "[method]incoming-request.headers" (func (param "self" (borrow $incoming)) (result (own $headers))))
               (export "[method]fields.has" (func (param "self" (borrow $fields)) (param "name" string) (result bool)))"#,
        ),
        (
            r#"(alias export $types "incoming-request" (type $incoming-request))"#,
            r#"(alias export $types "incoming-request" (type $incoming-request))
               (alias export $types "fields" (type $fields-type))"#,
        ),
        (r#""hello from tidemill")"#, r#""hello from tidemill") (data (i32.const 64) "authorization")"#),
        (
            "(core func $drop-stream",
            r#"(core func $headers (canon lower (func $types "[method]incoming-request.headers")))
               (core func $has (canon lower (func $types "[method]fields.has") (memory $memory)))
               (core func $drop-fields (canon resource.drop $fields-type))
               (core func $drop-stream"#,
        ),
        (
            r#"(import "host" "drop-stream" (func $drop-stream (param i32)))"#,
            r#"(import "host" "headers" (func $headers (param i32) (result i32)))
               (import "host" "has" (func $has (param i32 i32 i32) (result i32)))
               (import "host" "drop-fields" (func $drop-fields (param i32)))
               (import "host" "drop-stream" (func $drop-stream (param i32)))"#,
        ),
        (
            "(local $new i32) (local $content i32)",
            "(local $sent i32) (local $length i32) (local $new i32) (local $content i32)",
        ),
        (
            "(call $drop-request (local.get $request))",
            "(local.set $sent (call $headers (local.get $request)))
             (local.set $length (i32.const 19))
             (if (call $has (local.get $sent) (i32.const 64) (i32.const 13))
               (then (local.set $length (i32.const 5))))
             (call $drop-fields (local.get $sent))
             (call $drop-request (local.get $request))",
        ),
        ("(i32.const 16) (i32.const 19) (i32.const 512)", "(i32.const 16) (local.get $length) (i32.const 512)"),
        (
            r#"(export "drop-stream" (func $drop-stream))"#,
            r#"(export "headers" (func $headers)) (export "has" (func $has)) (export "drop-fields" (func $drop-fields))
               (export "drop-stream" (func $drop-stream))"#,
        ),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn the_function_that_somebody_runs_does_not_get_the_token_that_they_showed() {
    let server = Server::asking(&[]).await;
    server.deploy("show", tells_whether_it_got_authorization()).await;
    let token = account(&server, "caller", &[("functions.invoker", "function:show")]).await;
    let shown = async |token: &str| asked(&server, Method::GET, "/fn/show", Some(token), "").await.is(200).text();
    assert_eq!(shown(&token).await, "hello from tidemill", "it got nothing");
    // What everybody may run gets what its callers sent: it may have tokens of its own.
    grant(&server, "everyone", "functions.invoker", "function:show").await.is(200);
    assert_eq!(shown("one of its own").await, "hello");
}

#[tokio::test]
async fn changes_are_logged_with_who_made_them_and_what_became_of_them() {
    let server = Server::asking(&[]).await;
    server.deploy("f", prebuilt("echo")).await;
    let viewer = account(&server, "looks", &[("viewer", "namespace:default")]).await;
    asked(&server, Method::DELETE, "/v1/functions/f", Some(&viewer), "").await.is(403);
    asked(&server, Method::DELETE, "/v1/functions/f", None, "").await.is(401);
    server.invoke("f", "").await.is(200);
    let log = server.get("/v1/audit").await.is(200).json();
    let entries: Vec<_> = log["entries"].as_array().unwrap().iter().rev().collect();
    let told = |it: &&Value| format!("{} {} {} {}", it["who"], it["action"], it["on"], it["status"]).replace('"', "");
    let told: Vec<_> = entries.iter().map(told).collect();
    assert_eq!(
        told,
        [
            "default/admin PUT /v1/functions/{name} functions/f 201",
            "default/admin PUT /v1/accounts/{name} accounts/looks 201",
            "default/admin POST /v1/accounts/{name}/roles accounts/looks/roles 200",
            "default/admin POST /v1/accounts/{name}/tokens accounts/looks/tokens 201",
            "default/looks DELETE /v1/functions/{name} functions/f 403",
        ]
    );
    let page = server.get("/v1/audit?limit=2").await.is(200).json();
    let next = page["next_cursor"].as_str().unwrap();
    let rest = server.get(&format!("/v1/audit?cursor={next}")).await.is(200).json();
    assert_eq!((rest["entries"].as_array().unwrap().len(), &rest["next_cursor"]), (3, &Value::Null));
    let server = server.killed().await.restarted().await;
    assert_eq!(server.get("/v1/audit").await.is(200).json()["entries"].as_array().unwrap().len(), 5, "kill -9");
}

#[tokio::test]
async fn no_token_and_no_secret_of_a_key_is_in_a_log_a_file_an_answer_or_an_export() {
    let server = Server::asking(&["--log", "debug"]).await;
    server.deploy("f", prebuilt("echo")).await;
    let token = account(&server, "a", &[("functions.invoker", "function:f")]).await;
    let key = server.post("/v1/accounts/a/keys", "").await.is(201).json();
    let secret = key["secret"].as_str().unwrap().to_owned();
    asked(&server, Method::POST, "/v1/functions/f/invocations", Some(&token), "x").await.is(200);
    let wrong = format!("{token}0");
    let mut told = vec![asked(&server, Method::POST, "/v1/functions/f/invocations", Some(&wrong), "x").await.text()];
    told.push(asked(&server, Method::GET, "/v1/runtime", Some(&token), "").await.is(403).text());
    for path in
        ["/v1/accounts", "/v1/accounts/a", "/v1/accounts/a/tokens", "/v1/accounts/a/keys", "/v1/audit", "/metrics"]
    {
        told.push(server.get(path).await.is(200).text());
    }
    told.extend([server.log(), server.printed()]);
    let admin = server.token().to_owned();
    let stopped = server.terminated().await;
    let data = stopped.data().display().to_string();
    told.push(run_with("http://127.0.0.1:1", &["store", "export", "-", "--data", &data], b"").await.exits(0).text());
    told.push(stopped.log());
    // What is behind the id of a token is what nobody may know.
    for shown in [&token, &admin, &secret] {
        let hidden = shown.rsplit('_').next().unwrap();
        let hidden = if shown == &secret { shown.as_str() } else { hidden };
        for text in &told {
            assert!(!text.contains(hidden), "{text}");
        }
        let files = holding(&stopped.data(), hidden.as_bytes());
        let allowed: &[&str] = if shown == &admin { &["admin.token"] } else { &[] };
        assert_eq!(files, allowed);
    }
}

#[tokio::test]
async fn the_command_line_makes_accounts_gives_roles_and_shows_tokens_once() {
    let server = Server::asking(&[]).await;
    server.deploy("f", prebuilt("echo")).await;
    let file = server.folder().join("tidemill-data/admin.token").display().to_string();
    let admin = async |line: &str| {
        let arguments: Vec<_> = line.split(' ').chain(["--token-file", &file]).collect();
        run(&server, &arguments).await
    };
    let refused = run(&server, &["access", "accounts", "list"]).await.exits(4);
    assert!(refused.err.contains("TIDEMILL_TOKEN"), "{}", refused.err);
    admin("access accounts create ci").await.exits(0);
    assert!(admin("access roles").await.exits(0).text().contains("functions.invoker"));
    let granted = admin("access grant ci functions.invoker --on function:f").await.exits(0).text();
    assert_eq!(granted.trim(), "ci: functions.invoker on function:default/f");
    let token = admin("access tokens create ci --expires 1h").await.exits(0).text();
    let path = server.folder().join("ci.token");
    fs::write(&path, &token).unwrap();
    let own = path.display().to_string();
    let invoked = run(&server, &["invoke", "f", "--data", "hi", "--token-file", &own]).await.exits(0);
    assert_eq!(invoked.text().trim(), "hi");
    let refused = run(&server, &["functions", "delete", "f", "--token-file", &own]).await.exits(4);
    assert!(refused.err.contains("lacks the role `functions.editor`"), "{}", refused.err);
    let listed = admin("access tokens list ci").await.exits(0).text();
    let id = token.split('_').nth(1).unwrap();
    assert!(listed.contains(id) && !listed.contains(token.trim()), "{listed}");
    let key = admin("access keys create ci --json").await.exits(0).json();
    assert!(
        key["secret"].is_string() && admin("access keys list ci").await.text().contains(key["id"].as_str().unwrap())
    );
    admin(&format!("access tokens revoke ci {id}")).await.exits(0);
    run(&server, &["invoke", "f", "--token-file", &own]).await.exits(4);
    let revoked = admin("access revoke ci functions.invoker --on function:f").await.exits(0).text();
    assert_eq!(revoked.trim(), "ci: -");
    let accounts = admin("access accounts list").await.exits(0).text();
    assert!(accounts.contains("ci") && accounts.contains("admin on everything"), "{accounts}");
    admin("access accounts delete ci").await.exits(0);
    let audit = admin("access audit --limit 3").await.exits(0).text();
    assert!(audit.contains("DELETE /v1/accounts/{name}") && audit.contains("default/admin"), "{audit}");
}

#[tokio::test]
async fn what_makes_no_sense_as_an_account_a_role_or_a_token_is_refused_with_the_reason() {
    let server = Server::in_memory().await;
    server.put("/v1/accounts/a.b", "").await.refusal(400, "bad_name", "`a.b`");
    server.put("/v1/accounts/a", "").await.is(201);
    server.put("/v1/accounts/a", "").await.refusal(409, "account_exists", "`default/a`");
    server.get("/v1/accounts/b").await.refusal(404, "account_not_found", "`default/b`");
    grant(&server, "a", "owner", "everything").await.refusal(400, "bad_role", "`owner` is not a role");
    grant(&server, "a", "viewer", "all").await.refusal(400, "bad_scope", "`all`");
    grant(&server, "a", "queues.writer", "function:f").await.refusal(400, "bad_role", "means nothing");
    server.delete("/v1/accounts/a/roles?role=viewer").await.refusal(404, "role_not_granted", "`viewer`");
    let long = json!({"expires_s": 400_000_000}).to_string();
    server.post("/v1/accounts/a/tokens", long).await.refusal(400, "bad_range", "3650 days");
    server.post("/v1/accounts/a/tokens", "{\"expires\": 1}").await.refusal(400, "bad_json", "expires");
    server.delete("/v1/accounts/a/keys/TMAK").await.refusal(404, "credential_not_found", "`TMAK`");
}
