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
