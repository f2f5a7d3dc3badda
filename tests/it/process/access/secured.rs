//! TLS: what a server shows, who trusts it, and how it is given something else to show.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::process::support::{TLS, certificate, output, run_with, until};

/// Starts a server that speaks TLS, and says where it listens.
async fn start(folder: &Path) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["serve", "--auth", "--listen", "127.0.0.1:0"])
        .args(TLS)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(folder.join("stderr")).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await.unwrap().unwrap().unwrap();
    let address = line.strip_prefix("tidemill listens on https://").unwrap().to_owned();
    (child, address)
}

/// A client that trusts this authority besides the public ones.
fn trusting(folder: &Path, authority: &str) -> reqwest::Client {
    let path = folder.join("authority.pem");
    fs::write(&path, authority).unwrap();
    let trust = tidemill::tls::client_config(Some(&path)).unwrap();
    reqwest::Client::builder().tls_backend_preconfigured(trust).no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_server_speaks_tls_to_whoever_trusts_it_and_takes_up_a_new_certificate() {
    let folder = tempfile::TempDir::new().unwrap();
    let folder = folder.path();
    let authority = certificate(folder);
    let (mut child, address) = start(folder).await;
    let url = format!("https://{address}");
    let client = trusting(folder, &authority);
    assert_eq!(client.get(format!("{url}/healthz")).send().await.unwrap().status(), 200);
    assert_eq!(client.get(format!("{url}/v1/runtime")).send().await.unwrap().status(), 401);

    let token = folder.join("tidemill-data/admin.token").display().to_string();
    let ca = folder.join("authority.pem").display().to_string();
    let shown = run_with(&url, &["runtime", "show", "--token-file", &token, "--ca", &ca], b"").await.exits(0);
    assert!(shown.text().contains("concurrency"), "{}", shown.text());
    let distrusts = run_with(&url, &["runtime", "show", "--token-file", &token], b"").await;
    assert_ne!(distrusts.code, Some(0));
    assert!(distrusts.err.contains("certificate"), "{}", distrusts.err);

    // Plain HTTP gets no answer in the clear.
    let mut plain = TcpStream::connect(&address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer).await);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));

    let newer = certificate(folder);
    let pid = child.id().unwrap().to_string();
    let told = Command::new("sh").args(["-c", "kill -HUP \"$0\"", &pid]).status().await.unwrap();
    assert!(told.success());
    until("the new certificate", async || {
        let client = trusting(folder, &newer);
        client.get(format!("{url}/healthz")).send().await.ok().filter(|answer| answer.status() == 200)
    })
    .await;
    assert!(trusting(folder, &authority).get(format!("{url}/healthz")).send().await.is_err());
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_server_without_a_usable_certificate_does_not_start_and_says_why() {
    let folder = tempfile::TempDir::new().unwrap();
    certificate(folder.path());
    fs::write(folder.path().join("key.pem"), "nothing").unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    serve.args(["serve", "--listen", "127.0.0.1:0", "--store", "memory"]).args(TLS).current_dir(folder.path());
    let ended = output(&mut serve).await;
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && told.contains("key.pem"), "{told}");
}

#[tokio::test]
async fn without_authentication_only_loopback_is_listened_on() {
    let refused = run_with("http://127.0.0.1:1", &["serve", "--listen", "0.0.0.0:0", "--store", "memory"], b"").await;
    assert!(refused.exits(2).err.contains("ask for it with `--auth`"));
}
