//! Secrets: set once or replaced, given to attempts, taken out of what they write, and shown by nothing.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::support::{Server, attempts, run, run_with};

const VALUE: &str = "correct horse battery staple";

/// A command that writes its whole environment to a file descriptor, and ends with an exit code.
fn tells_environment(descriptor: u32, code: u32) -> Vec<u8> {
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 4)
          (func (export "_start")
            (drop (call $sizes (i32.const 0) (i32.const 4)))
            (drop (call $get (i32.const 1024) (i32.const 65536)))
            (i32.store (i32.const 16) (i32.const 65536))
            (i32.store (i32.const 20) (i32.load (i32.const 4)))
            (drop (call $write (i32.const {descriptor}) (i32.const 16) (i32.const 1) (i32.const 24)))
            (call $exit (i32.const {code}))))"#
    );
    wat::parse_str(text).unwrap()
}

/// Deploys it with a secret of that name in `PASSWORD`.
async fn deploy(server: &Server, name: &str, module: Vec<u8>, secret: &str) {
    let settings = json!({"grants": {"secrets": {"PASSWORD": secret}}, "async_config": {"max_retries": 0}});
    server.deploy_with(name, module, &settings).await;
}

/// The variables that a function says it has.
async fn environment(server: &Server, name: &str) -> Vec<String> {
    let text = server.invoke(name, "").await.is(200).text();
    text.split('\0').map(str::to_owned).collect()
}

/// Whether any file below `folder` holds these bytes.
fn any_file_holds(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return any_file_holds(&path, bytes);
        }
        fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn a_secret_is_set_listed_without_its_value_used_replaced_and_deleted() {
    let server = Server::durable().await;
    let set = server.put("/v1/secrets/database", VALUE).await.is(201);
    assert_eq!(set.json(), json!({"namespace": "default", "name": "database"}));
    deploy(&server, "tells", tells_environment(1, 0), "database").await;
    assert!(environment(&server, "tells").await.contains(&format!("PASSWORD={VALUE}")));

    server.put("/v1/secrets/database", "another value").await.is(200);
    assert!(environment(&server, "tells").await.contains(&"PASSWORD=another value".to_owned()));

    let list = server.get("/v1/secrets").await.is(200).json();
    let fields: Vec<_> = list["secrets"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["namespace", "name", "created_at", "updated_at"]);
    assert_eq!((list["secrets"].as_array().unwrap().len(), &list["next_cursor"]), (1, &json!(null)));
    let shown = server.get("/v1/functions/tells").await.is(200).json();
    assert_eq!(shown["version"]["grants"]["secrets"], json!({"PASSWORD": "database"}), "the name, not the value");
    server.get("/v1/secrets/database").await.is(405);

    server.delete("/v1/secrets/database").await.is(204);
    server.delete("/v1/secrets/database").await.refusal(404, "secret_not_found", "`database`");
    let failed = server.accept("tells", "").await;
    let failed = server.settled(&failed, "failed").await;
    assert_eq!(attempts(&failed), [(1, "load")]);
    let message = failed["attempts"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("the secret `database`") && message.contains("PASSWORD"), "{message}");
}

#[tokio::test]
async fn a_version_that_needs_a_secret_that_is_not_there_is_refused() {
    let server = Server::in_memory().await;
    server.put("/v1/secrets/there", VALUE).await.is(201);
    server.put("/v1/secrets/elsewhere?namespace=shop", VALUE).await.is(201);
    let secrets = json!({"A": "there", "B": "elsewhere", "C": "nowhere"});
    let refused = server.deployment("f", tells_environment(1, 0), &json!({"grants": {"secrets": secrets}})).await;
    refused.refusal(422, "secret_not_found", "`elsewhere`, `nowhere`");
    server.get("/v1/functions/f").await.is(404);
    let named = json!({"grants": {"secrets": {"A=B": "there"}}});
    server.deployment("f", tells_environment(1, 0), &named).await.refusal(400, "bad_environment", "`A=B`");
}

#[tokio::test]
async fn a_secret_is_in_no_log_no_message_no_file_and_no_export() {
    let server = Server::with(&["--log", "debug"]).await;
    server.put("/v1/secrets/database", VALUE).await.is(201);
    deploy(&server, "fails", tells_environment(2, 3), "database").await;
    let id = server.accept("fails", "").await;
    let failed = server.settled(&id, "failed").await;
    let message = failed["attempts"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("PASSWORD=[secret database]"), "{message}");
    let log = server.get(&format!("/v1/invocations/{id}/logs")).await.is(200).text();
    assert!(log.contains("PASSWORD=[secret database]") && !log.contains(VALUE), "{log}");
    // Somebody who waits is told no more.
    let told = server.invoke("fails", "").await.is(502).text();
    assert!(told.contains("[secret database]") && !told.contains(VALUE), "{told}");
    for text in [failed.to_string(), server.log(), server.printed()] {
        assert!(!text.contains(VALUE), "{text}");
    }
    assert!(server.log().contains("attempt failed"), "the log tells of the failure: {}", server.log());

    let stopped = server.killed().await;
    assert!(!any_file_holds(&stopped.data(), VALUE.as_bytes()));
    let data = stopped.data().display().to_string();
    let server = stopped.restarted().await;
    assert!(server.settled(&id, "failed").await.to_string().contains("[secret database]"));
    let stopped = server.terminated().await;
    let export = run_with("http://127.0.0.1:1", &["store", "export", "-", "--data", &data], b"").await.exits(0).text();
    assert!(export.contains("\"secret\"") && !export.contains(VALUE));
    let server = stopped.restarted().await;
    deploy(&server, "tells", tells_environment(1, 0), "database").await;
    assert!(environment(&server, "tells").await.contains(&format!("PASSWORD={VALUE}")));
}

#[tokio::test]
async fn a_secret_opens_with_its_own_key_alone_which_goes_where_the_store_goes() {
    let server = Server::durable().await;
    server.put("/v1/secrets/database", VALUE).await.is(201);
    deploy(&server, "tells", tells_environment(1, 0), "database").await;
    let stopped = server.terminated().await;
    let key = stopped.data().join("secret.key");
    let own = fs::read(&key).unwrap();
    let data = stopped.data().display().to_string();
    run_with("http://127.0.0.1:1", &["store", "compact", "--data", &data], b"").await.exits(0);
    assert_eq!(fs::read(&key).unwrap(), own);
    let other = tempfile::NamedTempFile::new().unwrap();
    fs::write(other.path(), [7; 32]).unwrap();
    let given = other.path().display().to_string();

    let server = stopped.restarted_with(&["--secret-key-file", &given]).await.expecting(&["could not be opened"]);
    let id = server.accept("tells", "").await;
    let failed = server.settled(&id, "failed").await;
    let message = failed["attempts"][0]["error"]["message"].as_str().unwrap();
    assert_eq!(attempts(&failed), [(1, "load")]);
    assert!(message.contains("`database`") && message.contains(&given), "{message}");
    let server = server.terminated().await.restarted().await;
    assert!(environment(&server, "tells").await.contains(&format!("PASSWORD={VALUE}")));

    fs::write(other.path(), [7; 31]).unwrap();
    let stopped = server.terminated().await.runs_out(&["--secret-key-file", &given]).await;
    assert_ne!(stopped.code, Some(0));
    assert!(stopped.log().contains("exactly 32 bytes"), "{}", stopped.log());
}

#[tokio::test]
async fn what_cannot_be_a_secret_is_refused_and_namespaces_are_apart() {
    let server = Server::in_memory().await;
    server.put("/v1/secrets/a", vec![b'x'; 64 * 1_024]).await.is(201);
    server.put("/v1/secrets/a", vec![b'x'; 64 * 1_024 + 1]).await.problem(413, "body_too_large");
    for bytes in [&b""[..], b"a\0b", b"\xff\xfe"] {
        server.put("/v1/secrets/a", bytes.to_vec()).await.refusal(400, "bad_secret", "as base64");
    }
    server.put("/v1/secrets/a.b", VALUE).await.refusal(400, "bad_name", "`a.b` is not a name of a secret");
    server.put("/v1/secrets/b?namespace=shop", VALUE).await.is(201);
    let names = async |query: &str| -> Vec<Value> {
        let list = server.get(&format!("/v1/secrets?{query}")).await.is(200).json();
        list["secrets"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect()
    };
    assert_eq!((names("").await, names("namespace=shop").await), (vec![json!("a")], vec![json!("b")]));
    for name in ["c", "b"] {
        server.put(&format!("/v1/secrets/{name}"), VALUE).await.is(201);
    }
    let page = server.get("/v1/secrets?limit=2").await.is(200).json();
    assert_eq!((page["secrets"].as_array().unwrap().len(), &page["next_cursor"]), (2, &json!("b")));
    assert_eq!(names("limit=2&cursor=b").await, ["c"]);
}

#[tokio::test]
async fn the_command_line_sets_lists_and_deletes_secrets_and_shows_none() {
    let server = Server::in_memory().await;
    let url = server.url("");
    run_with(&url, &["secrets", "set", "piped"], format!("{VALUE}\n").as_bytes()).await.exits(0);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "two\nlines\n").unwrap();
    run(&server, &["secrets", "set", "filed", "--from-file", file.path().to_str().unwrap()]).await.exits(0);
    let settings = json!({"grants": {"secrets": {"ONE": "piped", "TWO": "filed"}}});
    server.deploy_with("tells", tells_environment(1, 0), &settings).await;
    let environment = environment(&server, "tells").await;
    for expected in [format!("ONE={VALUE}"), "TWO=two\nlines\n".to_owned()] {
        assert!(environment.contains(&expected), "{environment:?}");
    }
    let listed = run(&server, &["secrets", "list"]).await.exits(0).text();
    assert!(listed.contains("piped") && listed.contains("filed") && !listed.contains(VALUE), "{listed}");
    run(&server, &["secrets", "delete", "piped"]).await.exits(0);
    let refused = run(&server, &["secrets", "delete", "piped"]).await.exits(4);
    assert!(refused.err.contains("there is no secret `piped`"), "{}", refused.err);
    let json = run(&server, &["secrets", "list", "--json"]).await.exits(0).json();
    assert_eq!(json["secrets"].as_array().unwrap().len(), 1);
    run_with(&url, &["secrets", "set", "empty"], b"").await.exits(4);
}
