//! What is seen of the server from outside while it is asked for too much, and afterwards until it rests.

use std::time::Duration;

use rustix::process::Pid;
use serde::Serialize;
use tokio::time::Instant;

use super::counters::Counters;
use crate::cli::bench::load::as_f64;
use crate::cli::bench::memory;
use crate::cli::bench::metrics::Metrics;
use crate::cli::bench::queue::cases::rate;
use crate::cli::bench::trend::{is_flat, slope};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::model::time::whole_ms;

/// How often it is looked, at most and at least; in between it is a part of the time.
const EVERY: Duration = Duration::from_secs(10);
const EVERY_LEAST: Duration = Duration::from_millis(100);
const PARTS: u32 = 30;
/// How often it is looked whether what waits has become less.
const POLL: Duration = Duration::from_millis(50);
/// The first and the last samples that are compared: fifths.
const FIFTHS: usize = 5;

/// What was seen at one instant.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Sample {
    at_ms: u64,
    pub(super) rss_bytes: u64,
    /// What had not settled.
    pub(super) live: u64,
    oldest_s: f64,
    settled: u64,
    /// Whether what was accepted was live or had settled.
    pub(super) sound: bool,
}

/// What was seen over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(pub(super) Vec<Sample>);

/// Looks for so long.
pub(super) async fn watch(client: &Client, server: Option<Pid>, time: Duration) -> Result<Seen, Error> {
    let (began, every) = (Instant::now(), (time / PARTS).clamp(EVERY_LEAST, EVERY));
    let mut seen = Seen::default();
    while began.elapsed() < time {
        let next = Instant::now() + every;
        seen.0.push(sample(client, server, began).await?);
        tokio::time::sleep_until(next.min(began + time)).await;
    }
    Ok(seen)
}

async fn sample(client: &Client, server: Option<Pid>, began: Instant) -> Result<Sample, Error> {
    let metrics = Metrics::read(client).await?;
    let counters = Counters::of(&metrics);
    Ok(Sample {
        at_ms: whole_ms(began.elapsed()),
        rss_bytes: memory::resident(server).await.unwrap_or_default(),
        live: counters.live,
        oldest_s: metrics.most("tidemill_queue_oldest_due_age_seconds"),
        settled: counters.settled(),
        sound: counters.are_sound(),
    })
}

/// Waits until no more than `rest` are live, and returns how long that took and how many settled a second meanwhile.
pub(super) async fn drained(client: &Client, rest: u64, patience: Duration) -> Result<(Duration, f64), Error> {
    let began = Instant::now();
    let first = Counters::of(&Metrics::read(client).await?);
    loop {
        let now = Counters::of(&Metrics::read(client).await?);
        let took = began.elapsed();
        if now.live <= rest {
            return Ok((took, rate(now.settled().saturating_sub(first.settled()), took)));
        }
        if took > patience {
            return Err(Error::Broken(format!("{} still wait after {} s", now.live, patience.as_secs())));
        }
        tokio::time::sleep(POLL).await;
    }
}

impl Seen {
    pub(super) fn most(&self, of: impl Fn(&Sample) -> u64) -> u64 {
        self.0.iter().map(of).max().unwrap_or_default()
    }

    pub(super) fn oldest_s(&self) -> f64 {
        self.0.iter().map(|sample| sample.oldest_s).fold(0.0, f64::max)
    }

    /// How many settled a second.
    pub(super) fn settled_per_second(&self) -> f64 {
        let ends = self.0.first().zip(self.0.last());
        ends.map_or(0.0, |(first, last)| {
            rate(last.settled.saturating_sub(first.settled), Duration::from_millis(last.at_ms - first.at_ms))
        })
    }

    /// The mean memory of the first and of the last fifth.
    pub(super) fn rss_fifths(&self) -> [u64; 2] {
        let fifth = (self.0.len() / FIFTHS).max(1).min(self.0.len());
        let mean = |samples: &[Sample]| {
            let sum: u64 = samples.iter().map(|sample| sample.rss_bytes).sum();
            sum.checked_div(samples.len() as u64).unwrap_or_default()
        };
        [mean(&self.0[..fifth]), mean(&self.0[self.0.len() - fifth..])]
    }

    /// Bytes by which memory grew a second, over the last half.
    pub(super) fn rss_slope(&self) -> f64 {
        let half = &self.0[self.0.len() / 2..];
        let points = half.iter().map(|sample| (as_f64(sample.at_ms) / 1_000.0, as_f64(sample.rss_bytes)));
        slope(&points.collect::<Vec<_>>())
    }

    pub(super) fn rss_is_flat(&self) -> bool {
        is_flat(&self.0.iter().map(|sample| sample.rss_bytes).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_fifth_of_the_memory_are_compared() {
        let sample = |at_ms, rss_bytes| Sample { at_ms, rss_bytes, settled: at_ms, ..Sample::default() };
        let rising = Seen((0..10).map(|n| sample(n * 1_000, 100 + n)).collect());
        assert_eq!((rising.rss_fifths(), rising.most(|sample| sample.rss_bytes)), ([100, 108], 109));
        assert!((rising.rss_slope() - 1.0).abs() < 1e-9 && rising.rss_is_flat());
        assert!((rising.settled_per_second() - 1_000.0).abs() < 1e-9);
        assert_eq!((Seen::default().rss_fifths(), Seen::default().rss_is_flat()), ([0, 0], true));
    }
}
