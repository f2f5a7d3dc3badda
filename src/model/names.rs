//! Names and identities: what may be called what, and how ids are made.
//!
//! A name that exists is valid: the only way to get one is to parse it. Ids are made from a time and random
//! bytes that the caller brings, or derived from other ids; nothing here draws a number of its own.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::time::Timestamp;

/// Longest name: the 63 characters of a DNS label.
const MAX_NAME: usize = 63;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: use {rule}")]
pub struct InvalidName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

/// The rule of most names, in words: that of [`is_label`] where the first character is a letter.
const LABEL: &str = "1 to 63 letters, digits, `-` and `_`, starting with a letter and not ending in `-` or `_`";

/// Declares a name type: text that has passed `valid`, whose rule is told in words.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:expr, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                let refused = |text| InvalidName { what: $what, text: shortened(text), rule: $rule };
                if valid(&text) { Ok(Self(text)) } else { Err(refused(text)) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                text.to_owned().try_into()
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

name! {
    /// The owner of names: a project, a folder, a team.
    Namespace, "namespace",
    "1 to 63 letters, digits, `-` and `_`, starting with a letter or a digit and not ending in `-` or `_`",
    |text| is_label(text, char::is_ascii_alphanumeric)
}
name! {
    /// A function's name in its namespace: `[A-Za-z]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?`, behind that of its package and a
    /// dot where it is in one (`shop.resize`): a group as FunctionGraph has them.
    FunctionName, "function name",
    "1 to 63 letters, digits, `-` and `_`, starting with a letter and not ending in `-` or `_`; in a package other than \
     `default`, the package's name, which is of the same form, and a dot in front",
    |text| match text.split_once('.') {
        Some((package, name)) => package != DEFAULT_PACKAGE && is_name(package) && is_name(name),
        None => is_name(text),
    }
}
name! {
    /// A movable name for a version. `latest` is taken: it always is the newest version.
    AliasName, "name of an alias",
    "1 to 63 letters, digits, `-` and `_`, starting with a letter and not ending in `-` or `_`, and not `latest`",
    |text| is_label(text, char::is_ascii_alphabetic) && text != LATEST
}

name! {
    /// A key-value store of a namespace.
    StoreName, "name of a store", LABEL, |text| is_label(text, char::is_ascii_alphabetic)
}
name! {
    /// A secret of a namespace.
    SecretName, "name of a secret", LABEL, |text| is_label(text, char::is_ascii_alphabetic)
}

name! {
    /// A service account of a namespace.
    AccountName, "name of a service account", LABEL, |text| is_label(text, char::is_ascii_alphabetic)
}
name! {
    /// A connection of a namespace: how to reach a service outside the runtime.
    ConnectionName, "name of a connection", LABEL, |text| is_label(text, char::is_ascii_alphabetic)
}
name! {
    /// A stream of a namespace.
    StreamName, "name of a stream", LABEL, |text| is_label(text, char::is_ascii_alphabetic)
}
name! {
    /// A topic of a namespace.
    TopicName, "name of a topic", LABEL, |text| is_label(text, char::is_ascii_alphabetic)
}
name! {
    /// A trigger of a namespace.
    TriggerName, "name of a trigger", LABEL, |text| is_label(text, char::is_ascii_alphabetic)
}

const LATEST: &str = "latest";

/// The package of functions that name none.
pub const DEFAULT_PACKAGE: &str = "default";

fn is_name(text: &str) -> bool {
    is_label(text, char::is_ascii_alphabetic)
}

impl FunctionName {
    /// The name of a function in a package; [`DEFAULT_PACKAGE`] adds nothing to it.
    ///
    /// # Errors
    /// [`InvalidName`] where either is none.
    pub fn in_package(package: &str, name: &str) -> Result<Self, InvalidName> {
        match package {
            _ if name.contains('.') => Err(InvalidName {
                what: "name of a function in its package",
                text: shortened(name.to_owned()),
                rule: LABEL,
            }),
            DEFAULT_PACKAGE => name.parse(),
            _ => format!("{package}.{name}").parse(),
        }
    }

    /// The package that it is in.
    #[must_use]
    pub fn package(&self) -> &str {
        self.0.split_once('.').map_or(DEFAULT_PACKAGE, |(package, _)| package)
    }

    /// The name without its package.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.split_once('.').map_or(&*self.0, |(_, name)| name)
    }
}

fn is_label(text: &str, first: fn(&char) -> bool) -> bool {
    text.len() <= MAX_NAME
        && text.chars().next().is_some_and(|c| first(&c))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// Error messages repeat what was sent, but not a megabyte of it.
fn shortened(mut text: String) -> String {
    if text.len() > 2 * MAX_NAME {
        text.truncate(text.floor_char_boundary(2 * MAX_NAME));
        text.push('…');
    }
    text
}

impl Default for Namespace {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

/// The number of a version, from 1; numbers of a function are never used twice.
pub type VersionNumber = NonZeroU32;

/// Which version of a function is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Qualifier {
    /// The newest.
    #[default]
    Latest,
    /// This one.
    Version(VersionNumber),
    /// The one that the alias names at that moment.
    Alias(AliasName),
}

impl FromStr for Qualifier {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.parse::<VersionNumber>() {
            _ if text == LATEST => Ok(Self::Latest),
            Ok(number) => Ok(Self::Version(number)),
            Err(_) => text.parse().map(Self::Alias),
        }
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str(LATEST),
            Self::Version(number) => number.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
        }
    }
}

/// A function's full name. Shown without the namespace where that is the default one: `thumbnail`, `shop/thumbnail`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FunctionPath {
    /// Whose function it is.
    pub namespace: Namespace,
    /// Its name there.
    pub name: FunctionName,
}

impl FunctionPath {
    /// The URN of one version, in the form that FunctionGraph clients know:
    /// `urn:fss:local:NAMESPACE:function:PACKAGE:NAME:VERSION`.
    #[must_use]
    pub fn urn(&self, version: &impl fmt::Display) -> String {
        let (package, name) = (self.name.package(), self.name.base());
        format!("urn:fss:local:{}:function:{package}:{name}:{version}", self.namespace)
    }
}

impl fmt::Display for FunctionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != Namespace::default() {
            write!(f, "{}/", self.namespace)?;
        }
        self.name.fmt(f)
    }
}

/// Declares an id type over a UUID.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id (UUIDv7): `now` orders it, `random` makes it unique.
            #[must_use]
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(now.as_ms(), &random).into_uuid())
            }

            /// The id whose sixteen bytes these are, as the store's keys hold them.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes of the id.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId(shortened(text.to_owned())))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

/// The text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id: ids are UUIDs such as `0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77`")]
pub struct InvalidId(String);

id! {
    /// A function's identity: stays when its name changes, and is never used again.
    FunctionId
}
id! {
    /// A service account's identity.
    AccountId
}
id! {
    /// An invocation's identity.
    InvocationId
}

id! {
    /// A trigger's identity: stays when it is changed, and is never used again.
    TriggerId
}

impl InvocationId {
    /// The id of what a trigger starts because of `cause` (UUIDv5): the same each time it is computed, so that a time or a
    /// message that is taken up again cannot start anything twice.
    #[must_use]
    pub fn of_trigger(trigger: TriggerId, cause: &[u8]) -> Self {
        Self(Uuid::new_v5(&trigger.0, cause))
    }

    /// When the id was made, where it says so (UUIDv7): one that is derived does not.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        let mut ms = [0; 8];
        ms[2..].copy_from_slice(&self.as_bytes()[..6]);
        (self.0.get_version_num() == 7).then_some(Timestamp::from_ms(u64::from_be_bytes(ms)))
    }

    /// The id of what follows from this invocation along `edge` (UUIDv5): the same each time it is
    /// computed, so that a commit which is repeated cannot cause the next invocation twice.
    #[must_use]
    pub fn next(&self, edge: Edge) -> Self {
        Self(Uuid::new_v5(&self.0, edge.as_str().as_bytes()))
    }
}

/// A way out of a function: which of its two destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Edge {
    /// Taken when the invocation succeeded.
    OnSuccess,
    /// Taken when it ended in any other way.
    OnFailure,
}

impl Edge {
    /// `on_success` or `on_failure`, as in the configuration. Part of derived ids, so it never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnSuccess => "on_success",
            Self::OnFailure => "on_failure",
        }
    }
}

/// SHA-256 of a module's bytes: which code a version runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest whose bytes these are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, valid: bool) {
        assert_eq!(text.parse::<FunctionName>().is_ok(), valid, "{text:?}");
    }

    #[test]
    fn a_function_name_starts_with_a_letter_and_ends_with_a_letter_or_digit() {
        check("a", true);
        check("resize-image_2", true);
        check(&"a".repeat(63), true);
        check("", false);
        check("2fast", false);
        check("a-", false);
        check("_a", false);
        check("a b", false);
        check("ä", false);
        check("a/../b", false);
        check("shop.resize", true);
        check("default.resize", false);
        check(".resize", false);
        check("shop.", false);
        check("a.b.c", false);
        check(&"a".repeat(64), false);
    }

    #[test]
    fn a_function_in_a_package_says_so_in_its_urn() {
        let urn = |package: &str, name: &str| {
            let name = FunctionName::in_package(package, name).unwrap();
            FunctionPath { namespace: Namespace::default(), name }.urn(&Qualifier::Latest)
        };
        assert_eq!(urn("default", "a"), "urn:fss:local:default:function:default:a:latest");
        assert_eq!(urn("shop", "a"), "urn:fss:local:default:function:shop:a:latest");
        assert!(FunctionName::in_package("default", "b.a").is_err());
        assert!(FunctionName::in_package("9", "a").is_err());
    }

    #[test]
    fn latest_is_a_qualifier_and_cannot_be_an_alias() {
        assert_eq!("latest".parse(), Ok(Qualifier::Latest));
        assert_eq!("7".parse(), Ok(Qualifier::Version(VersionNumber::new(7).unwrap())));
        assert!(matches!("prod".parse(), Ok(Qualifier::Alias(_))));
        assert!("latest".parse::<AliasName>().is_err());
        assert!("0".parse::<Qualifier>().is_err());
    }

    #[test]
    fn what_follows_has_the_same_id_each_time_and_another_for_each_edge() {
        let parent = InvocationId::new(Timestamp::from_ms(1), [7; 10]);
        assert_eq!(parent.next(Edge::OnSuccess), parent.next(Edge::OnSuccess));
        assert_ne!(parent.next(Edge::OnSuccess), parent.next(Edge::OnFailure));
    }

    #[test]
    fn a_refused_name_comes_with_the_rule_of_its_kind() {
        let told = |error: InvalidName| error.to_string();
        let namespace = told("_a".parse::<Namespace>().unwrap_err());
        assert!(namespace.contains("starting with a letter or a digit"), "{namespace}");
        let function = told("a.b.c".parse::<FunctionName>().unwrap_err());
        assert!(function.contains("in a package other than `default`"), "{function}");
        let alias = told("latest".parse::<AliasName>().unwrap_err());
        assert!(alias.ends_with("and not `latest`"), "{alias}");
        let topic = told("2nd".parse::<TopicName>().unwrap_err());
        assert_eq!(topic, format!("`2nd` is not a name of a topic: use {LABEL}"));
    }

    #[test]
    fn a_refused_name_is_repeated_in_the_message_but_not_all_of_a_long_one() {
        let error = "x".repeat(10_000).parse::<FunctionName>().unwrap_err();
        assert!(error.to_string().len() < 400);
    }
}
