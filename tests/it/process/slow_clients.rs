//! Clients that say little or nothing: each costs a connection and no more.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::{Server, prebuilt, until};

/// Opens a connection and sends `text`, and no more.
async fn say(server: &Server, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// How long the server waits for a part of a request.
const SILENCE: Duration = Duration::from_secs(15);

/// Others are answered before the server has done with those that are silent.
async fn check_served(server: &Server) {
    let answers = async {
        for _ in 0..5 {
            server.invoke("echo", "quick").await.is(200);
        }
    };
    tokio::time::timeout(SILENCE, answers).await.unwrap();
}

const HALF_A_HEAD: &str = "POST /v1/functions/echo/invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-";
const HALF_A_BODY: &str =
    "POST /v1/functions/echo/invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nhalf";

#[tokio::test]
async fn clients_that_fall_silent_in_the_middle_do_not_keep_others_from_being_served() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(say(&server, HALF_A_HEAD).await);
        silent.push(say(&server, HALF_A_BODY).await);
    }
    check_served(&server).await;
    // Nothing of what never arrived whole has left a trace.
    assert_eq!(server.listed("status=running").await, [""; 0]);
}

#[tokio::test]
async fn three_hundred_idle_connections_do_not_keep_others_from_being_served() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(say(&server, "").await);
    }
    check_served(&server).await;
    let mut last = idle.pop().unwrap();
    last.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
}

#[tokio::test]
async fn silence_ends_a_connection() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    let (mut head, mut body) = (say(&server, HALF_A_HEAD).await, say(&server, HALF_A_BODY).await);
    let (mut of_head, mut of_body) = (String::new(), String::new());
    let both = async { tokio::try_join!(head.read_to_string(&mut of_head), body.read_to_string(&mut of_body)) };
    tokio::time::timeout(SILENCE * 4, both).await.unwrap().unwrap();
    assert!(of_head.is_empty() || of_head.starts_with("HTTP/1.1 408"), "{of_head}");
    assert!(of_body.starts_with("HTTP/1.1 408") && of_body.contains("body_timeout"), "{of_body}");
}

#[tokio::test]
async fn a_caller_that_goes_away_stops_what_runs_for_it() {
    let server = Server::in_memory().await;
    let settings = serde_json::json!({"concurrency": 1, "timeout_ms": 20_000});
    server.deploy_with("spin", super::support::hostile("spin"), &settings).await;
    let request = "POST /v1/functions/spin/invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n";
    let gone = say(&server, request).await;
    server.runs(1).await;
    drop(gone);
    let id = server.accept("spin", "its slot is free now").await;
    server.reaches(&id, "running").await;
    server.post(&format!("/v1/invocations/{id}/cancel"), "").await.is(200);
}

#[tokio::test]
async fn what_ran_for_a_caller_that_went_away_is_on_record() {
    let server = Server::in_memory().await;
    server.deploy("spin", super::support::hostile("spin")).await;
    let request = "POST /v1/functions/spin/invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n";
    let gone = say(&server, request).await;
    server.runs(1).await;
    drop(gone);
    let record = until("the record", async || server.listed("status=cancelled").await.pop()).await;
    let record = server.get(&format!("/v1/invocations/{record}")).await.is(200).json();
    assert_eq!((&record["mode"], &record["function"]), (&"sync".into(), &"spin".into()));
}

#[tokio::test]
async fn a_half_open_connection_does_not_hold_up_a_shutdown() {
    // It would let requests end for longer than anybody waits for its own end here.
    let server = Server::with(&["--store", "memory", "--drain", "10m"]).await;
    server.deploy("echo", prebuilt("echo")).await;
    let silent = [say(&server, "").await, say(&server, HALF_A_HEAD).await, say(&server, HALF_A_BODY).await];
    check_served(&server).await;
    server.terminated().await;
    drop(silent);
}
