//! A description of what is there, which applied to the same server, or with its modules to another, leaves nothing to do.

use std::fs;

use super::Site;
use super::everything::{example, server};
use crate::process::support::{Server, run};

#[tokio::test]
async fn an_export_applied_to_the_same_server_plans_nothing() {
    let (server, site) = (server().await, Site::new(&example()));
    site.applied(&server).await;
    let exported = run(&server, &["export", "--namespace", "shop"]).await.exits(0).text();
    assert!(exported.contains("module = \"sha256:") && !exported.contains("very-secret"), "{exported}");
    assert!(!exported.contains("paused"), "{exported}");
    site.describe(&exported);
    let planned = site.run(&server, "plan --prune").await.exits(0);
    assert_eq!((planned.text().as_str(), planned.err.as_str()), ("nothing to do\n", ""));
    // The module that is there is deployed again with other settings.
    site.edit("timeout = \"5s\"", "timeout = \"6s\"");
    site.applied(&server).await;
    let order = server.get("/v1/functions/order?namespace=shop").await.json();
    assert_eq!((&order["version"]["timeout_ms"], &order["latest"]), (&6_000.into(), &2.into()));
}

#[tokio::test]
async fn an_export_with_its_modules_makes_another_server_the_same() {
    let (first, site) = (server().await, Site::new(&example()));
    site.applied(&first).await;
    let (file, modules) = (site.path("copy.toml"), "modules");
    let words = ["export", "--namespace", "shop", "--modules", modules, "--file", file.to_str().unwrap()];
    run(&first, &words).await.exits(0);
    assert_eq!(fs::read(site.path("modules/site.wasm")).unwrap(), fs::read(site.path("hello-http.wasm")).unwrap());
    fs::rename(&file, site.path("tidemill.toml")).unwrap();
    let second = server().await;
    site.applied(&second).await;
    let exported = async |server: &Server| -> toml::Table {
        run(server, &["export", "--namespace", "shop"]).await.exits(0).text().parse().unwrap()
    };
    let mut expected = exported(&first).await;
    // What the one version has of its own is the function's there.
    let upper = expected["functions"]["upper"].as_table_mut().unwrap();
    let own = upper.remove("versions").unwrap()["1"]["async"].clone();
    upper.insert("async".to_owned(), own);
    assert_eq!(exported(&second).await, expected);
}

#[tokio::test]
async fn an_export_for_another_server_names_no_version_that_it_will_not_have() {
    let (first, site) = (Server::in_memory().await, Site::new("[functions.a]\nmodule = \"echo.wasm\"\n"));
    site.applied(&first).await;
    site.describe(
        "[functions.a]\nmodule = \"upper.wasm\"\naliases = { live = 2, old = 1 }\n\
         [functions.b]\nmodule = \"echo.wasm\"\nasync.on_success = \"function:a@2\"\nasync.on_failure = \"function:a@old\"\n",
    );
    site.applied(&first).await;
    let file = site.path("tidemill.toml");
    let words = ["export", "--modules", "modules", "--file", file.to_str().unwrap()];
    let told = run(&first, &words).await.exits(0).err;
    let expected = "left out: alias old of function a: it names version 1, which is not the newest\n\
                    left out: on_failure of function b: it leads to a@old, which is not written\n";
    assert_eq!(told, expected);

    let second = Server::in_memory().await;
    let applied = site.applied(&second).await.text();
    assert!(applied.contains("\n3 to make, 0 to change, 0 to remove\n"), "{applied}");
    let a = second.get("/v1/functions/a").await.is(200).json();
    assert_eq!(a["aliases"], serde_json::json!({ "live": 1 }));
    let b = second.get("/v1/functions/b/async-config").await.is(200).json();
    assert_eq!((&b["on_success"]["to"], b["on_failure"].is_null()), (&"function:a".into(), true));

    site.edit("live = \"latest\"", "live = 2");
    let refused = site.run(&second, "apply").await.exits(2);
    assert!(
        refused.err.contains("alias live of function a names version 2, which there will not be"),
        "{}",
        refused.err
    );
}
