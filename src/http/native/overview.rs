//! `/v1/runtime`: the runtime as a whole, and what of it can be changed while it runs.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::async_config::MAX_JSON_BYTES;
use super::query;
use super::queue;
use crate::http::body;
use crate::http::problem::Problem;
use crate::runtime::{Overview, Runtime};
use crate::store::Room;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    concurrency: u32,
}

pub(super) async fn show(State(runtime): State<Runtime>) -> Json<Value> {
    Json(rendered(&runtime.overview()))
}

pub(super) async fn set(State(runtime): State<Runtime>, body: Body) -> Result<Json<Value>, Problem> {
    let body = body::read(body, MAX_JSON_BYTES, "configuration").await?;
    let settings: Settings = query::json(&body, "configuration")?;
    Ok(Json(rendered(&runtime.set_concurrency(settings.concurrency)?)))
}

fn rendered(overview: &Overview) -> Value {
    let Overview { counts, vitals, .. } = overview;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": overview.started.to_string(),
        "uptime_s": overview.uptime.as_secs(),
        "functions": overview.functions,
        "concurrency": overview.concurrency,
        "max_concurrency": overview.max_concurrency,
        "running": overview.running,
        "accepted": counts.accepted,
        "live": queue::live(counts),
        "hop_limit": overview.hop_limit,
        "store": {
            "room": room(vitals.room),
            "live_bytes": vitals.live_bytes,
            "disk_bytes": vitals.disk_bytes,
        },
    })
}

/// How much room there is, as answers and metrics name it.
pub(super) const fn room(room: Room) -> &'static str {
    match room {
        Room::Plenty => "plenty",
        Room::ReserveOnly => "reserve_only",
        Room::None => "none",
    }
}
