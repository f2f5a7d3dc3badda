//! The Common Gateway Interface (RFC 3875), as far as a program needs it here: a request becomes variables of its
//! environment, and its output a response.
//!
//! Two things differ. Who the client was is not known, for a request may have waited in a queue, so `REMOTE_ADDR` is
//! empty. And a `Location` without a host, which would have another program answer, is handed to the client as any other.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use bytes::Bytes;

use super::call::{Call, Input, Reply, Request};
use crate::model::entrypoint::Entrypoint;

/// The request that a program is to answer, where it is one.
pub(super) fn request(call: &Call) -> Option<&Request> {
    match &call.input {
        Input::Request(request) if call.version.cgi && call.version.entrypoint == Entrypoint::Command => Some(request),
        Input::Request(_) | Input::Payload(_) => None,
    }
}

/// What a program finds of the request in its environment.
pub(super) fn variables(request: &Request) -> Vec<(String, String)> {
    let Request { method, uri, headers, body } = request;
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (server, port) = match text(&HOST).rsplit_once(':') {
        Some((server, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (server, port),
        _ => (text(&HOST), "80"),
    };
    let length = if body.is_empty() { String::new() } else { body.len().to_string() };
    let own = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", concat!("tidemill/", env!("CARGO_PKG_VERSION"))),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_NAME", server),
        ("SERVER_PORT", port),
        ("REQUEST_METHOD", method.as_str()),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", uri.path()),
        ("QUERY_STRING", uri.query().unwrap_or_default()),
        ("REMOTE_ADDR", ""),
        ("CONTENT_TYPE", text(&CONTENT_TYPE)),
        ("CONTENT_LENGTH", &length),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    own.chain(sent(headers)).collect()
}

/// A variable for each header. `Proxy` has none: programs take `HTTP_PROXY` for something else.
fn sent(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    let told = |name: &&HeaderName| ![CONTENT_TYPE, CONTENT_LENGTH].contains(name) && name.as_str() != "proxy";
    headers.keys().filter(told).map(|name| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let separator = if name.as_str() == "cookie" { "; " } else { ", " };
        (format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_")), values.join(separator))
    })
}

/// The response that a program's output is.
pub(super) fn response(output: &Bytes) -> Result<Reply, String> {
    let (head, body) = parts(output).ok_or("its output has no empty line, which ends the headers")?;
    let (mut status, mut headers) = (None, HeaderMap::new());
    let lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for line in lines.filter(|line| !line.is_empty()) {
        let shown = || String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
        let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| format!("`{}` is no header", shown()))?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"status") {
            let code = value.split(|byte| *byte == b' ').next().unwrap_or_default();
            let code = StatusCode::from_bytes(code).map_err(|_| format!("`{}` is no status", shown()))?;
            if status.replace(code).is_some() {
                return Err("it says its status twice".to_owned());
            }
            continue;
        }
        let header = HeaderName::from_bytes(name).ok().zip(HeaderValue::from_bytes(value).ok());
        let (name, value) = header.ok_or_else(|| format!("`{}` is no header", shown()))?;
        headers.append(name, value);
    }
    if headers.is_empty() && status.is_none() {
        return Err("it says neither a status nor a header".to_owned());
    }
    let usual = if headers.contains_key(LOCATION) { StatusCode::FOUND } else { StatusCode::OK };
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    Ok(Reply { head: Some((status.unwrap_or(usual), headers)), content_type, body: output.slice_ref(body) })
}

/// The lines before the first empty one, and what comes after it.
fn parts(output: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let end = from + output[from..].iter().position(|byte| *byte == b'\n')?;
        if matches!(&output[from..end], b"" | b"\r") {
            return Some((&output[..from.saturating_sub(1)], &output[end + 1..]));
        }
        from = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_in_the_environment() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", "a.example:8090"), ("content-type", "text/plain"), ("x-a", "1"), ("x-a", "2")] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.insert("proxy", HeaderValue::from_static("http://evil.example"));
        let uri = "/a%20b/c?d=e&f".parse().unwrap();
        let request = Request { method: http::Method::PUT, uri, headers, body: Bytes::from_static(b"four") };
        let told: std::collections::BTreeMap<_, _> = variables(&request).into_iter().collect();
        for (name, value) in [
            ("REQUEST_METHOD", "PUT"),
            ("PATH_INFO", "/a%20b/c"),
            ("QUERY_STRING", "d=e&f"),
            ("SERVER_NAME", "a.example"),
            ("SERVER_PORT", "8090"),
            ("CONTENT_TYPE", "text/plain"),
            ("CONTENT_LENGTH", "4"),
            ("HTTP_X_A", "1, 2"),
            ("HTTP_HOST", "a.example:8090"),
        ] {
            assert_eq!(told[name], value, "{name}");
        }
        assert!(!told.contains_key("HTTP_PROXY") && !told.contains_key("HTTP_CONTENT_TYPE"));
    }

    #[track_caller]
    fn check(output: &'static str, status: u16, headers: &[(&str, &str)], body: &str) {
        let reply = response(&Bytes::from_static(output.as_bytes())).unwrap();
        let (found, told) = reply.head.unwrap();
        assert_eq!((found.as_u16(), &*reply.body), (status, body.as_bytes()), "{output:?}");
        assert_eq!(told.len(), headers.len(), "{output:?}");
        for (name, value) in headers {
            assert_eq!(told[*name], *value, "{output:?}");
        }
    }

    #[test]
    fn output_is_headers_an_empty_line_and_a_body() {
        check("Content-Type: text/plain\n\nhello\n\nthere", 200, &[("content-type", "text/plain")], "hello\n\nthere");
        check("Status: 404 Not Found\r\nX-A:b\r\n\r\n", 404, &[("x-a", "b")], "");
        check("Location: https://a.example/\n\n", 302, &[("location", "https://a.example/")], "");
        check("status: 201\nLocation: /a\n\nmade", 201, &[("location", "/a")], "made");
    }

    #[test]
    fn what_is_no_response_is_said_to_be_none() {
        for (output, told) in [
            ("", "no empty line"),
            ("hello", "no empty line"),
            ("Content-Type: text/plain\n", "no empty line"),
            ("\nhello", "neither a status nor a header"),
            ("hello\n\n", "`hello` is no header"),
            ("Status: fine\n\n", "no status"),
            ("Status: 200\nStatus: 201\n\n", "twice"),
            ("a b: c\n\n", "no header"),
        ] {
            let refused = response(&Bytes::from_static(output.as_bytes())).unwrap_err();
            assert!(refused.contains(told), "{output:?}: {refused}");
        }
    }
}
