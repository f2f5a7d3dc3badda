//! Objects: what buckets and keys are called, and under which key the record of an outcome is put. Stores nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::{FunctionName, InvocationId};
use super::time::Timestamp;

/// Bytes of a key: S3's limit.
const MAX_KEY: usize = 1_024;
/// Bytes of what stands between two slashes: it is the name of a folder or a file, with some room for what a file is
/// called while it is written.
const MAX_SEGMENT: usize = 200;
/// Bytes of a prefix: with what is put behind it, it is a key.
const MAX_PREFIX: usize = 512;
/// Characters of a bucket's name, as S3 has it.
const BUCKET: std::ops::RangeInclusive<usize> = 3..=63;

/// Why a text names no object and no bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidObject {
    /// No bucket is called so.
    #[error(
        "`{0}` is not the name of a bucket: use 3 to 63 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends and none but them beside a `.`"
    )]
    Bucket(String),
    /// No object can be there.
    #[error(
        "`{text}` is not {what}: between its slashes stand letters, digits and `-_.=+@,!()`, up to {MAX_SEGMENT} bytes, and neither nothing nor `.` nor `..`; it has up to {most} bytes in all"
    )]
    Key {
        /// What it should be.
        what: &'static str,
        /// What was written.
        text: String,
        /// Bytes that it may have.
        most: usize,
    },
}

/// A bucket: a place for objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(String);

/// What an object is called in its bucket. It leads nowhere else, also as the path of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

/// Where records are put: `BUCKET`, or `BUCKET/PREFIX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectTarget {
    /// The bucket.
    pub bucket: BucketName,
    /// What their keys begin with, without the slash behind it; empty for nothing.
    prefix: String,
}

impl BucketName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ObjectKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The media type that its ending stands for.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self.0.rsplit_once('.') {
            Some((_, "json")) => "application/json",
            Some((_, "txt")) => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

impl ObjectTarget {
    /// Under which key the record of `invocation` is put: the same at every try.
    pub fn key(
        &self,
        settled: Timestamp,
        function: &FunctionName,
        invocation: InvocationId,
        content_type: &str,
    ) -> Result<ObjectKey, InvalidObject> {
        let day = settled.to_string().chars().take(10).map(|c| if c == '-' { '/' } else { c }).collect::<String>();
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("{}{slash}{day}/{function}/{invocation}.{}", self.prefix, ending(content_type)).parse()
    }
}

/// What a name ends in whose content is of this type. Records are JSON; a bare result may be anything.
fn ending(content_type: &str) -> &'static str {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "" | "application/json" => "json",
        "text/plain" => "txt",
        other if other.ends_with("+json") => "json",
        _ => "bin",
    }
}

impl FromStr for BucketName {
    type Err = InvalidObject;

    fn from_str(text: &str) -> Result<Self, InvalidObject> {
        let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_label =
            |label: &str| label.starts_with(is_end) && label.ends_with(is_end) && label.chars().all(is_inner);
        let is_one = BUCKET.contains(&text.len()) && text.split('.').all(is_label);
        if is_one { Ok(Self(text.to_owned())) } else { Err(InvalidObject::Bucket(shown(text))) }
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidObject;

    fn from_str(text: &str) -> Result<Self, InvalidObject> {
        checked("the key of an object", text, MAX_KEY).map(Self)
    }
}

impl FromStr for ObjectTarget {
    type Err = InvalidObject;

    fn from_str(text: &str) -> Result<Self, InvalidObject> {
        let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let prefix = if prefix.is_empty() { String::new() } else { checked("the prefix of keys", prefix, MAX_PREFIX)? };
        Ok(Self { bucket: bucket.parse()?, prefix })
    }
}

fn checked(what: &'static str, text: &str, most: usize) -> Result<String, InvalidObject> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.=+@,!()".contains(c);
    let is_segment = |segment: &str| {
        (1..=MAX_SEGMENT).contains(&segment.len()) && !matches!(segment, "." | "..") && segment.chars().all(is_plain)
    };
    let is_one = text.len() <= most && text.split('/').all(is_segment);
    if is_one { Ok(text.to_owned()) } else { Err(InvalidObject::Key { what, text: shown(text), most }) }
}

fn shown(text: &str) -> String {
    text[..text.floor_char_boundary(2 * BUCKET.end())].to_owned()
}

macro_rules! text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidObject;

            fn try_from(text: String) -> Result<Self, InvalidObject> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(BucketName);
text!(ObjectKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr>(text: &str, valid: bool) {
        assert_eq!(text.parse::<T>().is_ok(), valid, "{text:?}");
    }

    #[test]
    fn a_bucket_is_called_as_s3_has_it() {
        for name in ["abc", "results", "my-results.2026", "a1b", &"a".repeat(63)] {
            check::<BucketName>(name, true);
        }
        for name in ["", "ab", "..", "...", "A-b", "a_b", "-abc", "abc-", "a..b", "a.-b", "a/b", "äbc", &"a".repeat(64)]
        {
            check::<BucketName>(name, false);
        }
    }

    #[test]
    fn a_key_leads_nowhere_but_into_its_bucket() {
        for key in ["a", "2026/11/21/resize/x.json", "a=1/b+c@d,e!(f)", "Ergebnisse/größe"] {
            check::<ObjectKey>(key, true);
        }
        for key in ["", "/a", "a/", "a//b", ".", "a/../b", "a/./b", "a\\b", "a#1", "a?b", "a%2e", "a b", "a\0", "a\n"] {
            check::<ObjectKey>(key, false);
        }
        check::<ObjectKey>(&"x".repeat(MAX_SEGMENT + 1), false);
        check::<ObjectKey>(&["x"; MAX_KEY].join("/"), false);
    }

    #[test]
    fn a_record_is_put_below_the_day_it_settled_and_its_function() {
        let id = InvocationId::new(Timestamp::from_ms(0), [7; 10]);
        let settled = Timestamp::parse("2026-03-09T23:59:59.999Z").unwrap();
        let key = |target: &str, content_type: &str| {
            let target: ObjectTarget = target.parse().unwrap();
            target.key(settled, &"resize".parse().unwrap(), id, content_type).unwrap().to_string()
        };
        assert_eq!(key("results/shop/eu/", "application/json"), format!("shop/eu/2026/03/09/resize/{id}.json"));
        assert_eq!(
            key("results", "application/cloudevents+json; charset=utf-8"),
            format!("2026/03/09/resize/{id}.json")
        );
        assert_eq!(key("results/", "text/plain; charset=utf-8"), format!("2026/03/09/resize/{id}.txt"));
        assert_eq!(key("results", "image/png"), format!("2026/03/09/resize/{id}.bin"));
    }

    #[test]
    fn a_target_is_a_bucket_and_perhaps_a_prefix() {
        for target in ["results", "results/", "results/a/b"] {
            check::<ObjectTarget>(target, true);
        }
        for target in ["", "/results", "results//a", "results/../other", "Results/a"] {
            check::<ObjectTarget>(target, false);
        }
    }
}
