//! `/functions/enable-async-status-logs`, `/functions/async-status-log-detail`: where the states of asynchronous invocations
//! are kept. Here they always are, with the invocations; so enabling changes nothing, and the names are the project's own.

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::json;
use uuid::Uuid;

use super::request::Call;
use super::{Answer, json};

#[expect(clippy::unnecessary_wraps, reason = "it is one of the operations, which can fail")]
pub(super) fn enable(_call: &Call) -> Answer {
    Ok(StatusCode::OK.into_response())
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of the operations, which can fail")]
pub(super) fn show(call: &Call) -> Answer {
    let id = |what: &str| Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{what} {}", call.project).as_bytes());
    Ok(json::ok(&json!({
        "group_name": format!("functiongraph.log.group.{}", call.project),
        "group_id": id("group"),
        "stream_name": "async-status",
        "stream_id": id("stream"),
    })))
}
