//! Whether a target outside the runtime is well formed: what can be told of it without looking anywhere.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use super::bounds::{self, OutOfRange, within};
use super::destination::{Format, Outside, OutsideKind, Terms};
use super::names::{AccountName, ConnectionName, StreamName, TopicName};
use super::object::ObjectTarget;

/// Why a target outside the runtime is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// It is of a kind that no connection leads to.
    #[error("`{0}` takes no connection: queues, streams and objects do")]
    Connection(String),
    /// Only objects are deleted by age.
    #[error("`{0}` takes no `expires_days`: objects do")]
    Expiry(String),
    /// It is not what its kind takes.
    #[error("`{target}` is no target: {why}")]
    Malformed {
        /// What was written.
        target: String,
        /// What is wrong with it, and what to write.
        why: String,
    },
    /// A number is out of its range.
    #[error(transparent)]
    Range(OutOfRange),
}

/// The text is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format: use `record`, `payload`, `cloudevent` or `cloudevent-binary`")]
pub struct InvalidFormat(String);

impl FromStr for Format {
    type Err = InvalidFormat;

    fn from_str(text: &str) -> Result<Self, InvalidFormat> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == text);
        found.ok_or_else(|| InvalidFormat(text.chars().take(100).collect()))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Terms {
    /// Checks what goes for every destination, those that are functions too (`outside` is `None` then).
    pub fn check(&self, outside: Option<&Outside>) -> Result<(), InvalidTarget> {
        let kind = outside.map(|outside| outside.kind);
        let told = || outside.map_or_else(|| "function:…".to_owned(), shown);
        within("expires_days", self.expires_days, &bounds::EXPIRES_DAYS).map_err(InvalidTarget::Range)?;
        let connectable = matches!(kind, Some(OutsideKind::Object | OutsideKind::Queue | OutsideKind::Stream));
        if self.connection.is_some() && !connectable {
            return Err(InvalidTarget::Connection(told()));
        }
        if self.expires_days > 0 && kind != Some(OutsideKind::Object) {
            return Err(InvalidTarget::Expiry(told()));
        }
        Ok(())
    }
}

impl Outside {
    /// Checks that its target is what its kind takes.
    pub fn check(&self, terms: &Terms) -> Result<(), InvalidTarget> {
        let malformed = |why: String| InvalidTarget::Malformed { target: shown(self), why };
        terms.check(Some(self))?;
        if self.target.len() > bounds::MAX_TARGET_BYTES {
            return Err(malformed(format!("it is longer than {} bytes", bounds::MAX_TARGET_BYTES)));
        }
        if self.target.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(malformed("it has blanks or control characters".to_owned()));
        }
        let name = |result: Result<(), super::names::InvalidName>| result.map_err(|error| error.to_string());
        let well_formed = match (self.kind, &terms.connection) {
            (OutsideKind::Webhook, _) => url(&self.target),
            (OutsideKind::Object, _) => object(&self.target),
            (OutsideKind::Queue, None) => queue(&self.target),
            (OutsideKind::Stream, None) => name(self.target.parse::<StreamName>().map(drop)),
            (OutsideKind::Topic, _) => name(self.target.parse::<TopicName>().map(drop)),
            (OutsideKind::Queue | OutsideKind::Stream, Some(_)) => Ok(()), // what it is called there is theirs
        };
        well_formed.map_err(malformed)
    }
}

/// An address that requests can be sent to.
fn url(text: &str) -> Result<(), String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}; write `https://HOST/PATH`"))?;
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err("write `https://HOST/PATH`".to_owned());
    }
    if authority.contains('@') {
        return Err("a user and a password have no place in it: requests are signed".to_owned());
    }
    if uri.port_u16().is_none() && uri.host() != Some(authority) {
        return Err("write `https://HOST/PATH`, with a port up to 65535 if need be".to_owned());
    }
    Ok(())
}

/// `BUCKET` or `BUCKET/PREFIX`.
fn object(text: &str) -> Result<(), String> {
    text.parse::<ObjectTarget>().map(drop).map_err(|error| error.to_string())
}

/// A name as SQS has them.
fn queue(text: &str) -> Result<(), String> {
    let name = text.strip_suffix(".fifo").unwrap_or(text);
    let valid =
        !name.is_empty() && text.len() <= 80 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if valid {
        return Ok(());
    }
    Err("a queue's name has 1 to 80 letters, digits, `-` and `_`, and may end in `.fifo`".to_owned())
}

fn shown(outside: &Outside) -> String {
    outside.to_string().chars().take(200).collect()
}

/// Reads terms as the command line has them: `format=payload,connection=NAME,expires-days=7,service-account=NAME`.
impl FromStr for Terms {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut terms = Self::default();
        let told = |text: &str| text.chars().take(100).collect::<String>();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("`{}` has no `=`", told(part)))?;
            match key {
                "format" => terms.format = value.parse().map_err(|error: InvalidFormat| error.to_string())?,
                "service-account" => {
                    terms.service_account = Some(value.parse::<AccountName>().map_err(|error| error.to_string())?);
                }
                "connection" => {
                    terms.connection = Some(value.parse::<ConnectionName>().map_err(|error| error.to_string())?);
                }
                "expires-days" => {
                    terms.expires_days =
                        value.parse().map_err(|_| format!("`{}` is no number of days", told(value)))?;
                }
                _ => {
                    let known = "`format`, `service-account`, `connection` and `expires-days`";
                    return Err(format!("`{}` is none of {known}", told(key)));
                }
            }
        }
        Ok(terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::destination::DestinationText;

    fn outside(text: &str) -> Outside {
        match text.parse() {
            Ok(DestinationText::Outside(outside)) => outside,
            other => panic!("{text} is {other:?}"),
        }
    }

    #[track_caller]
    fn check(texts: &[&str], terms: &str, part: Option<&str>) {
        for text in texts {
            let told = outside(text).check(&terms.parse().unwrap()).err().map(|error| error.to_string());
            match (&told, part) {
                (None, None) => (),
                (Some(told), Some(part)) => assert!(told.contains(part), "{text}: {told}"),
                _ => panic!("{text} with `{terms}`: {told:?}"),
            }
        }
    }

    #[test]
    fn what_each_kind_takes_is_accepted() {
        check(&["https://a.example/x?y=1", "http://10.0.0.1:81", "https://[::1]/"], "format=cloudevent-binary", None);
        check(&["object:abc", "object:my.bucket/a/b", "object:my-bucket/a/"], "expires-days=365", None);
        check(&["queue:jobs", "queue:Jobs_1-x.fifo", "stream:s", "topic:t"], "format=payload", None);
        check(&["queue:https://sqs.example/1/q", "stream:orders.>", "object:abc/x"], "connection=c", None);
    }

    #[test]
    fn what_is_malformed_is_refused_with_what_to_write() {
        check(&["https://", "https:///x", "http://a.example:99999/"], "", Some("is no target"));
        check(&["https://user:pw@a.example/"], "", Some("a user and a password"));
        check(
            &["object:Ab", "object:ab", "object:-abc", "object:a..b", "object:/etc"],
            "",
            Some("not the name of a bucket"),
        );
        check(&["object:abc/../x", "object:abc//x", "object:abc/./x"], "", Some("not the prefix of keys"));
        check(&["queue:a.b", "queue:a/b", "queue:.fifo"], "", Some("a queue's name"));
        check(&["stream:a/b", "topic:9"], "", Some("is not a name of a"));
        check(&["https://a.example/x y"], "", Some("blanks"));
        check(&["https://a.example/", "topic:t"], "connection=c", Some("takes no connection"));
        check(&["queue:q"], "expires-days=1", Some("objects do"));
        check(&["object:abc"], "expires-days=366", Some("expires_days is 366"));
    }

    #[test]
    fn terms_are_read_as_they_are_typed_and_what_is_none_is_named() {
        let terms: Terms = "format=payload,service-account=bot".parse().unwrap();
        assert_eq!((terms.format, terms.service_account.unwrap().as_str()), (Format::Payload, "bot"));
        for (text, part) in [("format=xml", "`xml`"), ("colour=red", "`colour`"), ("format", "no `=`")] {
            assert!(text.parse::<Terms>().unwrap_err().contains(part));
        }
    }
}
