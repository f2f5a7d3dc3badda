//! Both schemes against signatures that others published, and each against itself.

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName};

use super::*;
use crate::model::time::Timestamp;

const AWS: Key<'static> = Key { id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const S3: Key<'static> = Key { id: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
const HUAWEI: Key<'static> = Key { id: "AKEXAMPLE", secret: "SKEXAMPLE" };
const PROJECT: &str = "7aad83af3e8d42e99ac194e8419e2c9b";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    pairs.iter().map(pair).collect()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// `added` signs as `signature` says, and whoever knows the secret takes it.
#[track_caller]
fn check(request: Request<'_>, added: sign::Added, secret: &str, body: &[u8], now: Timestamp, signature: &str) {
    let mut headers = request.headers.clone();
    headers.extend(added);
    let authorization = headers[AUTHORIZATION].to_str().unwrap();
    assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
    let claim = Claim::of(&headers).unwrap().unwrap();
    claim.check_time(now).unwrap();
    claim.verify(&Request { headers: &headers, ..request }, secret, body).unwrap();
}

#[track_caller]
fn check_aws(method: &str, target: (&str, &str), more: &[(&str, &str)], body: &[u8], signature: &str) {
    let headers = headers(&[&[("host", "example.amazonaws.com")], more].concat());
    let request = Request { method, path: target.0, query: target.1, headers: &headers };
    let scope = Scope { region: "us-east-1", service: "service" };
    let now = at("2015-08-30T12:36:00Z");
    let added = sigv4(&request, scope, AWS, Payload::Bytes(body), now).unwrap();
    check(request, added, AWS.secret, body, now, signature);
}

#[test]
fn signature_version_4_is_that_of_the_published_suite() {
    check_aws("GET", ("/", ""), &[], b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    check_aws("POST", ("/", ""), &[], b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    check_aws(
        "GET",
        ("/", "Param2=value2&Param1=value1"),
        &[],
        b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    );
    check_aws(
        "POST",
        ("/", ""),
        &[("content-type", "application/x-www-form-urlencoded")],
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    );
}

#[test]
fn signature_version_4_for_s3_takes_keys_as_they_are_and_tells_the_digest() {
    let (scope, now) = (Scope { region: "us-east-1", service: "s3" }, at("2013-05-24T00:00:00Z"));
    let get = headers(&[("host", "examplebucket.s3.amazonaws.com"), ("range", "bytes=0-9")]);
    let request = Request { method: "GET", path: "/test.txt", query: "", headers: &get };
    let added = sigv4(&request, scope, S3, Payload::Bytes(b""), now).unwrap();
    let expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    check(request, added, S3.secret, b"", now, expected);
    let put = headers(&[
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("host", "examplebucket.s3.amazonaws.com"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ]);
    let request = Request { method: "PUT", path: "/test$file.text", query: "", headers: &put };
    let body = b"Welcome to Amazon S3.";
    let added = sigv4(&request, scope, S3, Payload::Bytes(body), now).unwrap();
    let expected = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
    check(request, added, S3.secret, body, now, expected);
}

#[track_caller]
fn check_huawei(method: &str, target: (&str, &str), body: &[u8], signature: &str) {
    let headers =
        headers(&[("host", "127.0.0.1:8080"), ("content-type", "application/json"), ("x-project-id", PROJECT)]);
    let request = Request { method, path: target.0, query: target.1, headers: &headers };
    let now = at("2026-01-02T03:04:05Z");
    let added = sdk_hmac(&request, HUAWEI, Payload::Bytes(body), now).unwrap();
    check(request, added, HUAWEI.secret, body, now, signature);
}

#[test]
fn sdk_hmac_is_that_of_the_sdk() {
    let function = format!("urn%3Afss%3Alocal%3A{PROJECT}%3Afunction%3Adefault%3Atest%3Alatest");
    let path = format!("/v2/{PROJECT}/fgs/functions/{function}/invocations-async");
    let expected = "4f82fe4822aef64d61238c00456fb7f8ccc587d48b3fa71ec1c06514f616a336";
    check_huawei("POST", (&path, ""), br#"{"k": "v"}"#, expected);
    let path = format!("/v2/{PROJECT}/fgs/functions");
    let expected = "3752c950719acfc2b20a1fc22a687b332bdd7c1e66ab506abfddb745f98ac703";
    check_huawei("GET", (&path, "func_name=a%20b&marker=0&maxitems=2"), b"", expected);
}

/// A request signed with either scheme now, with its headers.
fn signed(is_aws: bool, payload: Payload<'_>) -> HeaderMap {
    let mut headers = headers(&[("host", "localhost:1"), ("content-type", "text/plain")]);
    let request = Request { method: "POST", path: "/v1/a", query: "b=c", headers: &headers };
    let (scope, now) = (Scope { region: "here", service: "tidemill" }, at("2026-01-02T03:04:05Z"));
    let added = if is_aws { sigv4(&request, scope, AWS, payload, now) } else { sdk_hmac(&request, AWS, payload, now) };
    headers.extend(added.unwrap());
    headers
}

fn verified(headers: &HeaderMap, change: impl FnOnce(&mut Request<'_>), body: &[u8]) -> Result<(), SignatureError> {
    let mut request = Request { method: "POST", path: "/v1/a", query: "b=c", headers };
    change(&mut request);
    Claim::of(headers)?.expect("it is signed").verify(&request, AWS.secret, body)
}

#[test]
fn whatever_was_changed_on_the_way_is_found() {
    for is_aws in [true, false] {
        let headers = signed(is_aws, Payload::Bytes(b"body"));
        assert_eq!(verified(&headers, |_| (), b"body"), Ok(()));
        assert_eq!(verified(&headers, |_| (), b"other"), Err(SignatureError::Wrong));
        assert_eq!(verified(&headers, |it| it.method = "PUT", b"body"), Err(SignatureError::Wrong));
        assert_eq!(verified(&headers, |it| it.path = "/v1/b", b"body"), Err(SignatureError::Wrong));
        assert_eq!(verified(&headers, |it| it.query = "b=d", b"body"), Err(SignatureError::Wrong));
        let mut elsewhere = headers.clone();
        elsewhere.insert(HOST, "elsewhere:1".parse().unwrap());
        assert_eq!(verified(&elsewhere, |_| (), b"body"), Err(SignatureError::Wrong));
        let claim = Claim::of(&headers).unwrap().unwrap();
        let request = Request { method: "POST", path: "/v1/a", query: "b=c", headers: &headers };
        assert_eq!(claim.verify(&request, "another secret", b"body"), Err(SignatureError::Wrong));
    }
}

#[test]
fn a_body_may_be_left_out_where_that_itself_was_signed() {
    for is_aws in [true, false] {
        let headers = signed(is_aws, Payload::Unsigned);
        assert!(!Claim::of(&headers).unwrap().unwrap().covers_body(&headers));
        assert_eq!(verified(&headers, |_| (), b"anything"), Ok(()));
        let mut slipped_in = signed(is_aws, Payload::Bytes(b"body"));
        let name = if is_aws { X_AMZ_CONTENT_SHA256 } else { X_SDK_CONTENT_SHA256 };
        slipped_in.insert(name, UNSIGNED_PAYLOAD.parse().unwrap());
        let refused = verified(&slipped_in, |_| (), b"other");
        assert!(matches!(refused, Err(SignatureError::Malformed(_))), "{refused:?}");
    }
}

#[test]
fn a_signature_is_good_for_fifteen_minutes() {
    let claim = Claim::of(&signed(true, Payload::Unsigned)).unwrap().unwrap();
    for (now, is_good) in [
        ("2026-01-02T02:49:05Z", true),
        ("2026-01-02T02:49:04Z", false),
        ("2026-01-02T03:19:05Z", true),
        ("2026-01-02T03:19:06Z", false),
    ] {
        assert_eq!(claim.check_time(at(now)).is_ok(), is_good, "{now}");
    }
}

#[test]
fn what_is_no_signature_is_told_from_one_that_cannot_be_read() {
    let date = ("x-amz-date", "20260102T030405Z");
    let of = |text: &str| Claim::of(&headers(&[("authorization", text), date]));
    assert!(Claim::of(&HeaderMap::new()).unwrap().is_none());
    assert!(of("Bearer abc").unwrap().is_none());
    let scope = "k/20260102/r/s/aws4_request";
    assert!(of(&format!("{SIGV4} Credential={scope}, SignedHeaders=host, Signature=0")).unwrap().is_some());
    assert!(of(&format!("{SIGV4} Credential={scope},SignedHeaders=host,Signature=0")).unwrap().is_some());
    for (text, part) in [
        (format!("{SIGV4} Credential={scope}, SignedHeaders=date, Signature=0"), "host"),
        (format!("{SIGV4} Credential={scope}, SignedHeaders=host"), "Signature="),
        (format!("{SIGV4} Credential=k/20260103/r/s/aws4_request, SignedHeaders=host, Signature=0"), "scope"),
        (format!("{SIGV4} Credential=k, SignedHeaders=host, Signature=0"), "scope"),
        (format!("{SDK_HMAC} Access=k, SignedHeaders=host, Signature=0"), "x-sdk-date"),
    ] {
        let error = of(&text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
