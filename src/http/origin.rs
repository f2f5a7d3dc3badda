//! Keeps web pages out. The runtime listens on loopback without authentication (unless told to ask for it), and a page in a browser on the
//! same machine can send requests there: as a cross-site request (a form, an image), or under a name of its own that it
//! lets resolve to 127.0.0.1 (DNS rebinding). Neither gets in. Nor does a page that a function itself served: it has
//! the API's origin, and would reach what its function was not granted. Browsers say who asks (`Sec-Fetch-Site`,
//! `Origin`) and pages cannot change that; programs say nothing of the kind and name the host as it is.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};

use super::problem::Problem;
use super::yandex;

/// Whose page asks, in relation to us.
const SEC_FETCH_SITE: &str = "sec-fetch-site";
/// A function's page may call on under its own kind of path.
const FUNCTION_URLS: &str = "/fn/";

/// Why a request is not taken: a foreign web page sent it.
pub(super) fn refusal(request: &Request, hosts: &[String]) -> Option<Problem> {
    let detail = foreign(request.uri().path(), request.headers(), hosts)?;
    Some(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail))
}

fn foreign(path: &str, headers: &HeaderMap, hosts: &[String]) -> Option<String> {
    let host = headers.get(HOST)?.to_str().unwrap_or("?");
    if !is_ours(host, hosts) {
        let hint = "use the address it listens on, or start the server with `--public-host`";
        return Some(format!("the host `{host}` is neither an address nor `localhost`: {hint}"));
    }
    match headers.get(SEC_FETCH_SITE).map(|site| site.to_str().unwrap_or("?")) {
        None | Some("none") => (), // no browser, or a person who typed the address
        Some("same-origin") if path.starts_with(FUNCTION_URLS) || yandex::is_url(path) => (),
        Some(site) => return Some(format!("requests of web pages ({site}) are refused")),
    }
    let origin = headers.get(ORIGIN)?.to_str().unwrap_or("?");
    let same = origin.split_once("://").is_some_and(|(_, origin_host)| origin_host.eq_ignore_ascii_case(host));
    (!same).then(|| format!("requests of web pages from `{origin}` are refused"))
}

/// Whether a `Host` is an address, a name that always means this machine, or one of those that the operator gave it.
fn is_ours(host: &str, hosts: &[String]) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let bare = bare.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse::<IpAddr>().is_ok()
        || hosts.iter().any(|own| own.eq_ignore_ascii_case(&bare))
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
        assert_eq!(
            foreign("/v1/functions", &headers, &["mill.example".to_owned()]).is_some(),
            refused,
            "{host} {origin:?}"
        );
    }

    #[track_caller]
    fn check_site(path: &str, site: &'static str, refused: bool) {
        let headers = [(HOST.as_str(), "127.0.0.1:8090"), (SEC_FETCH_SITE, site)];
        let headers = headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        assert_eq!(foreign(path, &headers.collect(), &[]).is_some(), refused, "{path} {site}");
    }

    #[test]
    fn a_page_elsewhere_reaches_nothing_and_a_functions_page_no_more_than_functions() {
        check_site("/fn/page", "none", false);
        check_site("/v1/functions", "none", false);
        check_site("/fn/page", "cross-site", true);
        check_site("/fn/page", "same-site", true);
        check_site("/fn/page/data", "same-origin", false);
        check_site("/v1/functions", "same-origin", true);
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
        check("Mill.example:8090", None, false);
        check("mill.example", Some("http://mill.example"), false);
        check("evil.mill.example", None, true);
    }
}
