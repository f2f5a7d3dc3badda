//! The runtime as a whole, and what others watch it by.

use serde_json::json;
use utoipa::openapi::Content;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};

use super::operation::{Operation, get, put};
use super::{parameters as p, values};
use crate::http::native::overview::{RuntimeOut, Settings};

pub(super) fn server() -> Vec<Operation> {
    let graph = ResponseBuilder::new()
        .description("Functions, where their outcomes lead, and what invokes them")
        .content("application/json", Content::new(Some(graph())));
    vec![
        get("/v1/graph", "show_graph", "Show which functions lead to which")
            .takes([p::only_namespace()])
            .answers_with(200, graph),
        get("/v1/runtime", "show_runtime", "Show the runtime as a whole").answers::<RuntimeOut>(200, "The runtime"),
        put("/v1/runtime", "set_runtime", "Change what of the runtime can be changed while it runs")
            .body::<Settings>("The settings", json!({ "concurrency": 32 }))
            .answers::<RuntimeOut>(200, "The runtime")
            .refuses(400, &["bad_range"]),
        get("/healthz", "is_alive", "Is it alive?").open().answers_text("It is"),
        get("/readyz", "is_ready", "Should requests be sent here?")
            .open()
            .answers_text("They should")
            .refuses(503, &["not_ready"]),
        get("/metrics", "show_metrics", "Figures, as a Prometheus reads them").answers_text("The figures"),
        get("/openapi.json", "show_openapi", "This document").open().answers_with(
            200,
            ResponseBuilder::new().description("OpenAPI 3.1").content("application/json", any_object()),
        ),
    ]
}

fn any_object() -> Content {
    Content::new(Some(ObjectBuilder::new()))
}

fn graph() -> ObjectBuilder {
    let named = ObjectBuilder::new().property("namespace", values::any_text()).property("name", values::any_text());
    let named = ArrayBuilder::new().items(named.required("namespace").required("name")).build();
    let ways = ["success", "failure", "redrive", "subscription", "trigger"];
    let edge = ObjectBuilder::new()
        .property("from", values::any_text())
        .property("to", values::any_text())
        .property("on", values::one_of(ways))
        .property("version", values::or_null(Type::Integer))
        .property("trigger", values::or_null(Type::String));
    let nodes = ["functions", "queues", "topics", "timers"];
    let graph = nodes.iter().fold(ObjectBuilder::new(), |it, kind| it.property(*kind, named.clone()).required(*kind));
    graph.property("edges", ArrayBuilder::new().items(edge.required("from").required("to"))).required("edges")
}
