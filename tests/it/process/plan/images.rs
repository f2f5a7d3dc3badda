//! Functions that are described by the image of a registry.

use super::Site;
use crate::process::support::{Server, prebuilt, run, run_with};
use crate::services::{NO_REGISTRY, Registry};
use crate::skipped;

/// A description of one function with that module.
fn described(module: &str) -> String {
    format!("[functions.a]\nmodule = \"{module}\"\nmemory = \"64MiB\"\n")
}

#[tokio::test]
async fn an_image_is_planned_applied_and_exported_by_its_name() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    registry.push_module("shop/a:1", &prebuilt("echo")).await;
    let second = registry.push_module("shop/a:2", &prebuilt("describe")).await;
    let image = format!("oci://{}/shop/a", registry.address);
    let (server, site) = (Server::in_memory().await, Site::new(&described(&format!("{image}:1"))));
    let planned = site.run(&server, "plan").await.exits(5).text();
    assert!(planned.contains(&format!("+ module = \"{image}:1\"\n")), "{planned}");
    site.applied(&server).await;
    assert_eq!(server.invoke("a", "hello").await.is(200).text(), "hello");

    // Other settings of the same image, another tag, and what that tag is by its digest.
    site.edit("64MiB", "32MiB");
    site.applied(&server).await;
    site.edit("a:1", "a:2");
    let planned = site.run(&server, "plan").await.exits(5).text();
    assert!(planned.contains(&format!("- module = \"{image}:1\"\n    + module = \"{image}:2\"\n")), "{planned}");
    site.applied(&server).await;
    site.edit(":2\"", &format!("@{second}\""));
    site.applied(&server).await;
    let function = server.get("/v1/functions/a").await.is(200).json();
    assert_eq!((&function["latest"], &function["version"]["source"]["digest"]), (&4.into(), &second.into()));

    let exported = run(&server, &["export"]).await.exits(0).text();
    assert!(exported.contains(&format!("module = \"{image}@sha256:")), "{exported}");
    site.describe(&exported);
    assert_eq!(site.run(&server, "plan --prune").await.exits(0).text(), "nothing to do\n");
    // The image is all that another server needs.
    let other = Server::in_memory().await;
    site.applied(&other).await;
    let digest = async |server: &Server| {
        server.get("/v1/functions/a").await.is(200).json()["version"]["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest(&other).await, digest(&server).await);
}

#[tokio::test]
async fn a_file_that_is_the_module_of_the_image_is_no_change_and_an_exported_module_replaces_the_image() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    registry.push_module("a:1", &prebuilt("echo")).await;
    let image = format!("oci://{}/a:1", registry.address);
    let (server, site) = (Server::in_memory().await, Site::new(&described(&image)));
    site.applied(&server).await;
    site.describe(&described("echo.wasm"));
    assert_eq!(site.run(&server, "plan").await.exits(0).text(), "nothing to do\n");
    site.edit("64MiB", "32MiB");
    site.applied(&server).await;
    let (file, other) = (site.path("tidemill.toml"), Server::in_memory().await);
    site.describe(&described(&image));
    site.applied(&server).await;
    run(&server, &["export", "--modules", "modules", "--file", file.to_str().unwrap()]).await.exits(0);
    drop(registry);
    site.applied(&other).await;
    assert_eq!(other.invoke("a", "hello").await.is(200).text(), "hello");
}

#[tokio::test]
async fn a_registry_is_asked_as_the_user_that_the_file_names() {
    let Some(registry) = Registry::with_user().await else { return skipped(NO_REGISTRY) };
    registry.push_module("a:1", &prebuilt("echo")).await;
    let (server, site) = (Server::in_memory().await, Site::new(""));
    let nobody = described(&format!("oci://{}/a:1", registry.address));
    site.describe(&nobody);
    let refused = site.run(&server, "apply").await.exits(4);
    assert!(refused.err.contains("wants a user and a password"), "{}", refused.err);
    assert!(refused.text().contains("not done: create function a\n"), "{}", refused.text());
    let login = "registry = { user = \"mill\", password = { secret = \"registry\" } }\n";
    site.describe(&format!("{nobody}{login}"));
    assert!(site.run(&server, "apply").await.exits(4).err.contains("`registry`"));
    run_with(&server.url(""), &["secrets", "set", "registry"], b"right-password").await.exits(0);
    site.applied(&server).await;
    assert_eq!(server.invoke("a", "hello").await.is(200).text(), "hello");
    // Who asked is no part of what is there: the server does not keep it.
    let exported = run(&server, &["export"]).await.exits(0).text();
    assert!(!exported.contains("mill") && !exported.contains("password"), "{exported}");
}

#[tokio::test]
async fn what_is_no_image_or_not_there_is_told_and_changes_nothing() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    let (server, site) = (Server::in_memory().await, Site::new(""));
    let refused = async |text: &str, code: i32, told: &str| {
        site.describe(text);
        let refused = site.run(&server, "apply").await.exits(code);
        assert!(refused.err.contains(told), "{told}: {}", refused.err);
    };
    refused(&described(&format!("oci://{}/nothing:1", registry.address)), 4, "nothing:1").await;
    refused(&described("oci://a:1"), 2, "line 1: function a: ").await;
    let login = "registry = { user = \"mill\", password = { secret = \"registry\" } }\n";
    refused(&(described("echo.wasm") + login), 2, "`registry` is for an image").await;
    let pasted = "registry = { user = \"mill\", password = \"hunter2\" }\n";
    site.describe(&(described("oci://a.example/a:1") + pasted));
    let told = site.run(&server, "plan").await.exits(2).err;
    assert!(told.contains("the name of a secret") && !told.contains("hunter2"), "{told}");
    server.get("/v1/functions/a").await.problem(404, "function_not_found");
}
