//! The native dialect: JSON, problem details, one file per noun.

mod access;
mod access_json;
mod answer;
mod async_config;
pub(super) mod bench;
mod bulk;
mod connections;
mod content;
mod deliveries;
mod deploy;
mod error;
mod function_url;
mod functions;
mod functions_json;
mod grants;
mod graph;
pub(super) mod headers;
mod health;
mod invocation_json;
mod invocations;
mod invoke;
mod key_value;
mod message_queues;
mod message_queues_json;
mod metrics;
mod named;
mod objects;
pub(super) mod openapi;
mod overview;
mod query;
mod queue;
pub(super) mod rules;
mod schema;
mod secrets;
mod streams;
mod topics;
mod topics_json;
mod triggers;
mod triggers_json;
mod usage_json;
mod webhooks;

pub(crate) mod fuzz;

use axum::Router;
use axum::routing::{any, delete, get, post, put};

use crate::runtime::Runtime;

/// The paths of the native API.
pub(super) fn routes() -> Router<Runtime> {
    of_functions()
        .merge(of_invocations())
        .merge(of_what_is_kept())
        .merge(of_messages())
        .merge(of_access())
        .merge(of_the_server())
}

/// Functions, and running them.
fn of_functions() -> Router<Runtime> {
    Router::new()
        .route("/v1/functions", get(functions::list))
        .route("/v1/functions/{name}", put(deploy::deploy).get(functions::show).delete(functions::delete))
        .route("/v1/functions/{name}/versions", get(functions::versions))
        .route("/v1/functions/{name}/module", get(functions::module))
        .route("/v1/functions/{name}/schema", get(schema::show))
        .route("/v1/functions/{name}/aliases/{alias}", put(functions::set_alias).delete(functions::delete_alias))
        .route(
            "/v1/functions/{name}/async-config",
            get(async_config::show).put(async_config::set).delete(async_config::delete),
        )
        .route("/v1/functions/{name}/invocations", post(invoke::invoke))
        .route("/v1/functions/{name}/queue", get(queue::show).put(queue::set))
        .route("/v1/functions/{name}/disable", post(functions::disable))
        .route("/v1/functions/{name}/enable", post(functions::enable))
        .route("/v1/functions/{name}/queue/pause", post(queue::pause))
        .route("/v1/functions/{name}/queue/resume", post(queue::resume))
        .route("/v1/functions/{name}/dead-letters", get(invocations::dead_letters))
        .route("/fn/{name}", any(function_url::call))
        .route("/fn/{name}/", any(function_url::call))
        .route("/fn/{name}/{*path}", any(function_url::call))
}

/// What was asked of them, and where its outcome goes.
fn of_invocations() -> Router<Runtime> {
    Router::new()
        .route("/v1/invocations", get(invocations::list))
        .route("/v1/invocations/bulk", post(bulk::bulk))
        .route("/v1/invocations/{id}", get(invocations::show).delete(invocations::purge))
        .route("/v1/invocations/{id}/cancel", post(invocations::cancel))
        .route("/v1/invocations/{id}/retry", post(invocations::retry))
        .route("/v1/invocations/{id}/redrive", post(invocations::redrive))
        .route("/v1/invocations/{id}/redeliver", post(deliveries::redeliver))
        .route("/v1/invocations/{id}/run-now", post(invocations::run_now))
        .route("/v1/invocations/{id}/coredump", get(invocations::core_dump))
        .route("/v1/invocations/{id}/logs", get(invocations::logs))
        .route("/v1/invocations/{id}/payload", get(invocations::payload))
        .route("/v1/invocations/{id}/result", get(invocations::result))
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/deliveries/redrive", post(deliveries::redrive))
        .route("/v1/webhooks/keys", get(webhooks::keys))
        .route("/v1/webhooks/keys/rotate", post(webhooks::rotate))
}

/// What functions find or leave behind.
fn of_what_is_kept() -> Router<Runtime> {
    Router::new()
        .route("/v1/key-value", get(key_value::stores))
        .route("/v1/key-value/{store}", get(key_value::keys))
        .route("/v1/key-value/{store}/{*key}", get(key_value::show).put(key_value::set).delete(key_value::delete))
        .route("/v1/connections", get(connections::list))
        .route("/v1/connections/{name}", get(connections::show).put(connections::set).delete(connections::delete))
        .route("/v1/objects", get(objects::buckets))
        .route("/v1/objects/{bucket}", get(objects::list))
        .route("/v1/objects/{bucket}/{*key}", get(objects::show).delete(objects::delete))
        .route("/v1/secrets", get(secrets::list))
        .route("/v1/secrets/{name}", put(secrets::set).delete(secrets::delete))
}

/// What people and functions send each other, and what it sets off.
fn of_messages() -> Router<Runtime> {
    Router::new()
        .route("/v1/queues", get(message_queues::list))
        .route(
            "/v1/queues/{name}",
            get(message_queues::show).put(message_queues::put).delete(message_queues::delete_queue),
        )
        .route("/v1/queues/{name}/purge", post(message_queues::purge))
        .route("/v1/queues/{name}/receive", post(message_queues::receive))
        .route("/v1/queues/{name}/messages", post(message_queues::send))
        .route("/v1/queues/{name}/messages/{receipt}", delete(message_queues::delete))
        .route("/v1/queues/{name}/messages/{receipt}/visibility", put(message_queues::change_visibility))
        .route("/v1/streams", get(streams::list))
        .route("/v1/streams/{name}", put(streams::set).get(streams::show).delete(streams::delete))
        .route("/v1/streams/{name}/records", get(streams::read).post(streams::append))
        .route("/v1/topics", get(topics::list))
        .route("/v1/topics/{name}", put(topics::create).get(topics::show).delete(topics::delete))
        .route("/v1/topics/{name}/publications", post(topics::publish))
        .route("/v1/topics/{name}/subscriptions", get(topics::subscriptions).post(topics::subscribe))
        .route("/v1/topics/{name}/subscriptions/{id}", get(topics::subscription_of).delete(topics::unsubscribe))
        .route("/v1/topics/{name}/subscriptions/{id}/confirm", get(topics::confirm).post(topics::confirm))
        .route("/v1/topics/{name}/subscriptions/{id}/dead", get(topics::dead).delete(topics::purge))
        .route("/v1/topics/{name}/subscriptions/{id}/redrive", post(topics::redrive))
        .route("/v1/triggers", get(triggers::list))
        .route("/v1/triggers/{name}", put(triggers::set).get(triggers::show).delete(triggers::delete))
        .route("/v1/triggers/{name}/enable", post(triggers::enable))
        .route("/v1/triggers/{name}/disable", post(triggers::disable))
        .route("/v1/triggers/{name}/fire", post(triggers::fire))
}

/// Who may do what.
fn of_access() -> Router<Runtime> {
    Router::new()
        .route("/v1/roles", get(access::roles))
        .route("/v1/accounts", get(access::list))
        .route("/v1/accounts/{name}", put(access::create).get(access::show).delete(access::delete))
        .route("/v1/accounts/{name}/roles", post(access::grant).delete(access::revoke))
        .route("/v1/accounts/{name}/tokens", get(access::tokens).post(access::create_token))
        .route("/v1/accounts/{name}/tokens/{id}", delete(access::revoke_credential))
        .route("/v1/accounts/{name}/keys", get(access::keys).post(access::create_key))
        .route("/v1/accounts/{name}/keys/{id}", delete(access::revoke_credential))
        .route("/v1/audit", get(access::audit))
}

/// The server itself.
fn of_the_server() -> Router<Runtime> {
    Router::new()
        .route("/v1/graph", get(graph::show))
        .route("/v1/runtime", get(overview::show).put(overview::set))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(openapi::show))
}
