//! The code of functions is shown and replaced.

use serde_json::json;

use super::{create, encoded, invoked, native, of, path, refused, urn};
use crate::process::support::{Server, prebuilt};

#[tokio::test]
async fn code_is_shown_as_it_came_and_what_replaces_it_runs_with_the_same_configuration() {
    let server = Server::in_memory().await;
    let made = create(&server, "test", "echo").await;
    let shown = server.get(&of("test", "code")).await.is(200).json();
    assert_eq!(shown["func_code"]["file"], encoded(&prebuilt("echo")));
    assert_eq!(
        (&shown["digest"], &shown["code_size"], &shown["func_urn"]),
        (&made["digest"], &made["code_size"], &made["func_urn"])
    );
    for field in ["func_name", "domain_id", "runtime", "code_type", "code_filename", "last_modified", "strategy_config"]
    {
        assert_eq!(shown[field], made[field], "{field}");
    }
    assert!(shown["handler"].is_null(), "{shown}");

    let upper = prebuilt("upper");
    let update = json!({ "code_type": "zip", "code_filename": "upper.zip", "func_code": { "file": encoded(&upper) }, "depend_version_list": ["d"] });
    let updated = server.put(&of("test", "code"), update.to_string()).await.is(200).json();
    assert_eq!(updated["func_code"]["file"], encoded(&upper));
    assert_eq!((&updated["code_filename"], &updated["depend_version_list"]), (&"upper.zip".into(), &json!(["d"])));
    assert_ne!(updated["digest"], made["digest"]);
    assert_eq!(invoked(&server, "test", "ebb").await.is(200).text(), "EBB");
    let config = server.get(&of("test", "config")).await.is(200).json();
    assert_eq!(
        (&config["handler"], &config["timeout"], &config["digest"]),
        (&made["handler"], &made["timeout"], &updated["digest"])
    );
    assert_eq!(server.get(&native("test", "")).await.is(200).json()["latest"], 2);
}

#[tokio::test]
async fn code_that_cannot_be_is_refused_and_the_function_stays_as_it_was() {
    let server = Server::in_memory().await;
    create(&server, "test", "echo").await;
    for (body, status, code, part) in [
        (json!({}), 400, "FSS.1006", "`code_type`"),
        (json!({ "code_type": 1 }), 400, "FSS.1006", "`1`"),
        (json!({ "code_type": "inline" }), 400, "FSS.1012", "func_code.file"),
        (json!({ "code_type": "inline", "func_code": { "file": 1 } }), 400, "FSS.1011", "func_code.file"),
        (json!({ "code_type": "inline", "func_code": { "file": encoded(b"x") } }), 400, "FSS.1011", "no WebAssembly"),
        (json!({ "code_type": "obs", "code_url": "obs://none/none.wasm" }), 404, "FSS.0404", "none.wasm"),
    ] {
        refused(&server.put(&of("test", "code"), body.to_string()).await, status, code, part);
    }
    let body = json!({ "code_type": "inline", "func_code": { "file": encoded(&prebuilt("echo")) } }).to_string();
    refused(&server.put(&of("none", "code"), body.clone()).await, 404, "FSS.1051", "function 'none' not exist");
    let alias = path(&format!("/functions/{}:%21prod/code", urn("test")));
    refused(&server.put(&alias, body).await, 400, "FSS.0400", "only `latest`");
    refused(&server.get(&of("none", "code")).await, 404, "FSS.1051", "function 'none' not exist");
    assert_eq!(invoked(&server, "test", "as before").await.is(200).text(), "as before");
}
