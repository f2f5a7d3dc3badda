//! How much is kept of settled invocations, as one types and reads it: `age=1h,count=1000,bytes=64MiB`.

use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::figures::Keep;
use super::units;

/// How much is kept, as it is typed and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct KeepText {
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// The text does not say how much to keep.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` does not say how much to keep: write some of `age=1h`, `count=1000` and `bytes=64MiB`, with commas")]
pub(super) struct InvalidKeep(String);

impl FromStr for KeepText {
    type Err = InvalidKeep;

    fn from_str(text: &str) -> Result<Self, InvalidKeep> {
        let invalid = || InvalidKeep(text.to_owned());
        let mut keep = Self::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or_else(invalid)?;
            let (place, value) = match name {
                "age" => (&mut keep.age_s, units::duration(value).ok().and_then(whole_seconds)),
                "count" => (&mut keep.count, value.parse().ok()),
                "bytes" => (&mut keep.bytes, units::size(value).ok()),
                _ => return Err(invalid()),
            };
            let value = value.ok_or_else(invalid)?;
            if place.replace(value).is_some() {
                return Err(invalid());
            }
        }
        Ok(keep)
    }
}

fn whole_seconds(age: Duration) -> Option<u64> {
    (age.subsec_nanos() == 0).then_some(age.as_secs())
}

/// How much is kept, in the form that is typed.
pub(super) fn keep(keep: &Keep) -> String {
    let parts = [
        keep.age_s.map(|age| format!("age={}", units::show_duration(age.saturating_mul(1_000)))),
        keep.count.map(|count| format!("count={count}")),
        keep.bytes.map(|bytes| format!("bytes={bytes}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_say_how_much_to_keep_is_not_sent() {
        for text in
            ["", "1h", "age=1500ms", "age=soon", "count=-1", "bytes=1MB", "count=1,count=2", "size=1", "count=1,"]
        {
            assert!(text.parse::<KeepText>().is_err(), "{text}");
        }
    }
}
