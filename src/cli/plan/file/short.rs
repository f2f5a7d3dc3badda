//! What has a short form: a text or a number that stands for a table. Nothing else of the file is here.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cli::plan::words::text_or_table;
use crate::model::destination::Format;

/// A role that an account has: on its namespace, unless something else is named.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli::plan) struct Role {
    pub(in crate::cli::plan) role: String,
    pub(in crate::cli::plan) on: Option<String>,
}

/// The name of a secret, in a form that a key pasted in its place does not have.
#[derive(Debug, Serialize)]
pub(in crate::cli::plan) struct Secret {
    pub(in crate::cli::plan) secret: String,
}

/// Where outcomes go; `"queue:jobs"` is short for `{ to = "queue:jobs" }`.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::plan) struct Destination {
    pub(in crate::cli::plan) to: String,
    pub(in crate::cli::plan) format: Option<String>,
    pub(in crate::cli::plan) service_account: Option<String>,
    pub(in crate::cli::plan) connection: Option<String>,
    pub(in crate::cli::plan) expires_days: Option<u16>,
}

/// Which version an alias names; `3` is short for `{ version = 3 }`.
#[derive(Debug)]
pub(in crate::cli::plan) struct Alias {
    /// `None` for the newest one when the file is applied.
    pub(in crate::cli::plan) version: Option<u32>,
    /// Percent of its calls that go to other versions.
    pub(in crate::cli::plan) weights: BTreeMap<String, u8>,
}

/// The table that a destination is short for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeDestination {
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_days: Option<u16>,
}

impl From<String> for WholeDestination {
    fn from(to: String) -> Self {
        Self { to, format: None, service_account: None, connection: None, expires_days: None }
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a destination such as \"queue:jobs\", or a table with `to`";
        let WholeDestination { to, format, service_account, connection, expires_days } =
            text_or_table(deserializer, expected)?;
        let format = format.filter(|format| format != Format::Record.as_str());
        let expires_days = expires_days.filter(|days| *days > 0);
        Ok(Self { to, format, service_account, connection, expires_days })
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { to, format, service_account, connection, expires_days } = self.clone();
        if format.is_none() && service_account.is_none() && connection.is_none() && expires_days.is_none() {
            return serializer.serialize_str(&to);
        }
        WholeDestination { to, format, service_account, connection, expires_days }.serialize(serializer)
    }
}

/// The table that a role is short for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeRole {
    role: String,
    on: Option<String>,
}

impl From<String> for WholeRole {
    fn from(role: String) -> Self {
        Self { role, on: None }
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a role such as \"functions.invoker\", or a table with `role` and `on`";
        let WholeRole { role, on } = text_or_table(deserializer, expected)?;
        Ok(Self { role, on })
    }
}

/// The one form of a secret. What else stands there may be the key itself, so it is not repeated.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write `{ secret = \"NAME\" }`: the name of a secret, and not the key itself")]
enum SecretText {
    Named(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || Error::custom("write `{ secret = \"NAME\" }`: the name of a secret, and no key");
        let SecretText::Named(mut members) = SecretText::deserialize(deserializer)?;
        let name = members.remove("secret").filter(|_| members.is_empty()).ok_or_else(wrong)?;
        Ok(Self { secret: name })
    }
}

/// The table that the number of a version is short for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeAlias {
    version: Number,
    #[serde(default)]
    weights: BTreeMap<String, u8>,
}

/// The number of a version, or `latest`, which is none.
struct Number(Option<u32>);

struct OfAlias;

impl<'de> Visitor<'de> for OfAlias {
    type Value = Alias;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of a version, \"latest\", or a table with `version` and `weights`")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Alias, E> {
        let number = u32::try_from(number).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| E::custom("versions are numbered from 1"))?;
        Ok(Alias { version: Some(number), weights: BTreeMap::new() })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Alias, E> {
        if text == "latest" {
            return Ok(Alias { version: None, weights: BTreeMap::new() });
        }
        Err(E::custom(format!("`{text}` is no version: write its number, or \"latest\"")))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Alias, A::Error> {
        let WholeAlias { version: Number(version), weights } =
            WholeAlias::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Alias { version, weights })
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Alias::deserialize(deserializer).map(|alias| Self(alias.version))
    }
}

impl<'de> Deserialize<'de> for Alias {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfAlias)
    }
}
