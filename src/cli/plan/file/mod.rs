//! The file as it is written: one struct for each kind of table, with what is absent at its default. Reads no disk and
//! knows no server; what the words mean together is `desired`'s to find out.

mod short;

mod function;
mod messaging;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

pub(super) use function::{Asynchronous, Function, Grants, Limits};
pub(super) use messaging::{Queue, Stream, Subscription, Topic};
pub(super) use short::Destination;

use super::words::Time;
use short::{Role, Secret};

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
