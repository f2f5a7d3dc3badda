//! The way in over HTTP: the listener with its limits, and one folder per dialect. A dialect parses requests
//! into calls of the [`crate::runtime::Runtime`] and renders what they return; only here are status codes known.

mod body;
mod exposition;
mod listener;
mod native;
mod origin;
mod problem;

pub use listener::{Listener, NotBound};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, EXPECT, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::Body as _;

use crate::runtime::Runtime;
use body::Rest;
use problem::{Effect, FAULT_HEADER, Fault, Problem};

/// Everything that is served; with `bench_endpoints` also what only a bench asks for.
pub fn routes(runtime: Runtime, bench_endpoints: bool) -> Router {
    let bench = if bench_endpoints { native::bench::routes() } else { Router::new() };
    native::routes()
        .merge(bench)
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(axum::middleware::from_fn(origin::guard))
        .layer(axum::middleware::from_fn(part_after_refusal))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
        .with_state(runtime)
}

/// Ends the connection after a request that was refused before its body was read to its end, and says so: a client
/// that is not told sends its next request on a connection that is gone. What it is still sending is taken for a
/// moment, or it would not read the refusal. Whoever was heard out keeps the connection: a client that a full queue
/// turns away comes again, and a new connection each time would be one more burden.
async fn part_after_refusal(request: Request, next: Next) -> Response {
    if request.body().size_hint().upper() == Some(0) {
        return next.run(request).await;
    }
    // A client that waits to be told to go on must not be told so by the reading of what nobody wants.
    let waits = request.headers().contains_key(EXPECT);
    let (request, rest) = {
        let (head, body) = request.into_parts();
        let (body, rest) = Rest::of(body);
        (Request::from_parts(head, body), rest)
    };
    let mut response = next.run(request).await;
    let refused = response.headers().get(FAULT_HEADER).is_some_and(|fault| fault == Fault::Caller.as_str());
    if refused && !rest.was_read() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        if !waits {
            rest.drain().await;
        }
    }
    response
}

async fn no_such_path(uri: axum::http::Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", format!("there is nothing at `{}`", uri.path()))
}

async fn method_not_allowed(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let detail = format!("`{}` cannot be used on `{}`", method, uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("?"), "a bug: a request's handler panicked");
    let detail = "the runtime has a bug: the log has more";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail.to_owned())
        .effect(Effect::Unknown)
        .fault(Fault::Platform)
        .into_response()
}
