//! The file as it is written: one struct for each kind of table, with what is absent at its default. Reads no disk and
//! knows no server; what the words mean together is `desired`'s to find out.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Spanned;

use super::words::{Size, Time, text_or_table};
use crate::messaging::streams::StreamSettings;
use crate::model::bounds;
use crate::model::destination::Format;
use crate::model::function::Space;
use crate::model::message_queue::QueueSettings;
use crate::model::time::whole_ms;

/// Tables by their names, which know where in the file they stand.
pub(super) type Named<T> = BTreeMap<Spanned<String>, T>;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) namespace: Option<Spanned<String>>,
    pub(super) accounts: Option<Named<Account>>,
    pub(super) connections: Named<Connection>,
    pub(super) streams: Named<Stream>,
    pub(super) queues: Named<Queue>,
    pub(super) topics: Named<Topic>,
    pub(super) functions: Named<Function>,
    pub(super) containers: Named<Function>,
    pub(super) triggers: Named<Trigger>,
}

/// A service account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Account {
    pub(super) roles: Vec<Role>,
}

/// A role that an account has: on its namespace, unless something else is named.
#[derive(Debug, Default, Serialize)]
pub(super) struct Role {
    pub(super) role: String,
    pub(super) on: Option<String>,
}

/// A way to a service outside. Which keys are needed is decided by `kind`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path_style: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session_token: Option<Secret>,
}

/// The name of a secret, in a form that a key pasted in its place does not have.
#[derive(Debug, Serialize)]
pub(super) struct Secret {
    pub(super) secret: String,
}

/// A stream.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Stream {
    pub(super) retention: Time,
    pub(super) max_bytes: Size,
}

/// A message queue.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Queue {
    pub(super) visibility: Time,
    pub(super) delay: Time,
    pub(super) retention: Time,
    pub(super) wait: Time,
    pub(super) max_message: Size,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) redrive: Option<Redrive>,
    pub(super) content_deduplication: bool,
    pub(super) tags: BTreeMap<String, String>,
}

/// Where messages go that were received too often.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Redrive {
    pub(super) to: String,
    pub(super) max_receives: u32,
}

/// A topic.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Topic {
    pub(super) subscriptions: Vec<Subscription>,
}

/// Who gets what is published.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscription {
    pub(super) to: String,
    #[serde(default)]
    pub(super) filter: Filter,
    #[serde(default = "usual_budget")]
    pub(super) give_up_after: Time,
}

/// What of the publications is wanted.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Filter {
    pub(super) outcomes: Vec<String>,
    pub(super) attributes: BTreeMap<String, Vec<String>>,
}

/// A function, or a container: a function that answers HTTP.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Function {
    pub(super) module: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entrypoint: Option<String>,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) memory: Size,
    pub(super) timeout: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reuse: Option<u32>,
    pub(super) debug_info: bool,
    pub(super) core_dump: bool,
    pub(super) cgi: bool,
    #[serde(rename = "space")]
    pub(super) room: Room,
    pub(super) grants: Grants,
    #[serde(rename = "async")]
    pub(super) asynchronous: Asynchronous,
    /// Who pulls an image. The server does not keep it, so it is no part of what is compared.
    #[serde(skip_serializing)]
    pub(super) registry: Option<Login>,
    /// Whether invocations are refused, if that is said. A thing of its own on the server, as all that follows.
    #[serde(skip_serializing)]
    pub(super) disabled: Option<bool>,
    #[serde(skip_serializing)]
    pub(super) queue: Limits,
    #[serde(skip_serializing)]
    pub(super) aliases: BTreeMap<String, Alias>,
    #[serde(skip_serializing)]
    pub(super) versions: BTreeMap<String, Version>,
}

/// What can be said of a version that is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    /// Its own, which wins over the function's.
    #[serde(rename = "async")]
    pub(super) asynchronous: Asynchronous,
}

/// A user that a registry knows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Secret,
}

/// What an attempt may take besides memory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Room {
    pub(super) table_elements: u32,
    pub(super) instances: u32,
    pub(super) handles: u32,
    pub(super) log: Size,
    pub(super) result: Size,
}

/// What a version may reach.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Grants {
    pub(super) http: Vec<String>,
    pub(super) directories: Vec<String>,
    pub(super) key_value: Vec<String>,
    pub(super) functions: Vec<String>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) config: BTreeMap<String, String>,
}

/// How asynchronous invocations are treated.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asynchronous {
    pub(super) max_retries: u32,
    pub(super) max_event_age: Time,
    pub(super) retry_delay: Time,
    pub(super) retry_delay_max: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_success: Option<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_failure: Option<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_account: Option<String>,
}

/// Where outcomes go; `"queue:jobs"` is short for `{ to = "queue:jobs" }`.
#[derive(Clone, Debug, Default)]
pub(super) struct Destination {
    pub(super) to: String,
    pub(super) format: Option<String>,
    pub(super) service_account: Option<String>,
    pub(super) connection: Option<String>,
    pub(super) expires_days: Option<u16>,
}

/// How much may wait for a function, and how long what has settled is kept. Not the pause, unless it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) paused: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_queued: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_queued_bytes: Option<Size>,
    pub(super) retention: Retention,
}

/// How long what has settled is kept, by how it ended.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) succeeded: Keep,
    pub(super) failed: Keep,
    pub(super) expired: Keep,
    pub(super) cancelled: Keep,
}

/// How much of one kind is kept; what is absent is the server's own setting.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Keep {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) age: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<Size>,
}

/// Which version an alias names; `3` is short for `{ version = 3 }`.
#[derive(Debug)]
pub(super) struct Alias {
    /// `None` for the newest one when the file is applied.
    pub(super) version: Option<u32>,
    /// Percent of its calls that go to other versions.
    pub(super) weights: BTreeMap<String, u8>,
}

/// What invokes a function by itself. Which keys there are is decided by `kind`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Trigger {
    pub(super) kind: String,
    pub(super) function: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) catch_up: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) batch_size: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) batch_window: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) concurrency: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<String>,
}

fn usual_budget() -> Time {
    Time(whole_ms(bounds::DEFAULT_DELIVERY_BUDGET))
}

impl Default for Subscription {
    fn default() -> Self {
        Self { to: String::new(), filter: Filter::default(), give_up_after: usual_budget() }
    }
}

impl Default for Stream {
    fn default() -> Self {
        let usual = StreamSettings::default();
        Self { retention: Time(usual.retention_s * 1_000), max_bytes: Size(usual.max_bytes) }
    }
}

impl Default for Queue {
    fn default() -> Self {
        let usual = QueueSettings::default();
        let time = |seconds: u32| Time(u64::from(seconds) * 1_000);
        Self {
            visibility: time(usual.visibility_s),
            delay: time(usual.delay_s),
            retention: time(usual.retention_s),
            wait: time(usual.wait_s),
            max_message: Size(usual.max_message_bytes.into()),
            redrive: None,
            content_deduplication: usual.content_deduplication,
            tags: BTreeMap::new(),
        }
    }
}

impl Default for Function {
    fn default() -> Self {
        Self {
            module: String::new(),
            entrypoint: None,
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            memory: Size(bounds::DEFAULT_MEMORY_BYTES),
            timeout: Time(whole_ms(bounds::DEFAULT_TIMEOUT)),
            concurrency: None,
            fuel: None,
            reuse: None,
            debug_info: false,
            core_dump: false,
            cgi: false,
            room: Room::default(),
            grants: Grants::default(),
            asynchronous: Asynchronous::default(),
            registry: None,
            disabled: None,
            queue: Limits::default(),
            aliases: BTreeMap::new(),
            versions: BTreeMap::new(),
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        let Space { table_elements, instances, handles, log_bytes, result_bytes } = Space::default();
        Self { table_elements, instances, handles, log: Size(log_bytes.into()), result: Size(result_bytes.into()) }
    }
}

impl Default for Asynchronous {
    fn default() -> Self {
        Self {
            max_retries: bounds::DEFAULT_MAX_RETRIES,
            max_event_age: Time(whole_ms(bounds::DEFAULT_MAX_EVENT_AGE)),
            retry_delay: Time(whole_ms(bounds::DEFAULT_RETRY_DELAY)),
            retry_delay_max: Time(whole_ms(bounds::DEFAULT_RETRY_DELAY_MAX)),
            on_success: None,
            on_failure: None,
            service_account: None,
        }
    }
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
