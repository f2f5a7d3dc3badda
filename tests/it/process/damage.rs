//! A store that is damaged, as somebody meets it who starts a server on it.

use std::fs;

use super::support::{Server, prebuilt};

const NAME: &str = "a-name-of-its-own";

#[tokio::test]
async fn a_start_that_a_damaged_function_prevents_names_it_and_what_to_do() {
    let server = Server::durable().await;
    server.deploy(NAME, prebuilt("echo")).await;
    check_refused(server, "function ").await;
}

#[tokio::test]
async fn a_start_that_a_damaged_stream_prevents_names_it_and_what_to_do() {
    let server = Server::durable().await;
    server.put(&format!("/v1/streams/{NAME}"), "").await.is(201);
    check_refused(server, "the table Stream ").await;
}

/// Damages what has that name in the store, and starts a server on it.
async fn check_refused(server: Server, what: &str) {
    let stopped = server.terminated().await;
    for entry in fs::read_dir(stopped.data().join("journal")).unwrap() {
        let path = entry.unwrap().path();
        let mut held = fs::read(&path).unwrap();
        if let Some(at) = held.windows(NAME.len()).position(|window| window == NAME.as_bytes()) {
            held[at] ^= 1;
            fs::write(&path, held).unwrap();
        }
    }
    let refused = stopped.runs_out(&[]).await;
    let said = refused.log();
    assert_eq!(refused.code, Some(4), "{said}");
    for part in [what, "in the store is damaged", "`tidemill store check`", "`tidemill store repair`"] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
}
