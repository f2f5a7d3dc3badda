//! Instants as the store keeps them and people read them. Knows no clock: [`crate::clock`] makes them.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::macros::format_description;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(u64);

/// The end of the year 9999: what comes later has no text in RFC 3339.
const LAST_WRITTEN_MS: u64 = 253_402_300_799_999;

impl Timestamp {
    /// The instant `ms` milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it (a clock may be set back).
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `age` before this instant, not before 1970.
    #[must_use]
    pub fn minus(self, age: Duration) -> Self {
        Self(self.0.saturating_sub(whole_ms(age)))
    }

    /// Reads RFC 3339 text such as `2026-11-21T09:00:00Z`, or plain milliseconds since 1970.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] when the text is neither, before 1970, or after the year 9999.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let invalid = || InvalidTimestamp(text.chars().take(50).collect());
        if let Ok(ms) = text.parse() {
            return if ms <= LAST_WRITTEN_MS { Ok(Self(ms)) } else { Err(invalid()) };
        }
        let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid())?;
        let ms = instant.unix_timestamp_nanos() / 1_000_000;
        u64::try_from(ms).map(Self).map_err(|_| invalid())
    }
}

impl Timestamp {
    /// Reads a time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`. The two older forms are not read: whoever sends one
    /// has not been looked at for thirty years.
    #[must_use]
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let is_of_form = text.len() == 29 && text.ends_with(" GMT");
        let instant = OffsetDateTime::parse(text, &Rfc2822).ok().filter(|_| is_of_form)?;
        u64::try_from(instant.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }
}

/// When an invocation is to run, as its caller asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum When {
    /// As soon as its turn comes.
    #[default]
    Now,
    /// Not before so much time has passed.
    After(Duration),
    /// Not before then. A time that is past is now.
    At(Timestamp),
}

impl When {
    /// When that is, asked at `now`.
    #[must_use]
    pub fn due(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::After(delay) => now + delay,
            Self::At(at) => at.max(now),
        }
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_ms(duration)))
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-21T09:00:00.000Z`, the form of the destinations' record.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let nanos = i128::from(self.0) * 1_000_000;
        match OffsetDateTime::from_unix_timestamp_nanos(nanos).map(|at| at.format(&form)) {
            Ok(Ok(text)) => f.write_str(&text),
            _ => write!(f, "{} ms", self.0), // nobody asked for one beyond LAST_WRITTEN_MS
        }
    }
}

/// The text is no instant this program can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time: use RFC 3339 such as `2026-11-21T09:00:00Z`, or milliseconds since 1970, up to the year 9999"
)]
pub struct InvalidTimestamp(String);

/// `duration` in whole milliseconds, as the store and the API count.
#[must_use]
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `duration` in whole microseconds.
#[must_use]
pub fn whole_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time: write for example `500ms`, `30s`, `10m`, `2h` or `1d`")]
pub struct InvalidDuration(String);

/// Reads a length of time such as `500ms`, `30s`, `10m`, `2h`, `1d`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration(text.chars().take(50).collect());
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(invalid()),
    };
    let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms));
    ms.map(Duration::from_millis).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_as_rfc_3339_with_milliseconds_and_read_back() {
        let at = Timestamp::from_ms(1_597_924_800_123);
        assert_eq!(at.to_string(), "2020-08-20T12:00:00.123Z");
        assert_eq!(Timestamp::parse("2020-08-20T12:00:00.123Z"), Ok(at));
        assert_eq!(Timestamp::parse("1597924800123"), Ok(at));
        let last = Timestamp::parse("253402300799999").unwrap();
        assert_eq!(Timestamp::parse(&last.to_string()), Ok(last));
        assert!(Timestamp::parse("253402300800000").is_err(), "there is no such text");
    }

    #[test]
    fn a_length_of_time_has_a_number_and_a_unit_or_is_in_seconds() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("1d"), Ok(Duration::from_secs(86_400)));
        for text in ["", "s", "-1s", "1w", "1.5s", "99999999999999999999s", "99999999999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_text_in_the_message() {
        let error = Timestamp::parse("yesterday").unwrap_err();
        assert!(error.to_string().contains("`yesterday`"));
        assert!(Timestamp::parse("1969-12-31T00:00:00Z").is_err());
    }
}
