//! When somebody who turned a request away wants it again.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use crate::model::time::Timestamp;

/// How long to wait by `Retry-After`: so many seconds, or until a time. That is told by the clock of whoever answered, so it
/// is its `Date` that counts from; `now` is what stands for one that is missing.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let told = text(RETRY_AFTER)?;
    if let Ok(seconds) = told.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let answered = text(DATE).and_then(Timestamp::parse_http_date).unwrap_or(now);
    Timestamp::parse_http_date(told).map(|at| at.since(answered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(retry_after: &str, date: Option<&str>, seconds: Option<u64>) {
        let mut headers: HeaderMap = [(RETRY_AFTER, retry_after.parse().unwrap())].into_iter().collect();
        headers.extend(date.map(|date| (DATE, date.parse().unwrap())));
        let now = Timestamp::parse("2026-11-22T03:00:00Z").unwrap();
        assert_eq!(super::retry_after(&headers, now), seconds.map(Duration::from_secs), "{retry_after} {date:?}");
    }

    #[test]
    fn it_is_so_many_seconds_or_until_a_time_by_the_clock_of_whoever_says_so() {
        check("120", None, Some(120));
        check(" 7 ", Some("nonsense"), Some(7));
        check("Sun, 22 Nov 2026 03:00:30 GMT", None, Some(30));
        check("Sun, 22 Nov 2026 03:00:30 GMT", Some("nonsense"), Some(30));
        check("Sun, 22 Nov 2026 05:00:30 GMT", Some("Sun, 22 Nov 2026 05:00:20 GMT"), Some(10));
        check("Sun, 22 Nov 2026 02:00:00 GMT", None, Some(0));
        for nonsense in ["", "soon", "-1", "1.5", "Sun, 22 Nov 2026 03:00:30 +0100", "2026-11-22T03:00:30Z"] {
            check(nonsense, None, None);
        }
    }
}
