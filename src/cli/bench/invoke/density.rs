//! Functions that wait: what each holds while it does nothing, how many there may be at once, and what becomes of those
//! that are asked for above that.
//!
//! They are left to the queue, so that none holds a connection: of those above the limit the queue keeps what it has
//! accepted, and callers who want to wait for an answer are refused.

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::asker::{Asker, Question};
use crate::cli::bench::child::Child;
use crate::cli::bench::deployed::Deployed;
use crate::cli::bench::metrics::Metrics;
use crate::cli::bench::queue::cases::temporary;
use crate::cli::bench::{caller, guests, memory};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::{output, units};

/// How many are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) suspended: u64,
    pub(super) asked: u64,
    /// How many attempts the server is told to run at once.
    pub(super) concurrency: u32,
}

/// It sleeps for longer than anything here takes, and may.
const SLEEP: Deployed =
    Deployed { timeout: Duration::from_secs(3_600), max_retries: 0, ..Deployed::new("sleep", guests::SLEEP) };
const SLEEP_MS: &[u8] = b"1800000";
/// Callers who want an answer while no attempt can start.
const CALLERS: usize = 64;
/// What does not run by then is not going to.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks, and how often the number of those that run has to be the same before it counts as all.
const EVERY: Duration = Duration::from_millis(200);
const STEADY: u32 = 10;
/// How long it is left alone before its memory is read: what was needed for the moment is given back.
const SETTLE: Duration = Duration::from_secs(1);

/// How many callers were answered how.
#[derive(Clone, Copy, Debug, Default)]
struct Refusals {
    answered_429: u64,
    answered_503: u64,
}

pub(super) async fn run(folder: &Path, plan: Plan) -> Result<Value, Error> {
    let data = temporary(folder)?;
    let concurrency = plan.concurrency.to_string();
    let arguments = ["--log", "error", "--concurrency", &concurrency];
    let (mut child, client) = Child::start(data.path(), &arguments).await?;
    let server = client.socket()?;
    SLEEP.deploy(&client).await?;
    // What is made at first use is made now, also what is made for each connection of those that enqueue.
    let question = question(&client, b"1")?;
    Asker::connect(&question).await?.check().await?;
    caller::enqueue(server, SLEEP.name, b"1", plan.suspended.min(1_000)).await?;
    running(&client, 0).await?;
    tokio::time::sleep(SETTLE).await;
    let idle = memory::resident(child.pid()).await;

    output::note(&format!("{} that sleep", plan.suspended));
    caller::enqueue(server, SLEEP.name, SLEEP_MS, plan.suspended).await?;
    let suspended = running(&client, plan.suspended.min(u64::from(plan.concurrency))).await?;
    tokio::time::sleep(SETTLE).await;
    let with_suspended = memory::resident(child.pid()).await;

    output::note(&format!("{} asked for", plan.asked));
    caller::enqueue(server, SLEEP.name, SLEEP_MS, plan.asked.saturating_sub(plan.suspended)).await?;
    let limit = Metrics::read(&client).await?.count("tidemill_concurrency_limit");
    let most = running(&client, plan.asked.min(limit)).await?;
    tokio::time::sleep(SETTLE).await;
    let with_most = memory::resident(child.pid()).await;
    let refusals = if most >= limit { refused(&question).await? } else { Refusals::default() };
    client.send(client.outside(Method::GET, &["healthz"])).await?; // it lives
    let live = Metrics::read(&client).await?.count("tidemill_invocations_live");
    child.kill()?; // nobody waits for what sleeps
    child.ended().await?;

    let above = |bytes: Option<u64>| Some(bytes?.saturating_sub(idle?));
    Ok(json!({
        "concurrency": plan.concurrency,
        "concurrency_limit": limit,
        "idle_rss_bytes": idle,
        "suspended": suspended,
        "suspended_above_idle_bytes": above(with_suspended),
        "each_bytes": above(with_suspended).map(|bytes| bytes / suspended.max(1)),
        "asked": plan.asked,
        "running": most,
        "running_above_idle_bytes": above(with_most),
        "queued": live.saturating_sub(most),
        "callers": if most >= limit { CALLERS } else { 0 },
        "answered_429": refusals.answered_429,
        "answered_503": refusals.answered_503,
    }))
}

fn question(client: &Client, milliseconds: &'static [u8]) -> Result<Question, Error> {
    let path = format!("/v1/functions/{}/invocations", SLEEP.name);
    let (body, answer) = (milliseconds.into(), bytes::Bytes::new());
    Ok(Question { server: client.socket()?, path, content_type: "text/plain", body, answer })
}

/// Waits until so many attempts run, or until there are no more for a while, and returns how many do.
async fn running(client: &Client, wanted: u64) -> Result<u64, Error> {
    let until = Instant::now() + PATIENCE;
    let (mut last, mut same) = (u64::MAX, 0);
    loop {
        let metrics = Metrics::read(client).await?;
        let now = metrics.count("tidemill_attempts_running");
        same = if now == last { same + 1 } else { 0 };
        let reached = now == wanted && (wanted > 0 || metrics.count("tidemill_invocations_live") == 0);
        if reached || same >= STEADY && wanted > 0 || Instant::now() > until {
            return Ok(now);
        }
        last = now;
        tokio::time::sleep(EVERY).await;
    }
}

/// Has callers ask for an answer while nothing more can run: each is to be refused, in time.
async fn refused(question: &Question) -> Result<Refusals, Error> {
    let callers = (0..CALLERS).map(|_| async { Asker::connect(question).await?.ask().await });
    let mut refusals = Refusals::default();
    for status in join_all(callers).await {
        match status? {
            429 => refusals.answered_429 += 1,
            503 => refusals.answered_503 += 1,
            other => {
                let told = format!("a caller is answered {other} instead of 429 or 503 where nothing more can run");
                return Err(Error::Broken(told));
            }
        }
    }
    Ok(refusals)
}

/// The same for people.
pub(super) fn text(report: &Value) -> String {
    let size = |field: &str| output::or_dash(report[field].as_u64().map(units::show_size));
    let [callers, too_many, unavailable] = ["callers", "answered_429", "answered_503"].map(|field| &report[field]);
    output::pairs([
        ("memory, idle", size("idle_rss_bytes")),
        (
            "suspended",
            format!(
                "{}, {} above idle, {} each",
                report["suspended"],
                size("suspended_above_idle_bytes"),
                size("each_bytes")
            ),
        ),
        ("asked for", report["asked"].to_string()),
        (
            "running",
            format!(
                "{} of {}, {} above idle",
                report["running"],
                report["concurrency_limit"],
                size("running_above_idle_bytes")
            ),
        ),
        ("kept by the queue", report["queued"].to_string()),
        ("callers beside them", format!("{callers}: {too_many} got 429, {unavailable} got 503")),
    ])
}
