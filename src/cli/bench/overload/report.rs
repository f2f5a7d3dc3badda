//! What was measured, for people and for programs, and what of it breaks a promise.

use std::time::Duration;

use serde_json::{Value, json};

use super::counters::Counters;
use super::offer::Tally;
use super::watch::Seen;
use crate::cli::bench::queue::cases::rate;
use crate::cli::{output, units};
use crate::model::time::whole_ms;

/// What was measured.
#[derive(Clone, Debug)]
pub(super) struct Report {
    /// How many times what it can do was offered, and for how long.
    pub(super) times: u32,
    pub(super) time: Duration,
    /// What it can do in a second.
    pub(super) capacity: f64,
    /// How many were accepted before anything was offered.
    pub(super) before: u64,
    pub(super) tally: Tally,
    pub(super) seen: Seen,
    pub(super) max_rss_bytes: Option<u64>,
    /// How long it took until all had settled.
    pub(super) drained: Duration,
    /// After that.
    pub(super) counters: Counters,
}

impl Report {
    /// What breaks a promise: a sentence each.
    pub(super) fn wrong(&self) -> Vec<String> {
        let Tally { errors, error, unexplained, .. } = &self.tally;
        let mut wrong = self.counters_wrong();
        let others = self.tally.others(&[202, 429]);
        if others > 0 {
            wrong.push(format!("{others} were answered with neither 202 nor 429: {:?}", self.tally.statuses));
        }
        if *errors > 0 {
            wrong.push(format!("{errors} had no answer: {}", error.as_deref().unwrap_or_default()));
        }
        if *unexplained > 0 {
            wrong.push(format!("{unexplained} of the 429s name no limit, or do not say when to come again"));
        }
        wrong
    }

    fn counters_wrong(&self) -> Vec<String> {
        let mut wrong = self.counters.wrong(self.before + self.tally.of(202), self.tally.errors);
        let unsound = self.seen.0.iter().filter(|sample| !sample.sound).count();
        if unsound > 0 {
            wrong.push(format!("{unsound} times something accepted was neither live nor settled"));
        }
        wrong
    }

    pub(super) fn text(&self) -> String {
        let Self { times, time, capacity, tally, seen, counters, .. } = self;
        let [first, last] = seen.rss_fifths().map(units::show_size);
        let most = output::or_dash(self.max_rss_bytes.map(units::show_size));
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let (answered, [p50, p99]) = (tally.answered(), self.answer_us());
        output::pairs([
            ("capacity", format!("{capacity:.0}/s")),
            ("offered", format!("{answered} in {} s, {:.1} of {times} times", time.as_secs(), self.reached())),
            ("202", tally.of(202).to_string()),
            ("429", tally.of(429).to_string()),
            ("507", tally.of(507).to_string()),
            ("other", tally.others(&[202, 429, 507]).to_string()),
            ("no answer", tally.errors.to_string()),
            ("a 429 says", output::or_dash(tally.refusal.clone())),
            ("connections ended", tally.closed.to_string()),
            ("answers", format!("p50 {p50} us, p99 {p99} us")),
            ("settled meanwhile", format!("{:.0}/s", seen.settled_per_second())),
            (
                "queue, most",
                format!("{}, the oldest due for {:.1} s", seen.most(|sample| sample.live), seen.oldest_s()),
            ),
            ("memory", format!("first fifth {first}, last fifth {last}, most {most}")),
            ("memory, slope", format!("{:.0} bytes/s", seen.rss_slope())),
            ("memory is flat", yes(seen.rss_is_flat())),
            ("settled afterwards", format!("in {} ms", self.drained.as_millis())),
            (
                "counters",
                format!("{} accepted, {} settled, drift {}", counters.accepted, counters.settled(), counters.drift),
            ),
            ("counters are right", yes(self.counters_wrong().is_empty())),
        ])
    }

    pub(super) fn json(&self) -> Value {
        let Self { times, time, capacity, tally, seen, .. } = self;
        let ([first, last], [p50, p99]) = (seen.rss_fifths(), self.answer_us());
        json!({
            "times": times,
            "for_ms": whole_ms(*time),
            "capacity_per_second": capacity,
            "offered_per_second": self.offered_per_second(),
            "answered": tally.answered(),
            "answered_202": tally.of(202),
            "answered_429": tally.of(429),
            "answered_507": tally.of(507),
            "answered_other": tally.others(&[202, 429, 507]),
            "unanswered": tally.errors,
            "unexplained_429": tally.unexplained,
            "refusal": tally.refusal,
            "connections_ended": tally.closed,
            "answer_p50_us": p50,
            "answer_p99_us": p99,
            "settled_per_second": seen.settled_per_second(),
            "max_live": seen.most(|sample| sample.live),
            "max_oldest_s": seen.oldest_s(),
            "rss_first_fifth_bytes": first,
            "rss_last_fifth_bytes": last,
            "max_rss_bytes": self.max_rss_bytes,
            "rss_bytes_a_second": seen.rss_slope().round(),
            "rss_is_flat": seen.rss_is_flat(),
            "drained_ms": whole_ms(self.drained),
            "accepted_before": self.before,
            "counters": self.counters,
            "counters_are_right": self.counters_wrong().is_empty(),
            "wrong": self.wrong(),
            "samples": seen.0,
        })
    }

    /// How many were really sent a second: the clients are on the same machine, and may not keep up.
    fn offered_per_second(&self) -> f64 {
        rate(self.tally.answered() + self.tally.errors, self.time)
    }

    /// How many times what it can do that was.
    fn reached(&self) -> f64 {
        self.offered_per_second() / self.capacity
    }

    fn answer_us(&self) -> [u64; 2] {
        [500, 990].map(|per_mille| self.tally.latency.per_mille_us(per_mille))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::overload::watch::Sample;

    fn report() -> Report {
        let mut sample = Sample::default();
        (sample.rss_bytes, sample.live, sample.sound) = (64 << 20, 2_000, true);
        let refusal = "the limit is 2000".to_owned();
        Report {
            times: 10,
            time: Duration::from_secs(60),
            capacity: 100.0,
            before: 5,
            tally: Tally { statuses: [(202, 6_000), (429, 51_000)].into(), refusal: Some(refusal), ..Tally::default() },
            seen: Seen(vec![sample; 2]),
            max_rss_bytes: Some(65 << 20),
            drained: Duration::from_millis(1_500),
            counters: Counters { accepted: 6_005, succeeded: 6_005, ..Counters::default() },
        }
    }

    #[test]
    fn people_are_told_line_by_line() {
        let expected = "\
capacity            100/s
offered             57000 in 60 s, 9.5 of 10 times
202                 6000
429                 51000
507                 0
other               0
no answer           0
a 429 says          the limit is 2000
connections ended   0
answers             p50 0 us, p99 0 us
settled meanwhile   0/s
queue, most         2000, the oldest due for 0.0 s
memory              first fifth 64 MiB, last fifth 64 MiB, most 65 MiB
memory, slope       0 bytes/s
memory is flat      yes
settled afterwards  in 1500 ms
counters            6005 accepted, 6005 settled, drift 0
counters are right  yes";
        assert_eq!(report().text(), expected);
        assert!(report().wrong().is_empty());
    }

    #[test]
    fn what_is_neither_202_nor_429_and_a_refusal_without_a_reason_break_a_promise() {
        let mut report = report();
        report.tally.statuses.insert(507, 1);
        report.tally.unexplained = 2;
        report.seen.0[0].sound = false;
        let wrong = report.wrong().join("\n");
        for part in ["1 times something accepted was neither", "1 were answered with neither", "2 of the 429s"] {
            assert!(wrong.contains(part), "{wrong}");
        }
        assert!(report.counters.wrong(6_005, 0).is_empty() && report.json()["counters_are_right"] == false);
    }
}
