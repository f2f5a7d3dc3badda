//! Invocations: looking them up, and what can be done with one, or with many.

use serde_json::json;

use super::operation::{Operation, delete, get, post};
use super::parameters as p;
use crate::http::native::bulk::{BulkIn, BulkOut};
use crate::http::native::invocation_json::InvocationOut;
use crate::http::native::invocations::InvocationsOut;
use crate::http::native::invoke::AcceptedOut;

const NOT_FOUND: &[&str] = &["invocation_not_found"];

pub(super) fn invocations() -> Vec<Operation> {
    vec![
        get("/v1/invocations", "list_invocations", "List invocations, the newest first")
            .takes([p::only_namespace(), p::of_function(), p::status()])
            .takes([p::flag("dead_letter", "Only those that failed and went nowhere"), p::since()])
            .takes([p::limit(), p::cursor()])
            .answers::<InvocationsOut>(200, "A page of invocations")
            .refuses(404, &["function_not_found"]),
        post("/v1/invocations/bulk", "change_invocations", "Cancel, retry, redrive or purge all that a filter keeps")
            .told(
                "So many at a time: `next` of the answer is the `cursor` of the next request. Who means all of them says \
                 `all`. With `dry_run` nothing is changed.",
            )
            .takes([p::only_namespace()])
            .body::<BulkIn>("What to do with which", json!({ "action": "cancel", "status": ["queued"], "dry_run": true }))
            .answers::<BulkOut>(200, "What was done")
            .refuses(400, &["no_filter", "bad_filter", "bad_range", "bad_cursor"])
            .refuses(404, &["function_not_found"]),
        get("/v1/invocations/{id}", "show_invocation", "Show an invocation, or wait until it has settled")
            .takes([p::id(), p::wait()])
            .answers::<InvocationOut>(200, "The invocation")
            .refuses(404, NOT_FOUND),
        delete("/v1/invocations/{id}", "purge_invocation", "Remove what is kept of an invocation that has settled")
            .takes([p::id()])
            .answers_nothing("It is gone")
            .refuses(404, NOT_FOUND)
            .refuses(409, &["not_settled"]),
        post("/v1/invocations/{id}/cancel", "cancel_invocation", "Cancel an invocation")
            .takes([p::id()])
            .answers::<InvocationOut>(200, "The invocation, as far as it is now")
            .refuses(404, NOT_FOUND)
            .refuses(409, &["already_settled"]),
        repeat("/v1/invocations/{id}/retry", "retry_invocation", "Run the function of a settled invocation again"),
        repeat("/v1/invocations/{id}/redrive", "redrive_invocation", "Run a dead letter again, and take it off the list")
            .refuses(409, &["not_a_dead_letter"]),
        post("/v1/invocations/{id}/run-now", "run_invocation_now", "Let a waiting invocation wait no longer")
            .takes([p::id()])
            .answers::<InvocationOut>(200, "The invocation")
            .refuses(404, NOT_FOUND)
            .refuses(409, &["not_queued"]),
        get("/v1/invocations/{id}/logs", "show_log", "Show what the attempts of an invocation have written")
            .takes([p::id()])
            .answers_text("The log")
            .refuses(404, NOT_FOUND),
        get("/v1/invocations/{id}/coredump", "show_core_dump", "Get the core dump of an attempt that trapped")
            .told(
                "Of the latest attempt that left one, where the version was deployed with `core_dump`. It is a module of \
                 WebAssembly in the core dump format, and holds whatever was in memory.",
            )
            .takes([p::id()])
            .answers_bytes("The core dump, as `application/wasm`")
            .refuses(404, &["invocation_not_found", "no_core_dump"]),
        get("/v1/invocations/{id}/payload", "show_payload", "Get the payload of an asynchronous invocation")
            .takes([p::id()])
            .answers_bytes("The payload, with the media type that it came with")
            .refuses(404, &["invocation_not_found", "payload_not_kept"]),
        get("/v1/invocations/{id}/result", "show_result", "Get the result of an asynchronous invocation")
            .takes([p::id()])
            .answers_bytes("The result, with the media type that the function gave it")
            .refuses(404, &["invocation_not_found", "no_result"]),
    ]
}

/// A new invocation with the payload of an old one.
fn repeat(path: &'static str, id: &str, summary: &str) -> Operation {
    post(path, id, summary)
        .told("Accepts a new invocation with the same payload, for the function as it is configured now.")
        .takes([p::id()])
        .answers::<AcceptedOut>(202, "The new invocation")
        .leads_to(202, &["show_invocation", "cancel_invocation", "run_invocation_now", "purge_invocation"])
        .refuses(400, &["payload_misfit"])
        .refuses(404, &["invocation_not_found", "function_not_found", "version_not_found"])
        .refuses(409, &["not_settled", "payload_not_kept"])
        .refuses(429, &["function_disabled"])
        .refuses(429, &["queue_full_function", "queue_full_function_bytes", "queue_full_namespace"])
        .refuses(429, &["queue_full_namespace_bytes", "queue_full_runtime", "queue_full_runtime_bytes"])
}
