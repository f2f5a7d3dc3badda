//! Key-value stores and secrets.

use super::operation::{Operation, delete, get, put};
use super::{parameters as p, values};
use crate::http::native::key_value::{KeysOut, StoresOut};
use crate::http::native::secrets::{SecretsOut, SetOut};

const BYTES: [&str; 1] = ["application/octet-stream"];

pub(super) fn key_value() -> Vec<Operation> {
    let store = || p::name("store", "The name of a store", "default");
    let pair = "/v1/key-value/{store}/{key}";
    vec![
        get("/v1/key-value", "list_stores", "List the key-value stores of a namespace")
            .takes([p::namespace()])
            .answers::<StoresOut>(200, "The stores that have pairs"),
        get("/v1/key-value/{store}", "list_keys", "List the keys of a key-value store")
            .takes([store(), p::namespace(), p::limit(), p::cursor()])
            .answers::<KeysOut>(200, "A page of keys"),
        get(pair, "show_value", "Get a value")
            .takes([store(), p::key(), p::namespace()])
            .answers_bytes("The value")
            .refuses(404, &["key_not_found"]),
        put(pair, "set_value", "Set a value")
            .takes([store(), p::key(), p::namespace()])
            .bytes("The value: up to 1 MiB", BYTES)
            .answers_nothing("It is set")
            .refuses(400, &["bad_name"])
            .refuses(409, &["limit_exceeded"]),
        delete(pair, "delete_value", "Remove a pair")
            .takes([store(), p::key(), p::namespace()])
            .answers_nothing("It is gone")
            .refuses(404, &["key_not_found"]),
    ]
}

pub(super) fn secrets() -> Vec<Operation> {
    let secret = || p::name("name", "The name of a secret", "api-key");
    vec![
        get("/v1/secrets", "list_secrets", "List the secrets of a namespace, without their values")
            .takes([p::namespace(), p::limit(), p::name_cursor(values::NAME)])
            .answers::<SecretsOut>(200, "A page of secrets"),
        put("/v1/secrets/{name}", "set_secret", "Set a secret")
            .told("Attempts that begin from now on have the new value.")
            .takes([secret(), p::namespace()])
            .bytes("The value: text of up to 64 KiB", BYTES)
            .answers::<SetOut>(201, "The secret is new")
            .answers::<SetOut>(200, "The secret has another value")
            .refuses(400, &["bad_secret"])
            .refuses(409, &["limit_exceeded"])
            .refuses(500, &["secret_key_unusable", "secret_key_differs"]),
        delete("/v1/secrets/{name}", "delete_secret", "Remove a secret")
            .takes([secret(), p::namespace()])
            .answers_nothing("It is gone")
            .refuses(404, &["secret_not_found"]),
    ]
}
