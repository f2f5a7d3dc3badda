//! A store that is damaged, as somebody meets it who starts a server on it.

use std::fs;

use super::support::{Server, prebuilt};

#[tokio::test]
async fn a_start_that_a_damaged_function_prevents_names_it_and_what_to_do() {
    let server = Server::durable().await;
    server.deploy("a-name-of-its-own", prebuilt("echo")).await;
    let stopped = server.terminated().await;
    for entry in fs::read_dir(stopped.data().join("journal")).unwrap() {
        let path = entry.unwrap().path();
        let mut held = fs::read(&path).unwrap();
        if let Some(at) = held.windows(17).position(|window| window == b"a-name-of-its-own") {
            held[at] ^= 1;
            fs::write(&path, held).unwrap();
        }
    }
    let refused = stopped.runs_out(&[]).await;
    let said = refused.log();
    assert_eq!(refused.code, Some(4), "{said}");
    for part in ["function ", "in the store is damaged", "`tidemill store check`", "`tidemill store repair`"] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
}
