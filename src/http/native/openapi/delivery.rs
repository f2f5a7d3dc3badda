//! What leaves the runtime: deliveries, the keys of webhooks, connections to services, and the objects kept here.

use serde_json::json;

use super::operation::{Operation, delete, get, post, put};
use super::{parameters as p, values};
use crate::http::native::connections::{ConnectionOut, ConnectionsOut, Written};
use crate::http::native::deliveries::{DeliveriesOut, RedrivenOut};
use crate::http::native::invocation_json::InvocationOut;
use crate::http::native::objects::{BucketsOut, ObjectsOut};
use crate::http::native::webhooks::KeysOut;

pub(super) fn deliveries() -> Vec<Operation> {
    let filter = || [p::only_namespace(), p::of_function(), p::delivery_state(), p::target(), p::limit(), p::cursor()];
    vec![
        get("/v1/deliveries", "list_deliveries", "List what is on its way out of the runtime, and what was given up")
            .takes(filter())
            .answers::<DeliveriesOut>(200, "A page of deliveries")
            .refuses(404, &["function_not_found"]),
        post("/v1/deliveries/redrive", "redrive_deliveries", "Have deliveries that were given up tried again")
            .told("So many at a time: `next_cursor` of the answer is the `cursor` of the next request.")
            .takes(filter())
            .answers::<RedrivenOut>(200, "What was done")
            .refuses(404, &["function_not_found"]),
        post("/v1/invocations/{id}/redeliver", "redeliver", "Have what an invocation could not deliver tried again")
            .takes([p::id()])
            .answers::<InvocationOut>(200, "The invocation")
            .refuses(404, &["invocation_not_found"])
            .refuses(409, &["nothing_to_redeliver"]),
        get("/v1/webhooks/keys", "list_webhook_keys", "Show what the webhooks of a namespace are signed with")
            .takes([p::namespace()])
            .answers::<KeysOut>(200, "The keys, the newest first")
            .refuses(500, VAULT),
        post("/v1/webhooks/keys/rotate", "rotate_webhook_keys", "Sign webhooks with a new key")
            .takes([p::namespace(), p::overlap()])
            .answers::<KeysOut>(200, "The keys, the newest first")
            .refuses(400, &["bad_range"])
            .refuses(409, &["limit_exceeded"])
            .refuses(500, VAULT),
    ]
}

/// How the key that secrets are kept under can be wrong.
const VAULT: &[&str] = &["secret_key_unusable", "secret_key_differs"];

pub(super) fn connections() -> Vec<Operation> {
    let connection = "/v1/connections/{name}";
    let named = || [p::name("name", "The connection's name", "depot"), p::namespace()];
    let example = json!({
        "kind": "sqs",
        "region": "eu-north-1",
        "access_key_id": "AKIDEXAMPLE",
        "secret_key": { "secret": "depot-key" },
    });
    vec![
        get("/v1/connections", "list_connections", "List the connections of a namespace, by name")
            .takes([p::namespace(), p::limit(), p::name_cursor(values::NAME)])
            .answers::<ConnectionsOut>(200, "A page of connections"),
        get(connection, "show_connection", "Show a connection")
            .takes(named())
            .answers::<ConnectionOut>(200, "The connection, with the names of its secrets")
            .refuses(404, &["connection_not_found"]),
        put(connection, "set_connection", "Say how a service outside is reached")
            .told("Keys are named as secrets of the namespace, which must be there.")
            .takes(named())
            .body::<Written>("The service", example)
            .answers::<ConnectionOut>(201, "The connection is new")
            .answers::<ConnectionOut>(200, "The connection leads there now")
            .refuses(400, &["bad_connection"])
            .refuses(409, &["limit_exceeded"])
            .refuses(422, &["secret_not_found"])
            .refuses(500, VAULT),
        delete(connection, "delete_connection", "Delete a connection")
            .takes(named())
            .answers_nothing("It is gone")
            .refuses(404, &["connection_not_found"]),
    ]
}

pub(super) fn objects() -> Vec<Operation> {
    let object = "/v1/objects/{bucket}/{key}";
    let unusable = &["objects_unusable"];
    vec![
        get("/v1/objects", "list_buckets", "List the buckets of a namespace that have objects")
            .takes([p::namespace()])
            .answers::<BucketsOut>(200, "The buckets")
            .refuses(500, unusable),
        get("/v1/objects/{bucket}", "list_objects", "List the objects of a bucket, by key")
            .takes([p::bucket(), p::namespace(), p::prefix(), p::limit(), p::cursor()])
            .answers::<ObjectsOut>(200, "A page of objects")
            .refuses(500, unusable),
        get(object, "show_object", "Get an object")
            .takes([p::bucket(), p::object_key(), p::namespace()])
            .answers_bytes("What it holds")
            .refuses(404, &["object_not_found"])
            .refuses(500, unusable),
        delete(object, "delete_object", "Delete an object")
            .takes([p::bucket(), p::object_key(), p::namespace()])
            .answers_nothing("It is gone")
            .refuses(404, &["object_not_found"])
            .refuses(500, unusable),
    ]
}
