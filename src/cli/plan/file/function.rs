//! A function as it is written, with all that belongs to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::short::{Alias, Destination, Secret};
use crate::cli::plan::words::{Size, Time};
use crate::model::bounds;
use crate::model::function::Space;
use crate::model::time::whole_ms;

/// A function, or a container: a function that answers HTTP.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Function {
    pub(in crate::cli::plan) module: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) entrypoint: Option<String>,
    pub(in crate::cli::plan) arguments: Vec<String>,
    pub(in crate::cli::plan) environment: BTreeMap<String, String>,
    pub(in crate::cli::plan) memory: Size,
    pub(in crate::cli::plan) timeout: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) reuse: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) instance_concurrency: Option<u32>,
    pub(in crate::cli::plan) debug_info: bool,
    pub(in crate::cli::plan) core_dump: bool,
    pub(in crate::cli::plan) cgi: bool,
    #[serde(rename = "space")]
    pub(in crate::cli::plan) room: Room,
    pub(in crate::cli::plan) grants: Grants,
    #[serde(rename = "async")]
    pub(in crate::cli::plan) asynchronous: Asynchronous,
    /// Who pulls an image. The server does not keep it, so it is no part of what is compared.
    #[serde(skip_serializing)]
    pub(in crate::cli::plan) registry: Option<Login>,
    /// Whether invocations are refused, if that is said. A thing of its own on the server, as all that follows.
    #[serde(skip_serializing)]
    pub(in crate::cli::plan) disabled: Option<bool>,
    #[serde(skip_serializing)]
    pub(in crate::cli::plan) queue: Limits,
    #[serde(skip_serializing)]
    pub(in crate::cli::plan) aliases: BTreeMap<String, Alias>,
    #[serde(skip_serializing)]
    pub(in crate::cli::plan) versions: BTreeMap<String, Version>,
}

/// What can be said of a version that is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli::plan) struct Version {
    /// Its own, which wins over the function's.
    #[serde(rename = "async")]
    pub(in crate::cli::plan) asynchronous: Asynchronous,
}

/// A user that a registry knows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli::plan) struct Login {
    pub(in crate::cli::plan) user: String,
    pub(in crate::cli::plan) password: Secret,
}

/// What an attempt may take besides memory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Room {
    pub(in crate::cli::plan) table_elements: u32,
    pub(in crate::cli::plan) instances: u32,
    pub(in crate::cli::plan) handles: u32,
    pub(in crate::cli::plan) log: Size,
    pub(in crate::cli::plan) result: Size,
}

/// What a version may reach.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Grants {
    pub(in crate::cli::plan) http: Vec<String>,
    pub(in crate::cli::plan) directories: Vec<String>,
    pub(in crate::cli::plan) key_value: Vec<String>,
    pub(in crate::cli::plan) functions: Vec<String>,
    pub(in crate::cli::plan) secrets: BTreeMap<String, String>,
    pub(in crate::cli::plan) config: BTreeMap<String, String>,
}

/// How asynchronous invocations are treated.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Asynchronous {
    pub(in crate::cli::plan) max_retries: u32,
    pub(in crate::cli::plan) max_event_age: Time,
    pub(in crate::cli::plan) retry_delay: Time,
    pub(in crate::cli::plan) retry_delay_max: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) on_success: Option<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) on_failure: Option<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) service_account: Option<String>,
}

/// How much may wait for a function, and how long what has settled is kept. Not the pause, unless it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) paused: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) max_queued: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) max_queued_bytes: Option<Size>,
    pub(in crate::cli::plan) retention: Retention,
}

/// How long what has settled is kept, by how it ended.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Retention {
    pub(in crate::cli::plan) succeeded: Keep,
    pub(in crate::cli::plan) failed: Keep,
    pub(in crate::cli::plan) expired: Keep,
    pub(in crate::cli::plan) cancelled: Keep,
}

/// How much of one kind is kept; what is absent is the server's own setting.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Keep {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) age: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) bytes: Option<Size>,
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
            instance_concurrency: None,
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
