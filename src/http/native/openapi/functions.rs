//! Functions, their versions, aliases and settings, and invoking them.

use serde_json::json;
use utoipa::openapi::encoding::EncodingBuilder;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{Content, ContentBuilder, Required};

use super::operation::{Operation, binary, delete, get, header, post, put};
use super::{parameters as p, values};
use crate::http::native::async_config::{ConfigIn, ConfigOut};
use crate::http::native::deploy::Settings;
use crate::http::native::functions::AliasIn;
use crate::http::native::functions_json::{FunctionOut, FunctionsOut, VersionsOut};
use crate::http::native::invocations::InvocationsOut;
use crate::http::native::invoke::AcceptedOut;
use crate::http::native::queue::{Config, QueueOut};
use crate::http::native::schema::SchemaOut;

const NOT_FOUND: &[&str] = &["function_not_found"];
const NO_VERSION: &[&str] = &["function_not_found", "version_not_found"];

/// `/v1/functions`: what there is, and what is to be.
pub(super) fn functions() -> Vec<Operation> {
    vec![
        get("/v1/functions", "list_functions", "List functions, by name")
            .takes([p::only_namespace(), p::limit(), p::cursor()])
            .answers::<FunctionsOut>(200, "A page of functions")
            .refuses(400, &["bad_name"]), // of a cursor that has the form of one
        deploy(),
        get("/v1/functions/{name}", "show_function", "Show a function and one of its versions")
            .takes([p::function(), p::namespace(), p::qualifier()])
            .answers::<FunctionOut>(200, "The function")
            .refuses(404, NO_VERSION),
        delete("/v1/functions/{name}", "delete_function", "Delete a function")
            .told("Its records stay until their retention ends. What is queued fails with `FunctionRemoved`.")
            .takes([p::function(), p::namespace()])
            .takes([p::flag("force", "Also when it is the destination of others, which then lead nowhere")])
            .answers_nothing("It is gone")
            .refuses(404, NOT_FOUND)
            .refuses(409, &["function_in_use"]),
        get("/v1/functions/{name}/versions", "list_versions", "List the versions of a function")
            .takes([p::function(), p::namespace()])
            .answers::<VersionsOut>(200, "Its versions")
            .refuses(404, NOT_FOUND),
        get("/v1/functions/{name}/module", "download_module", "Download the module of a version, as it was deployed")
            .takes([p::function(), p::namespace(), p::qualifier()])
            .answers_bytes("The module")
            .refuses(404, NO_VERSION),
        get("/v1/functions/{name}/schema", "show_schema", "Show what a function takes and gives, as JSON Schema")
            .takes([p::function(), p::namespace(), p::qualifier()])
            .answers::<SchemaOut>(200, "Its signature")
            .refuses(404, &["function_not_found", "version_not_found", "no_schema"])
            .refuses(503, &["module_not_loaded"]),
        put("/v1/functions/{name}/aliases/{alias}", "set_alias", "Point an alias at a version")
            .takes([p::function(), p::name("alias", "The alias", "live"), p::namespace()])
            .body::<AliasIn>("Where it is to point", json!({ "version": 1 }))
            .answers::<FunctionOut>(200, "The function")
            .refuses(404, NO_VERSION)
            .refuses(409, &["limit_exceeded"]),
        delete("/v1/functions/{name}/aliases/{alias}", "delete_alias", "Remove an alias")
            .takes([p::function(), p::name("alias", "The alias", "live"), p::namespace()])
            .answers_nothing("It is gone")
            .refuses(404, NO_VERSION)
            .refuses(409, &["function_in_use"]),
    ]
}

fn deploy() -> Operation {
    let mut deploy = put("/v1/functions/{name}", "deploy_function", "Deploy a version of a function");
    let settings = deploy.reference::<Settings>();
    let named = Content::new(Some(settings.clone()));
    let parts = ObjectBuilder::new()
        .property("settings", settings)
        .property("module", binary().content_media_type("application/wasm"));
    let encoding = |media_type: &str| EncodingBuilder::new().content_type(Some(media_type)).build();
    let parts = ContentBuilder::new()
        .schema(Some(parts))
        .encoding("settings", encoding("application/json"))
        .encoding("module", encoding("application/wasm"))
        .build();
    deploy
        .told(
            "The body is the module, which then runs with the default settings; or a form of the module and settings; or \
             settings with a `source`, an image of a registry, which the server pulls.",
        )
        .takes([p::function(), p::namespace()])
        .bodies(
            "A WebAssembly module or component",
            Required::True,
            [
                ("application/wasm", Content::new(Some(binary()))),
                ("multipart/form-data", parts),
                ("application/json", named),
            ],
        )
        .answers::<FunctionOut>(201, "The function is new")
        .answers::<FunctionOut>(200, "The function has another version; or the same as before, when nothing differs")
        .refuses(400, &["bad_header", "bad_multipart", "bad_json", "bad_range", "bad_entrypoint", "bad_environment"])
        .refuses(400, &["reuse_not_supported", "instance_concurrency_not_supported", "cgi_not_supported"])
        .refuses(400, &["bad_grant", "bad_destination", "destination_not_found", "everyone"])
        .refuses(400, &["bad_source", "bad_name"])
        .refuses(403, &["directory_not_allowed", "image_not_allowed"])
        .refuses(404, &["secret_not_found"])
        .refuses(409, &["cycle", "limit_exceeded"])
        .refuses(422, &["module_refused", "directory_not_found", "secret_not_found"])
        .refuses(422, &["image_denied", "image_not_found", "image_refused"])
        .refuses(429, &["overloaded"])
        .refuses(502, &["image_unavailable"])
        .refuses(503, &["module_not_loaded", "compiler_failed"])
        .refuses(507, &["disk_full"])
}

/// What is set on a function besides its versions.
pub(super) fn settings() -> Vec<Operation> {
    let config = "/v1/functions/{name}/async-config";
    let queue = "/v1/functions/{name}/queue";
    let addressed = || [p::function(), p::namespace(), p::qualifier()];
    let named = || [p::function(), p::namespace()];
    vec![
        get(config, "show_async_config", "Show how asynchronous invocations are treated")
            .takes(addressed())
            .answers::<ConfigOut>(200, "The configuration that applies")
            .refuses(404, NO_VERSION),
        put(config, "set_async_config", "Say how asynchronous invocations are treated")
            .told("Replaces the whole of it. With a version's number as `qualifier` it is that version's own.")
            .takes(addressed())
            .body::<ConfigIn>("The configuration", json!({ "max_retries": 2, "on_failure": "function:describe" }))
            .answers::<ConfigOut>(200, "The configuration that applies now")
            .refuses(400, &["bad_range", "bad_destination", "destination_not_found", "everyone"])
            .refuses(400, &["alias_has_no_config", "bad_name"])
            .refuses(403, &["destination_not_allowed"])
            .refuses(404, NO_VERSION)
            .refuses(409, &["cycle", "limit_exceeded"]),
        delete(config, "delete_async_config", "Go back to the defaults for asynchronous invocations")
            .takes(addressed())
            .answers_nothing("There is none")
            .refuses(400, &["alias_has_no_config"])
            .refuses(404, NO_VERSION),
        get(queue, "show_queue", "Show what waits for a function, and what of it is kept")
            .takes(named())
            .answers::<QueueOut>(200, "The queue")
            .refuses(404, NOT_FOUND),
        put(queue, "set_queue", "Say how much may wait for a function, and what of it is kept")
            .told("Replaces the whole of it, but for the pause, which stays as it is unless it is written.")
            .takes(named())
            .body::<Config>("The settings", json!({ "concurrency": 4, "max_queued": 10_000 }))
            .answers::<QueueOut>(200, "The queue")
            .refuses(400, &["bad_range"])
            .refuses(404, NOT_FOUND),
        post("/v1/functions/{name}/disable", "disable_function", "Refuse invocations of a function")
            .told("They get 429 `function_disabled`. What was accepted before waits until it is enabled again.")
            .takes(named())
            .answers::<FunctionOut>(200, "The function")
            .refuses(404, NOT_FOUND),
        post("/v1/functions/{name}/enable", "enable_function", "Take invocations of a function again")
            .takes(named())
            .answers::<FunctionOut>(200, "The function")
            .refuses(404, NOT_FOUND),
        post("/v1/functions/{name}/queue/pause", "pause_queue", "Take nothing from a function's queue")
            .takes(named())
            .answers::<QueueOut>(200, "The queue")
            .refuses(404, NOT_FOUND),
        post("/v1/functions/{name}/queue/resume", "resume_queue", "Take from a function's queue again")
            .takes(named())
            .answers::<QueueOut>(200, "The queue")
            .refuses(404, NOT_FOUND),
        get("/v1/functions/{name}/dead-letters", "list_dead_letters", "List what failed and went nowhere")
            .takes(named())
            .takes([p::limit(), p::cursor()])
            .answers::<InvocationsOut>(200, "A page of invocations, the newest first")
            .refuses(404, NOT_FOUND),
    ]
}

/// Running functions: by the API, and by their own URLs.
pub(super) fn calls() -> Vec<Operation> {
    let mut calls = vec![invoke()];
    let urls = [("/fn/{name}", "call"), ("/fn/{name}/", "call_root"), ("/fn/{name}/{path}", "call_path")];
    for (path, id) in urls {
        calls.extend(METHODS.map(|(method, name)| call(method, path, &format!("{id}_{name}"))));
    }
    calls
}

const METHODS: [(HttpMethod, &str); 8] = [
    (HttpMethod::Get, "get"),
    (HttpMethod::Put, "put"),
    (HttpMethod::Post, "post"),
    (HttpMethod::Delete, "delete"),
    (HttpMethod::Options, "options"),
    (HttpMethod::Head, "head"),
    (HttpMethod::Patch, "patch"),
    (HttpMethod::Trace, "trace"),
];

fn invoke() -> Operation {
    let invoke = post("/v1/functions/{name}/invocations", "invoke_function", "Invoke a function");
    let result = ResponseBuilder::new()
        .description("What the function gave")
        .content("*/*", Content::new(Some(binary())))
        .header("Tidemill-Invocation-Id", header("The id of the invocation", values::id()))
        .header("Server-Timing", header("What the attempt used", values::any_text()));
    leaving_to_queue(running(invoke))
        .told(
            "Waits for the result, which is the body of the answer; or, with `Prefer: respond-async` or `mode=async`, \
             answers 202 as soon as the invocation would survive a power cut. Headers `Tidemill-Attribute-NAME` are told \
             to the function.",
        )
        .takes([p::function(), p::namespace(), p::qualifier(), p::mode()])
        .takes([p::idempotency_key()])
        .takes(p::of_calls())
        .bytes("The payload: up to 6 MiB, or 1 MiB where it is left to the queue", ["application/json", "*/*"])
        .answers_with(200, result)
        .refuses(404, &["version_not_found"])
        .answers_anything("What an http function answered, with the status that it chose")
}

fn call(method: HttpMethod, path: &'static str, id: &str) -> Operation {
    let has_body = !matches!(method, HttpMethod::Get | HttpMethod::Head | HttpMethod::Trace);
    let operation = leaving_to_queue(running(Operation::new(method, path, id, "Call a function at its own URL")))
        .told(
            "An http function gets the request as it is, with the path behind its name; the others get the body as \
             payload, and method, path and query as attributes. With `Prefer: respond-async` the request is left to the \
             queue and answered 202.",
        )
        .takes([p::called(), p::own_or_idempotency_key()])
        .refuses(431, &["head_too_large"])
        .takes(p::of_calls())
        .answers_anything("What the function answered");
    let operation = if path.ends_with("{path}") { operation.takes([p::behind()]) } else { operation };
    if has_body { operation.bytes("What the function gets", ["*/*"]) } else { operation }
}

/// How an invocation is left to the queue, and how that can be refused.
fn leaving_to_queue(mut operation: Operation) -> Operation {
    let content = Content::new(Some(operation.reference::<AcceptedOut>()));
    let accepted = ResponseBuilder::new()
        .description("It is on disk, and will run")
        .content("application/json", content)
        .header("Location", header("Where the invocation can be looked up", values::any_text()))
        .header("Tidemill-Invocation-Id", header("The id of the invocation", values::id()))
        .header("Idempotency-Replayed", header("`true` when it was accepted before", values::one_of(["true"])));
    operation
        .takes(p::of_queueing())
        .answers_with(202, accepted)
        .leads_to(202, &["show_invocation", "cancel_invocation", "retry_invocation", "run_invocation_now"])
        .leads_to(202, &["show_log", "show_payload", "show_result", "purge_invocation"])
        .refuses(400, &["bad_destination"])
        .refuses(403, &["destination_not_allowed"])
        .refuses(409, &["idempotency_key_reused"])
        .refuses(429, &["queue_full_function", "queue_full_function_bytes", "queue_full_namespace"])
        .refuses(429, &["queue_full_namespace_bytes", "queue_full_runtime", "queue_full_runtime_bytes"])
        .refuses(507, &["store_full"])
}

/// How running a function can end without a result.
fn running(operation: Operation) -> Operation {
    operation
        .refuses(400, &["bad_header", "bad_range", "payload_misfit"])
        .refuses(404, NOT_FOUND)
        .refuses(413, &["body_too_large"])
        .refuses(429, &["overloaded", "function_disabled", "function_failed"])
        .refuses(502, &["function_failed"])
        .refuses(503, &["function_failed", "module_not_loaded", "interrupted", "shutting_down"])
        .refuses(504, &["function_failed"])
        .refuses(508, &["hop_limit_exceeded"])
}
