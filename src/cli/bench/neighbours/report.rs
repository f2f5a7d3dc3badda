//! What was measured, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::clients::{Counts, Measured};
use crate::cli::bench::memory::Memory;
use crate::cli::output;
use crate::cli::units;

/// What was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) seconds: u64,
    pub(super) alone: Measured,
    pub(super) beside: Measured,
    /// How the invocations of each hostile function ended.
    pub(super) neighbours: BTreeMap<&'static str, Counts>,
    pub(super) memory: Memory,
}

impl Report {
    pub(super) fn text(&self) -> String {
        let echo = output::table(
            ["ECHO", "INVOCATIONS", "RATE", "P50", "P99", "MAX", "FAILED"],
            [("alone", &self.alone), ("beside the others", &self.beside)].map(|(name, measured)| row(name, measured)),
        );
        let neighbours = output::table(
            ["NEIGHBOUR", "ENDED AS", "TIMES"],
            self.neighbours.iter().flat_map(|(name, counts)| {
                counts.iter().map(|(end, count)| [(*name).to_owned(), end.clone(), count.to_string()])
            }),
        );
        let memory = |bytes: Option<u64>| output::or_dash(bytes.map(units::show_size));
        let memory = output::table(
            ["SERVER'S MEMORY", "BEFORE", "PEAK"],
            [["resident".to_owned(), memory(self.memory.before), memory(self.memory.peak)]],
        );
        format!("{echo}\n\n{neighbours}\n\n{memory}")
    }

    pub(super) fn json(&self) -> String {
        let neighbours: Vec<_> =
            self.neighbours.iter().map(|(name, ends)| json!({"function": name, "ends": ends})).collect();
        json!({
            "seconds": self.seconds,
            "alone": value(&self.alone),
            "beside": value(&self.beside),
            "neighbours": neighbours,
            "memory": { "before_bytes": self.memory.before, "peak_bytes": self.memory.peak },
        })
        .to_string()
    }
}

fn row(name: &str, measured: &Measured) -> [String; 7] {
    let latency = &measured.latency;
    [
        name.to_owned(),
        latency.count.to_string(),
        format!("{:.0}/s", rate(measured)),
        show(latency.p50),
        show(latency.p99),
        show(latency.max),
        measured.failures.values().sum::<u64>().to_string(),
    ]
}

fn value(measured: &Measured) -> Value {
    let latency = &measured.latency;
    let us = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    json!({
        "invocations": latency.count,
        "per_second": rate(measured).round(),
        "p50_us": us(latency.p50),
        "p99_us": us(latency.p99),
        "max_us": us(latency.max),
        "failures": measured.failures,
    })
}

fn rate(measured: &Measured) -> f64 {
    let count = u32::try_from(measured.latency.count).unwrap_or(u32::MAX);
    f64::from(count) / measured.duration.as_secs_f64()
}

fn show(took: Duration) -> String {
    format!("{:.2} ms", took.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::latency::Latency;

    fn measured(count: usize) -> Measured {
        let ms = Duration::from_millis;
        Measured {
            duration: Duration::from_secs(2),
            latency: Latency { count, p50: Duration::from_micros(1_234), p99: ms(5), max: ms(60) },
            failures: Counts::new(),
        }
    }

    fn report() -> Report {
        let counts = Counts::from([("timeout".to_owned(), 8)]);
        Report {
            seconds: 2,
            alone: measured(1_000),
            beside: Measured { failures: Counts::from([("overloaded".to_owned(), 3)]), ..measured(500) },
            neighbours: BTreeMap::from([("spin", counts)]),
            memory: Memory { before: Some(64 << 20), peak: None },
        }
    }

    #[test]
    fn people_get_tables() {
        let expected = "\
ECHO               INVOCATIONS  RATE   P50      P99      MAX       FAILED
alone              1000         500/s  1.23 ms  5.00 ms  60.00 ms  0
beside the others  500          250/s  1.23 ms  5.00 ms  60.00 ms  3

NEIGHBOUR  ENDED AS  TIMES
spin       timeout   8

SERVER'S MEMORY  BEFORE  PEAK
resident         64 MiB  -";
        assert_eq!(report().text(), expected);
    }

    #[test]
    fn programs_get_json_with_units_in_the_names() {
        let json: Value = serde_json::from_str(&report().json()).unwrap();
        assert_eq!(json["alone"]["p50_us"], 1_234);
        assert_eq!(json["beside"]["failures"]["overloaded"], 3);
        assert_eq!(json["neighbours"][0]["ends"]["timeout"], 8);
        assert_eq!(json["memory"]["before_bytes"], 64 << 20);
    }
}
