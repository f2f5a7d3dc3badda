//! Requests of a guest to others: refused, since nothing grants them yet.

use std::future::Future;

use http::{HeaderName, Request, Response, header};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

/// Answers every outgoing request with `HTTP-request-denied`.
pub(super) struct Refuse;

type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Transfer), Error>;

impl WasiHttpHooks for Refuse {
    /// A function sees the `Host` it was called by; wasmtime would hide it.
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        std::sync::Arc::new(|name: &HeaderName| *name != header::HOST && DEFAULT_FORBIDDEN_HEADERS.contains(name))
    }

    fn send_request(
        &mut self,
        _request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _transfer: Transfer,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test]
    async fn a_guest_reaches_nobody() {
        let body = Full::default().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync();
        let request = Request::get("http://127.0.0.1:1/").body(body).unwrap();
        let sent = Box::into_pin(Refuse.send_request(request, None, Box::new(async { Ok(()) }))).await;
        assert!(matches!(sent, Err(Error::HttpRequestDenied)));
    }
}
