//! `POST /bench/accepted`: what an acceptance answers, without one. It is there only when the server was started for
//! a bench, which measures with it what HTTP alone costs.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;

use super::invoke;
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::invocation::Target;
use crate::model::names::{FunctionId, FunctionPath, InvocationId, Namespace, VersionNumber};
use crate::runtime::{Accepted, Runtime};

/// Its path.
pub(in crate::http) fn routes() -> Router<Runtime> {
    Router::new().route("/bench/accepted", post(accepted))
}

/// Reads the body as an acceptance does, and renders the same answer, of an invocation that there is not.
async fn accepted(body: Body) -> Result<Response, Problem> {
    body::read(body, bounds::MAX_ASYNC_PAYLOAD_BYTES, "payload").await?;
    let name = "echo".parse().expect("it is a name");
    let path = FunctionPath { namespace: Namespace::default(), name };
    let target = Target { function: FunctionId::from_bytes([7; 16]), path, version: Some(VersionNumber::MIN) };
    Ok(invoke::accepted(&Accepted { id: InvocationId::from_bytes([7; 16]), target, replayed: false }))
}
