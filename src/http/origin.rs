//! Keeps web pages out. The runtime listens on loopback without authentication, and a page in a browser on the
//! same machine can send requests there: as a cross-site request, or under a name of its own that it lets
//! resolve to 127.0.0.1 (DNS rebinding). Neither gets in; programs send no `Origin` and name the host as it is.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// Refuses what a foreign web page sent.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    match foreign(request.headers()) {
        Some(detail) => Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail).into_response(),
        None => next.run(request).await,
    }
}

fn foreign(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().unwrap_or("?");
    if !is_local(host) {
        return Some(format!("the host `{host}` is not an address or `localhost`: use the address it listens on"));
    }
    let origin = headers.get(ORIGIN)?.to_str().unwrap_or("?");
    let same = origin.split_once("://").is_some_and(|(_, origin_host)| origin_host.eq_ignore_ascii_case(host));
    (!same).then(|| format!("requests of web pages from `{origin}` are refused"))
}

/// Whether a `Host` is an address or a name that always means this machine.
fn is_local(host: &str) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let bare = bare.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    bare == "localhost" || bare.ends_with(".localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, origin: Option<&str>, refused: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        assert_eq!(foreign(&headers).is_some(), refused, "{host} {origin:?}");
    }

    #[test]
    fn programs_get_in_and_web_pages_from_elsewhere_do_not() {
        check("127.0.0.1:8090", None, false);
        check("localhost:8090", None, false);
        check("[::1]:8090", None, false);
        check("127.0.0.1:8090", Some("http://127.0.0.1:8090"), false);
        check("127.0.0.1:8090", Some("https://evil.example"), true);
        check("127.0.0.1:8090", Some("null"), true);
        check("rebound.evil.example:8090", None, true);
    }
}
