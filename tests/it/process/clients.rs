//! Clients that were written for SQS, unmodified: boto3 in both protocols, the AWS command line, the JavaScript SDK. What
//! each of them does is a script in `tests/clients`; `tests/clients/fetch` brings the clients themselves.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::support::{Server, prebuilt_path, run};
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
    check(Command::new("bash").arg(script("sqs-cli.sh")).env("PATH", path(&kept)), &[], 4).await;
}

#[tokio::test]
async fn the_javascript_sdk_finds_every_checksum_right() {
    let Some(kept) = kept("node_modules/@aws-sdk/client-sqs") else { return };
    check(Command::new("node").arg(script("sqs.mjs")), &[&kept], 5).await;
}

#[tokio::test]
async fn the_sdk_of_yandex_does_the_life_of_a_container() {
    let Some(python) = python_of_yandex() else { return skipped("the SDK of Yandex: run tests/yandex/fetch") };
    let guests = prebuilt_path("hello-http");
    let server = Server::with(&["--allow-dir", guests.parent().unwrap().to_str().unwrap()]).await;
    let grpc = server.grpc_address();
    let module = format!("file://{}", guests.display());
    let mut command = Command::new(python);
    let command = command.arg(script("yandex-containers.py")).args([server.url(""), grpc, module]);
    said(command, 6).await;
}

#[tokio::test]
async fn boto3_and_the_aws_command_line_sign_with_keys_that_were_made_here_and_may_what_their_accounts_may() {
    let (Some(kept), Some(_)) = (kept("python/bin/python"), kept("python/bin/aws")) else { return };
    let server = Server::asking(&[]).await;
    let keys = [key(&server, "writer", "queues.writer").await, key(&server, "reader", "queues.reader").await].concat();
    said(Command::new(kept.join("python/bin/python")).arg(script("sqs-auth.py")).arg(server.url("")).args(&keys), 3)
        .await;
    let aws = &mut Command::new("bash");
    said(aws.arg(script("sqs-auth.sh")).arg(server.url("")).args(&keys).env("PATH", path(&kept)), 3).await;
    let log = server.log();
    assert!(keys.iter().skip(1).step_by(2).all(|secret| !log.contains(secret)), "a secret is in the log");
}

#[tokio::test]
async fn over_tls_boto3_and_the_aws_command_line_get_urls_of_queues_with_https_and_use_them() {
    let (Some(kept), Some(_)) = (kept("python/bin/python"), kept("python/bin/aws")) else { return };
    let server = Server::secured(&[]).await;
    let keys = [key(&server, "writer", "queues.writer").await, key(&server, "reader", "queues.reader").await].concat();
    assert!(server.url("").starts_with("https://"));
    let ca = server.authority();
    for (program, name) in [(kept.join("python/bin/python"), "sqs-auth.py"), ("bash".into(), "sqs-auth.sh")] {
        let mut command = Command::new(program);
        let command = command.arg(script(name)).arg(server.url("")).args(&keys);
        said(command.env("PATH", path(&kept)).env("AWS_CA_BUNDLE", &ca), 3).await;
    }
}

/// Makes an account with a role by the command line, and returns the id and the secret of a key of it.
async fn key(server: &Server, account: &str, role: &str) -> [String; 2] {
    let file = server.folder().join("tidemill-data/admin.token");
    let authority = server.authority();
    let trusted = authority.exists().then(|| ["--ca", authority.to_str().unwrap()]);
    let access = async |arguments: &[&str]| {
        let signed_in = ["access", "--token-file", file.to_str().unwrap()];
        let trusted = trusted.as_ref().map(<[_; 2]>::as_slice).unwrap_or_default();
        run(server, &[&signed_in[..1], arguments, &signed_in[1..], trusted].concat()).await.exits(0)
    };
    access(&["accounts", "create", account]).await;
    access(&["grant", account, role]).await;
    let made = access(&["keys", "create", account, "--json"]).await.json();
    [&made["id"], &made["secret"]].map(|text| text.as_str().unwrap().to_owned())
}

/// Where programs are looked for, those of the clients first.
fn path(kept: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = std::iter::once(kept.join("python/bin"));
    std::env::join_paths(first.chain(std::env::split_paths(&path))).unwrap()
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

/// The Python that the SDK of Yandex was put into.
fn python_of_yandex() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/yandex/python/bin/python");
    python.is_file().then_some(python)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// Runs a script against a server of its own that asks nobody.
async fn check(command: &mut Command, more: &[&Path], says: usize) {
    let server = Server::durable().await;
    said(command.arg(server.url("")).args(more), says).await;
}

/// Runs a script, shows what it says, and checks that it said so many things.
async fn said(command: &mut Command, says: usize) {
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().for_each(told);
    assert_eq!(text.lines().count(), says, "{text}");
}
