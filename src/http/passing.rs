//! What of a request or a response is not passed on, to a function or from it.

use axum::http::{HeaderMap, HeaderName};

/// Headers that are between a function and us, or between us and the client.
const OF_CONNECTIONS: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// Whether a header is not passed on because it is about a connection.
pub(super) fn is_of_connection(name: &HeaderName) -> bool {
    OF_CONNECTIONS.contains(&name.as_str())
}

/// Whether a header says something in our name, which a function cannot.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with("tidemill-")
}

/// What of headers is passed on.
pub(super) fn without_connection_headers(mut headers: HeaderMap) -> HeaderMap {
    for name in OF_CONNECTIONS {
        headers.remove(name);
    }
    headers
}

/// What of headers is a function's own.
pub(super) fn without_our_headers(mut headers: HeaderMap) -> HeaderMap {
    let ours: Vec<_> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    headers
}
