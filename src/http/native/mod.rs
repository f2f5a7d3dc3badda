//! The native dialect: JSON, problem details, one file per noun.

mod async_config;
pub(super) mod bench;
mod error;
mod function_url;
mod functions;
mod graph;
mod health;
mod invocation_json;
mod invocations;
mod invoke;
mod query;

use axum::Router;
use axum::routing::{any, get, post, put};

use crate::runtime::Runtime;

/// The paths of the native API.
pub(super) fn routes() -> Router<Runtime> {
    Router::new()
        .route("/v1/functions", get(functions::list))
        .route("/v1/functions/{name}", put(functions::deploy).get(functions::show).delete(functions::delete))
        .route("/v1/functions/{name}/versions", get(functions::versions))
        .route("/v1/functions/{name}/aliases/{alias}", put(functions::set_alias).delete(functions::delete_alias))
        .route(
            "/v1/functions/{name}/async-config",
            get(async_config::show).put(async_config::set).delete(async_config::delete),
        )
        .route("/v1/functions/{name}/invocations", post(invoke::invoke))
        .route("/v1/invocations", get(invocations::list))
        .route("/v1/invocations/{id}", get(invocations::show))
        .route("/v1/invocations/{id}/cancel", post(invocations::cancel))
        .route("/v1/invocations/{id}/retry", post(invocations::retry))
        .route("/v1/invocations/{id}/logs", get(invocations::logs))
        .route("/v1/invocations/{id}/payload", get(invocations::payload))
        .route("/v1/invocations/{id}/result", get(invocations::result))
        .route("/v1/graph", get(graph::show))
        .route("/fn/{name}", any(function_url::call))
        .route("/fn/{name}/", any(function_url::call))
        .route("/fn/{name}/{*path}", any(function_url::call))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
}
