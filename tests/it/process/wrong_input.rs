//! What cannot be done is refused with a status, a code and a detail that helps, and leaves nothing behind.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::{Answer, Server, hostile, prebuilt};

const MIB: usize = 1024 * 1024;

/// A server with one function, and a way to see that nothing else is there.
pub(super) struct Checked {
    pub(super) server: Server,
    functions: Value,
}

impl Checked {
    pub(super) async fn new() -> Self {
        let server = Server::in_memory().await;
        server.deploy("echo", prebuilt("echo")).await;
        let functions = server.get("/v1/functions").await.is(200).json();
        Self { server, functions }
    }

    /// Checks a refusal, and that it has changed nothing.
    async fn check(&self, answer: Answer, status: u16, code: &str, part: &str) {
        answer.refusal(status, code, part);
        assert_eq!(self.server.get("/v1/functions").await.is(200).json(), self.functions, "after {}", answer.text());
        assert_eq!(self.server.listed("").await, [""; 0], "after {}", answer.text());
    }

    /// Sends a request and checks that it is refused.
    pub(super) async fn sent(
        &self,
        method: &str,
        path: &str,
        body: impl Into<reqwest::Body>,
        refusal: (u16, &str, &str),
    ) {
        let request = self.server.request(method.parse().unwrap(), path).body(body);
        self.check(self.server.send(request).await, refusal.0, refusal.1, refusal.2).await;
    }

    /// Sends a deployment with settings and checks that it is refused.
    async fn settings(&self, settings: Value, refusal: (u16, &str, &str)) {
        let answer = self.server.deployment("new", prebuilt("echo"), &settings).await;
        self.check(answer, refusal.0, refusal.1, refusal.2).await;
    }
}

#[tokio::test]
async fn what_is_no_module_that_can_run_is_refused_when_it_is_deployed() {
    let checked = Checked::new().await;
    let refused = |part| (422, "module_refused", part);
    let new = "/v1/functions/new";
    checked.sent("PUT", new, "", refused("not a valid WebAssembly module")).await;
    checked.sent("PUT", new, "hello, this is no module", refused("not a valid WebAssembly module")).await;
    checked.sent("PUT", new, "(module)", refused("not a valid WebAssembly module")).await;
    let whole = prebuilt("echo");
    checked.sent("PUT", new, whole[..whole.len() / 2].to_vec(), refused("not a valid WebAssembly module")).await;
    checked.sent("PUT", new, hostile("no-entrypoint"), refused("exports `memory`, `answer`")).await;
    checked.sent("PUT", new, hostile("missing-import"), refused("`env.does_not_exist`")).await;
    checked.settings(json!({"entrypoint": "http"}), refused("`http` needs `wasi:http/incoming-handler")).await;
    // Over a function that is there, it stays as it is.
    checked.sent("PUT", "/v1/functions/echo", hostile("no-entrypoint"), refused("nothing of that can be called")).await;
    checked.server.invoke("echo", "as before").await.is(200);
}

#[tokio::test]
async fn names_and_paths_and_methods_that_are_none_are_refused_with_what_was_sent() {
    let checked = Checked::new().await;
    let invocations = "/v1/functions/nobody/invocations";
    checked.sent("POST", invocations, "x", (404, "function_not_found", "there is no function `nobody`")).await;
    let asynchronous = format!("{invocations}?mode=async");
    checked.sent("POST", &asynchronous, "x", (404, "function_not_found", "`nobody`")).await;
    checked.sent("GET", "/v1/functions/nobody", "", (404, "function_not_found", "`nobody`")).await;
    checked.sent("DELETE", "/v1/functions/nobody", "", (404, "function_not_found", "`nobody`")).await;
    checked.sent("PUT", "/v1/functions/nobody/async-config", "{}", (404, "function_not_found", "`nobody`")).await;
    for name in ["9lives", "a.b.c", "a%20b", "-", "a%2Fb", "%F0%9F%8C%8A"] {
        let path = format!("/v1/functions/{name}");
        checked.sent("PUT", &path, prebuilt("echo"), (400, "bad_name", "function name")).await;
    }
    let long = format!("/v1/functions/{}", "x".repeat(64));
    checked.sent("PUT", &long, prebuilt("echo"), (400, "bad_name", "function name")).await;
    checked.sent("PUT", "/v1/functions/a?namespace=a/b", prebuilt("echo"), (400, "bad_name", "namespace")).await;
    checked.sent("GET", "/v1/invocations/42", "", (400, "bad_name", "42")).await;
    checked.sent("GET", "/v1/invocations/%FF", "", (400, "bad_path", "`/v1/invocations/%FF`")).await;
    checked.sent("PUT", "/v1/functions/echo/aliases/%FF", "{}", (400, "bad_path", "UTF-8")).await;
    checked.sent("GET", "/v3/functions", "", (404, "no_such_path", "/v3/functions")).await;
    checked.sent("GET", "/", "", (404, "no_such_path", "`/`")).await;
    checked.sent("PATCH", "/v1/functions/echo", "", (405, "method_not_allowed", "`PATCH`")).await;
    checked.sent("GET", "/v1/functions/echo/invocations", "", (405, "method_not_allowed", "`GET`")).await;
    let answer = checked.server.send(checked.server.request(Method::PATCH, "/v1/functions/echo")).await;
    assert!(answer.header("allow").contains("PUT"), "{answer:?}");
}

#[tokio::test]
async fn settings_that_cannot_be_read_or_are_out_of_range_are_refused_with_the_field() {
    let checked = Checked::new().await;
    let range = |part| (400, "bad_range", part);
    checked.settings(json!({"timeout_ms": 0}), range("timeout_ms is 0")).await;
    checked.settings(json!({"timeout_ms": 259_200_001}), range("timeout_ms is 259200001: use 1 to 259200000")).await;
    checked.settings(json!({"memory_bytes": MIB - 1}), range("memory_bytes is 1048575")).await;
    checked.settings(json!({"memory_bytes": 5_u64 << 30}), range("memory_bytes is 5368709120")).await;
    checked.settings(json!({"concurrency": 0}), range("concurrency is 0: use 1 to 100000")).await;
    checked.settings(json!({"async_config": {"max_retries": 101}}), range("max_retries is 101: use 0 to 100")).await;
    checked.settings(json!({"time_out": 1}), (400, "bad_json", "`time_out`")).await;
    checked.settings(json!({"timeout_ms": "5s"}), (400, "bad_json", "part `settings`")).await;
    checked.settings(json!({"entrypoint": "no name"}), (400, "bad_entrypoint", "`no name`")).await;
    checked.settings(json!({"entrypoint": "main"}), (422, "module_refused", "no function `main`; it has")).await;
    for environment in [json!({"A=B": "c"}), json!({"": "c"}), json!({"A": "b\0c"})] {
        checked.settings(json!({ "environment": environment }), (400, "bad_environment", "no `=`")).await;
    }
    checked.settings(json!({"arguments": ["a\0b"]}), (400, "bad_environment", "NUL")).await;

    let config = "/v1/functions/echo/async-config";
    let sent = async |config: Value, refusal| checked.sent("PUT", self::CONFIG, config.to_string(), refusal).await;
    sent(json!({"max_retries": 101}), range("max_retries is 101: use 0 to 100")).await;
    sent(json!({"max_event_age_s": 0}), range("max_event_age_s is 0: use 1 to 86400")).await;
    sent(json!({"max_event_age_s": 86_401}), range("max_event_age_s is 86401")).await;
    sent(json!({"retry_delay_ms": 0}), range("retry_delay_ms is 0")).await;
    sent(json!({"retry_delay_ms": 10, "retry_delay_max_ms": 5}), range("cannot be longer than the longest")).await;
    sent(json!({"max_retry": 1}), (400, "bad_json", "`max_retry`")).await;
    sent(json!({"max_retries": -1}), (400, "bad_json", "-1")).await;
    checked.sent("PUT", config, "{\"max_retries\": 1", (400, "bad_json", "line 1")).await;
    checked.sent("PUT", config, " [null, null, 1, 1, null, null, null]", (400, "bad_json", "send an object")).await;
    checked.sent("PUT", "/v1/queues/jobs", "[null, null]", (400, "bad_json", "send an object")).await;
    checked.sent("PUT", config, "", (400, "bad_json", "configuration")).await;
    checked.sent("PUT", config, " ".repeat(64 * 1024 + 1), (413, "body_too_large", "65536")).await;
}

const CONFIG: &str = "/v1/functions/echo/async-config";

#[tokio::test]
async fn destinations_that_are_none_are_refused_with_how_to_write_one() {
    let checked = Checked::new().await;
    let sent = async |to: &str, refusal| {
        let (text, object) = (json!({ "on_success": to }), json!({"on_failure": {"to": to}}));
        checked.sent("PUT", CONFIG, text.to_string(), refusal).await;
        checked.sent("PUT", CONFIG, object.to_string(), refusal).await;
    };
    sent("nobody", (400, "bad_destination", "write `function:NAME`")).await;
    sent("carrier-pigeon:b", (400, "bad_destination", "`carrier-pigeon:b`")).await;
    sent("function:", (400, "bad_destination", "function:")).await;
    sent("function:9", (400, "bad_destination", "function:9")).await;
    sent("function:nobody", (400, "destination_not_found", "`function:nobody`")).await;
    sent("function:echo@7", (409, "cycle", "echo -> echo")).await;
    for outside in ["queue:a/b", "object:B/prefix", "stream:9", "topic:t/", "https://a@b.example/", "http://"] {
        sent(outside, (400, "bad_destination", outside)).await;
    }
    let sent = async |object: serde_json::Value, refusal| {
        checked.sent("PUT", CONFIG, json!({ "on_success": object }).to_string(), refusal).await;
    };
    let outside = "https://a.example/";
    sent(json!({"to": outside, "format": "xml"}), (400, "bad_destination", "`xml` is no format")).await;
    sent(json!({"to": outside, "colour": "red"}), (400, "bad_json", "destination")).await;
    sent(json!({"to": outside, "connection": "c"}), (400, "bad_destination", "takes no connection")).await;
    sent(json!({"to": outside, "expires_days": 1}), (400, "bad_destination", "objects do")).await;
    sent(json!({"to": outside, "service_account": "9"}), (400, "bad_name", "service account")).await;
    let days = json!({"to": "object:bucket/prefix", "expires_days": 366});
    sent(days, (400, "bad_range", "expires_days is 366: use 0 to 365")).await;
}

#[tokio::test]
async fn queries_and_headers_that_cannot_be_read_are_refused() {
    let checked = Checked::new().await;
    let list = "/v1/invocations";
    checked.sent("GET", &format!("{list}?cursor=abc"), "", (400, "bad_cursor", "`abc`")).await;
    checked.sent("GET", "/v1/functions?cursor=abc", "", (400, "bad_cursor", "`abc`")).await;
    checked.sent("GET", "/v1/objects/results?cursor=", "", (400, "bad_cursor", "``")).await;
    checked.sent("GET", "/v1/audit?cursor=x", "", (400, "bad_cursor", "`x`")).await;
    checked.sent("GET", &format!("{list}?status=lost"), "", (400, "bad_query", "`lost`")).await;
    checked.sent("GET", &format!("{list}?since=yesterday"), "", (400, "bad_query", "`yesterday`")).await;
    checked.sent("GET", &format!("{list}?limit=0"), "", (400, "bad_range", "limit is 0: use 1 to 1000")).await;
    checked.sent("GET", &format!("{list}?limit=many"), "", (400, "bad_query", "limit")).await;
    checked.sent("GET", &format!("{list}?colour=red"), "", (400, "bad_query", "`colour`")).await;
    let functions = "/v1/functions/echo";
    for (method, path) in [("PUT", ""), ("GET", "/versions"), ("PUT", "/aliases/live"), ("DELETE", "/aliases/live")] {
        let path = format!("{functions}{path}?qualifier=1");
        checked.sent(method, &path, "", (400, "bad_query", "`qualifier`")).await; // it would have no effect
    }
    let invocations = "/v1/functions/echo/invocations";
    checked.sent("POST", &format!("{invocations}?mode=later"), "", (400, "bad_query", "`later`")).await;
    checked.sent("POST", &format!("{invocations}?qualifer=1"), "", (400, "bad_query", "`qualifer`")).await;
    for (name, value, code, part) in [
        ("tidemill-delay", "soon", "bad_header", "`soon`"),
        ("tidemill-delay", "16d", "bad_range", "15 days"),
        ("tidemill-chain", "x", "bad_name", "`x`"),
        ("tidemill-run-at", "noon", "bad_header", "`noon`"),
        ("tidemill-run-at", "2999-01-01T00:00:00Z", "bad_range", "15 days"),
        ("tidemill-priority", "urgent", "bad_header", "`urgent`"),
        ("idempotency-key", "", "bad_idempotency_key", "1 to 255"),
        ("idempotency-key", &"k".repeat(256), "bad_idempotency_key", "1 to 255"),
        ("tidemill-attribute-long", &"x".repeat(16 * 1024 + 1), "bad_range", "attributes"),
    ] {
        let path = format!("{invocations}?mode=async");
        let request = checked.server.request(Method::POST, &path).header(name, value);
        checked.check(checked.server.send(request).await, 400, code, part).await;
    }
    let both = checked.server.request(Method::POST, &format!("{invocations}?mode=async"));
    let both = both.header("tidemill-delay", "1s").header("tidemill-run-at", "2026-01-01T00:00:00Z");
    checked.check(checked.server.send(both).await, 400, "bad_header", "send one of them").await;
    for (name, value, code) in [
        ("idempotency-key", "k", "idempotency_key_not_supported"),
        ("tidemill-delay", "1s", "asynchronous_only"),
        ("tidemill-run-at", "2026-01-01T00:00:00Z", "asynchronous_only"),
        ("tidemill-priority", "high", "asynchronous_only"),
        ("tidemill-callback-url", "https://127.0.0.1/done", "asynchronous_only"),
    ] {
        let request = checked.server.request(Method::POST, invocations).header(name, value);
        checked.check(checked.server.send(request).await, 400, code, "respond-async").await;
        if name != "idempotency-key" {
            // A function's own request may have a key of its own, and nothing else of these.
            let request = checked.server.request(Method::POST, "/fn/echo").header(name, value);
            checked.check(checked.server.send(request).await, 400, code, "respond-async").await;
        }
    }
}

#[tokio::test]
async fn a_body_over_its_limit_is_refused_by_what_its_head_announces() {
    let checked = Checked::new().await;
    let announced = async |method: &str, path: &str, bytes: usize, part: &str| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n"
        );
        let answer = raw(&checked.server, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
        assert!(answer.contains(part), "{answer}");
    };
    let invocations = "/v1/functions/echo/invocations";
    announced("PUT", "/v1/functions/new", 64 * MIB + 1, "67108864").await;
    announced("POST", invocations, 6 * MIB + 1, "6291456").await;
    announced("POST", "/fn/echo", 6 * MIB + 1, "6291456").await;
    announced("POST", &format!("{invocations}?mode=async"), MIB + 1, "1048576").await;
    let many = vec![b'x'; MIB + 1];
    let refusal = (413, "body_too_large", "1048576");
    checked.sent("POST", &format!("{invocations}?mode=async"), many, refusal).await;

    // Without a length, what arrives counts.
    let chunks = futures::stream::iter((0..17).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024])));
    let path = format!("{invocations}?mode=async");
    let request = checked.server.request(Method::POST, &path).body(reqwest::Body::wrap_stream(chunks));
    checked.check(checked.server.send(request).await, 413, "body_too_large", "1048576").await;

    checked.server.invoke("echo", vec![b'x'; 6 * MIB]).await.is(200);
    let id = checked.server.accept("echo", vec![b'x'; MIB]).await;
    checked.server.settled(&id, "succeeded").await;
}

#[tokio::test]
async fn a_refusal_that_ends_the_connection_says_so() {
    let server = Server::in_memory().await;
    let refusal = server.invoke("nobody", "a body that nobody reads").await;
    refusal.refusal(404, "function_not_found", "`nobody`");
    assert_eq!(refusal.header("connection"), "close");
    for _ in 0..20 {
        let refusal = server.invoke("nobody", vec![b'x'; MIB]).await;
        assert_eq!((refusal.status, refusal.header("connection")), (404, "close"));
        assert_eq!(server.get("/v1/functions/nobody").await.header("connection"), "");
    }
}

#[tokio::test]
async fn web_pages_from_elsewhere_are_kept_out() {
    let checked = Checked::new().await;
    let server = &checked.server;
    let origin = |value: &str| server.request(Method::POST, "/v1/functions/echo/invocations").header("origin", value);
    let refusal = server.send(origin("https://evil.example")).await;
    checked.check(refusal, 403, "foreign_origin", "https://evil.example").await;
    checked.check(server.send(origin("null")).await, 403, "foreign_origin", "null").await;
    server.send(origin(&server.url(""))).await.is(200);
    let rebound = server.request(Method::GET, "/v1/functions").header("host", "rebound.evil.example");
    server.send(rebound).await.refusal(403, "foreign_origin", "rebound.evil.example");
}

#[tokio::test]
async fn a_head_that_is_too_large_or_makes_no_sense_ends_the_connection() {
    let checked = Checked::new().await;
    let huge = format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {}\r\n\r\n", "x".repeat(MIB));
    assert!(raw(&checked.server, huge.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    assert!(raw(&checked.server, b"\x16\x03\x01\x02\x00\x01\x00").await.starts_with("HTTP/1.1 400 "));
    assert!(raw(&checked.server, b"GET /healthz\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    checked.server.invoke("echo", "goes on").await.is(200);
}

#[tokio::test]
async fn a_deployment_of_the_wrong_parts_is_refused() {
    let checked = Checked::new().await;
    let form = |form| checked.server.request(Method::PUT, "/v1/functions/new").multipart(form);
    let text = || reqwest::multipart::Part::text("{}");
    let only_settings = reqwest::multipart::Form::new().part("settings", text());
    let answer = checked.server.send(form(only_settings)).await;
    checked.check(answer, 400, "bad_source", "neither a module nor a `source`").await;
    let another = reqwest::multipart::Form::new().part("code", text());
    checked.check(checked.server.send(form(another)).await, 400, "bad_multipart", "no part `code`").await;
}

/// What the server answers to these bytes before it closes the connection.
async fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    drop(stream.write_all(bytes).await); // it may be closed before it has all
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await); // and with something of it unread, which is a reset
    String::from_utf8_lossy(&answer).into_owned()
}
