//! Streams, queues and topics as they are written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cli::plan::words::{Size, Time};
use crate::messaging::streams::StreamSettings;
use crate::model::bounds;
use crate::model::message_queue::QueueSettings;
use crate::model::time::whole_ms;

/// A stream.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Stream {
    pub(in crate::cli::plan) retention: Time,
    pub(in crate::cli::plan) max_bytes: Size,
}

/// A message queue.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Queue {
    pub(in crate::cli::plan) visibility: Time,
    pub(in crate::cli::plan) delay: Time,
    pub(in crate::cli::plan) retention: Time,
    pub(in crate::cli::plan) wait: Time,
    pub(in crate::cli::plan) max_message: Size,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::plan) redrive: Option<Redrive>,
    pub(in crate::cli::plan) content_deduplication: bool,
    pub(in crate::cli::plan) tags: BTreeMap<String, String>,
}

/// Where messages go that were received too often.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli::plan) struct Redrive {
    pub(in crate::cli::plan) to: String,
    pub(in crate::cli::plan) max_receives: u32,
}

/// A topic.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Topic {
    pub(in crate::cli::plan) subscriptions: Vec<Subscription>,
}

/// Who gets what is published.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli::plan) struct Subscription {
    pub(in crate::cli::plan) to: String,
    #[serde(default)]
    pub(in crate::cli::plan) filter: Filter,
    #[serde(default = "usual_budget")]
    pub(in crate::cli::plan) give_up_after: Time,
}

/// What of the publications is wanted.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::plan) struct Filter {
    pub(in crate::cli::plan) outcomes: Vec<String>,
    pub(in crate::cli::plan) attributes: BTreeMap<String, Vec<String>>,
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
