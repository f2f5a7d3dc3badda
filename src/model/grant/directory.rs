//! Directories of the machine that a version sees, and how they are written: `/data/in:/in` to read,
//! `/data/out:/out:rw` to write as well.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A directory that a version sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DirectoryGrant {
    host: String,
    guest: String,
    writable: bool,
}

/// The text grants no directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` grants no directory: {reason}; write `/on/the/machine:/in/the/guest`, with `:rw` where it may write")]
pub struct InvalidDirectoryGrant {
    text: String,
    reason: &'static str,
}

const MAX_BYTES: usize = 1_024;

impl DirectoryGrant {
    /// The directory on the machine, absolute.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What the guest calls it, absolute.
    #[must_use]
    pub fn guest(&self) -> &str {
        &self.guest
    }

    /// Whether the guest would find both under one name.
    #[must_use]
    pub fn is_where(&self, other: &Self) -> bool {
        let parts = |grant: &'_ Self| -> Vec<String> {
            grant.guest.split('/').filter(|part| !matches!(*part, "" | ".")).map(ToOwned::to_owned).collect()
        };
        parts(self) == parts(other)
    }

    /// Whether the guest may change what is in it.
    #[must_use]
    pub const fn writable(&self) -> bool {
        self.writable
    }
}

impl FromStr for DirectoryGrant {
    type Err = InvalidDirectoryGrant;

    fn from_str(text: &str) -> Result<Self, InvalidDirectoryGrant> {
        let invalid = |reason| InvalidDirectoryGrant { text: text.chars().take(100).collect(), reason };
        if text.len() > MAX_BYTES {
            return Err(invalid("it is too long"));
        }
        let (rest, writable) = match text.rsplit_once(':') {
            Some((rest, "rw")) => (rest, true),
            Some((rest, "ro")) => (rest, false),
            _ => (text, false),
        };
        let (host, guest) = rest.rsplit_once(':').ok_or_else(|| invalid("it does not say what the guest calls it"))?;
        for path in [host, guest] {
            if !path.starts_with('/') || path.contains('\0') || path.split('/').any(|part| part == "..") {
                return Err(invalid("both paths are absolute, without `..`"));
            }
        }
        Ok(Self { host: host.to_owned(), guest: guest.to_owned(), writable })
    }
}

impl fmt::Display for DirectoryGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}", self.host, self.guest, if self.writable { ":rw" } else { "" })
    }
}

as_text!(DirectoryGrant, InvalidDirectoryGrant);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_only_unless_it_says_otherwise() {
        let grant: DirectoryGrant = "/data/in:/in".parse().unwrap();
        assert_eq!((grant.host(), grant.guest(), grant.writable()), ("/data/in", "/in", false));
        let grant: DirectoryGrant = "/data/a:b:/out:rw".parse().unwrap();
        assert_eq!((grant.host(), grant.guest(), grant.writable()), ("/data/a:b", "/out", true));
        assert_eq!(grant.to_string(), "/data/a:b:/out:rw");
        assert!("/data/in:/in:ro".parse::<DirectoryGrant>().is_ok_and(|grant| !grant.writable()));
    }

    #[test]
    fn two_directories_are_in_one_place_however_that_is_written() {
        let grant = |text: &str| text.parse::<DirectoryGrant>().unwrap();
        assert!(grant("/a:/in").is_where(&grant("/b:/in/./:rw")) && grant("/a:/").is_where(&grant("/b://")));
        assert!(!grant("/a:/in").is_where(&grant("/a:/in/side")) && !grant("/a:/in").is_where(&grant("/a:/inside")));
    }

    #[test]
    fn paths_are_absolute_and_do_not_climb() {
        for text in ["/data", "data:/in", "/data:in", "/data/../etc:/in", "/data:/in/..", "/a\0:/b"] {
            assert!(text.parse::<DirectoryGrant>().is_err(), "{text}");
        }
    }
}
