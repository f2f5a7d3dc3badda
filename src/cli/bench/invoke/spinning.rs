//! Functions that never end, beside each other and beside one that does its work: when each is stopped, when its caller
//! is told, and how long an echo takes meanwhile.

use std::path::Path;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use reqwest::Method;
use rustix::process::Pid;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::cases::Case;
use super::throughput::measured;
use crate::cli::api::{Answer, Invocation};
use crate::cli::bench::child::Child;
use crate::cli::bench::deployed::Deployed;
use crate::cli::bench::latency::{Latency, Samples};
use crate::cli::bench::load::{Measured, Stop};
use crate::cli::bench::queue::cases::{rounded, temporary};
use crate::cli::bench::{guests, usage};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::output;

/// How many never end, and how long that is looked at.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) loops: Vec<u32>,
    pub(super) rounds: u32,
    /// How long the echo is measured, alone and again beside the most of them.
    pub(super) window: Duration,
}

/// What they may take.
const LIMIT: Duration = Duration::from_millis(100);
const SPIN: Deployed = Deployed { timeout: LIMIT, max_retries: 0, ..Deployed::new("spin", guests::SPIN) };
const ECHO: Case = Case::Handler;
/// Clients of the echo, each waiting for its answer.
const CLIENTS: u32 = 4;
/// Places beside those of the loops.
const PLACES: u32 = 64;
/// Where a caller is told.
const ID: &str = "tidemill-invocation-id";
/// A record is written behind the answer's back.
const RECORD_PATIENCE: Duration = Duration::from_secs(5);
const RECORD_PAUSE: Duration = Duration::from_millis(20);
/// After so long nothing that was told to stop may still run.
const AFTER: Duration = Duration::from_millis(300);

/// What is seen of several that never end.
#[derive(Default)]
struct Ends {
    /// From its own start, as the record says.
    ended: Samples,
    /// From the request to the answer.
    answered: Samples,
    /// Processor time that the server used after it had answered all of them, round by round.
    after: Samples,
}

pub(super) async fn run(folder: &Path, plan: &Plan) -> Result<Value, Error> {
    let data = temporary(folder)?;
    let most = plan.loops.iter().copied().max().unwrap_or(1);
    let places = (most + PLACES).to_string();
    let (mut child, client) = Child::start(data.path(), &["--log", "error", "--concurrency", &places]).await?;
    SPIN.deploy(&client).await?;
    ECHO.deployed().deploy(&client).await?;
    once(&client).await?; // what is loaded at first use is loaded now
    let mut loops = Vec::new();
    for count in plan.loops.iter().copied() {
        output::note(&format!("{count} that never end, {} times", plan.rounds));
        loops.push(together(&client, child.pid(), count, plan.rounds).await?);
    }
    let question = ECHO.question(client.socket()?, ECHO.as_str());
    let echo = || measured(&question, CLIENTS, plan.window, child.pid());
    output::note("an echo alone, and beside them");
    let alone = echo().await?;
    let stop = Stop::default();
    let beside = async {
        let echo = echo().await;
        stop.stop();
        echo
    };
    let (beside, answered) = futures::join!(beside, going_on(&client, most, &stop));
    let (beside, answered) = (beside?, answered?);
    child.kill()?;
    child.ended().await?;
    Ok(json!({
        "limit_ms": LIMIT.as_millis(),
        "loops": loops,
        "echo": {
            "loops": most,
            "clients": CLIENTS,
            "alone": seen(&alone),
            "beside": seen(&beside),
            "loops_answered": answered.count,
            "loops_answered_p99_ms": ms(answered.p99),
            "loops_answered_max_ms": ms(answered.max),
        },
    }))
}

/// So many at once, time after time.
async fn together(client: &Client, server: Option<Pid>, count: u32, rounds: u32) -> Result<Value, Error> {
    let mut ends = Ends::default();
    for _ in 0..rounds {
        let answered = try_join_all((0..count).map(|_| once(client))).await?;
        let before = usage::exact_cpu_of(server);
        tokio::time::sleep(AFTER).await;
        ends.after.add(usage::exact_cpu_of(server).saturating_sub(before));
        for (id, took) in answered {
            ends.answered.add(took);
            ends.ended.add(recorded(client, &id).await?);
        }
    }
    let (ended, answered, after) = (ends.ended.latency(), ends.answered.latency(), ends.after.latency());
    Ok(json!({
        "loops": count,
        "rounds": rounds,
        "ended_p50_ms": ms(ended.p50),
        "ended_max_ms": ms(ended.max),
        "answered_p50_ms": ms(answered.p50),
        "answered_max_ms": ms(answered.max),
        "cpu_after_answers_max_ms": ms(after.max),
    }))
}

/// Calls one, and returns its id and how long its caller waited to be told that it was stopped.
async fn once(client: &Client) -> Result<(String, Duration), Error> {
    let began = Instant::now();
    let response = client.exchange(client.in_namespace(Method::POST, &["functions", SPIN.name, "invocations"])).await?;
    let took = began.elapsed();
    let id = response.headers().get(ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let status = response.status();
    let error = client.refused(response).await;
    let is_stopped = matches!(&error, Error::Refused(problem) if problem.kind.as_deref() == Some("timeout"));
    match id {
        Some(id) if is_stopped && status.as_u16() == 504 => Ok((id, took)),
        _ => Err(Error::Broken(format!("a function that never ends is answered {status} instead of 504: {error}"))),
    }
}

/// How long it ran, as its record says.
async fn recorded(client: &Client, id: &str) -> Result<Duration, Error> {
    let until = Instant::now() + RECORD_PATIENCE;
    loop {
        let looked: Result<Answer<Invocation>, _> =
            client.json(client.request(Method::GET, &["invocations", id])).await;
        match looked {
            Ok(record) => {
                let ran = record.value.attempts.first().and_then(|attempt| attempt.duration_ms);
                let ran =
                    ran.ok_or_else(|| Error::Broken(format!("the record of {id} does not say how long it ran")))?;
                return Ok(Duration::from_millis(ran));
            }
            Err(Error::Refused(_)) if Instant::now() < until => tokio::time::sleep(RECORD_PAUSE).await,
            Err(error) => return Err(error),
        }
    }
}

/// So many that never end at any time, until told to stop; how long their callers waited.
async fn going_on(client: &Client, count: u32, stop: &Stop) -> Result<Latency, Error> {
    let callers = (0..count).map(|_| async {
        let mut took = Vec::new();
        while !stop.is_stopped() {
            took.push(once(client).await?.1);
        }
        Ok::<_, Error>(took)
    });
    let mut samples = Samples::default();
    for took in join_all(callers).await {
        took?.into_iter().for_each(|took| samples.add(took));
    }
    Ok(samples.latency())
}

fn seen(measured: &Measured) -> Value {
    let us = |per_mille| measured.latency.per_mille_us(per_mille);
    let rate = measured.per_second().round();
    json!({ "per_second": rate, "p50_us": us(500), "p99_us": us(990), "max_us": us(1_000) })
}

fn ms(took: Duration) -> f64 {
    rounded(took.as_secs_f64() * 1_000.0, 10)
}

/// The same for people.
pub(super) fn text(report: &Value) -> String {
    let header = ["NEVER ENDING", "ROUNDS", "ENDED P50", "MAX", "ANSWERED P50", "MAX", "CPU AFTER THE ANSWERS, MAX"];
    let loops = report["loops"].as_array().into_iter().flatten().map(|row| {
        let ms = |field: &str| format!("{} ms", row[field]);
        let [ended, ended_max, answered] = ["ended_p50_ms", "ended_max_ms", "answered_p50_ms"].map(ms);
        let [answered_max, after] = ["answered_max_ms", "cpu_after_answers_max_ms"].map(ms);
        [row["loops"].to_string(), row["rounds"].to_string(), ended, ended_max, answered, answered_max, after]
    });
    let loops = output::table(header, loops);
    let echo = &report["echo"];
    let rows = ["alone", "beside"].map(|name| {
        let us = |field: &str| format!("{} us", echo[name][field]);
        let rate = format!("{}/s", echo[name]["per_second"]);
        [name.to_owned(), rate, us("p50_us"), us("p99_us"), us("max_us")]
    });
    let table = output::table(["ECHO", "RATE", "P50", "P99", "MAX"], rows);
    let answered = output::pairs([(
        "loops beside the echo",
        format!(
            "{} at a time, {} answered within {} ms",
            echo["loops"], echo["loops_answered"], echo["loops_answered_max_ms"]
        ),
    )]);
    format!("{loops}\n\n{table}\n\n{answered}")
}
