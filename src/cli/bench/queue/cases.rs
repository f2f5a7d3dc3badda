//! One case: so many clients that do one kind of work with payloads of one size, the queue and the plain log in turn.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::getpid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::ours::{Ours, blocking};
use crate::cli::bench::load::{self, Measured, Stop, Work, as_f64, median};
use crate::cli::bench::memory;
use crate::cli::bench::plain_log::PlainLog;
use crate::cli::bench::random::Random;
use crate::cli::error::Error;
use crate::clock::Clock;

/// Settled invocations that stay, as retention by count would have it.
pub(in crate::cli::bench) const KEPT: u64 = 20_000;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::bench) struct Case {
    pub(in crate::cli::bench) work: Work,
    pub(in crate::cli::bench) clients: usize,
    pub(in crate::cli::bench) payload_bytes: usize,
}

/// How.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::bench) struct How<'a> {
    pub(in crate::cli::bench) window: Duration,
    pub(in crate::cli::bench) rounds: usize,
    /// Where the files are.
    pub(in crate::cli::bench) folder: &'a Path,
}

/// Several rounds of the same, summed up by medians.
#[derive(Clone, Debug)]
pub(in crate::cli::bench) struct Summary {
    pub(in crate::cli::bench) per_second: f64,
    pub(in crate::cli::bench) p50_us: u64,
    pub(in crate::cli::bench) p99_us: u64,
    pub(in crate::cli::bench) cpu_us_per_op: f64,
    /// The rate of each round, in their order.
    pub(in crate::cli::bench) rounds: Vec<f64>,
}

/// What a case gave.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    pub(super) case: Case,
    pub(super) ours: Summary,
    pub(super) log: Summary,
    pub(super) max_rss_bytes: Option<u64>,
}

impl Summary {
    pub(in crate::cli::bench) fn of(rounds: &[Measured]) -> Self {
        let times = |per_mille| rounds.iter().map(|round| round.latency.per_mille_us(per_mille)).collect();
        let middle = |values: Vec<f64>| median(values, f64::total_cmp).unwrap_or_default();
        let rates: Vec<_> = rounds.iter().map(Measured::per_second).collect();
        Self {
            per_second: middle(rates.clone()),
            p50_us: median(times(500), Ord::cmp).unwrap_or_default(),
            p99_us: median(times(990), Ord::cmp).unwrap_or_default(),
            cpu_us_per_op: middle(rounds.iter().map(Measured::cpu_us_per_op).collect()),
            rounds: rates,
        }
    }

    /// How many of these there are for each of the others.
    pub(in crate::cli::bench) fn ratio(&self, other: &Self) -> Option<f64> {
        (other.per_second > 0.0).then(|| rounded(self.per_second / other.per_second, 1_000))
    }
}

impl Compared {
    pub(super) fn json(&self) -> Value {
        let Self { case, ours, log, max_rss_bytes } = self;
        json!({
            "work": case.work.as_str(),
            "clients": case.clients,
            "payload_bytes": case.payload_bytes,
            "per_second": ours.per_second.round(),
            "log_per_second": log.per_second.round(),
            "ratio": ours.ratio(log),
            "p50_us": ours.p50_us,
            "p99_us": ours.p99_us,
            "log_p50_us": log.p50_us,
            "log_p99_us": log.p99_us,
            "cpu_us_per_op": rounded(ours.cpu_us_per_op, 10),
            "log_cpu_us_per_op": rounded(log.cpu_us_per_op, 10),
            "max_rss_bytes": max_rss_bytes,
            "rounds_per_second": whole(&ours.rounds),
            "log_rounds_per_second": whole(&log.rounds),
        })
    }
}

/// Measures a case: the queue and the log in turn, round by round, so that what else the machine does meets both.
pub(super) async fn compare(how: How<'_>, case: Case, log: &PlainLog) -> Result<Compared, Error> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut max_rss_bytes = None;
    for _ in 0..how.rounds {
        memory::forget_peak(Some(getpid())).await;
        ours.push(queue(how, case).await?);
        max_rss_bytes = max_rss_bytes.max(memory::peak(Some(getpid())).await);
        theirs.push(plain_log(how, case, log).await?);
    }
    Ok(Compared { case, ours: Summary::of(&ours), log: Summary::of(&theirs), max_rss_bytes })
}

/// One round of the queue, in a new store that is closed and gone afterwards: nothing of it is still being written
/// while something else is measured.
pub(in crate::cli::bench) async fn queue(how: How<'_>, case: Case) -> Result<Measured, Error> {
    let folder = temporary(how.folder)?;
    let ours = Ours::open(folder.path(), payload(case.payload_bytes), KEPT).await?;
    let clients = (0..case.clients).map(|_| ours.client()).collect();
    let measured = load::measured(clients, case.work, how.window, &Stop::default()).await?;
    ours.close().await?;
    blocking(move || drop(folder)).await?;
    Ok(measured)
}

/// One round of the log.
pub(in crate::cli::bench) async fn plain_log(how: How<'_>, case: Case, log: &PlainLog) -> Result<Measured, Error> {
    let (clock, payload) = (Clock::system(), payload(case.payload_bytes));
    let clients = (0..case.clients).map(|_| log.client(clock.clone(), payload.clone())).collect();
    load::measured(clients, case.work, how.window, &Stop::default()).await
}

/// Bytes that no compression makes shorter.
pub(in crate::cli::bench) fn payload(bytes: usize) -> Bytes {
    let mut random = Random::new(bytes as u64);
    std::iter::repeat_with(|| random.number().to_le_bytes()).flatten().take(bytes).collect()
}

/// A folder below `folder` that goes away when it is dropped.
pub(in crate::cli::bench) fn temporary(folder: &Path) -> Result<TempDir, Error> {
    let made = tempfile::Builder::new().prefix("tidemill-bench-").tempdir_in(folder);
    made.map_err(|error| Error::Bench(format!("there is no temporary folder in {}: {error}", folder.display())))
}

/// To one of so many parts of a whole.
pub(in crate::cli::bench) fn rounded(value: f64, parts: u32) -> f64 {
    (value * f64::from(parts)).round() / f64::from(parts)
}

fn whole(rates: &[f64]) -> Vec<f64> {
    rates.iter().map(|rate| rate.round()).collect()
}

/// `count` things in `took`, by the second.
pub(in crate::cli::bench) fn rate(count: u64, took: Duration) -> f64 {
    (as_f64(count) / took.as_secs_f64().max(1e-6)).round()
}
