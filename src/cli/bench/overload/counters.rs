//! The server's own counts against one another and against what was answered. Pure.

use serde::Serialize;

use crate::cli::bench::metrics::Metrics;
use crate::model::outcome::OutcomeKind;

/// What the server has counted, of all functions together.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Counters {
    pub(super) accepted: u64,
    pub(super) live: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) expired: u64,
    pub(super) cancelled: u64,
    /// By how much the server found its counts to be off when it counted again.
    pub(super) drift: u64,
}

impl Counters {
    pub(super) fn of(metrics: &Metrics) -> Self {
        let settled = |kind: OutcomeKind| {
            let label = format!("outcome=\"{}\"", kind.as_str());
            metrics.count_with("tidemill_invocations_settled_total", &label)
        };
        Self {
            accepted: metrics.count("tidemill_invocations_accepted_total"),
            live: metrics.count("tidemill_invocations_live"),
            succeeded: settled(OutcomeKind::Succeeded),
            failed: settled(OutcomeKind::Failed),
            expired: settled(OutcomeKind::Expired),
            cancelled: settled(OutcomeKind::Cancelled),
            drift: metrics.count("tidemill_counts_drift"),
        }
    }

    pub(super) const fn settled(&self) -> u64 {
        self.succeeded + self.failed + self.expired + self.cancelled
    }

    /// Whether what was accepted is live or has settled.
    pub(super) const fn are_sound(&self) -> bool {
        self.accepted == self.live + self.settled()
    }

    /// What is wrong with them, when `answered` were answered with 202 and `unanswered` not at all: a sentence each.
    pub(super) fn wrong(&self, answered: u64, unanswered: u64) -> Vec<String> {
        let Self { accepted, live, drift, .. } = *self;
        let (settled, mut wrong) = (self.settled(), Vec::new());
        if !(answered..=answered + unanswered).contains(&accepted) {
            wrong.push(format!("{answered} were answered with 202, and {accepted} were accepted"));
        }
        if !self.are_sound() {
            wrong.push(format!("{accepted} were accepted, {live} are live and {settled} have settled"));
        }
        if self.succeeded < settled {
            wrong.push(format!("{} did not succeed, of a function that always does", settled - self.succeeded));
        }
        if drift > 0 {
            wrong.push(format!("the server found its counts to be off by {drift}"));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: Counters =
        Counters { accepted: 10, live: 0, succeeded: 10, failed: 0, expired: 0, cancelled: 0, drift: 0 };

    #[track_caller]
    fn check(counters: Counters, unanswered: u64, expected: &[&str]) {
        assert_eq!(counters.wrong(10, unanswered), expected);
    }

    #[test]
    fn what_does_not_add_up_is_told_in_a_sentence_each() {
        check(RIGHT, 0, &[]);
        check(Counters { accepted: 11, live: 1, ..RIGHT }, 0, &["10 were answered with 202, and 11 were accepted"]);
        check(Counters { accepted: 11, live: 1, ..RIGHT }, 1, &[]);
        check(Counters { live: 1, ..RIGHT }, 0, &["10 were accepted, 1 are live and 10 have settled"]);
        let expired = Counters { succeeded: 8, expired: 2, ..RIGHT };
        check(expired, 0, &["2 did not succeed, of a function that always does"]);
        check(Counters { drift: 3, ..RIGHT }, 0, &["the server found its counts to be off by 3"]);
    }
}
