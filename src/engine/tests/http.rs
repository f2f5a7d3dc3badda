use super::*;

fn get(uri: &'static str) -> Call {
    let request = Request {
        method: Method::GET,
        uri: uri.parse().unwrap(),
        headers: HeaderMap::from_iter([(::http::header::HOST, "example.com".parse().unwrap())]),
        body: Bytes::new(),
    };
    Call { input: Input::Request(Box::new(request)), ..call("") }
}

fn status(reply: &Reply) -> StatusCode {
    reply.head.as_ref().unwrap().0
}

#[tokio::test]
async fn an_http_function_answers_a_request_with_status_and_headers() {
    let reply = run(guest("prebuilt/hello-http.wasm"), get("/")).await.end.unwrap();
    assert_eq!((status(&reply), &reply.body[..]), (StatusCode::OK, &b"hello from tidemill\n"[..]));
    assert!(reply.content_type.starts_with("text/plain"), "{}", reply.content_type);
}

#[tokio::test]
async fn a_payload_is_posted_to_an_http_function() {
    let reply = run(guest("prebuilt/hello-http.wasm"), call("tide")).await.end.unwrap();
    assert_eq!((status(&reply), &reply.body[..], &*reply.content_type), (StatusCode::OK, &b"tide"[..], "text/plain"));
}

#[tokio::test]
async fn an_http_function_is_told_who_it_is_by_headers() {
    let told = body(run(guest("prebuilt/hello-http.wasm"), get("/echo/a?b=c")).await);
    for expected in [
        "/echo/a?b=c",
        "0197a0c8-0000-7000-8000-000000000001",
        "tidemill-function",
        "tidemill-deadline-ms",
        "first,second",
    ] {
        assert!(told.contains(expected), "{expected} is not in {told}");
    }
}

#[tokio::test]
async fn a_failing_status_is_a_failure_and_the_answer_is_kept() {
    let engine = engine();
    let hello = deploy(&engine, guest("prebuilt/hello-http.wasm")).await;
    let answered = async |uri: &'static str| {
        let ran = engine.run(&hello, get(uri)).await;
        let failed = ran.end.unwrap_err();
        let FailureKind::HttpStatus(code) = failed.kind else { panic!("{failed:?}") };
        assert_eq!(status(&ran.answer.unwrap()).as_u16(), code);
        (code, failed.advice)
    };
    let second = Duration::from_secs(1);
    assert_eq!(answered("/status/404").await, (404, Advice::GiveUp));
    assert_eq!(answered("/status/429").await, (429, Advice::Postpone(second)));
    assert_eq!(answered("/status/500").await, (500, Advice::Retry));
    assert_eq!(answered("/status/503").await, (503, Advice::RetryAfter(second)));
}

#[tokio::test]
async fn an_http_function_that_sleeps_too_long_is_stopped() {
    let call = {
        let version = call_under("", |version| version.limits.timeout = Duration::from_millis(50)).version;
        Call { version, ..get("/slow?ms=60000") }
    };
    let engine = engine();
    let hello = deploy(&engine, guest("prebuilt/hello-http.wasm")).await;
    let ran = tokio::time::timeout(Duration::from_secs(10), engine.run(&hello, call)).await;
    assert_eq!(failure(ran.unwrap()).kind, FailureKind::Timeout);
}

#[tokio::test]
async fn a_response_that_is_too_large_is_refused() {
    let payload = vec![0; crate::model::bounds::MAX_RESULT_BYTES + 1];
    let failed = failure(run(guest("prebuilt/hello-http.wasm"), call(payload)).await);
    assert_eq!(failed.kind, FailureKind::ResponseTooLarge);
}

/// What an http function written by hand needs of `wasi:http/types`; `$body` is that of its `handle`.
fn by_hand(body: &str) -> Bytes {
    from_text(&format!(
        r#"(component
             (import "wasi:http/types@0.2.0" (instance $types
               (export "incoming-request" (type (sub resource)))
               (export "response-outparam" (type (sub resource)))))
             (alias export $types "incoming-request" (type $request))
             (alias export $types "response-outparam" (type $out))
             (core module $guest (func (export "handle") (param i32 i32) {body}))
             (core instance $instance (instantiate $guest))
             (func $handle (param "request" (own $request)) (param "response-out" (own $out))
               (canon lift (core func $instance "handle")))
             (component $shell
               (import "types" (instance $types
                 (export "incoming-request" (type (sub resource)))
                 (export "response-outparam" (type (sub resource)))))
               (alias export $types "incoming-request" (type $request))
               (alias export $types "response-outparam" (type $out))
               (import "handle" (func $handle (param "request" (own $request)) (param "response-out" (own $out))))
               (export "handle" (func $handle)))
             (instance $exported (instantiate $shell (with "types" (instance $types)) (with "handle" (func $handle))))
             (export "wasi:http/incoming-handler@0.2.0" (instance $exported)))"#
    ))
}

#[tokio::test]
async fn an_http_function_that_sets_no_response_has_failed() {
    let failed = failure(run(by_hand(""), get("/")).await);
    assert_eq!((failed.kind, failed.advice), (FailureKind::HttpStatus(502), Advice::Retry));
    assert_eq!(failed.message, "the function returned without setting a response");
}

#[tokio::test]
async fn an_http_function_that_traps_has_failed_by_the_trap() {
    assert_eq!(failure(run(by_hand("unreachable"), get("/")).await).kind, FailureKind::Trap);
}
