//! The canonical text of a request: what both sides must write alike. The two schemes differ in how they take paths and
//! headers; what differs stands side by side here.

use std::fmt::Write as _;

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::{Request, hex};

/// How the path of a request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathRule {
    /// As it was sent, dots and doubled slashes resolved, and escaped once more.
    EscapedTwice,
    /// As it is meant, escaped.
    EscapedOnce,
    /// The same with a slash at its end.
    EndingInSlash,
}

impl PathRule {
    /// That of Signature Version 4, which for S3 takes keys as they are.
    pub(super) fn of_service(service: &str) -> Self {
        if service == "s3" { Self::EscapedOnce } else { Self::EscapedTwice }
    }

    pub(super) fn path(self, path: &str) -> String {
        match self {
            Self::EscapedTwice => escaped(resolved(path).as_bytes(), true),
            Self::EscapedOnce => escaped(&unescaped(path), true),
            Self::EndingInSlash => {
                let path = escaped(&unescaped(path), true);
                if path.ends_with('/') { path } else { path + "/" }
            }
        }
    }
}

/// The digest of the canonical request. `signed` names the headers, in order; a value that is no text or not there is the
/// `Err`, by the header's name.
pub(super) fn digest<'a>(
    request: &Request<'_>,
    rule: PathRule,
    signed: &[&'a str],
    body: &str,
) -> Result<String, &'a str> {
    let mut text = format!("{}\n{}\n{}\n", request.method, rule.path(request.path), query(request.query));
    for name in signed {
        let values = values(request.headers, name, rule).ok_or(*name)?;
        let _ = writeln!(text, "{name}:{values}"); // a String takes everything
    }
    let _ = write!(text, "\n{}\n{body}", signed.join(";"));
    Ok(hex(&Sha256::digest(text)))
}

/// What a header says, all of its lines together.
fn values(headers: &HeaderMap, name: &str, rule: PathRule) -> Option<String> {
    let mut all = Vec::new();
    for value in headers.get_all(name) {
        let value = std::str::from_utf8(value.as_bytes()).ok()?.trim();
        all.push(match rule {
            PathRule::EndingInSlash => value.to_owned(),
            PathRule::EscapedOnce | PathRule::EscapedTwice => {
                value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
            }
        });
    }
    (!all.is_empty()).then(|| all.join(","))
}

/// The pairs of a query, escaped in one way, in order.
pub(super) fn query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (escaped(&unescaped(name), false), escaped(&unescaped(value), false))
    });
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// `path` without empty segments, `.` and `..`.
fn resolved(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => (),
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

/// `bytes` as an address has them: what is neither a letter nor a digit nor one of `-_.~` as `%` and its number.
pub(crate) fn escaped(bytes: &[u8], keep_slashes: bool) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, byte| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) || (keep_slashes && *byte == b'/');
        if is_plain {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}"); // a String takes everything
        }
        text
    })
}

/// The bytes that `text` stands for. An escape that is none stays as it is.
fn unescaped(text: &str) -> Vec<u8> {
    let (bytes, mut meant, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while at < bytes.len() {
        let digit = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                meant.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            (byte, ..) => {
                meant.push(byte);
                at += 1;
            }
        }
    }
    meant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_escaped_as_its_scheme_has_it() {
        let check = |rule: PathRule, path: &str, canonical: &str| assert_eq!(rule.path(path), canonical, "{path}");
        check(PathRule::EscapedTwice, "/a%20b/./c//d/../e", "/a%2520b/c/e");
        check(PathRule::EscapedTwice, "/", "/");
        check(PathRule::EscapedTwice, "/a/", "/a/");
        check(PathRule::EscapedOnce, "/a%20b/./c//d$", "/a%20b/./c//d%24");
        check(PathRule::EndingInSlash, "/urn%3Aa/b", "/urn%3Aa/b/");
        check(PathRule::EndingInSlash, "/urn:a/b", "/urn%3Aa/b/");
    }

    #[test]
    fn a_query_is_in_order_and_escaped_in_one_way() {
        assert_eq!(query("b=2&a=x%20y&a=x!&c"), "a=x%20y&a=x%21&b=2&c=");
        assert_eq!(query("a=%2&b=%zz&c=100%"), "a=%252&b=%25zz&c=100%25");
        assert_eq!(query(""), "");
    }
}
