//! Queues that are full: each limit refuses with its own sentence, nothing is left behind, and the connection stays.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::{Answer, Server, prebuilt, until};

const NAMES: [&str; 3] = ["a", "b", "c?namespace=shop"];

/// A server with these limits, with paused queues of `a` and `b`, and of `c` in another namespace.
async fn server(limits: &[&str]) -> Server {
    let server = Server::with(limits).await;
    for name in NAMES {
        server.deploy(name, prebuilt("echo")).await;
        server.post(&under(name, "queue/pause"), "").await.is(200);
    }
    server
}

/// The address of something of a function, which may be followed by a query.
fn under(name: &str, what: &str) -> String {
    let (name, query) = name.split_once('?').unwrap_or((name, ""));
    format!("/v1/functions/{name}/{what}?{query}")
}

async fn sent(server: &Server, name: &str, payload: &str, key: &str) -> Answer {
    let path = under(name, "invocations");
    let request = server.request(Method::POST, &path).body(payload.to_owned());
    server.send(request.header("prefer", "respond-async").header("idempotency-key", key)).await
}

/// What is accepted, live and kept, everywhere, and the ids of it.
async fn there(server: &Server) -> Vec<Value> {
    let mut there = Vec::new();
    for name in NAMES {
        let queue = server.get(&under(name, "queue")).await.is(200).json();
        there.push(json!([queue["accepted"], queue["live"], queue["settled"], queue["kept"]]));
    }
    for namespace in ["default", "shop"] {
        there.push(json!(server.listed(&format!("namespace={namespace}")).await));
    }
    there
}

/// A refusal by one limit: its code, what its sentence says, its value and what is there.
struct Refusal {
    code: &'static str,
    says: [&'static str; 2],
    limit: u64,
    queued: u64,
}

/// Fills up to a limit with payloads for functions, then checks that one more is refused with the limit's own
/// sentence and changes nothing, and that there is room again once one is cancelled.
async fn check(server: Server, filled: &[(&str, &str)], (name, payload): (&str, &str), refusal: Refusal) {
    let mut ids = Vec::new();
    for (n, (name, payload)) in filled.iter().enumerate() {
        let accepted = sent(&server, name, payload, &format!("k{n}")).await.is(202);
        ids.push(accepted.json()["id"].as_str().unwrap().to_owned());
    }
    let before = there(&server).await;
    // The ages are looked up once a second.
    let refused = until("the age of the oldest", async || {
        let refused = sent(&server, name, payload, "key").await;
        let age = refused.problem(429, refusal.code)["oldest_age_s"].as_f64();
        age.is_some_and(|age| age >= 1.0).then_some(refused)
    })
    .await;
    let problem = refused.refusal(429, refusal.code, refusal.says[0]);
    let detail = problem["detail"].as_str().unwrap();
    for part in [refusal.says[1], &format!("the limit is {}", refusal.limit), "has been due for "] {
        assert!(detail.contains(part), "`{part}` is not in {detail}");
    }
    assert_eq!((&problem["limit"], &problem["queued"]), (&json!(refusal.limit), &json!(refusal.queued)));
    assert!(problem["oldest_age_s"].as_f64().is_some_and(|age| age >= 1.0), "{problem}");
    assert!((1..=60).contains(&refused.header("retry-after").parse::<u64>().unwrap()), "{refused:?}");
    assert_eq!(there(&server).await, before);
    // Nor is its key taken: with another payload it would be a conflict.
    server.post(&format!("/v1/invocations/{}/cancel", ids[0]), "").await.is(200);
    server.settled(&ids[0], "cancelled").await;
    let accepted = sent(&server, name, "", "key").await.is(202);
    assert_eq!(accepted.header("idempotency-replayed"), "");
}

#[tokio::test]
async fn the_limit_on_invocations_of_a_function_refuses_with_its_own_sentence() {
    let server = server(&["--max-queued-per-function", "2"]).await;
    let says = ["the function's queue holds 2 invocations", "--max-queued-per-function"];
    let refusal = Refusal { code: "queue_full_function", says, limit: 2, queued: 2 };
    check(server, &[("a", "x"), ("a", "x"), ("b", "x")], ("a", "x"), refusal).await;
}

#[tokio::test]
async fn the_limit_on_bytes_of_a_function_refuses_with_its_own_sentence() {
    let server = server(&["--max-queued-bytes-per-function", "5"]).await;
    let says = ["the function's queue holds 4 bytes of payloads", "--max-queued-bytes-per-function"];
    let refusal = Refusal { code: "queue_full_function_bytes", says, limit: 5, queued: 4 };
    check(server, &[("a", "xxxx"), ("b", "xxxx")], ("a", "yy"), refusal).await;
}

#[tokio::test]
async fn the_limits_that_a_function_was_given_refuse_in_place_of_the_servers() {
    let server = server(&["--max-queued-per-function", "1"]).await;
    server.put(&under("a", "queue"), r#"{"max_queued": 2}"#).await.is(200);
    let says = ["the function's queue holds 2 invocations", "`max_queued`"];
    let refusal = Refusal { code: "queue_full_function", says, limit: 2, queued: 2 };
    check(server, &[("a", "x"), ("a", "x")], ("a", "x"), refusal).await;
    let server = self::server(&[]).await;
    server.put(&under("a", "queue"), r#"{"max_queued_bytes": 3}"#).await.is(200);
    let says = ["the function's queue holds 2 bytes of payloads", "`max_queued_bytes`"];
    let refusal = Refusal { code: "queue_full_function_bytes", says, limit: 3, queued: 2 };
    check(server, &[("a", "xx")], ("a", "yy"), refusal).await;
}

#[tokio::test]
async fn the_limit_on_invocations_of_a_namespace_refuses_with_its_own_sentence() {
    let server = server(&["--max-queued-per-namespace", "2"]).await;
    let says = ["the queues of the namespace hold 2 invocations", "--max-queued-per-namespace"];
    let refusal = Refusal { code: "queue_full_namespace", says, limit: 2, queued: 2 };
    check(server, &[("a", "x"), ("b", "x"), (NAMES[2], "x")], ("b", "x"), refusal).await;
}

#[tokio::test]
async fn the_limit_on_bytes_of_a_namespace_refuses_with_its_own_sentence() {
    let server = server(&["--max-queued-bytes-per-namespace", "6"]).await;
    let says = ["the queues of the namespace hold 6 bytes of payloads", "--max-queued-bytes-per-namespace"];
    let refusal = Refusal { code: "queue_full_namespace_bytes", says, limit: 6, queued: 6 };
    check(server, &[("a", "xxx"), ("b", "xxx"), (NAMES[2], "xxx")], ("b", "y"), refusal).await;
}

#[tokio::test]
async fn the_limit_on_invocations_in_all_refuses_with_its_own_sentence() {
    let server = server(&["--max-queued", "3"]).await;
    let says = ["the queues of all functions hold 3 invocations", "`--max-queued`"];
    let refusal = Refusal { code: "queue_full_runtime", says, limit: 3, queued: 3 };
    // The limits of functions and namespaces are the same by default: here none of them is reached.
    check(server, &[("a", "x"), ("b", "x"), (NAMES[2], "x")], (NAMES[2], "x"), refusal).await;
}

#[tokio::test]
async fn the_limit_on_bytes_in_all_refuses_with_its_own_sentence() {
    let server = server(&["--max-queued-bytes", "9"]).await;
    let says = ["the queues of all functions hold 8 bytes of payloads", "`--max-queued-bytes`"];
    let refusal = Refusal { code: "queue_full_runtime_bytes", says, limit: 9, queued: 8 };
    check(server, &[("a", "xxx"), ("b", "xx"), (NAMES[2], "xxx")], (NAMES[2], "yy"), refusal).await;
}

/// A connection that is kept.
struct Connection(TcpStream);

impl Connection {
    /// Sends an asynchronous invocation of `a`, and returns the head of the answer.
    async fn sent(&mut self, body: &str) -> String {
        let head = "POST /v1/functions/a/invocations?mode=async HTTP/1.1\r\nHost: 127.0.0.1";
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.0.write_all(request.as_bytes()).await.unwrap();
        self.head().await
    }

    /// The same, without its length being known beforehand.
    async fn sent_in_chunks(&mut self, body: &str) -> String {
        let head = "POST /v1/functions/a/invocations?mode=async HTTP/1.1\r\nHost: 127.0.0.1";
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let request = format!("{head}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        self.0.write_all(request.as_bytes()).await.unwrap();
        self.head().await
    }

    /// The head of an answer, in lower case; its body is read and passed over.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        head
    }
}

#[tokio::test]
async fn a_client_that_a_full_queue_refused_goes_on_over_the_same_connection() {
    let server = server(&["--max-queued-per-function", "1"]).await;
    let first = server.accept("a", "x").await;
    let mut connection = Connection(TcpStream::connect(server.address()).await.unwrap());
    for _ in 0..3 {
        for head in [connection.sent("x").await, connection.sent_in_chunks("x").await, connection.sent("").await] {
            assert!(head.starts_with("http/1.1 429 ") && !head.contains("connection: close"), "{head}");
        }
    }
    server.post(&format!("/v1/invocations/{first}/cancel"), "").await.is(200);
    server.settled(&first, "cancelled").await;
    let head = connection.sent("x").await;
    assert!(head.starts_with("http/1.1 202 "), "{head}");
}
