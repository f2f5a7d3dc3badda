//! Modules that are not in the repository, on the real program: those that others wrote and compiled, unchanged
//! (`tests/third-party/fetch` brings them), and the one guest that is too large to commit (`guests/build` makes it).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

#[test]
fn sqlite_answers_sql() {
    let Some(module) = module("sqlite-3.26.0.wasm") else { return };
    let server = Server::start();
    server.deploy(&module, "sqlite", &["--arg", "-batch", "--arg", "-csv"]);
    let sql = "create table t (a, b); insert into t values (1, 'x'), (2, 'y'); select sum(a), group_concat(b) from t;";
    assert_eq!(server.invoke("sqlite", sql, &[]).unwrap().trim(), r#"3,"x,y""#);
    assert_eq!(server.invoke("sqlite", "select sqlite_version();", &["--async", "--wait"]).unwrap().trim(), "3.26.0");
    let failed = server.invoke("sqlite", "select tide;", &[]).unwrap_err();
    assert!(failed.contains("exit code 1: Error: near line 1: no such column: tide"), "{failed}");
}

#[test]
fn python_runs_a_program_and_finds_no_files_and_no_network() {
    let Some(module) = module("python-3.12.0.wasm") else { return };
    let server = Server::start();
    server.deploy(&module, "python", &[]);
    let program = "import json, sys; print(json.dumps([sys.version_info[:2], sum(range(100))]))";
    assert_eq!(server.invoke("python", program, &[]).unwrap().trim(), "[[3, 12], 4950]");
    let failed = server.invoke("python", "open('/etc/hostname')", &[]).unwrap_err();
    assert!(failed.contains("exit code 1: FileNotFoundError"), "{failed}");
    let failed = server.invoke("python", "import socket; socket.socket()", &[]).unwrap_err();
    assert!(failed.contains("exit code 1: OSError: [Errno 58] Not supported"), "{failed}");
    let failed = server.invoke("python", "bytearray(1 << 30)", &[]).unwrap_err();
    assert!(failed.contains("out_of_memory"), "{failed}");
}

#[test]
fn php_runs_a_page_and_ends_with_its_exit_code() {
    let Some(module) = module("php-8.2.0.wasm") else { return };
    let server = Server::start();
    server.deploy(&module, "php", &[]);
    let page = server.invoke("php", "<?php echo PHP_VERSION, ' ', array_sum([1, 2, 3]);", &[]).unwrap();
    assert!(page.ends_with("\r\n\r\n8.2.0 6"), "{page}");
    let failed = server.invoke("php", "<?php error_log('low tide'); no_such_function();", &[]).unwrap_err();
    assert!(failed.contains("exit code 255: low tide"), "{failed}");
}

#[test]
fn ruby_runs_a_program_and_ends_with_its_exit_code() {
    let Some(module) = module("ruby-3.2.0.wasm") else { return };
    let server = Server::start();
    server.deploy(&module, "ruby", &[]);
    let program = "puts [RUBY_ENGINE, RUBY_VERSION, (1..100).sum].inspect";
    assert_eq!(server.invoke("ruby", program, &[]).unwrap().trim(), r#"["ruby", "3.2.0", 5050]"#);
    let failed = server.invoke("ruby", "warn 'low tide'; exit 3", &[]).unwrap_err();
    assert!(failed.contains("exit code 3: low tide"), "{failed}");
    let files = "begin; File.read('/etc/hostname'); rescue SystemCallError => e; puts e.class; end";
    assert_eq!(server.invoke("ruby", files, &["--async", "--wait"]).unwrap().trim(), "Errno::ENOENT");
}

#[test]
fn a_handler_in_javascript_answers_and_says_what_is_wrong() {
    let Some(module) = present("guests/built/greet.wasm", "guests/build") else { return };
    let server = Server::start();
    server.deploy(&module, "greet", &[]);
    assert_eq!(server.invoke("greet", r#"{"name":"Ada"}"#, &[]).unwrap(), r#"{"greeting":"hello, Ada"}"#);
    let failed = server.invoke("greet", "[]", &[]).unwrap_err();
    assert!(failed.contains("permanent: the payload has no text called `name`"), "{failed}");
}

#[test]
fn a_component_of_a_javascript_module_is_called_with_json() {
    let Some(module) = module("leven-4.1.0.wasm") else { return };
    let server = Server::start();
    server.deploy(&module, "nearest", &["--entrypoint", "closest-match"]);
    let by_name = r#"{"target": "tidemil", "candidates": ["treadmill", "tidemill", "windmill"]}"#;
    assert_eq!(server.invoke("nearest", by_name, &[]).unwrap(), r#""tidemill""#);
    assert_eq!(server.invoke("nearest", r#"["x", []]"#, &["--async", "--wait"]).unwrap(), "null");
    let refused = server.invoke("nearest", r#"["x", ["y", 7]]"#, &[]).unwrap_err();
    assert!(refused.contains("at `/1/1`: invalid type: integer `7`, expected text"), "{refused}");
    let signature = "closest-match: func(target: string, candidates: list<string>) -> option<string>";
    assert!(tell(server.command("functions").args(["show", "nearest"])).unwrap().contains(signature));
}

#[tokio::test]
async fn a_server_written_with_wstd_answers_under_its_own_url_and_as_a_function() {
    let Some(module) = module("wstd-0.6.8-http_server.wasm") else { return };
    let server = Server::start();
    server.deploy(&module, "wstd", &[]);
    let greeting = "Hello, wasi:http/proxy world!";
    assert_eq!(server.invoke("wstd", "", &[]).unwrap().trim(), greeting);

    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tidemill::tls::client_config(None).unwrap())
        .build()
        .unwrap();
    let url = |path: &str| format!("{}/fn/wstd{path}", server.url);
    let get = async |path: &str| client.get(url(path)).send().await.unwrap();
    for root in ["", "/"] {
        assert_eq!(get(root).await.text().await.unwrap().trim(), greeting);
    }
    assert_eq!(get("/stream-body").await.text().await.unwrap().lines().count(), 5);
    assert_eq!(get("/no-such-path").await.status(), 404);
    assert_eq!(get("/response-fail").await.status(), 502);
    let teapot = client.get(url("/response-status")).header("x-response-status", "418").send().await.unwrap();
    assert_eq!(teapot.status(), 418);
    let body = vec![7; 1 << 20];
    let echoed = client.post(url("/echo")).body(body.clone()).send().await.unwrap();
    assert_eq!(echoed.bytes().await.unwrap(), body);
}

#[tokio::test]
async fn the_example_of_the_crate_that_binds_wasi_answers_whatever_it_is_asked() {
    let Some(module) = module("wasip2-2.0.1-http-proxy.wasm") else { return };
    let server = Server::start();
    server.deploy(&module, "proxy", &[]);
    assert_eq!(server.invoke("proxy", "anything", &[]).unwrap().trim(), "Hello, WASI!");
    assert_eq!(server.invoke("proxy", "", &["--async", "--wait"]).unwrap().trim(), "Hello, WASI!");
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tidemill::tls::client_config(None).unwrap())
        .build()
        .unwrap();
    for (method, path) in [(reqwest::Method::GET, ""), (reqwest::Method::DELETE, "/a/b?c")] {
        let answer = client.request(method, format!("{}/fn/proxy{path}", server.url)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "Hello, WASI!"));
    }
}

/// The path of a module that others wrote, if it is here.
fn module(name: &str) -> Option<PathBuf> {
    present(&format!("target/third-party/{name}"), "tests/third-party/fetch")
}

/// The path of a file, if it is here. That it is not is said, with the script that `brings` it, and is a failure where
/// everything must be tested.
fn present(path: &str, brings: &str) -> Option<PathBuf> {
    let absolute = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if absolute.exists() {
        return Some(absolute);
    }
    let everything = std::env::var_os("TIDEMILL_TEST_ALL").is_some_and(|all| all == "1");
    assert!(!everything, "{path} is missing; run {brings}");
    #[expect(clippy::explicit_write, reason = "what `eprintln!` writes is shown for failed tests alone")]
    writeln!(std::io::stderr(), "skipped: {path} is not here; run {brings}").unwrap();
    None
}

const TIDEMILL: &str = env!("CARGO_BIN_EXE_tidemill");

/// The program as a server on a free port. Dropping it ends it.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let mut serve = Command::new(TIDEMILL);
        serve.args(["serve", "--store", "memory", "--listen", "127.0.0.1:0"]);
        let process = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { process, url: String::new() };
        let mut line = String::new();
        BufReader::new(server.process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line.trim().strip_prefix("tidemill listens on ").unwrap().clone_into(&mut server.url);
        server
    }

    fn deploy(&self, module: &Path, name: &str, settings: &[&str]) {
        let mut deploy = self.command("deploy");
        tell(deploy.arg(module).args(["--name", name]).args(settings)).unwrap();
    }

    /// What it answers, or what is said of its failure.
    fn invoke(&self, name: &str, payload: &str, settings: &[&str]) -> Result<String, String> {
        tell(self.command("invoke").args([name, "--data", payload]).args(settings))
    }

    fn command(&self, command: &str) -> Command {
        let mut tidemill = Command::new(TIDEMILL);
        tidemill.args(["--server", &self.url, command]);
        tidemill
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Runs a command: its stdout, or the stderr of one that failed.
fn tell(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
