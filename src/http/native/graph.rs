//! `/v1/graph`: functions, where their outcomes lead, and which queues, topics and timers invoke them.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use super::query;
use crate::http::problem::Problem;
use crate::model::graph::Named;
use crate::model::names::Edge;
use crate::registry::Way;
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
        let (on, trigger) = match &link.way {
            Way::Outcome(Edge::OnSuccess) => ("success", None),
            Way::Outcome(Edge::OnFailure) => ("failure", None),
            Way::Redrive => ("redrive", None),
            Way::Subscription => ("subscription", None),
            Way::Trigger(name) => ("trigger", Some(name)),
        };
        let (from, to) = (link.from.to_string(), link.to.to_string());
        json!({ "from": from, "to": to, "on": on, "version": link.version, "trigger": trigger })
    });
    let (functions, edges): (Vec<_>, Vec<_>) = (functions.collect(), edges.collect());
    Ok(Json(json!({
        "functions": functions,
        "queues": graph.queues.iter().map(named).collect::<Vec<_>>(),
        "topics": graph.topics.iter().map(named).collect::<Vec<_>>(),
        "timers": graph.timers.iter().map(named).collect::<Vec<_>>(),
        "edges": edges,
    })))
}

fn named(named: &Named) -> Value {
    json!({ "namespace": named.namespace.as_str(), "name": named.name })
}
