//! What has to be true of any request that is signed.

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::canonical::{PathRule, query};
use super::{Claim, Key, Payload, Request, Scope, sdk_hmac, sigv4};
use crate::model::time::Timestamp;

/// A request of five lines: method, path, query, a header and the body. What is signed is taken by whoever knows the
/// secret, also when it is written in another way that means the same.
pub(crate) fn request(input: &[u8]) {
    let mut lines = input.splitn(5, |byte| *byte == b'\n');
    let mut text = || lines.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let (method, path, asked, header) = (text(), text(), text(), text());
    let body = lines.next().unwrap_or_default();

    let canonical = query(asked);
    assert_eq!(query(&canonical), canonical, "the query `{asked}` is not written in one way");
    for rule in [PathRule::EndingInSlash, PathRule::EscapedOnce] {
        let canonical = rule.path(path);
        assert_eq!(rule.path(&canonical), canonical, "the path `{path}` is not written in one way");
    }

    let mut headers: HeaderMap = [(HOST, HeaderValue::from_static("a.example"))].into_iter().collect();
    if let Some((name, value)) = header.split_once(':')
        && let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
    {
        headers.append(name, value);
    }
    // What came from elsewhere may be anything.
    if let Ok(Some(claim)) = Claim::of(&headers) {
        let request = Request { method, path, query: asked, headers: &headers };
        drop(claim.check_time(Timestamp::from_ms(0)));
        assert!(claim.verify(&request, "nobody has this", body).is_err());
    }
    headers.remove(http::header::AUTHORIZATION);
    for service in ["sqs", "s3", ""] {
        signed(&Request { method, path, query: asked, headers: &headers }, &canonical, service, body);
    }
}

/// Signs, and checks what was signed; an empty service is the scheme that knows none.
fn signed(request: &Request<'_>, canonical: &str, service: &str, body: &[u8]) {
    const KEY: Key<'static> = Key { id: "AKEXAMPLE", secret: "SKEXAMPLE" };
    let now = Timestamp::from_ms(1_700_000_000_000);
    let added = match service {
        "" => sdk_hmac(request, KEY, Payload::Bytes(body), now),
        service => sigv4(request, Scope { region: "r", service }, KEY, Payload::Bytes(body), now),
    };
    let Ok(added) = added else { return };
    let mut headers = request.headers.clone();
    for (name, value) in added {
        // In place of what the request brought along: both sides take all lines of a name.
        if request.headers.contains_key(&name) {
            return;
        }
        headers.insert(name, value);
    }
    let claim = Claim::of(&headers).expect("what is signed can be read").expect("it is signed");
    claim.check_time(now).expect("it is signed now");
    let sent = Request { headers: &headers, ..*request };
    match claim.verify(&sent, KEY.secret, body) {
        Ok(()) => (),
        Err(refused) => panic!("{refused}: {sent:?}"),
    }
    claim.verify(&Request { query: canonical, ..sent }, KEY.secret, body).expect("it means the same");
    assert!(claim.verify(&sent, "SKEXAMPLF", body).is_err(), "any secret will do: {sent:?}");
    let other = [body, b"!"].concat();
    assert!(claim.verify(&sent, KEY.secret, &other).is_err(), "any body will do: {sent:?}");
}
