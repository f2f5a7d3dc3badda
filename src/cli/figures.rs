//! The server's answers about queues and about itself, as far as people get to see them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The queue of a function.
#[derive(Debug, Deserialize)]
pub(super) struct Queue {
    pub(super) namespace: String,
    pub(super) function: String,
    pub(super) config: QueueConfig,
    pub(super) accepted: u64,
    pub(super) live: Amount,
    pub(super) running: u64,
    pub(super) oldest_due_age_s: Option<f64>,
    /// By how they ended.
    pub(super) settled: BTreeMap<String, u64>,
    /// By how they ended.
    pub(super) kept: BTreeMap<String, Amount>,
}

/// The settings of a queue; what is absent is the server's own.
#[derive(Debug, Deserialize)]
pub(super) struct QueueConfig {
    pub(super) paused: bool,
    pub(super) concurrency: Option<u32>,
    pub(super) max_queued: Option<u64>,
    pub(super) max_queued_bytes: Option<u64>,
    /// By how they ended.
    pub(super) retention: BTreeMap<String, Keep>,
}

/// How much is kept of settled invocations.
#[derive(Debug, Deserialize)]
pub(super) struct Keep {
    pub(super) age_s: Option<u64>,
    pub(super) count: Option<u64>,
    pub(super) bytes: Option<u64>,
}

/// So many, and so large together.
#[derive(Debug, Deserialize)]
pub(super) struct Amount {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

/// The server as a whole.
#[derive(Debug, Deserialize)]
pub(super) struct Runtime {
    pub(super) version: String,
    pub(super) started_at: String,
    pub(super) functions: u64,
    pub(super) concurrency: u64,
    pub(super) max_concurrency: u64,
    pub(super) running: u64,
    pub(super) live: Amount,
    pub(super) hop_limit: u64,
    pub(super) store: Stored,
}

/// What a server keeps, and whether there is room for more.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    pub(super) room: String,
    pub(super) disk_bytes: u64,
    pub(super) live_bytes: u64,
}
