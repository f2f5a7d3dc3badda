//! `/v1/functions/{name}/queue`: what waits for a function, how much may, how long what has settled is kept, and
//! whether anything is taken from it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::async_config::MAX_JSON_BYTES;
use super::named::Named;
use super::openapi::values;
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
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueConfig)]
pub(super) struct Config {
    /// Part of what [`show`] answers. A pause has verbs of its own; where it is written, it counts. The runtime has none
    /// of its own, so null means nothing here.
    #[serde(default, deserialize_with = "paused_or_not")]
    #[schema(schema_with = values::boolean, required = false)]
    paused: Option<bool>,
    #[schema(schema_with = values::concurrency, required = false)]
    concurrency: Option<u32>,
    #[schema(schema_with = values::max_queued, required = false)]
    max_queued: Option<u64>,
    #[schema(schema_with = values::max_queued_bytes, required = false)]
    max_queued_bytes: Option<u64>,
    retention: Option<RetentionConfig>,
}

/// How long what has settled is kept, by how it ended.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueRetention)]
struct RetentionConfig {
    succeeded: Option<KeepConfig>,
    failed: Option<KeepConfig>,
    expired: Option<KeepConfig>,
    cancelled: Option<KeepConfig>,
}

/// What is kept: what is absent or null is the runtime's own.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Keep)]
struct KeepConfig {
    #[schema(schema_with = values::retention_s, required = false)]
    age_s: Option<u64>,
    #[schema(schema_with = values::kept_count, required = false)]
    count: Option<u64>,
    #[schema(schema_with = values::kept_bytes, required = false)]
    bytes: Option<u64>,
}

/// How many, and how large.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counted {
    count: u64,
    bytes: u64,
}

/// A queue as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
pub(super) struct QueueOut {
    namespace: String,
    function: String,
    config: Config,
    /// Asynchronous invocations that were accepted so far
    accepted: u64,
    live: Counted,
    running: u64,
    oldest_due_age_s: Option<f64>,
    /// How those ended that were accepted; synchronous ones are not counted
    settled: BTreeMap<&'static str, u64>,
    /// Records that are kept, those of synchronous invocations too
    kept: BTreeMap<&'static str, Counted>,
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
            settled: by_outcome(|kind| counts.settled[kind as usize]),
            kept: by_outcome(|kind| {
                let Kept { count, bytes } = counts.kept(kind);
                Counted { count, bytes }
            }),
        }
    }
}

/// What waits or runs.
pub(super) const fn live(counts: &Counts) -> Counted {
    Counted { count: counts.live, bytes: counts.live_bytes }
}

fn by_outcome<T>(figure: impl Fn(OutcomeKind) -> T) -> BTreeMap<&'static str, T> {
    OutcomeKind::ALL.into_iter().map(|kind| (kind.as_str(), figure(kind))).collect()
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Named(path): Named<FunctionPath>,
) -> Result<Json<QueueOut>, Problem> {
    Ok(Json(QueueOut::of(&runtime.queue(&path)?)))
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    Named(path): Named<FunctionPath>,
    body: Body,
) -> Result<Json<QueueOut>, Problem> {
    let body = body::read(body, MAX_JSON_BYTES, "configuration").await?;
    let config: Config = query::json(&body, "configuration")?;
    let paused = config.paused;
    Ok(Json(QueueOut::of(&runtime.set_queue(&path, config.meant()?, paused).await?)))
}

pub(super) async fn pause(
    State(runtime): State<Runtime>,
    Named(path): Named<FunctionPath>,
) -> Result<Json<QueueOut>, Problem> {
    Ok(Json(QueueOut::of(&runtime.pause_queue(&path, true).await?)))
}

pub(super) async fn resume(
    State(runtime): State<Runtime>,
    Named(path): Named<FunctionPath>,
) -> Result<Json<QueueOut>, Problem> {
    Ok(Json(QueueOut::of(&runtime.pause_queue(&path, false).await?)))
}
