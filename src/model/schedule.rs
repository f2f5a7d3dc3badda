//! When a timer fires: a cron expression in a time zone, or a period. Pure; knows no clock.
//!
//! A period is `@every 90s`, `@every 1h30m`: counted from 1970, so that it means the same times wherever it is asked, and no
//! day's change of the clock moves it.
//!
//! An expression has five fields (minute, hour, day of month, month, day of week), or six with the second in front, or is a
//! name such as `@hourly`. Of a day's change of the clock the rule is that of the usual crons:
//!
//! - A time at a fixed hour and minute (`30 2 * * *`) is met once a day. Where the clock skips it, it is met at the first
//!   instant behind the gap (03:00); where the clock shows it twice, it is met the first time.
//! - Times that repeat (`*/10 * * * *`, `0 * * * *`) follow the clock on the wall: those it skips are left out, and those
//!   that it shows twice are met twice. So they stay as far apart as they are on any other day.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeZone as _};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};

use super::bounds;
use super::time::{Timestamp, parse_duration};

/// What stands in front of a period.
const EVERY: &str = "@every ";

/// A cron expression in a time zone, or a period. One that exists can be met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(String, String)", into = "(String, String)")]
pub struct Schedule {
    text: String,
    zone: Tz,
    rule: Rule,
}

/// Which times those are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// Those that an expression is met at.
    Cron(Box<Cron>),
    /// Every so many seconds, never none.
    Every(u64),
}

/// Why a schedule cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// It cannot be read.
    #[error(
        "`{text}` is not a cron expression ({why}): write minute, hour, day of month, month and day of week, such as `30 2 * * *`; a sixth field in front is the second"
    )]
    Cron {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is no period.
    #[error("`{0}` is not a period: write whole seconds, up to 366 days, such as `@every 90s` or `@every 1h30m`")]
    Every(String),
    /// No such day comes.
    #[error("the cron expression `{0}` is never met: no day has that date")]
    Never(String),
    /// It is too long.
    #[error("a cron expression has up to {most} bytes, and this one has {0}", most = bounds::MAX_CRON_BYTES)]
    TooLong(usize),
    /// There is no such time zone.
    #[error("`{0}` is not a time zone: write a name of the IANA database, such as `Europe/Berlin` or `UTC`")]
    Zone(String),
}

impl Schedule {
    /// The schedule of an expression in the time zone of that name.
    ///
    /// # Errors
    /// [`InvalidSchedule`] when either cannot be read, or no time ever meets it.
    pub fn new(text: &str, zone: &str) -> Result<Self, InvalidSchedule> {
        if text.len() > bounds::MAX_CRON_BYTES {
            return Err(InvalidSchedule::TooLong(text.len()));
        }
        let zone = zone.parse().map_err(|_| InvalidSchedule::Zone(zone.chars().take(100).collect()))?;
        let text = text.trim();
        if let Some(period) = text.strip_prefix(EVERY) {
            let rule = period_s(period).map(Rule::Every).ok_or_else(|| InvalidSchedule::Every(text.to_owned()))?;
            return Ok(Self { text: text.to_owned(), zone, rule });
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| {
            let why = error.to_string().trim_end_matches('.').to_owned();
            InvalidSchedule::Cron { text: text.to_owned(), why }
        })?;
        let schedule = Self { text: text.to_owned(), zone, rule: Rule::Cron(Box::new(cron)) };
        match schedule.after(Timestamp::from_ms(0)) {
            Some(_) => Ok(schedule),
            None => Err(InvalidSchedule::Never(schedule.text)),
        }
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name of its time zone.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// The first time behind `instant`; `None` where time as it is counted here has ended before.
    #[must_use]
    pub fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        let second = instant.as_ms() / 1_000;
        let next = match &self.rule {
            Rule::Every(period) => (second / period).checked_add(1)?.checked_mul(*period)?,
            Rule::Cron(cron) => {
                let from = self.zone.timestamp_opt(i64::try_from(second).ok()?, 0).single()?;
                let next: DateTime<Tz> = cron.find_next_occurrence(&from, false).ok()?;
                u64::try_from(next.timestamp()).ok()?
            }
        };
        next.checked_mul(1_000).map(Timestamp::from_ms)
    }

    /// A time as the clock on the wall there shows it: RFC 3339 with whole seconds and the offset.
    #[must_use]
    pub fn on_the_wall(&self, instant: Timestamp) -> String {
        let second = i64::try_from(instant.as_ms() / 1_000).ok();
        let local = second.and_then(|second| self.zone.timestamp_opt(second, 0).single());
        local.map_or_else(|| instant.to_string(), |local| local.to_rfc3339_opts(SecondsFormat::Secs, false))
    }

    /// The times behind `from`, up to `to`, in their order.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.after(from), |at| self.after(*at)).take_while(move |at| *at <= to)
    }

    /// The last `most` times behind `from`, up to `to`, in their order. Looks at little more than those.
    #[must_use]
    pub fn last_between(&self, from: Timestamp, to: Timestamp, most: usize) -> Vec<Timestamp> {
        let mut width = std::time::Duration::from_secs(most.max(1) as u64);
        loop {
            let start = from.max(to.minus(width));
            let times: Vec<_> = self.between(start, to).collect();
            if start == from || times.len() >= most {
                return times[times.len().saturating_sub(most)..].to_vec();
            }
            width *= 4;
        }
    }
}

/// The seconds of `90s`, `1h30m`.
fn period_s(text: &str) -> Option<u64> {
    let mut period = Duration::ZERO;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
        let (part, more) = rest.split_at(digits + unit);
        period = period.checked_add(parse_duration(part).ok()?)?;
        rest = more;
    }
    let whole = period.subsec_nanos() == 0 && bounds::TIMER_PERIOD_S.contains(&period.as_secs());
    whole.then_some(period.as_secs())
}

impl TryFrom<(String, String)> for Schedule {
    type Error = InvalidSchedule;

    fn try_from((text, zone): (String, String)) -> Result<Self, InvalidSchedule> {
        Self::new(&text, &zone)
    }
}

impl From<Schedule> for (String, String) {
    fn from(schedule: Schedule) -> Self {
        (schedule.text, schedule.zone.name().to_owned())
    }
}

/// `30 2 * * * Europe/Berlin`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[track_caller]
    fn check(cron: &str, zone: &str, from: &str, to: &str, expected: &[&str]) {
        let schedule = Schedule::new(cron, zone).unwrap();
        let times: Vec<_> = schedule.between(at(from), at(to)).map(|at| at.to_string()).collect();
        let expected: Vec<_> = expected.iter().map(|text| format!("2026-{text}:00.000Z")).collect();
        assert_eq!(times, expected, "{cron} {zone}");
    }

    /// In Berlin the clock goes from 02:00 to 03:00 on 2026-03-29 at 01:00Z, and from 03:00 to 02:00 on 2026-10-25 at 01:00Z.
    #[test]
    fn a_fixed_time_that_the_clock_skips_is_met_behind_the_gap_and_one_that_it_shows_twice_the_first_time() {
        let spring = ["03-28T01:30", "03-29T01:00", "03-30T00:30"];
        check("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z", &spring);
        let autumn = ["10-24T00:30", "10-25T00:30", "10-26T01:30"];
        check("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z", &autumn);
    }

    #[test]
    fn repeating_times_stay_as_far_apart_as_on_any_other_day() {
        let both = ["03-29T00:00", "03-29T00:30", "03-29T01:00", "03-29T01:30"];
        check("*/30 * * * *", "Europe/Berlin", "2026-03-28T23:59:00Z", "2026-03-29T01:30:00Z", &both);
        let both = ["10-25T00:00", "10-25T00:30", "10-25T01:00", "10-25T01:30", "10-25T02:00"];
        check("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:00Z", "2026-10-25T02:00:00Z", &both);
        // 02:00 and 02:30 are left out in spring, and come twice in autumn.
        check("*/30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z", &[]);
        let twice = ["10-25T00:00", "10-25T00:30", "10-25T01:00", "10-25T01:30"];
        check("*/30 2 * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T23:00:00Z", &twice);
    }

    #[test]
    fn a_sixth_field_is_the_second_and_the_day_of_the_week_has_names() {
        let schedule = Schedule::new("*/20 * * * * *", "UTC").unwrap();
        let times: Vec<_> = schedule.between(at("1000"), at("61000")).map(Timestamp::as_ms).collect();
        assert_eq!(times, [20_000, 40_000, 60_000]);
        let sundays = ["03-01T09:00", "03-08T09:00"];
        check("0 9 * * SUN", "UTC", "2026-02-28T00:00:00Z", "2026-03-10T00:00:00Z", &sundays);
    }

    #[track_caller]
    fn refused(cron: &str, zone: &str, part: &str) {
        let error = Schedule::new(cron, zone).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_what_was_written() {
        refused("every day", "UTC", "`every day` is not a cron expression");
        refused("* * * *", "UTC", "`* * * *`");
        refused("0 0 12 * * * 2027", "UTC", "`0 0 12 * * * 2027`");
        refused("61 * * * *", "UTC", "`61 * * * *`");
        refused("", "UTC", "``");
        refused("0 0 30 2 *", "UTC", "never met");
        refused("0 0 * * *", "Mars/Olympus", "`Mars/Olympus` is not a time zone");
        refused(&"1,".repeat(500), "UTC", "up to 256 bytes");
    }

    #[test]
    fn a_period_is_met_every_time_it_has_passed_since_1970() {
        let quarter = ["03-29T00:15", "03-29T00:30", "03-29T00:45", "03-29T01:00", "03-29T01:15"];
        check("@every 15m", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:20:00Z", &quarter);
        let schedule = Schedule::new("@every 1h30m", "UTC").unwrap();
        assert_eq!(schedule.after(at("0")), Some(at("5400000")));
        assert_eq!(schedule.after(at("5400000")), Some(at("10800000")));
        assert_eq!(Schedule::new(" @every 7s ", "UTC").unwrap().text(), "@every 7s");
        for text in ["@every ", "@every 0s", "@every 1500ms", "@every x", "@every 5", "@every 3m2", "@every 367d"] {
            refused(text, "UTC", "is not a");
        }
        refused("@every 99999999999999999999d", "UTC", "is not a period");
    }

    #[test]
    fn a_time_is_told_as_the_clock_on_the_wall_shows_it() {
        let schedule = Schedule::new("@hourly", "Europe/Berlin").unwrap();
        assert_eq!(schedule.on_the_wall(at("2026-07-01T08:00:00.250Z")), "2026-07-01T10:00:00+02:00");
        assert_eq!(Schedule::new("@hourly", "UTC").unwrap().on_the_wall(at("0")), "1970-01-01T00:00:00+00:00");
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let every = Schedule::new("@every 90s", "UTC").unwrap();
        assert_eq!(rmp_serde::from_slice::<Schedule>(&rmp_serde::to_vec(&every).unwrap()).unwrap(), every);
        let schedule = Schedule::new("30 2 * * *", "Europe/Berlin").unwrap();
        let bytes = rmp_serde::to_vec(&schedule).unwrap();
        assert_eq!(rmp_serde::from_slice::<Schedule>(&bytes).unwrap(), schedule);
        assert_eq!(schedule.to_string(), "30 2 * * * Europe/Berlin");
    }

    proptest! {
        #[test]
        fn the_last_times_are_the_end_of_all_times(
            from in 1_700_000_000u64..1_800_000_000, length in 1u64..200_000, most in 1usize..20,
            cron in prop::sample::select(vec!["*/7 * * * *", "0 3 * * *", "13 * * * * *", "0 0 29 2 *"]),
        ) {
            let schedule = Schedule::new(cron, "Europe/Berlin").unwrap();
            let (from, to) = (Timestamp::from_ms(from * 1_000), Timestamp::from_ms((from + length) * 1_000));
            let all: Vec<_> = schedule.between(from, to).collect();
            let last = schedule.last_between(from, to, most);
            prop_assert_eq!(&last[..], &all[all.len().saturating_sub(most)..]);
        }
    }
}
