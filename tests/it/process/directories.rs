//! What else a function may be granted of its machine: directories, and values of its configuration; and its log.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::support::{Server, run};

/// A command that does in its first directory what its payload says: `r` prints the file `note`, `w` writes the file
/// `new`, `u` opens `../secret`. It ends with the error number of WASI where that fails.
const FILES: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  ;; 0 a buffer's address and length, 8 how much was read or written, 12 the descriptor, 64 the names, 256 the bytes.
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\01\00\00" "\40\00\00\00")
  (data (i32.const 64) "notenew../secret")
  (func $must (param $error i32)
    (if (local.get $error) (then (call $exit (local.get $error)))))
  (func $opened (param $name i32) (param $length i32) (param $create i32) (param $rights i64) (result i32)
    (call $must (call $open (i32.const 3) (i32.const 0) (local.get $name) (local.get $length) (local.get $create)
      (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 12)))
    (i32.load (i32.const 12)))
  (func $copy (param $from i32) (param $to i32)
    (call $must (call $read (local.get $from) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (call $must (call $write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start") (local $what i32)
    (call $must (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $what (i32.load8_u (i32.const 256)))
    (if (i32.eq (local.get $what) (i32.const 0x72))
      (then (call $copy (call $opened (i32.const 64) (i32.const 4) (i32.const 0) (i64.const 2)) (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 0x75))
      (then (call $copy (call $opened (i32.const 71) (i32.const 9) (i32.const 0) (i64.const 2)) (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 0x77))
      (then
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (call $must (call $write (call $opened (i32.const 68) (i32.const 3) (i32.const 1) (i64.const 64))
          (i32.const 0) (i32.const 1) (i32.const 8)))))))"#;

/// Tells in its log what it finds under three names of its configuration.
const CONFIGURED: &str = r#"(component
  (import "wasi:config/store@0.2.0-rc.1" (instance $config
    (type $e (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $error (eq $e)))
    (export "get" (func (param "key" string) (result (result (option string) (error $error)))))))
  (import "wasi:logging/logging@0.1.0-draft" (instance $logging
    (type $l (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $l)))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (core module $memory
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top (i32.add (global.get $top) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))))
  (core instance $memory (instantiate $memory))
  (core func $get
    (canon lower (func $config "get") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $log (canon lower (func $logging "log") (memory (core memory $memory "memory"))))
  (core module $main
    (import "memory" "memory" (memory 1))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
    (data (i32.const 0) "modeCOLOURgone")
    (func $tell (param $key i32) (param $length i32)
      (call $get (local.get $key) (local.get $length) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (unreachable)))
      (if (i32.load8_u (i32.const 68))
        (then
          (call $log (i32.const 2) (local.get $key) (local.get $length)
            (i32.load (i32.const 72)) (i32.load (i32.const 76))))
        (else
          (call $log (i32.const 3) (local.get $key) (local.get $length) (i32.const 10) (i32.const 4)))))
    (func (export "run") (result i32)
      (call $tell (i32.const 0) (i32.const 4))
      (call $tell (i32.const 4) (i32.const 6))
      (call $tell (i32.const 10) (i32.const 4))
      (call $log (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4))
      (i32.const 0)))
  (core instance $main (instantiate $main
    (with "memory" (instance $memory))
    (with "host" (instance (export "get" (func $get)) (export "log" (func $log))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exported)))"#;

/// A folder with a directory `data` that has a `note`, and a file `secret` beside it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/note"), "high tide at noon").unwrap();
    fs::write(folder.path().join("secret"), "not for guests").unwrap();
    folder
}

async fn server(root: &Path) -> Server {
    Server::with(&["--store", "memory", "--allow-dir", root.to_str().unwrap()]).await
}

fn granted(directory: &str) -> Value {
    json!({"grants": {"directories": [directory]}})
}

/// Checks that the command fails with this error number of WASI.
async fn check_fails(server: &Server, payload: &'static str, number: i32) {
    let problem = server.invoke("files", payload).await.problem(502, "function_failed");
    assert_eq!(problem["exit_code"], number, "{payload}: {problem}");
}

#[tokio::test]
async fn a_function_reads_its_directory_and_writes_there_only_if_it_may() {
    const PERMISSION: i32 = 63;
    const BAD_DESCRIPTOR: i32 = 8;
    let folder = folder();
    let (data, server) = (folder.path().join("data"), server(folder.path()).await);
    let module = wat::parse_str(FILES).unwrap();

    server.deploy_with("files", module.clone(), &granted(&format!("{}:/data", data.display()))).await;
    assert_eq!(server.invoke("files", "r").await.is(200).text(), "high tide at noon");
    check_fails(&server, "w", PERMISSION).await;
    assert!(!data.join("new").exists());
    check_fails(&server, "u", PERMISSION).await;

    server.deploy_with("files", module.clone(), &granted(&format!("{}:/data:rw", data.display()))).await;
    server.invoke("files", "wide open").await.is(200);
    assert_eq!(fs::read_to_string(data.join("new")).unwrap(), "wide open");
    check_fails(&server, "u", PERMISSION).await;

    server.deploy("files", module).await;
    check_fails(&server, "r", BAD_DESCRIPTOR).await;
}

#[tokio::test]
async fn a_directory_that_is_not_allowed_or_not_there_is_refused_when_it_is_granted() {
    let folder = folder();
    let (data, secret) = (folder.path().join("data"), folder.path().join("elsewhere"));
    fs::create_dir(&secret).unwrap();
    std::os::unix::fs::symlink(&secret, data.join("out")).unwrap();
    let module = wat::parse_str(FILES).unwrap();
    let server = server(&data).await;
    for outside in [&secret, &data.join("out"), Path::new("/etc"), Path::new("/nowhere/at/all")] {
        let answer = server.deployment("files", module.clone(), &granted(&format!("{}:/in", outside.display()))).await;
        let problem = answer.refusal(403, "directory_not_allowed", outside.to_str().unwrap());
        assert!(problem["detail"].as_str().unwrap().contains("--allow-dir"), "{problem}");
    }
    let nowhere = data.join("nowhere");
    let answer = server.deployment("files", module.clone(), &granted(&format!("{}:/in", nowhere.display()))).await;
    answer.refusal(422, "directory_not_found", nowhere.to_str().unwrap());

    let closed = Server::in_memory().await;
    let answer = closed.deployment("files", module, &granted(&format!("{}:/in", data.display()))).await;
    answer.refusal(403, "directory_not_allowed", "it allows none");
}

#[tokio::test]
async fn a_directory_is_looked_at_again_when_an_attempt_starts() {
    let folder = folder();
    let data = folder.path().join("data");
    let server = server(&data).await;
    fs::create_dir(data.join("in")).unwrap();
    fs::write(data.join("in/note"), "here").unwrap();
    let settings = granted(&format!("{}:/in", data.join("in").display()));
    server.deploy_with("files", wat::parse_str(FILES).unwrap(), &settings).await;
    assert_eq!(server.invoke("files", "r").await.is(200).text(), "here");

    fs::rename(data.join("in"), data.join("was")).unwrap();
    let problem = server.invoke("files", "r").await.problem(503, "function_failed");
    assert!(problem["detail"].as_str().unwrap().contains("cannot be opened"), "{problem}");

    fs::write(folder.path().join("note"), "not for guests").unwrap();
    std::os::unix::fs::symlink(folder.path(), data.join("in")).unwrap();
    let problem = server.invoke("files", "r").await.problem(503, "function_failed");
    assert!(problem["detail"].as_str().unwrap().contains("is not below any"), "{problem}");
}

#[tokio::test]
async fn a_server_does_not_start_with_a_directory_that_is_not_there() {
    let server = Server::in_memory().await;
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--store", "memory", "--allow-dir", "/nowhere/at/all"];
    let ended = run(&server, &arguments).await;
    assert_ne!(ended.code, Some(0));
    assert!(ended.err.contains("--allow-dir: cannot use `/nowhere/at/all`"), "{}", ended.err);
}

#[tokio::test]
async fn a_function_finds_its_configuration_and_its_environment_and_logs_in_lines() {
    let server = Server::in_memory().await;
    let settings = json!({
        "environment": {"COLOUR": "red", "mode": "of the environment"}, "grants": {"config": {"mode": "dry"}},
    });
    server.deploy_with("configured", wat::parse_str(CONFIGURED).unwrap(), &settings).await;
    let id = server.accept("configured", "").await;
    server.settled(&id, "succeeded").await;
    let log = server.get(&format!("/v1/invocations/{id}/logs")).await.is(200).text();
    assert_eq!(log, "INFO mode: dry\nINFO COLOUR: red\nWARN gone: gone\nCRITICAL mode\n");
}
