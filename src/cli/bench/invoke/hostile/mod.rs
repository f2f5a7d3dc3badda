//! Functions that do harm, one kind after the other against one server: each has to end as its own error, and nothing else
//! may come of it. Beside them an echo is measured, and the server's memory is looked at.
//!
//! | file      | decides                                                |
//! | --------- | ------------------------------------------------------ |
//! | `made`    | modules that are made when they are needed             |
//! | `set`     | which ones there are, and how each has to end          |
//! | `harming` | how one has its turn, and what is held against its end |

mod made;

mod set;

mod harming;

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use rustix::process::Pid;
use serde_json::{Value, json};

use self::harming::Hops;
use self::set::{End, Harm};
use super::asker::{Asker, Question};
use super::cases::Case;
use super::throughput::measured;
use crate::cli::bench::child::Child;
use crate::cli::bench::latency::{Latency, Samples};
use crate::cli::bench::load::{Measured, Stop};
use crate::cli::bench::memory::{self, Memory};
use crate::cli::bench::queue::cases::{rounded, temporary};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::{output, units};

/// How long each has its turn, and how far one that calls itself may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) window: Duration,
    pub(super) hops: Hops,
}

const ECHO: Case = Case::Handler;
/// Clients of the echo, each waiting for its answer.
const CLIENTS: u32 = 4;
/// Clients of one that does harm.
const HARMING: u32 = 2;
/// How long the server is left alone before its memory counts as what is left of a turn; no longer than that was.
const SETTLE: Duration = Duration::from_secs(1);

/// What was seen of one of the set.
struct Seen {
    harm: Harm,
    took: Latency,
    memory: Memory,
    after: Option<u64>,
    echo: Measured,
}

pub(super) async fn run(folder: &Path, plan: Plan) -> Result<Value, Error> {
    let data = temporary(folder)?;
    let (mut child, client) =
        Child::start(data.path(), &["--log", "error", "--hop-limit", &plan.hops.to_string()]).await?;
    ECHO.deployed().deploy(&client).await?;
    let question = ECHO.question(client.socket()?, ECHO.as_str());
    Asker::connect(&question).await?.check().await?; // what is loaded at first use is loaded now
    output::note("an echo alone");
    let alone = measured(&question, CLIENTS, plan.window, child.pid()).await?;
    let mut seen = Vec::new();
    for harm in set::all() {
        output::note(&format!("beside {}", harm.name));
        seen.push(beside(&client, child.pid(), &question, harm, plan).await?);
    }
    child.terminate()?;
    let ended = child.ended().await?;
    if !ended.success() {
        return Err(Error::Broken(format!("after all of them the server ended with {ended}")));
    }
    Ok(json!({
        "hop_limit": plan.hops,
        "clients": HARMING,
        "echo_clients": CLIENTS,
        "echo_alone": told(&alone),
        "cases": seen.iter().map(Seen::json).collect::<Vec<_>>(),
    }))
}

/// One of the set, again and again while the echo is measured.
async fn beside(
    client: &Client,
    server: Option<Pid>,
    question: &Question,
    harm: Harm,
    plan: Plan,
) -> Result<Seen, Error> {
    harming::prepare(client, &harm).await?;
    let before = memory::resident(server).await;
    memory::forget_peak(server).await;
    let stop = Stop::default();
    let echo = async {
        let echo = measured(question, CLIENTS, plan.window, server).await;
        stop.stop();
        echo
    };
    let (echo, took) = futures::join!(echo, harmed(client, &harm, plan.hops, &stop));
    let (echo, took) = (echo?, took?);
    let peak = memory::peak(server).await;
    tokio::time::sleep(SETTLE.min(plan.window)).await;
    let after = memory::resident(server).await;
    Ok(Seen { harm, took, memory: Memory { before, peak }, after, echo })
}

/// Has it by so many clients, time after time until told to stop, and at least once by each.
async fn harmed(client: &Client, harm: &Harm, hops: Hops, stop: &Stop) -> Result<Latency, Error> {
    // What is counted of a fork is counted of all.
    let clients = if matches!(harm.end, End::Forks) { 1 } else { HARMING };
    let harming = (0..clients).map(|first| async move {
        let mut took = Vec::new();
        for number in (first..).step_by(HARMING as usize) {
            took.push(harming::once(client, harm, number, hops).await?);
            if stop.is_stopped() {
                break;
            }
        }
        Ok::<_, Error>(took)
    });
    let mut samples = Samples::default();
    for took in join_all(harming).await {
        took?.into_iter().for_each(|took| samples.add(took));
    }
    Ok(samples.latency())
}

impl Seen {
    fn json(&self) -> Value {
        json!({
            "case": self.harm.name,
            "ended_as": self.harm.end.as_str(),
            "times": self.took.count,
            "p50_ms": ms(self.took.p50),
            "max_ms": ms(self.took.max),
            "rss_before_bytes": self.memory.before,
            "rss_most_bytes": self.memory.peak,
            "rss_after_bytes": self.after,
            "echo": told(&self.echo),
        })
    }
}

fn told(echo: &Measured) -> Value {
    let us = |per_mille| echo.latency.per_mille_us(per_mille);
    json!({ "per_second": echo.per_second().round(), "p50_us": us(500), "p99_us": us(990), "max_us": us(1_000) })
}

fn ms(took: Duration) -> f64 {
    rounded(took.as_secs_f64() * 1_000.0, 10)
}

/// The same for people.
pub(super) fn text(report: &Value) -> String {
    let us = |echo: &Value, field: &str| format!("{} us", echo[field]);
    let alone = &report["echo_alone"];
    let rows = report["cases"].as_array().into_iter().flatten().map(|row| {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let size = |field: &str| output::or_dash(row[field].as_u64().map(units::show_size));
        let ms = |field: &str| format!("{} ms", row[field]);
        [
            text("case"),
            text("ended_as"),
            row["times"].to_string(),
            ms("p50_ms"),
            ms("max_ms"),
            size("rss_before_bytes"),
            size("rss_most_bytes"),
            size("rss_after_bytes"),
            us(&row["echo"], "p50_us"),
            us(&row["echo"], "p99_us"),
        ]
    });
    let header =
        ["CASE", "ENDED AS", "TIMES", "P50", "MAX", "MEMORY BEFORE", "MOST", "AFTER", "ECHO BESIDE, P50", "P99"];
    let alone = output::pairs([("echo alone", format!("p50 {}, p99 {}", us(alone, "p50_us"), us(alone, "p99_us")))]);
    format!("{}\n\n{alone}", output::table(header, rows))
}
