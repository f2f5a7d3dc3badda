//! What was measured, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::single::Measured;
use super::slow::Running;
use crate::cli::bench::latency::Latency;
use crate::cli::bench::queue::cases::rounded;
use crate::cli::{output, units};
use crate::model::time::whole_ms;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    /// How long each of the slow ones runs.
    pub(super) run: Duration,
    /// Attempts that may run at once, in all; neither function has a limit of its own.
    pub(super) concurrency: u64,
    pub(super) queued: u64,
    pub(super) accepted_per_second: f64,
    /// What of that had not settled when measuring beside it began.
    pub(super) live_at_begin: u64,
    pub(super) live_at_end: u64,
    /// How many of the slow ones ran meanwhile.
    pub(super) running: Running,
    pub(super) alone: Measured,
    pub(super) beside: Measured,
    pub(super) max_rss_bytes: Option<u64>,
}

impl Report {
    pub(super) fn text(&self) -> String {
        let rows = [("alone", self.alone), ("beside the others", self.beside)];
        let header = ["SINGLE", "SAMPLES", "START P50", "P99", "MAX", "SETTLED P50", "P99", "MAX"];
        let singles = output::table(header, rows.map(|(name, measured)| row(name, measured)));
        let ratio = |of: fn(Latency) -> Duration| output::or_dash(self.ratio(of).map(|ratio| format!("{ratio:.1}")));
        let pairs = output::pairs([
            ("start, beside / alone", format!("p50 {}, p99 {}", ratio(|l| l.p50), ratio(|l| l.p99))),
            ("starts within a run", if self.within_a_run() { "yes" } else { "no" }.to_owned()),
            ("a slow run", format!("{} ms", self.run.as_millis())),
            ("slow runs at once", format!("{} to {} of {}", self.running.least, self.running.most, self.concurrency)),
            ("slow ones queued", format!("{} at {:.0}/s", self.queued, self.accepted_per_second)),
            ("left while measured", format!("{} to {}", self.live_at_begin, self.live_at_end)),
            ("server's memory, most", output::or_dash(self.max_rss_bytes.map(units::show_size))),
        ]);
        format!("{singles}\n\n{pairs}")
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "run_ms": whole_ms(self.run),
            "concurrency": self.concurrency,
            "queued": self.queued,
            "accepted_per_second": self.accepted_per_second,
            "live_at_begin": self.live_at_begin,
            "live_at_end": self.live_at_end,
            "slow_running": { "least": self.running.least, "most": self.running.most },
            "alone": value(self.alone),
            "beside": value(self.beside),
            "start_p50_ratio": self.ratio(|latency| latency.p50),
            "start_p99_ratio": self.ratio(|latency| latency.p99),
            "starts_within_a_run": self.within_a_run(),
            "max_rss_bytes": self.max_rss_bytes,
        })
    }

    /// How many times as long a start took beside the others; nothing where it took no time alone.
    fn ratio(&self, of: fn(Latency) -> Duration) -> Option<f64> {
        let (alone, beside) = (of(self.alone.start).as_secs_f64(), of(self.beside.start).as_secs_f64());
        (alone > 0.0).then(|| rounded(beside / alone, 10))
    }

    /// Whether none of them waited for longer than what ran takes and what one waits for alone.
    fn within_a_run(&self) -> bool {
        self.beside.start.max <= self.run + self.alone.start.max
    }
}

fn row(name: &str, measured: Measured) -> [String; 8] {
    let Measured { start, settled } = measured;
    let (ms, exact) = (
        |took: Duration| format!("{} ms", took.as_millis()),
        |took: Duration| format!("{:.2} ms", took.as_secs_f64() * 1_000.0),
    );
    [
        name.to_owned(),
        start.count.to_string(),
        ms(start.p50),
        ms(start.p99),
        ms(start.max),
        exact(settled.p50),
        exact(settled.p99),
        exact(settled.max),
    ]
}

fn value(measured: Measured) -> Value {
    let Measured { start, settled } = measured;
    let us = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    json!({
        "samples": start.count,
        "start_p50_ms": whole_ms(start.p50),
        "start_p99_ms": whole_ms(start.p99),
        "start_max_ms": whole_ms(start.max),
        "settled_p50_us": us(settled.p50),
        "settled_p99_us": us(settled.p99),
        "settled_max_us": us(settled.max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(start_ms: [u64; 3]) -> Measured {
        let [p50, p99, max] = start_ms.map(Duration::from_millis);
        let start = Latency { count: 200, p50, p99, max };
        Measured { start, settled: Latency { p50: Duration::from_micros(2_346), ..start } }
    }

    fn report(beside_max: u64) -> Report {
        Report {
            run: Duration::from_millis(200),
            concurrency: 64,
            queued: 1_000,
            accepted_per_second: 900.0,
            live_at_begin: 990,
            live_at_end: 800,
            running: Running { least: 63, most: 64 },
            alone: measured([2, 3, 5]),
            beside: measured([9, 30, beside_max]),
            max_rss_bytes: Some(64 << 20),
        }
    }

    #[test]
    fn people_get_a_table_and_the_rest_line_by_line() {
        let expected = "\
SINGLE             SAMPLES  START P50  P99    MAX    SETTLED P50  P99       MAX
alone              200      2 ms       3 ms   5 ms   2.35 ms      3.00 ms   5.00 ms
beside the others  200      9 ms       30 ms  40 ms  2.35 ms      30.00 ms  40.00 ms

start, beside / alone  p50 4.5, p99 10.0
starts within a run    yes
a slow run             200 ms
slow runs at once      63 to 64 of 64
slow ones queued       1000 at 900/s
left while measured    990 to 800
server's memory, most  64 MiB";
        assert_eq!(report(40).text(), expected);
    }

    #[test]
    fn a_start_is_within_a_run_up_to_what_it_takes_alone() {
        assert_eq!([205, 206].map(|max| report(max).json()["starts_within_a_run"] == true), [true, false]);
    }
}
