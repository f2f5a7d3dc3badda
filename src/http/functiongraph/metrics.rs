//! `F/slareports/{period}`, `F/statistics/{period}`: how often a function ran in the last minutes, how long that took, and
//! what failed. Reckoned from the records that are kept, so what retention has removed is not in them; of what is turned
//! away, and of instances that are reserved, there are no records, and none are made up.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Answer;
use super::error::{Code, FssError};
use super::history::walk;
use super::json::ok;
use super::kept;
use super::request::Call;
use crate::model::invocation::{Attempt, Invocation};
use crate::model::names::{Qualifier, VersionNumber};
use crate::model::outcome::{FailureKind, Outcome};
use crate::model::time::{Timestamp, whole_us};
use crate::runtime::Filter;

/// Minutes that can be asked for: as far back as records can be kept.
const PERIOD: std::ops::RangeInclusive<u64> = 1..=30 * 24 * 60;
/// Points of a list: a longer period has wider ones.
const MAX_POINTS: u64 = 60;
/// Milliseconds of a minute.
const MINUTE: u64 = 60_000;

/// What happened between one point and the next.
#[derive(Clone, Debug, Default, PartialEq)]
struct Point {
    count: u64,
    failed: u64,
    by_function: u64,
    by_system: u64,
    ran: u64,
    total_us: u64,
    least_us: Option<u64>,
    most_us: u64,
    most_at_once: u64,
}

/// The points of a period.
struct Points {
    width: u64,
    from: u64,
    until: u64,
    by_time: BTreeMap<u64, Point>,
    /// When attempts began (+1) and ended (-1).
    changes: Vec<(u64, i64)>,
}

pub(super) async fn show(call: &Call) -> Answer {
    let points = measured(call).await?;
    let mut lists = points.lists();
    lists.insert("instance_num".to_owned(), points.list(|point| Some(value(point.most_at_once))));
    Ok(ok(&lists))
}

pub(super) async fn statistics(call: &Call) -> Answer {
    Ok(ok(&measured(call).await?.lists()))
}

async fn measured(call: &Call) -> Result<Points, FssError> {
    let text = call.last();
    let period = text.parse().ok().filter(|period| PERIOD.contains(period)).ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        let message = format!("the period is `{shown}`: send {} to {} minutes", PERIOD.start(), PERIOD.end());
        FssError::new(Code::QUERY, message)
    })?;
    let urn = call.urn()?;
    let version = match kept::qualifier(&call.runtime, urn)? {
        Qualifier::Latest => None,
        qualifier => Some(call.runtime.describe(&urn.path, &qualifier)?.version.number),
    };
    let mut points = Points::new(call.runtime.now(), period);
    let since = Some(Timestamp::from_ms(points.from));
    let filter = Filter { function: Some(urn.path.clone()), since, ..Filter::default() };
    walk(call, filter, |invocation| points.add(invocation, version)).await?;
    points.count_what_ran_at_once();
    Ok(points)
}

impl Points {
    /// The last `minutes`, the one that has begun included.
    fn new(now: Timestamp, minutes: u64) -> Self {
        let width = minutes.div_ceil(MAX_POINTS) * MINUTE;
        let until = now.as_ms() / width * width;
        let count = (minutes * MINUTE).div_ceil(width);
        let from = until.saturating_sub((count - 1) * width);
        let points = (from..=until).step_by(usize::try_from(width).unwrap_or(usize::MAX));
        Self { width, from, until, by_time: points.map(|at| (at, Point::default())).collect(), changes: Vec::new() }
    }

    fn add(&mut self, invocation: &Invocation, version: Option<VersionNumber>) {
        if version.is_some_and(|version| invocation.target.version != Some(version)) {
            return;
        }
        if let Some(point) = self.at(invocation.accepted) {
            point.count += 1;
            point.add_outcome(invocation);
        }
        for attempt in &invocation.attempts {
            self.add_attempt(attempt);
        }
    }

    fn add_attempt(&mut self, attempt: &Attempt) {
        let Some(end) = &attempt.end else {
            self.changes.push((attempt.started.as_ms(), 1));
            return;
        };
        // What begins and ends in the same millisecond was there, too.
        self.changes.push((attempt.started.as_ms(), 1));
        self.changes.push((end.at.as_ms() + 1, -1));
        let us = end.usage.map_or_else(|| whole_us(end.at.since(attempt.started)), |usage| usage.ran_us);
        if let Some(point) = self.at(end.at) {
            point.ran += 1;
            point.total_us += us;
            point.least_us = Some(point.least_us.map_or(us, |least| least.min(us)));
            point.most_us = point.most_us.max(us);
        }
    }

    fn at(&mut self, at: Timestamp) -> Option<&mut Point> {
        let start = at.as_ms() / self.width * self.width;
        self.by_time.get_mut(&start)
    }

    fn count_what_ran_at_once(&mut self) {
        self.changes.sort_unstable();
        let mut changes = self.changes.iter().peekable();
        let mut running = 0_i64;
        for (start, point) in &mut self.by_time {
            let end = start + self.width;
            while let Some((_, change)) = changes.next_if(|(at, _)| at < start) {
                running += change;
            }
            let mut most = running;
            while let Some((_, change)) = changes.next_if(|(at, _)| *at < end) {
                running += change;
                most = most.max(running);
            }
            point.most_at_once = u64::try_from(most).unwrap_or(0);
        }
    }

    fn lists(&self) -> Map<String, Value> {
        let mut lists = Map::new();
        let mut put = |name: &str, of: &dyn Fn(&Point) -> Option<Value>| {
            lists.insert(name.to_owned(), self.list(of));
        };
        put("count", &|point| Some(value(point.count)));
        put("fail_count", &|point| Some(value(point.failed)));
        put("function_error_count", &|point| Some(value(point.by_function)));
        put("system_error_count", &|point| Some(value(point.by_system)));
        put("duration", &|point| point.total_us.checked_div(point.ran).map(milliseconds));
        put("max_duration", &|point| point.least_us.map(|_| milliseconds(point.most_us)));
        put("min_duration", &|point| point.least_us.map(milliseconds));
        put("concurrency_num", &|point| Some(value(point.most_at_once)));
        put("reject_count", &|_| None);
        put("reserved_instance_num", &|_| None);
        lists
    }

    /// One value of each point that has it. Times are in milliseconds.
    fn list(&self, of: impl Fn(&Point) -> Option<Value>) -> Value {
        let points = self.by_time.range(self.from..=self.until);
        points.filter_map(|(at, point)| Some(json!({ "timestamp": at, "value": of(point)? }))).collect()
    }
}

impl Point {
    fn add_outcome(&mut self, invocation: &Invocation) {
        let Some((Outcome::Failed(_) | Outcome::Expired, _)) = invocation.outcome() else { return };
        self.failed += 1;
        let of = match invocation.last_failure().map(|failure| failure.kind) {
            Some(FailureKind::AccessDenied | FailureKind::Interrupted | FailureKind::Load) | None => {
                &mut self.by_system
            }
            Some(_) => &mut self.by_function,
        };
        *of += 1;
    }
}

fn value(count: u64) -> Value {
    count.into()
}

#[expect(clippy::cast_precision_loss, reason = "a duration of a run: far below 2^52")]
fn milliseconds(us: u64) -> Value {
    (us as f64 / 1_000.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::invocation::AttemptEnd;
    use std::num::NonZeroU32;

    fn attempt(from: u64, to: Option<u64>) -> Attempt {
        let end = |at| AttemptEnd { at: Timestamp::from_ms(at), failure: None, retry_at: None, usage: None };
        Attempt { number: NonZeroU32::MIN, started: Timestamp::from_ms(from), end: to.map(end) }
    }

    #[test]
    fn a_period_has_a_point_for_each_minute_or_sixty_wider_ones() {
        let now = Timestamp::from_ms(100 * MINUTE + 1);
        let points = Points::new(now, 3);
        assert_eq!(points.by_time.keys().copied().collect::<Vec<_>>(), [98, 99, 100].map(|at| at * MINUTE));
        let points = Points::new(Timestamp::from_ms(100_000 * MINUTE), 24 * 60);
        assert_eq!((points.by_time.len(), points.width), (60, 24 * MINUTE));
    }

    #[test]
    fn what_runs_at_once_is_counted_over_the_edges_of_points() {
        let mut points = Points::new(Timestamp::from_ms(3 * MINUTE), 3);
        for attempt in [
            attempt(MINUTE + 1, Some(2 * MINUTE + 5)),
            attempt(2 * MINUTE, Some(2 * MINUTE + 1)),
            attempt(2 * MINUTE + 6, None),
        ] {
            points.add_attempt(&attempt);
        }
        points.count_what_ran_at_once();
        let most: Vec<_> = points.by_time.values().map(|point| point.most_at_once).collect();
        assert_eq!(most, [1, 2, 1]);
        let durations = points.list(|point| point.least_us.map(milliseconds));
        assert_eq!(durations, json!([{ "timestamp": 2 * MINUTE, "value": 1.0 }]));
    }
}
