//! What of a request or a response is not passed on, to a function or from it.

use axum::http::HeaderMap;

/// Headers that are between a function and us, or between us and the client, are not passed on.
pub(super) fn without_connection_headers(mut headers: HeaderMap) -> HeaderMap {
    for name in [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
    headers
}

/// What a function cannot say in our name.
pub(super) fn without_our_headers(mut headers: HeaderMap) -> HeaderMap {
    let ours: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("tidemill-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    headers
}
