//! Secrets: as they are kept, sealed; as they are used, in the clear and shown to nobody; and how they are taken out of
//! what a function writes. Seals and opens nothing.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::names::{Namespace, SecretName};
use super::time::Timestamp;

/// A secret as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Whose.
    pub namespace: Namespace,
    /// Its name there.
    pub name: SecretName,
    /// When it was first set.
    pub created: Timestamp,
    /// When it was set last.
    pub updated: Timestamp,
    /// Its value, which only the key opens.
    pub sealed: Sealed,
}

/// Bytes that only a key opens. Text in records and exports: base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A secret's value in the clear. Overwritten in memory when it is dropped, and shown by nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

/// The bytes cannot be a secret: they become an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret is text (UTF-8) of 1 to {} bytes without NUL characters: encode other bytes, as base64 for example",
    super::bounds::MAX_SECRET_BYTES
)]
pub struct InvalidSecret;

impl SecretValue {
    /// The value, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for SecretValue {
    type Error = InvalidSecret;

    fn try_from(bytes: Vec<u8>) -> Result<Self, InvalidSecret> {
        let is_one = (1..=super::bounds::MAX_SECRET_BYTES).contains(&bytes.len()) && !bytes.contains(&0);
        match String::from_utf8(bytes) {
            Ok(text) if is_one => Ok(Self(Zeroizing::new(text))),
            Ok(text) => {
                drop(Zeroizing::new(text));
                Err(InvalidSecret)
            }
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                Err(InvalidSecret)
            }
        }
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// The secrets that an attempt has, each under its environment variable. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Entrusted(Arc<Vec<Entrust>>);

/// One of them.
#[derive(Clone, Debug)]
pub struct Entrust {
    /// Where the attempt finds it.
    pub variable: String,
    /// What it is called.
    pub name: SecretName,
    /// What it is.
    pub value: SecretValue,
}

/// Shorter values are not looked for: nearly every text has them.
const LEAST_REDACTED: usize = 4;

impl Entrusted {
    /// These.
    #[must_use]
    pub fn new(mut all: Vec<Entrust>) -> Self {
        // The longest first: one that is the beginning of another must not leave the rest of that.
        all.sort_by_key(|one| std::cmp::Reverse(one.value.expose().len()));
        Self(Arc::new(all))
    }

    /// Variables and values.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|one| (one.variable.as_str(), one.value.expose()))
    }

    /// Puts `[secret NAME]` in place of each value. Where the text was cut at its end, what stands there may be the
    /// beginning of one, and gives way too.
    #[must_use]
    pub fn redacted(&self, text: Vec<u8>, is_cut: bool) -> Vec<u8> {
        let sought = || self.0.iter().filter(|one| one.value.expose().len() >= LEAST_REDACTED);
        if sought().next().is_none() {
            return text;
        }
        let mut shown = Vec::with_capacity(text.len());
        let mut rest = &text[..];
        while let Some((first, behind)) = rest.split_first() {
            let whole = sought().find(|one| rest.starts_with(one.value.expose().as_bytes()));
            let begun = || sought().find(|one| one.value.expose().as_bytes().starts_with(rest));
            if let Some(one) = whole {
                shown.extend_from_slice(format!("[secret {}]", one.name).as_bytes());
                rest = &rest[one.value.expose().len()..];
            } else if let Some(one) = Some(()).filter(|()| is_cut).and_then(|()| begun()) {
                shown.extend_from_slice(format!("[secret {}]", one.name).as_bytes());
                rest = &[];
            } else {
                shown.push(*first);
                rest = behind;
            }
        }
        shown
    }

    /// The same for a message, which is text.
    #[must_use]
    pub fn redacted_text(&self, text: String, is_cut: bool) -> String {
        if self.0.is_empty() {
            return text;
        }
        // Values are whole characters, so what is left is text again; but for a cut, where it may end within one.
        String::from_utf8_lossy(&self.redacted(text.into_bytes(), is_cut)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrusted(all: &[(&str, &str)]) -> Entrusted {
        let one = |(name, value): &(&str, &str)| Entrust {
            variable: name.to_ascii_uppercase(),
            name: name.parse().unwrap(),
            value: value.as_bytes().to_vec().try_into().unwrap(),
        };
        Entrusted::new(all.iter().map(one).collect())
    }

    #[track_caller]
    fn check(secrets: &[(&str, &str)], text: &str, is_cut: bool, expected: &str) {
        assert_eq!(entrusted(secrets).redacted_text(text.to_owned(), is_cut), expected, "{text}");
    }

    #[test]
    fn each_occurrence_gives_way_to_the_name() {
        check(&[("a", "hunter2")], "hunter2, xhunter2hunter2y", false, "[secret a], x[secret a][secret a]y");
        check(&[("a", "line\nline")], "a line\nline\n", false, "a [secret a]\n");
        check(&[("a", "abcd"), ("b", "abcdef")], "abcdef abcd", false, "[secret b] [secret a]");
        check(&[("a", "schlüssel")], "der schlüssel!", false, "der [secret a]!");
        check(&[("a", "hunter2")], "nothing of the kind: hunter", false, "nothing of the kind: hunter");
    }

    #[test]
    fn a_value_shorter_than_four_bytes_is_not_looked_for() {
        check(&[("a", "abc")], "abc abcabc", true, "abc abcabc");
    }

    #[test]
    fn the_beginning_of_a_value_at_a_cut_end_gives_way_too() {
        check(&[("a", "hunter2")], "it is hunt", true, "it is [secret a]");
        check(&[("a", "hunter2")], "it is hunt", false, "it is hunt");
        check(&[("a", "hunter2")], "hunter2 hunte", true, "[secret a] [secret a]");
    }

    #[test]
    fn a_value_is_text_and_is_shown_by_nothing() {
        for bytes in [vec![], vec![0xff], b"a\0b".to_vec(), vec![b'x'; super::super::bounds::MAX_SECRET_BYTES + 1]] {
            assert!(SecretValue::try_from(bytes).is_err());
        }
        let shown = format!("{:?}", entrusted(&[("a", "hunter2")]));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
