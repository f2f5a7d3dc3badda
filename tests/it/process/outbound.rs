//! Requests of functions to others: to whom they get, what they say about themselves, and how they end.

use serde_json::{Value, json};

use super::support::{Answer, Peer, Server, prebuilt, run, texts, until};

/// A server with a function that sends requests, and is granted `grants`.
async fn granted(arguments: &[&str], grants: &[String]) -> Server {
    let server = Server::with(&[&["--store", "memory"], arguments].concat()).await;
    deploy(&server, grants).await;
    server
}

async fn deploy(server: &Server, grants: &[String]) -> Value {
    let settings = json!({"timeout_ms": 20_000, "grants": {"http": grants}});
    server.deploy_with("fetch", prebuilt("fetch"), &settings).await
}

async fn fetch(server: &Server, errand: Value) -> Answer {
    server.invoke("fetch", errand.to_string()).await
}

/// Checks that the function's request fails with the error that WIT names so.
async fn check_refused(server: &Server, errand: Value, error: &str) -> Answer {
    let told = errand.to_string();
    let answer = fetch(server, errand).await.is(502);
    assert_eq!(answer.text().trim(), error, "{told}");
    answer
}

/// The log of the invocation that `answer` is of.
async fn log(server: &Server, answer: &Answer) -> String {
    let id = server.recorded(answer).await["id"].as_str().unwrap().to_owned();
    server.get(&format!("/v1/invocations/{id}/logs")).await.is(200).text()
}

#[track_caller]
fn check_header(request: &str, name: &str, expected: &[&str]) {
    let prefix = format!("{name}: ");
    let values: Vec<_> = request.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
    assert_eq!(values, expected, "{request}");
}

#[tokio::test]
async fn a_granted_host_is_reached_and_is_told_by_whom() {
    let peer = Peer::plain().await;
    let authority = format!("127.0.0.1:{}", peer.port());
    let server = granted(&[], &[format!("http://{authority}")]).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let errand = json!({
        "url": format!("http://{authority}/path?query"), "method": "POST", "body": "tide",
        "headers": {"host": "bank.example", "tidemill-chain": "forged", "tidemill-hop": "0", "x-own": "kept"},
    });
    let request = server.request(reqwest::Method::POST, "/v1/functions/fetch/invocations");
    let answer = server.send(request.header("traceparent", trace).body(errand.to_string())).await.is(200);
    assert!(answer.text().ends_with("tide\r\n0\r\n\r\n") || answer.text().ends_with("tide"), "{}", answer.text());
    let [request] = &peer.seen()[..] else { panic!("{:?}", peer.seen()) };
    assert!(request.starts_with("post /path?query http/1.1\r\n"), "{request}");
    check_header(request, "host", &[&authority]);
    check_header(request, "x-own", &["kept"]);
    check_header(request, "tidemill-chain", &[answer.header("tidemill-invocation-id")]);
    check_header(request, "tidemill-hop", &["1"]);
    check_header(request, "traceparent", &[trace]);
}

#[tokio::test]
async fn https_is_spoken_with_servers_that_an_authority_vouches_for() {
    let (peer, authority) = Peer::with_tls().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority).unwrap();
    let grants = [format!("private+https://localhost:{}", peer.port()), format!("https://127.0.0.1:{}", peer.port())];
    let url = |host: &str| json!({"url": format!("https://{host}:{}/", peer.port())});

    let trusting = granted(&["--outbound-ca", file.to_str().unwrap()], &grants).await;
    fetch(&trusting, url("localhost")).await.is(200);
    check_header(&peer.seen()[0], "host", &[&format!("localhost:{}", peer.port())]);
    let error = "TlsCertificateError";
    check_refused(&trusting, url("127.0.0.1"), error).await; // the certificate is not for that

    let another = granted(&[], &grants).await;
    let refused = check_refused(&another, url("localhost"), error).await;
    assert!(log(&another, &refused).await.contains("UnknownIssuer"));
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn a_server_does_not_start_with_certificates_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "nothing").unwrap();
    let server = Server::in_memory().await;
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--store", "memory", "--outbound-ca", file.to_str().unwrap()];
    let ended = run(&server, &arguments).await;
    assert_ne!(ended.code, Some(0));
    assert!(ended.err.contains("--outbound-ca") && ended.err.contains("BEGIN CERTIFICATE"), "{}", ended.err);
}

#[tokio::test]
async fn what_is_not_granted_is_denied_and_the_log_says_what_would_grant_it() {
    let peer = Peer::plain().await;
    let url = format!("http://127.0.0.1:{}", peer.port());
    let server = granted(&[], &["https://api.example.com".to_owned()]).await;
    let denied = check_refused(&server, json!({"url": format!("{url}/?key=secret")}), "HttpRequestDenied").await;
    let log = log(&server, &denied).await;
    assert!(log.contains(&format!("deploy the function with `--allow-http {url}`")), "{log}");
    assert!(!log.contains("secret"), "{log}");
    check_refused(&server, json!({"url": "http://api.example.com/"}), "HttpRequestDenied").await;
    assert_eq!(peer.seen(), [""; 0]);
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_unless_that_is_granted() {
    let peer = Peer::plain().await;
    let localhost = json!({"url": format!("http://localhost:{}/", peer.port())});
    let decimal = json!({"url": format!("http://2130706433:{}/", peer.port())});
    let server = granted(&[], &["*://*:*".to_owned()]).await;
    for errand in [localhost.clone(), decimal, json!({"url": format!("http://127.0.0.1:{}/", peer.port())})] {
        check_refused(&server, errand, "DestinationIpProhibited").await;
    }
    check_refused(&server, json!({"url": "http://[::ffff:127.0.0.1]/"}), "DestinationIpProhibited").await;
    assert_eq!(peer.seen(), [""; 0]);

    deploy(&server, &[format!("private+http://localhost:{}", peer.port())]).await;
    fetch(&server, localhost).await.is(200);
    check_header(&peer.seen()[0], "host", &[&format!("localhost:{}", peer.port())]);
}

#[tokio::test]
async fn a_redirect_is_the_guests_to_follow_and_is_looked_at_like_any_request() {
    let (peer, other) = (Peer::plain().await, Peer::plain().await);
    let grants = ["*://*:*".to_owned(), format!("http://127.0.0.1:{}", peer.port())];
    let server = granted(&[], &grants).await;
    let to =
        |url: &str, follow: u32| json!({"url": format!("http://127.0.0.1:{}/to?{url}", peer.port()), "follow": follow});
    let inside = format!("http://127.0.0.1:{}/", other.port());
    let answer = fetch(&server, to(&inside, 0)).await.is(302);
    assert_eq!(answer.header("location"), inside);
    for url in [&*inside, "http://169.254.169.254/latest/meta-data", "http://localhost/", "http://[::1]/"] {
        check_refused(&server, to(url, 1), "DestinationIpProhibited").await;
    }
    assert_eq!((peer.seen().len(), other.seen().len()), (5, 0));

    deploy(&server, &grants[1..]).await;
    check_refused(&server, to(&inside, 1), "HttpRequestDenied").await;
    fetch(&server, to(&format!("http://127.0.0.1:{}/", peer.port()), 1)).await.is(200);
}

#[tokio::test]
async fn a_guest_that_waits_for_a_server_that_never_answers_ends_at_its_deadline() {
    let peer = Peer::plain().await;
    let url = |path: &str| json!({"url": format!("http://127.0.0.1:{}{path}", peer.port())});
    let server = granted(&[], &[format!("http://127.0.0.1:{}", peer.port())]).await;
    let settings = json!({"timeout_ms": 500, "grants": {"http": [format!("http://127.0.0.1:{}", peer.port())]}});
    server.deploy_with("short", prebuilt("fetch"), &settings).await;
    for path in ["/never", "/drip"] {
        let problem = server.invoke("short", url(path).to_string()).await.problem(504, "function_failed");
        assert_eq!(problem["kind"], "timeout", "{problem}");
    }
    // Told to wait less than that, it does.
    let mut impatient = url("/never");
    impatient["first_byte_ms"] = json!(50);
    check_refused(&server, impatient, "ConnectionReadTimeout").await;
}

#[tokio::test]
async fn a_guest_has_a_bounded_number_of_requests_under_way() {
    let peer = Peer::plain().await;
    let server = granted(&[], &[format!("http://127.0.0.1:{}", peer.port())]).await;
    let url = format!("http://127.0.0.1:{}/together?16", peer.port());
    // Of a GET nobody waits for the body: it could be answered, and be over, before the last has begun.
    let told = fetch(&server, json!({"url": url, "method": "POST", "at_once": 20})).await.is(200).json();
    let told = texts(&told);
    assert_eq!(told.iter().filter(|told| **told == "200").count(), 16, "{told:?}");
    assert_eq!(told.iter().filter(|told| **told == "ConnectionLimitReached").count(), 4, "{told:?}");
    // And all of them again for the next attempt.
    let told = fetch(&server, json!({"url": url, "method": "POST", "at_once": 16})).await.is(200).json();
    assert_eq!(texts(&told), ["200"; 16]);
}

#[tokio::test]
async fn bodies_larger_than_any_buffer_go_through_in_both_directions() {
    let peer = Peer::plain().await;
    let server = granted(&[], &[format!("http://127.0.0.1:{}", peer.port())]).await;
    let body = "0123456789abcdef".repeat(128 * 1_024);
    let headers = json!({"content-length": body.len().to_string()});
    let url = format!("http://127.0.0.1:{}/", peer.port());
    let errand = json!({"url": url, "method": "POST", "headers": headers, "body": body});
    let answer = fetch(&server, errand).await.is(200).text();
    assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{} bytes", answer.len());
}

#[tokio::test]
async fn a_function_that_calls_itself_over_http_stops_at_the_hop_limit() {
    const LIMIT: usize = 5;
    let server = Server::with(&["--store", "memory", "--hop-limit", "5"]).await;
    deploy(&server, &[server.url("")]).await;
    let errand = json!({"url": server.url("/v1/functions/fetch/invocations"), "method": "POST", "again": true});
    let problem = fetch(&server, errand).await;
    assert_eq!(problem.status, 508);
    let problem = problem.json();
    assert_eq!(problem["code"], "hop_limit_exceeded", "{problem}");
    assert_eq!(problem["chain"].as_array().unwrap().len(), LIMIT + 1, "{problem}");

    // Each has the one before it at the end of its chain.
    let ids =
        until("the records", async || Some(server.listed("function=fetch").await).filter(|ids| ids.len() == LIMIT + 1))
            .await;
    let last = server.look(&ids[0]).await;
    assert_eq!((&last["hop"], &last["status"]), (&json!(LIMIT), &json!("failed")), "{last}");
    let before: Vec<_> = ids[1..].iter().rev().map(String::as_str).collect();
    assert_eq!(texts(&last["chain"]), before);
}

#[tokio::test]
async fn a_function_that_calls_itself_through_the_queue_or_its_url_stops_at_the_hop_limit_too() {
    let server = Server::with(&["--store", "memory", "--hop-limit", "3"]).await;
    deploy(&server, &[server.url("")]).await;
    let by_url = json!({"url": server.url("/fn/fetch/"), "method": "POST", "again": true});
    let problem = server.post("/fn/fetch/", by_url.to_string()).await;
    assert_eq!((problem.status, &problem.json()["code"]), (508, &json!("hop_limit_exceeded")));

    let later = server.url("/v1/functions/fetch/invocations?mode=async");
    let settings = json!({"async_config": {"max_retries": 0}, "grants": {"http": [server.url("")]}});
    server.deploy_with("fetch", prebuilt("fetch"), &settings).await;
    server.accept("fetch", json!({"url": later, "method": "POST", "again": true}).to_string()).await;
    let failed = until("the end of the chain", async || {
        // Those that waited for an answer have failed too, and before it.
        let last = server.listed("function=fetch&status=failed").await.into_iter().next()?;
        Some(server.look(&last).await).filter(|last| last["mode"] == "async")
    })
    .await;
    assert_eq!((&failed["hop"], &failed["attempts"][0]["error"]["kind"]), (&json!(3), &json!("http_status")));
    assert_eq!(failed["chain"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_deployment_names_the_imports_that_need_a_grant_it_lacks() {
    let server = Server::in_memory().await;
    let told = deploy(&server, &[]).await;
    let import = told["missing_grants"][0]["import"].as_str().unwrap();
    assert!(import.starts_with("wasi:http/outgoing-handler@0.2."), "{told}");
    assert_eq!(told["missing_grants"], json!([{"import": import, "needs": "--allow-http"}]));
    assert_eq!(server.get("/v1/functions/fetch").await.json()["missing_grants"], told["missing_grants"]);

    let file = super::support::prebuilt_path("fetch");
    let deployed = ["deploy", file.to_str().unwrap(), "--name", "fetch", "--timeout", "5s"];
    let text = run(&server, &deployed).await.exits(0).text();
    assert!(text.contains(&format!("warning: it imports `{import}`")) && text.contains("`--allow-http`"), "{text}");
    let text = run(&server, &["functions", "show", "fetch"]).await.exits(0).text();
    assert!(text.contains("--allow-http"), "{text}");
    let granted = [&deployed[..], &["--allow-http", "https://a.example"]].concat();
    let text = run(&server, &granted).await.exits(0).text();
    assert!(!text.contains("warning"), "{text}");
    assert_eq!(server.deploy("echo", prebuilt("echo")).await["missing_grants"], json!([]));
}

#[tokio::test]
async fn requests_of_wasi_0_3_go_the_same_way_as_others() {
    let peer = Peer::plain().await;
    let authority = format!("127.0.0.1:{}", peer.port());
    let server = Server::with(&["--store", "memory", "--wasi-0.3"]).await;
    let forward = async |grants: &[String], path: &str| {
        server
            .deploy_with(
                "forward",
                wat::parse_file(format!("{}/guests/async/forward.wat", env!("CARGO_MANIFEST_DIR"))).unwrap(),
                &json!({"grants": {"http": grants}}),
            )
            .await;
        server.send(server.request(reqwest::Method::GET, &format!("/fn/forward/{path}"))).await
    };
    let here = format!("{authority}/path?query");
    // By no grant, by one of another port, and by one of anything, which no private address is covered by.
    for (grant, to, error) in [
        (None, &*here, "HttpRequestDenied"),
        (Some("http://127.0.0.1:1"), &here, "HttpRequestDenied"),
        (Some("http://*:*"), &here, "DestinationIpProhibited"),
        (Some("http://*:*"), &format!("localhost:{}/", peer.port()), "DestinationIpProhibited"),
    ] {
        let refused = forward(&grant.map(str::to_owned).into_iter().collect::<Vec<_>>(), to).await;
        let problem = refused.problem(502, "function_failed");
        assert!(problem["detail"].as_str().unwrap().contains(error), "{problem}");
    }
    assert_eq!(peer.seen(), [""; 0]);

    let answer = forward(&[format!("http://{authority}")], &here).await.is(200);
    let [request] = &peer.seen()[..] else { panic!("{:?}", peer.seen()) };
    assert!(request.starts_with("get /path?query http/1.1\r\n"), "{request}");
    check_header(request, "host", &[&authority]);
    check_header(request, "tidemill-chain", &[answer.header("tidemill-invocation-id")]);
    check_header(request, "tidemill-hop", &["1"]);
}
