//! `/openapi.json`: the native API as an OpenAPI 3.1 document.
//!
//! The tables beside this file have an entry for each method of each path that the dialect serves; a test compares them
//! with the routes, and another with what a running server answers. Whoever adds a route adds an entry:
//!
//! ```text
//! get("/v1/things/{name}", "show_thing", "Show a thing")     // method, path, name for programs, summary for people
//!     .takes([p::name("name", "The thing's name", "rope"), p::namespace()])      // path, query, headers
//!     .body::<ThingIn>("The thing", json!({ "length_m": 3 }))                    // or .bytes(...)
//!     .answers::<ThingOut>(200, "The thing")                                     // types that derive ToSchema
//!     .refuses(404, &["thing_not_found"])                    // the codes that are its own
//! ```
//!
//! to the table of its noun, or a new table to [`tables`]. What all operations share (who may ask, a store that fails, a
//! query that cannot be read) is added by `operation`; what a parameter can be refused for stands with it in
//! `parameters`; ranges stand in `values`. A type derives `ToSchema` where it is declared, under the name that the
//! document has for it (`#[schema(as = Thing)]`). A wildcard `{*key}` of a route is `{key}` here.
//!
//! For what is refused to be a problem everywhere, handlers read paths with `query::Path` and not axum's, and JSON with
//! `query::json`. A parameter that schemathesis should fill with something that is there has a line in
//! `tests/openapi/schemathesis.toml`.

mod access;
mod delivery;
mod functions;
mod invocations;
mod message_queues;
mod messaging;
mod operation;
mod parameters;
mod server;
mod stores;
mod triggers;
pub(in crate::http::native) mod values;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{PathItem, Paths};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, OpenApi, OpenApiBuilder};

use operation::{BEARER, Operation, PROBLEM_SCHEMA, SIGNATURE};

/// The document does not change while the program runs.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&document()).expect("a document of text and numbers");
    text.push('\n');
    text
});

pub(super) async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json")], text()).into_response()
}

/// The document as it is sent.
pub(in crate::http) fn text() -> &'static str {
    &TEXT
}

/// A tag, what it stands for, and its operations.
type Table = (&'static str, &'static str, Vec<Operation>);

fn tables() -> Vec<Table> {
    vec![
        ("functions", "What can be run: versions, aliases", functions::functions()),
        ("settings", "How a function's invocations are treated", functions::settings()),
        ("calls", "Running functions", functions::calls()),
        ("invocations", "What was asked to run, and what has become of it", invocations::invocations()),
        ("message-queues", "Messages that people and functions send each other", message_queues::message_queues()),
        ("streams", "Records that are kept in order, for whoever reads them", messaging::streams()),
        ("topics", "What is brought to all who have subscribed", messaging::topics()),
        ("subscriptions", "Who gets what is published", messaging::subscriptions()),
        ("triggers", "What invokes functions by itself", triggers::triggers()),
        ("key-value", "Key-value stores", stores::key_value()),
        ("secrets", "What functions are entrusted with", stores::secrets()),
        ("deliveries", "What leaves the runtime", delivery::deliveries()),
        ("connections", "How services outside are reached", delivery::connections()),
        ("objects", "The objects that are kept here", delivery::objects()),
        ("access", "Who may do what, and who has", access::access()),
        ("runtime", "The runtime as a whole", server::server()),
    ]
}

fn document() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Tidemill")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license))
        .build();
    let tables = tables();
    let tag = |(tag, told, _): &Table| TagBuilder::new().name(*tag).description(Some(*told)).build();
    let tags: Vec<_> = tables.iter().map(tag).collect();
    let mut components = ComponentsBuilder::new()
        .schema(PROBLEM_SCHEMA, operation::problem())
        .header(operation::FAULT_HEADER, operation::fault())
        .security_scheme(BEARER, bearer())
        .security_scheme(SIGNATURE, signature());
    let mut items: BTreeMap<&str, PathItem> = BTreeMap::new();
    for (tag, _, operations) in tables {
        for mut operation in operations {
            components = components.schemas_from_iter(std::mem::take(&mut operation.schemas));
            let (path, method) = (operation.path, operation.method.clone());
            let item = PathItem::new(method, operation.tag(tag).build());
            items.entry(path).or_default().merge_operations(item);
        }
    }
    let paths = items.into_iter().fold(Paths::new(), |mut paths, (path, item)| {
        paths.paths.insert(path.to_owned(), item);
        paths
    });
    let nobody: [&str; 0] = [];
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components.build()))
        .tags(Some(tags))
        .security(Some([
            SecurityRequirement::default(),
            SecurityRequirement::new(BEARER, nobody),
            SecurityRequirement::new(SIGNATURE, nobody),
        ]))
        .build()
}

const DESCRIPTION: &str = "A WebAssembly function runtime with durable asynchronous invocation.

Errors are problem details (RFC 9457) with a stable `code`, the `effect` (whether anything happened) and whose `fault` it \
was; each operation lists the codes that it can answer with. Lists are read page by page: `next_cursor` of one is the \
`cursor` of the next, and null at the end. Every named thing belongs to a namespace (`?namespace=`), `default` unless told. \
A server that listens on loopback demands no authentication unless it is told to.";

fn bearer() -> SecurityScheme {
    let told = "A token of a service account: `Authorization: Bearer TOKEN`";
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(told)).build())
}

/// OpenAPI has no word for signed requests; this says where the signature stands.
fn signature() -> SecurityScheme {
    let told = "A signature with a key pair of a service account, in the header `Authorization`: AWS Signature Version 4 \
                (`AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=..., Signature=...`, with \
                `X-Amz-Date`), or SDK-HMAC-SHA256 (`SDK-HMAC-SHA256 Access=KEY, SignedHeaders=..., Signature=...`, with \
                `X-Sdk-Date`)";
    SecurityScheme::ApiKey(utoipa::openapi::security::ApiKey::Header(
        utoipa::openapi::security::ApiKeyValue::with_description("Authorization", told),
    ))
}

#[cfg(test)]
mod tests;
