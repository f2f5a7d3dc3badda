//! Clients that were written for SQS, unmodified: boto3 in both protocols, the AWS command line, the JavaScript SDK. What
//! each of them does is a script in `tests/clients`; `tests/clients/fetch` brings the clients themselves.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::support::{Server, prebuilt_path};
use crate::{skipped, told};

/// How long a script may take, on a machine that is busy with other tests as well.
const PATIENCE: Duration = Duration::from_secs(300);

#[tokio::test]
async fn boto3_does_with_message_queues_what_it_does_with_those_of_sqs() {
    let Some(kept) = kept("python/bin/python") else { return };
    check(Command::new(kept.join("python/bin/python")).arg(script("sqs.py")), &[], 8).await;
}

#[tokio::test]
async fn boto3_does_the_same_over_the_older_protocol() {
    let Some(kept) = kept("python/bin/python") else { return };
    check(Command::new(kept.join("python/bin/python")).arg(script("sqs-query.py")), &[], 3).await;
}

#[tokio::test]
async fn the_aws_command_line_does_with_message_queues_what_it_does_with_those_of_sqs() {
    let Some(kept) = kept("python/bin/aws") else { return };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = std::iter::once(kept.join("python/bin"));
    let path = std::env::join_paths(first.chain(std::env::split_paths(&path))).unwrap();
    check(Command::new("bash").arg(script("sqs-cli.sh")).env("PATH", path), &[], 4).await;
}

#[tokio::test]
async fn the_javascript_sdk_finds_every_checksum_right() {
    let Some(kept) = kept("node_modules/@aws-sdk/client-sqs") else { return };
    check(Command::new("node").arg(script("sqs.mjs")), &[&kept], 5).await;
}

#[tokio::test]
async fn the_sdk_of_yandex_does_the_life_of_a_container() {
    let Some(python) = python_with("yandexcloud") else { return skipped("the SDK of Yandex: run tests/clients/fetch") };
    let guests = prebuilt_path("hello-http");
    let server = Server::with(&["--allow-dir", guests.parent().unwrap().to_str().unwrap()]).await;
    let grpc = server.grpc_address();
    let module = format!("file://{}", guests.display());
    let mut command = Command::new(python);
    let command = command.arg(script("yandex-containers.py")).args([server.url(""), grpc, module]);
    ran(command, 6).await;
}

/// Where the clients are, if `what` is there.
fn kept(what: &str) -> Option<PathBuf> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients");
    if kept.join(what).exists() {
        return Some(kept);
    }
    skipped(&format!("clients of other services ({what}): run tests/clients/fetch"));
    None
}

/// The Python of the environment that has this package.
fn python_with(package: &str) -> Option<PathBuf> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients");
    let environments = std::fs::read_dir(kept).ok()?.map(|entry| entry.unwrap().path());
    let has = |environment: &PathBuf| {
        let libraries = std::fs::read_dir(environment.join("lib")).into_iter().flatten();
        libraries.map(|entry| entry.unwrap().path()).any(|library| library.join("site-packages").join(package).is_dir())
    };
    environments.filter(has).map(|environment| environment.join("bin/python")).next()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// Runs a script against a server of its own, shows what it says, and checks that it said so many things.
async fn check(command: &mut Command, more: &[&Path], says: usize) {
    let server = Server::durable().await;
    ran(command.arg(server.url("")).args(more), says).await;
}

/// The same for one that has its arguments.
async fn ran(command: &mut Command, says: usize) {
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().for_each(told);
    assert_eq!(text.lines().count(), says, "{text}");
}
