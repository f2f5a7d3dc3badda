//! `--sustained`: what is left of a rate when it has to be held, in a process of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::cases::{KEPT, Summary, payload, rounded, temporary};
use super::ours::Ours;
use super::part::{Started, tell};
use super::watch::{beside, sample};
use crate::cli::bench::load::{Measured, Stop, Work, as_f64, measured};
use crate::cli::error::Error;
use crate::cli::{output, units};

/// The first and the last part that are compared: fifths.
const PARTS: usize = 5;
/// How much longer than its time it may take before it is stopped.
const GRACE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(in crate::cli) struct Sustain {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    work: Work,
    #[arg(long)]
    clients: usize,
    #[arg(long)]
    payload: usize,
    #[arg(long, value_parser = units::duration)]
    time: Duration,
}

/// Cycles of 16 clients, then enqueues alone of 256, which nothing takes out again.
pub(super) async fn run(below: &Path, time: Duration, payload: usize) -> Result<Vec<Value>, Error> {
    let mut said = Vec::new();
    for (work, clients) in [(Work::Cycle, 16), (Work::Enqueue, 256)] {
        output::note(&format!("{} of {clients} clients for {} s", work.as_str(), time.as_secs()));
        let folder = temporary(below)?;
        let arguments = [
            ("--work", work.as_str().to_owned()),
            ("--clients", clients.to_string()),
            ("--payload", payload.to_string()),
            ("--time", format!("{}ms", time.as_millis())),
        ];
        let mut lasting = Started::new("sustain", folder.path(), &arguments)?;
        said.push(lasting.told().await?);
        lasting.kill().await?; // a backlog that nobody wants need not be put away
    }
    Ok(said)
}

impl Sustain {
    pub(super) async fn run(self) -> Result<(), Error> {
        let ours = Ours::open(&self.folder, payload(self.payload), KEPT).await?;
        let clients = (0..self.clients).map(|_| ours.client()).collect();
        let stop = Stop::default();
        let work = measured(clients, self.work, self.time, &stop);
        let (measured, seen) = beside(&self.folder, &stop, self.time + GRACE, work).await?;
        let now = sample(&self.folder, measured.window).await;
        let summary = Summary::of(std::slice::from_ref(&measured));
        let (first, last) = first_and_last(&measured);
        tell(&json!({
            "sustained_s": measured.window.as_secs(),
            "work": self.work.as_str(),
            "clients": self.clients,
            "payload_bytes": self.payload,
            "per_second": summary.per_second.round(),
            "first_fifth_per_second": first,
            "last_fifth_per_second": last,
            "p50_us": summary.p50_us,
            "p99_us": summary.p99_us,
            "worst_us": measured.latency.per_mille_us(1_000),
            "cpu_us_per_op": rounded(summary.cpu_us_per_op, 10),
            "max_rss_bytes": seen.max(|sample| sample.rss_bytes),
            "rss_bytes_a_second": seen.rss_slope().round(),
            "max_disk_bytes": seen.max(|sample| sample.disk_bytes),
            "disk_bytes": now.disk_bytes,
            "cut_short_by": seen.cut_short_by,
            "seconds": measured.seconds,
        }))
        // Whoever started it kills it now.
    }
}

/// The rates of the first and of the last fifth of the whole seconds.
fn first_and_last(measured: &Measured) -> (f64, f64) {
    let whole = usize::try_from(measured.window.as_secs()).unwrap_or(usize::MAX).min(measured.seconds.len());
    let (seconds, fifth) = (&measured.seconds[..whole], (whole / PARTS).max(1));
    let mean = |seconds: &[u64]| (as_f64(seconds.iter().sum()) / as_f64(seconds.len().max(1) as u64)).round();
    (mean(&seconds[..fifth.min(whole)]), mean(&seconds[whole.saturating_sub(fifth)..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_fifth_are_compared_without_a_part_of_a_second() {
        let seconds = vec![100, 100, 90, 90, 80, 80, 70, 70, 60, 50, 3];
        let measured = Measured { window: Duration::from_millis(10_040), seconds, ..Measured::default() };
        assert_eq!(first_and_last(&measured), (100.0, 55.0));
        assert_eq!(first_and_last(&Measured::default()), (0.0, 0.0));
    }
}
