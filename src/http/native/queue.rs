//! `/v1/functions/{name}/queue`: what waits for a function, how much may, how long what has settled is kept, and
//! whether anything is taken from it.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Uri;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::async_config::MAX_JSON_BYTES;
use super::query::{self, bad};
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds::{self, within};
use crate::model::names::FunctionPath;
use crate::model::outcome::OutcomeKind;
use crate::model::queue::{Keep, QueueConfig, Retention};
use crate::runtime::{QueueView, Runtime};
use crate::store::{Counts, Kept};

/// The settings of a queue as they are written and answered; a limit that is absent or null is the runtime's own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Part of what [`show`] answers. A pause has verbs of its own; where it is written, it counts. The runtime has none
    /// of its own, so null means nothing here.
    #[serde(default, deserialize_with = "paused_or_not")]
    paused: Option<bool>,
    concurrency: Option<u32>,
    max_queued: Option<u64>,
    max_queued_bytes: Option<u64>,
    retention: Option<RetentionConfig>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetentionConfig {
    succeeded: Option<KeepConfig>,
    failed: Option<KeepConfig>,
    expired: Option<KeepConfig>,
    cancelled: Option<KeepConfig>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeepConfig {
    age_s: Option<u64>,
    count: Option<u64>,
    bytes: Option<u64>,
}

/// A queue as it is answered.
#[derive(Debug, Serialize)]
pub(super) struct QueueOut {
    namespace: String,
    function: String,
    config: Config,
    accepted: u64,
    live: Value,
    running: u64,
    oldest_due_age_s: Option<f64>,
    settled: Map<String, Value>,
    kept: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    namespace: Option<String>,
}

impl Config {
    /// The settings that are meant, but for the pause.
    fn meant(self) -> Result<QueueConfig, Problem> {
        if let Some(concurrency) = self.concurrency {
            let checked = within("concurrency", concurrency, &bounds::CONCURRENCY);
            checked.map_err(|error| bad("bad_range", error.to_string()))?; // 0 could not be told from none later
        }
        let retention = self.retention.unwrap_or_default();
        Ok(QueueConfig {
            paused: self.paused.unwrap_or_default(),
            concurrency: self.concurrency.and_then(NonZeroU32::new),
            max_queued: self.max_queued,
            max_queued_bytes: self.max_queued_bytes,
            retention: Retention {
                succeeded: KeepConfig::meant(retention.succeeded),
                failed: KeepConfig::meant(retention.failed),
                expired: KeepConfig::meant(retention.expired),
                cancelled: KeepConfig::meant(retention.cancelled),
            },
        })
    }

    fn of(config: &QueueConfig) -> Self {
        let Retention { succeeded, failed, expired, cancelled } = config.retention;
        Self {
            paused: Some(config.paused),
            concurrency: config.concurrency.map(NonZeroU32::get),
            max_queued: config.max_queued,
            max_queued_bytes: config.max_queued_bytes,
            retention: Some(RetentionConfig {
                succeeded: Some(KeepConfig::of(succeeded)),
                failed: Some(KeepConfig::of(failed)),
                expired: Some(KeepConfig::of(expired)),
                cancelled: Some(KeepConfig::of(cancelled)),
            }),
        }
    }
}

fn paused_or_not<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<bool>, D::Error> {
    let null = || D::Error::custom("`paused` is null: use true or false, or leave it out");
    Option::deserialize(value)?.ok_or_else(null).map(Some)
}

impl KeepConfig {
    fn meant(config: Option<Self>) -> Keep {
        let Self { age_s, count, bytes } = config.unwrap_or_default();
        Keep { age: age_s.map(Duration::from_secs), count, bytes }
    }

    fn of(keep: Keep) -> Self {
        let Keep { age, count, bytes } = keep;
        Self { age_s: age.map(|age| age.as_secs()), count, bytes }
    }
}

impl QueueOut {
    fn of(queue: &QueueView) -> Self {
        let QueueView { function, counts, running, oldest_due_age } = queue;
        Self {
            namespace: function.path.namespace.to_string(),
            function: function.path.name.to_string(),
            config: Config::of(&function.queue),
            accepted: counts.accepted,
            live: live(counts),
            running: *running,
            oldest_due_age_s: oldest_due_age.map(|age| age.as_secs_f64()),
            settled: by_outcome(|kind| counts.settled[kind as usize].into()),
            kept: by_outcome(|kind| {
                let Kept { count, bytes } = counts.kept(kind);
                json!({ "count": count, "bytes": bytes })
            }),
        }
    }
}

/// What waits or runs.
pub(super) fn live(counts: &Counts) -> Value {
    json!({ "count": counts.live, "bytes": counts.live_bytes })
}

fn by_outcome(figure: impl Fn(OutcomeKind) -> Value) -> Map<String, Value> {
    OutcomeKind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), figure(kind))).collect()
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<QueueOut>, Problem> {
    Ok(Json(QueueOut::of(&runtime.queue(&named(&uri, &name)?)?)))
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Json<QueueOut>, Problem> {
    let path = named(&uri, &name)?;
    let body = body::read(body, MAX_JSON_BYTES, "configuration").await?;
    let config: Config = query::json(&body, "configuration")?;
    let paused = config.paused;
    Ok(Json(QueueOut::of(&runtime.set_queue(&path, config.meant()?, paused).await?)))
}

pub(super) async fn pause(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<QueueOut>, Problem> {
    Ok(Json(QueueOut::of(&runtime.pause_queue(&named(&uri, &name)?, true).await?)))
}

pub(super) async fn resume(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<QueueOut>, Problem> {
    Ok(Json(QueueOut::of(&runtime.pause_queue(&named(&uri, &name)?, false).await?)))
}

fn named(uri: &Uri, name: &str) -> Result<FunctionPath, Problem> {
    let which: Which = query::query(uri)?;
    query::path(which.namespace.as_deref(), name)
}
