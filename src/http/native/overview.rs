//! `/v1/runtime`: the runtime as a whole, and what of it can be changed while it runs.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::async_config::MAX_JSON_BYTES;
use super::openapi::values;
use super::query;
use super::queue::{self, Counted};
use crate::http::body;
use crate::http::problem::Problem;
use crate::runtime::{Overview, Runtime};
use crate::store::Room;

/// What of the runtime can be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuntimeSettings)]
pub(super) struct Settings {
    /// Attempts that may run at once: up to `max_concurrency`.
    #[schema(schema_with = values::runtime_concurrency)]
    concurrency: u32,
}

/// The runtime as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Runtime)]
pub(super) struct RuntimeOut {
    version: &'static str,
    #[schema(format = DateTime)]
    started_at: String,
    uptime_s: u64,
    functions: usize,
    concurrency: u32,
    max_concurrency: u32,
    running: u64,
    accepted: u64,
    live: Counted,
    hop_limit: u32,
    store: StoreOut,
}

/// How the store stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Store)]
struct StoreOut {
    /// How much room there is for commits: `plenty`, `reserve_only` or `none`.
    room: &'static str,
    live_bytes: u64,
    disk_bytes: u64,
}

pub(super) async fn show(State(runtime): State<Runtime>) -> Json<RuntimeOut> {
    Json(rendered(&runtime.overview()))
}

pub(super) async fn set(State(runtime): State<Runtime>, body: Body) -> Result<Json<RuntimeOut>, Problem> {
    let body = body::read(body, MAX_JSON_BYTES, "configuration").await?;
    let settings: Settings = query::json(&body, "configuration")?;
    Ok(Json(rendered(&runtime.set_concurrency(settings.concurrency)?)))
}

fn rendered(overview: &Overview) -> RuntimeOut {
    let Overview { counts, vitals, .. } = overview;
    RuntimeOut {
        version: env!("CARGO_PKG_VERSION"),
        started_at: overview.started.to_string(),
        uptime_s: overview.uptime.as_secs(),
        functions: overview.functions,
        concurrency: overview.concurrency.get(),
        max_concurrency: overview.max_concurrency,
        running: overview.running,
        accepted: counts.accepted,
        live: queue::live(counts),
        hop_limit: overview.hop_limit,
        store: StoreOut { room: room(vitals.room), live_bytes: vitals.live_bytes, disk_bytes: vitals.disk_bytes },
    }
}

/// How much room there is, as answers and metrics name it.
pub(super) const fn room(room: Room) -> &'static str {
    match room {
        Room::Plenty => "plenty",
        Room::ReserveOnly => "reserve_only",
        Room::None => "none",
    }
}
