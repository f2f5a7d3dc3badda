//! The way in over HTTP: the listener with its limits, and one folder per dialect. A dialect parses requests
//! into calls of the [`crate::runtime::Runtime`] and renders what they return; only here are status codes known.

mod body;
mod dialect;
mod entry;
mod exposition;
mod front;
mod functiongraph;
mod gate;
mod listener;
mod members;
mod moving;
mod native;
mod note;
mod origin;
mod package;
mod passing;
mod problem;
mod room;
mod sqs;
mod yandex;

pub(crate) use native::fuzz as fuzz_native;
pub(crate) use package::fuzz as fuzz_package;
pub(crate) use sqs::fuzz as fuzz_sqs;

pub use front::Front;
pub use listener::{Listener, NotBound};
pub use yandex::{Grpc, Places};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::config;
use crate::model::bounds;
use crate::runtime::Runtime;
use crate::tasks::{Tasks, panic_text};
use dialect::Dialect;
use problem::{Effect, Fault, Problem};
use room::Room;

/// The OpenAPI document of the native API, as `/openapi.json` gives it.
pub fn openapi() -> &'static str {
    native::openapi::text()
}

/// What of serving can be chosen.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Whether also what only a bench asks for is answered.
    pub bench_endpoints: bool,
    /// Dialects that are not spoken.
    pub without: Vec<config::Dialect>,
    /// Names in `Host` that mean this server, besides addresses and `localhost`.
    pub public_hosts: Vec<String>,
    /// Where the server is reached.
    pub places: Places,
}

/// Everything that is served: over HTTP, and over gRPC.
pub fn front(runtime: Runtime, serving: Serving, tasks: &Tasks) -> (Front, Grpc) {
    let gate = gate::Gate::new(runtime.clone());
    let services = yandex::Services::new(runtime.clone(), serving.places);
    let bodies = Room::new(bounds::MAX_BODIES_BYTES);
    let grpc = Grpc::new(runtime.clone(), services.clone(), &bodies, tasks.clone());
    let elsewhere = move |runtime: State<Runtime>, request: Request| elsewhere(services.clone(), runtime, request);
    let bench = if serving.bench_endpoints { native::bench::routes() } else { Router::new() };
    let routes = native::routes()
        .merge(bench)
        .fallback(elsewhere)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
        .with_state(runtime);
    (Front::new(routes, gate, bodies, serving.public_hosts, serving.without), grpc)
}

/// What no route is for: the SQS dialect has any path of one or two segments for its own kind of requests.
async fn elsewhere(services: yandex::Services, State(runtime): State<Runtime>, request: Request) -> Response {
    match Dialect::of(request.method(), request.uri(), request.headers()) {
        Some(Dialect::FunctionGraph) => functiongraph::answer(runtime, request).await,
        Some(Dialect::Sqs(protocol)) => sqs::answer(runtime, protocol, request).await,
        Some(Dialect::Yandex) => yandex::answer(&services, request).await,
        None => {
            let detail = format!("there is nothing at `{}`", request.uri().path());
            Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail).into_response()
        }
    }
}

async fn method_not_allowed(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let detail = format!("`{}` cannot be used on `{}`", method, uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!(panic = panic_text(&*panic), "a bug: a request's handler panicked");
    let detail = "the runtime has a bug: the log has more";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail.to_owned())
        .effect(Effect::Unknown)
        .fault(Fault::Platform)
        .into_response()
}
