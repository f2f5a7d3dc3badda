//! `/v1/graph`: functions and where their outcomes lead.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use super::query;
use crate::http::problem::Problem;
use crate::model::names::Edge;
use crate::runtime::Runtime;

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    namespace: Option<String>,
}

pub(super) async fn show(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<Value>, Problem> {
    let which: Which = query::query(&uri)?;
    let namespace = which.namespace.as_deref().map(query::parsed).transpose()?;
    let graph = runtime.graph(namespace.as_ref());
    let functions =
        graph.functions.iter().map(|path| json!({ "namespace": path.namespace.as_str(), "name": path.name.as_str() }));
    let edges = graph.links.iter().map(|link| {
        let on = match link.edge {
            Edge::OnSuccess => "success",
            Edge::OnFailure => "failure",
        };
        json!({ "from": link.from.to_string(), "to": link.to.to_string(), "on": on, "version": link.version })
    });
    Ok(Json(json!({ "functions": functions.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>() })))
}
