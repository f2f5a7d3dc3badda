//! What `tidemill new` makes: built with the very commands that it prints, deployed and invoked.
//!
//! The toolchains are those of an ordinary machine, found on the PATH, with what npm, pip and cargo would download in
//! place already: `tests/new/fetch` brings all of it. Where the toolchain of Rust has no target for WebAssembly,
//! Debian's takes its place.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::support::{Server, run};
use crate::skipped;

/// How long building and deploying may take, on a machine that is busy with other tests as well.
const PATIENCE: Duration = Duration::from_secs(600);
const HOW_TO_GET_IT: &str = "run tests/new/fetch";

#[tokio::test]
async fn a_new_function_in_rust_builds_and_runs_as_it_is_told() {
    let Some(rust) = rust() else { return skipped(&format!("`new --lang rust`: {HOW_TO_GET_IT}")) };
    check("rust", &rust).await;
}

#[tokio::test]
async fn a_new_function_in_c_builds_and_runs_as_it_is_told() {
    let Some(clang) = clang() else { return skipped(&format!("`new --lang c`: {HOW_TO_GET_IT}")) };
    check("c", &[("MAKEFLAGS", format!("CC={clang}").into())]).await;
}

#[tokio::test]
async fn a_new_function_in_javascript_builds_and_runs_as_it_is_told() {
    let cache = kept("npm");
    if !works("npm", &["--version"]) || !cache.exists() {
        return skipped(&format!("`new --lang js`: {HOW_TO_GET_IT}"));
    }
    check("js", &[("npm_config_cache", cache.into()), ("npm_config_offline", "true".into())]).await;
}

#[tokio::test]
async fn a_new_function_in_python_builds_and_runs_as_it_is_told() {
    let wheels = kept("wheels");
    if !works("python3", &["-c", "import ensurepip, venv"]) || !wheels.exists() {
        return skipped(&format!("`new --lang python`: {HOW_TO_GET_IT}"));
    }
    check("python", &[("PIP_NO_INDEX", "1".into()), ("PIP_FIND_LINKS", wheels.into())]).await;
}

#[tokio::test]
async fn what_is_there_already_is_left_as_it_is() {
    let server = Server::in_memory().await;
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("taken"), "mine").unwrap();
    for name in ["taken", "kept"] {
        std::fs::create_dir_all(here.path().join("kept")).unwrap();
        let (code, printed) = in_shell(&server, here.path(), &format!("tidemill new --lang js {name}"), &[]).await;
        assert_eq!(code, Some(2), "{printed}");
        assert!(printed.contains(&format!("error: `{name}` is already here")), "{printed}");
    }
    assert_eq!(std::fs::read_to_string(here.path().join("taken")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(here.path().join("kept")).unwrap().count(), 0);
    let refused = run(&server, &["new", "--lang", "js", "../up"]).await.exits(2);
    assert!(refused.err.contains("`../up` is not a function name"), "{}", refused.err);
    // A program gets the same facts, and no server is needed.
    let made =
        in_shell(&server, here.path(), "tidemill --server http://127.0.0.1:1 --json new --lang js told", &[]).await;
    assert_eq!(made.0, Some(0), "{}", made.1);
    let told: serde_json::Value = serde_json::from_str(&made.1).unwrap();
    assert_eq!((&told["function"], &told["commands"][0]), (&json!("told"), &json!("npm install")));
    for file in told["files"].as_array().unwrap() {
        assert!(here.path().join("told").join(file.as_str().unwrap()).is_file(), "{file}");
    }
}

/// Makes a function, does what is printed, and asks more of it than the printed commands do.
async fn check(language: &str, environment: &[(&str, OsString)]) {
    let server = Server::in_memory().await;
    let here = tempfile::tempdir().unwrap();
    let new = format!("tidemill new --lang {language} Ebb-2");
    let (code, printed) = in_shell(&server, here.path(), &new, &[]).await;
    assert_eq!(code, Some(0), "{printed}");

    // Toolchains are not installed by tests.
    let commands: Vec<_> = printed.lines().filter(|line| !line.starts_with("rustup ")).collect();
    let (code, printed) = in_shell(&server, here.path(), &commands.join("\n"), environment).await;
    assert_eq!(code, Some(0), "{printed}");
    let greeted = [r#"{"greeting":"hello, Ada","attempt":1}"#, r#"{"greeting":"hello, Ada","attempt":2}"#];
    let without_spaces = printed.replace(": ", ":").replace(", \"", ",\"");
    for greeting in greeted {
        assert!(without_spaces.contains(greeting), "{greeting} is not in {printed}");
    }

    let names = ["Zoë", "湖 \"7\"\n\\", "\u{1f30a}", ""];
    for name in names {
        for payload in [json!({"name": name}).to_string(), escaped(name)] {
            let answer = server.invoke("Ebb-2", payload).await.is(200).json();
            assert_eq!(answer, json!({"greeting": format!("hello, {name}"), "attempt": 1}));
        }
    }
    let fails = async |payload: &str, kind: &str| {
        let problem = server.invoke("Ebb-2", payload.to_owned()).await.problem(502, "function_failed");
        assert_eq!(problem["kind"], kind, "{payload}: {problem}");
    };
    for payload in ["", "[]", "{\"name\": \"Ada\"", "{\"name\": \"Ada\"} {}", "{\"name\": 7}", "{\"Name\": \"Ada\"}"] {
        fails(payload, "permanent").await;
    }
    fails(r#"{"name": "Ada", "busy_attempts": "one"}"#, "permanent").await;
    fails(r#"{"name": "Ada", "busy_attempts": 1}"#, "retryable").await;
    let more = r#"{"deep": [{"name": [1.5e-3, null, true]}], "busy_attempts": 0, "name": "Ada"}"#;
    assert_eq!(server.invoke("Ebb-2", more).await.is(200).json()["greeting"], "hello, Ada");
}

/// A payload with every character of `name` escaped.
fn escaped(name: &str) -> String {
    let units: Vec<_> = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!(r#"{{"name":"{}"}}"#, units.concat())
}

/// Runs lines in a shell that stops at the first that fails: its exit code, and all that was printed. The program is
/// on the PATH of the shell, before what `environment` puts there.
async fn in_shell(
    server: &Server,
    folder: &Path,
    lines: &str,
    environment: &[(&str, OsString)],
) -> (Option<i32>, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_tidemill")).parent().unwrap();
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-euc", &format!("{{ {lines}\n}} 2>&1")]).current_dir(folder);
    shell.env("TIDEMILL_SERVER", server.url("")).env_remove("TIDEMILL_NAMESPACE").env_remove("CARGO_TARGET_DIR");
    shell.envs(environment.iter().map(|(name, value)| (name, value)));
    let path = environment.iter().find(|(name, _)| *name == "PATH").map(|(_, path)| path.clone());
    let path = path.or_else(|| std::env::var_os("PATH")).unwrap();
    shell.env("PATH", std::env::join_paths([program.into()].into_iter().chain(std::env::split_paths(&path))).unwrap());
    let output = shell.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("the commands end in time").unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `cargo` is run with: the machine's own if it has the target, or Debian's.
fn rust() -> Option<Vec<(&'static str, OsString)>> {
    let offline = ("CARGO_NET_OFFLINE", "true".into());
    let target = ["--print", "target-libdir", "--target", "wasm32-unknown-unknown"];
    let library = Command::new("rustc").args(target).output().ok()?;
    if Path::new(String::from_utf8_lossy(&library.stdout).trim()).exists() {
        return Some(vec![offline]);
    }
    let debian = ["/usr/bin/cargo", "/usr/bin/rustc", "/usr/lib/rustlib/src/rust/library/std/Cargo.toml"];
    if !debian.iter().all(|file| Path::new(file).exists()) {
        return None;
    }
    let cargo = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/new/debian");
    let path = std::env::var_os("PATH")?;
    let path = std::env::join_paths([cargo].into_iter().chain(std::env::split_paths(&path))).ok()?;
    Some(vec![offline, ("PATH", path)])
}

/// A clang that links for WASI: the ordinary one, or the one that the guests are built with.
fn clang() -> Option<&'static str> {
    let links = |clang: &&str| {
        let target = ["--target=wasm32-wasi", "--sysroot=/usr", "-mexec-model=reactor"];
        works(clang, &[&target[..], &["-x", "c", "/dev/null", "-o", "/dev/null"]].concat())
    };
    if works("make", &["--version"]) { ["clang", "clang-19"].into_iter().find(links) } else { None }
}

fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Where `tests/new/fetch` leaves what a package manager would download.
fn kept(what: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/new").join(what)
}
