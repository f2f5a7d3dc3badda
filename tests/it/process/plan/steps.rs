//! What a change of the file changes, what is refused, and what is said when a step fails.

use std::fs;

use serde_json::json;

use super::Site;
use crate::process::support::{Server, prebuilt, run};

const TWO: &str = "\
    [functions.a]\nmodule = \"echo.wasm\"\nmemory = \"64MiB\"\nasync.max_retries = 2\n\
    [functions.b]\nmodule = \"upper.wasm\"\n";

#[tokio::test]
async fn a_change_of_one_field_shows_that_field_and_changes_nothing_else() {
    let (server, site) = (Server::in_memory().await, Site::new(TWO));
    site.applied(&server).await;
    site.edit("64MiB", "128MiB");
    let expected =
        "~ function a\n    - memory = \"64MiB\"\n    + memory = \"128MiB\"\n\n0 to make, 1 to change, 0 to remove\n";
    assert_eq!(site.run(&server, "plan").await.exits(5).text(), expected);
    site.applied(&server).await;
    let latest = async |name: &str| server.get(&format!("/v1/functions/{name}")).await.json()["latest"].clone();
    assert_eq!([latest("a").await, latest("b").await], [2, 1]);
    site.edit("max_retries = 2", "max_retries = 3");
    let shown = site.run(&server, "plan").await.exits(5).text();
    assert!(shown.contains("- async.max_retries = 2\n    + async.max_retries = 3\n"), "{shown}");
    site.applied(&server).await;
    // A configuration is no part of a version.
    assert_eq!(latest("a").await, 2);
}

#[tokio::test]
async fn a_new_module_is_a_new_version_and_latest_follows_it() {
    let server = Server::in_memory().await;
    let site = Site::new("[functions.a]\nmodule = \"echo.wasm\"\naliases = { live = \"latest\", old = 1 }\n");
    site.applied(&server).await;
    fs::copy(site.path("upper.wasm"), site.path("echo.wasm")).unwrap();
    let shown = site.run(&server, "plan").await.exits(5).text();
    assert!(shown.contains("- module = \"sha256:") && shown.contains("+ version = \"latest\""), "{shown}");
    site.applied(&server).await;
    let function = server.get("/v1/functions/a").await.json();
    assert_eq!(function["aliases"], json!({"live": 2, "old": 1}));
    site.edit("live = \"latest\"", "live = { version = 1, weights = { 2 = 25 } }");
    site.applied(&server).await;
    assert_eq!(server.get("/v1/functions/a").await.json()["weights"], json!({"live": {"2": 25}}));
}

#[tokio::test]
async fn what_the_file_does_not_have_stays_unless_it_is_pruned() {
    let (server, site) = (Server::in_memory().await, Site::new(TWO));
    site.applied(&server).await;
    server.deploy("own", prebuilt("echo")).await;
    server.put("/v1/queues/own", "").await.is(201);
    site.describe("[functions.a]\nmodule = \"echo.wasm\"\nmemory = \"64MiB\"\nasync.max_retries = 2\n");
    let planned = site.run(&server, "plan").await.exits(0);
    assert!(planned.err.contains("function b, function own"), "{}", planned.err);
    let planned = site.run(&server, "plan --prune").await.exits(5);
    assert_eq!(planned.text(), "- queue own\n- function b\n- function own\n\n0 to make, 0 to change, 3 to remove\n");
    site.run(&server, "apply --prune").await.exits(0);
    assert_eq!(site.run(&server, "plan --prune").await.exits(0).text(), "nothing to do\n");
    let left = server.get("/v1/functions").await.json();
    let names: Vec<_> = left["functions"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["a"]);
}

#[tokio::test]
async fn what_is_wrong_in_a_file_is_told_with_its_line_and_the_nearest_name() {
    let (server, site) = (Server::in_memory().await, Site::new(""));
    let check = async |text: &str, told: &str| {
        site.describe(text);
        let refused = site.run(&server, "plan").await.exits(2);
        assert!(refused.err.contains(told) && refused.err.contains("tidemill.toml"), "{told}: {}", refused.err);
    };
    check(
        "[functions.a]\nmodule = \"echo.wasm\"\nmemroy = \"1MiB\"",
        "line 3: `memroy` is no key here: did you mean `memory`?",
    )
    .await;
    check("[functions.a]\n", "line 1: function a: `module` is missing").await;
    check("\n[functions.\"2a\"]\nmodule = \"echo.wasm\"", "line 2: `2a`").await;
    check("[functions.a]\nmodule = \"echo.wasm\"\nasync.on_success = \"queu:x\"", "`queu:x` is not a destination")
        .await;
    check("[queues.a]\nwait = \"1500ms\"", "line 1: queue a: `wait` is `1500ms`: write whole seconds").await;
    check("[triggers.a]\nkind = \"timer\"\nfunction = \"a\"\ncron = \"* * * * *\"\nbatch_size = 1", {
        "`batch_size` is no key of kind `timer`"
    })
    .await;
    check("[triggers.a]\nkind = \"queu\"\nfunction = \"a\"", "did you mean `queue`?").await;
    check("namespace = \"a\"\n[functions.x]\nmodule = \"echo.wasm\"\n[containers.x]\nmodule = \"echo.wasm\"", {
        "function a/x: it is in the file twice"
    })
    .await;
    site.describe("[functions.a]\nmodule = \"nowhere.wasm\"");
    assert!(site.run(&server, "plan").await.exits(2).err.contains("nowhere.wasm"));
    let missing = site.folder.path().join("tidemill.toml");
    fs::remove_file(missing).unwrap();
    assert!(site.run(&server, "plan").await.exits(2).err.contains("tidemill.toml"));
}

#[tokio::test]
async fn after_a_step_that_fails_it_is_said_what_was_done_and_what_was_not() {
    let server = Server::in_memory().await;
    let site = Site::new(
        "[queues.jobs]\n[functions.a]\nmodule = \"broken.wasm\"\n[functions.b]\nmodule = \"echo.wasm\"\nasync.on_success = \"function:a\"\n",
    );
    fs::write(site.path("broken.wasm"), b"no module").unwrap();
    let failed = site.run(&server, "apply").await.exits(4);
    let told = failed.text();
    assert!(told.contains("done: create queue jobs\n"), "{told}");
    assert!(told.contains("not done: create function a\n") && told.contains("not done: create function b\n"), "{told}");
    assert!(
        failed.err.contains("function a could not be done") && failed.err.contains("not a valid WebAssembly"),
        "{}",
        failed.err
    );
    fs::copy(site.path("echo.wasm"), site.path("broken.wasm")).unwrap();
    let applied = site.applied(&server).await;
    assert!(!applied.text().contains("queue jobs"), "{}", applied.text());
}

#[tokio::test]
async fn accounts_and_their_roles_are_described_where_the_server_asks_for_them() {
    let server = Server::asking(&[]).await;
    let site = Site::new(
        "[accounts.runner]\nroles = [\"functions.invoker\", { role = \"queues.writer\", on = \"queue:jobs\" }]\n\
         [queues.jobs]\n\
         [functions.a]\nmodule = \"echo.wasm\"\nasync.service_account = \"runner\"\n\
         async.on_success = { to = \"queue:jobs\", service_account = \"runner\" }\n",
    );
    let token = site.path("token");
    fs::write(&token, server.token()).unwrap();
    let with_token = format!("--token-file {}", token.display());
    site.run(&server, "plan").await.exits(4);
    site.run(&server, &format!("{with_token} apply")).await.exits(0);
    assert_eq!(site.run(&server, &format!("{with_token} plan")).await.exits(0).text(), "nothing to do\n");
    let account = server.get("/v1/accounts/runner").await.is(200).json();
    assert_eq!(account["roles"].as_array().unwrap().len(), 2, "{account}");
    // Nothing prunes the account that looks after the server from a file that says nothing of it by chance.
    site.edit("\"functions.invoker\", ", "");
    let left = site.run(&server, &format!("{with_token} plan")).await.exits(0);
    assert!(left.err.contains("role functions.invoker on namespace:default of account runner"), "{}", left.err);
}

/// A file with the token of an account with these roles.
async fn token_of(site: &Site, server: &Server, roles: &[(&str, &str)]) -> String {
    server.put("/v1/accounts/somebody", "").await.is(201);
    for (role, on) in roles {
        let role = json!({ "role": role, "on": on }).to_string();
        server.post("/v1/accounts/somebody/roles", role).await.is(200);
    }
    let token = server.post("/v1/accounts/somebody/tokens", "").await.is(201).json();
    fs::write(site.path("token"), token["token"].as_str().unwrap()).unwrap();
    format!("--token-file {}", site.path("token").display())
}

#[tokio::test]
async fn an_edge_between_two_namespaces_is_turned_around_by_who_sees_those_alone() {
    let server = Server::asking(&[]).await;
    let site = Site::new(
        "[functions.\"n1/a\"]\nmodule = \"echo.wasm\"\nasync.on_success = \"function:n2/b\"\n\
         [functions.\"n2/b\"]\nmodule = \"echo.wasm\"\n",
    );
    let roles = ["n1", "n2", "default"].map(|namespace| format!("namespace:{namespace}"));
    let roles: Vec<_> = roles.iter().flat_map(|on| [("functions.editor", on.as_str()), ("viewer", on)]).collect();
    let with_token = token_of(&site, &server, &roles).await;
    site.run(&server, &format!("{with_token} apply")).await.exits(0);
    site.describe(
        "[functions.\"n1/a\"]\nmodule = \"echo.wasm\"\n\
         [functions.\"n2/b\"]\nmodule = \"echo.wasm\"\nasync.on_success = \"function:n1/a\"\n",
    );
    site.run(&server, &format!("{with_token} apply")).await.exits(0);
    assert_eq!(site.run(&server, &format!("{with_token} plan")).await.exits(0).text(), "nothing to do\n");
}

#[tokio::test]
async fn whoever_may_not_see_accounts_exports_what_else_there_is_and_is_told_so() {
    let server = Server::asking(&[]).await;
    server.deploy("a", prebuilt("echo")).await;
    let site = Site::new("");
    let with_token = token_of(&site, &server, &[("viewer", "namespace:default")]).await;
    let words: Vec<_> = with_token.split(' ').chain(["export"]).collect();
    let exported = run(&server, &words).await.exits(0);
    let told = "left out: the accounts: the service account `default/somebody` lacks the role `admin` on ";
    assert!(exported.err.starts_with(told), "{}", exported.err);
    assert!(exported.text().contains("[functions.a]") && !exported.text().contains("accounts"), "{}", exported.text());
}
