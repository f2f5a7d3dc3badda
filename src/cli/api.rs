//! The server's answers as far as people get to see them. With `--json` they pass through untouched, so what
//! is not read here is not lost.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::names::InvocationId;
use crate::model::place::Priority;
use crate::model::status::Status;

/// An answer in both forms: as it came and as it is meant.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) raw: String,
    pub(super) value: T,
}

/// A function and one of its versions.
#[derive(Debug, Deserialize)]
pub(super) struct Function {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) urn: String,
    pub(super) created_at: String,
    pub(super) latest: u32,
    pub(super) aliases: BTreeMap<String, u32>,
    /// Percent of what an alias gets that go to other versions.
    #[serde(default)]
    pub(super) weights: BTreeMap<String, BTreeMap<u32, u8>>,
    #[serde(default)]
    pub(super) disabled: bool,
    pub(super) version: Version,
    pub(super) async_config: AsyncConfig,
    #[serde(default)]
    pub(super) missing_grants: Vec<MissingGrant>,
}

/// An import that is of no use until it is granted.
#[derive(Debug, Deserialize)]
pub(super) struct MissingGrant {
    pub(super) import: String,
    pub(super) needs: String,
}

impl Function {
    /// The name, with its namespace where that is not the default one.
    pub(super) fn path(&self) -> String {
        path(&self.namespace, &self.name)
    }

    /// The versions that an alias leads to, with the percent of what it gets; its own comes first.
    fn shares(&self, alias: &str) -> impl Iterator<Item = (u32, u8)> {
        let weights = self.weights.get(alias);
        let others = weights.into_iter().flatten().map(|(number, percent)| (*number, *percent));
        let rest = others.clone().fold(100_u8, |rest, (_, percent)| rest.saturating_sub(percent));
        self.aliases.get(alias).map(|number| (*number, rest)).into_iter().chain(others)
    }

    /// Where an alias leads: `2`, or `2 (70 %), 3 (30 %)`.
    pub(super) fn versions_of(&self, alias: &str) -> String {
        self.shares(alias).map(|(number, percent)| told(&number.to_string(), percent)).collect::<Vec<_>>().join(", ")
    }

    /// The names of version `number`, with commas: `prod`, or `prod (30 %)`.
    pub(super) fn aliases_of(&self, number: u32) -> String {
        let names = self.aliases.keys().flat_map(|name| {
            let shares = self.shares(name).filter(move |(of, _)| *of == number);
            shares.map(move |(_, percent)| told(name, percent))
        });
        names.collect::<Vec<_>>().join(", ")
    }
}

fn told(what: &str, percent: u8) -> String {
    if percent == 100 { what.to_owned() } else { format!("{what} ({percent} %)") }
}

/// `namespace/name`, or `name` in the default namespace: how people write it.
pub(super) fn path(namespace: &str, name: &str) -> String {
    if namespace == "default" { name.to_owned() } else { format!("{namespace}/{name}") }
}

/// What one version runs, and with what.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    #[serde(rename = "version")]
    pub(super) number: u32,
    pub(super) created_at: String,
    pub(super) digest: String,
    pub(super) module_bytes: u64,
    pub(super) entrypoint: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) memory_bytes: u64,
    pub(super) timeout_ms: u64,
    pub(super) concurrency: Option<u32>,
    #[serde(default)]
    pub(super) fuel: Option<u64>,
    #[serde(default)]
    pub(super) reuse: Option<u32>,
    #[serde(default)]
    pub(super) instance_concurrency: Option<u32>,
    #[serde(default)]
    pub(super) wasi_0_3: bool,
    #[serde(default)]
    pub(super) core_dump: bool,
}

/// What a function takes and gives.
#[derive(Debug, Deserialize)]
pub(super) struct Schema {
    pub(super) signature: String,
    /// JSON Schema of the payload, as it came.
    pub(super) input: Box<RawValue>,
    /// JSON Schema of the result, as it came.
    pub(super) output: Box<RawValue>,
}

/// The versions of a function.
#[derive(Debug, Deserialize)]
pub(super) struct Versions {
    pub(super) versions: Vec<Version>,
}

/// How asynchronous invocations are treated.
#[derive(Debug, Deserialize)]
pub(super) struct AsyncConfig {
    pub(super) set: bool,
    pub(super) max_retries: u32,
    pub(super) max_event_age_s: u64,
    pub(super) retry_delay_ms: u64,
    pub(super) retry_delay_max_ms: u64,
    pub(super) on_success: Option<Target>,
    pub(super) on_failure: Option<Target>,
    pub(super) service_account: Option<String>,
}

/// A destination.
#[derive(Debug, Deserialize)]
pub(super) struct Target {
    pub(super) to: String,
    format: Option<String>,
    service_account: Option<String>,
    connection: Option<String>,
    expires_days: Option<u16>,
}

impl Target {
    /// Where it leads, and how where that is not the usual way: `queue:jobs (format payload)`.
    pub(super) fn text(&self) -> String {
        let terms = [
            self.format.as_ref().filter(|format| *format != "record").map(|format| format!("format {format}")),
            self.service_account.as_ref().map(|account| format!("service account {account}")),
            self.connection.as_ref().map(|connection| format!("connection {connection}")),
            self.expires_days.map(|days| format!("expires in {days} d")),
        ];
        let terms: Vec<_> = terms.into_iter().flatten().collect();
        if terms.is_empty() { self.to.clone() } else { format!("{} ({})", self.to, terms.join(", ")) }
    }
}

/// An asynchronous invocation that was accepted.
#[derive(Debug, Deserialize)]
pub(super) struct Accepted {
    pub(super) id: InvocationId,
}

/// The life of an invocation so far.
#[derive(Debug, Deserialize)]
pub(super) struct Invocation {
    pub(super) id: String,
    pub(super) function: String,
    pub(super) namespace: String,
    pub(super) version: Option<u32>,
    pub(super) mode: String,
    pub(super) status: Status,
    pub(super) condition: String,
    pub(super) accepted_at: String,
    pub(super) due_at: Option<String>,
    #[serde(default)]
    pub(super) priority: Priority,
    pub(super) expires_at: Option<String>,
    pub(super) settled_at: Option<String>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) delivery: String,
    #[serde(default)]
    pub(super) dead_letter: bool,
    #[serde(default)]
    pub(super) chain: Vec<String>,
    #[serde(default)]
    pub(super) hop: u32,
    pub(super) retry_of: Option<String>,
    pub(super) next: Option<Next>,
    pub(super) payload: Option<Content>,
    pub(super) result: Option<Content>,
}

impl Invocation {
    /// The function's name and the version that was invoked: `shop/resize@3`.
    pub(super) fn target(&self) -> String {
        let path = path(&self.namespace, &self.function);
        match self.version {
            Some(version) => format!("{path}@{version}"),
            None => path,
        }
    }

    /// Why it has not succeeded: the condition and what the last attempt said.
    pub(super) fn reason(&self) -> String {
        let tried = match self.attempts.len() {
            0 => "not attempted".to_owned(),
            1 => "1 attempt".to_owned(),
            n => format!("{n} attempts"),
        };
        let condition = if self.condition.is_empty() { self.status.as_str() } else { &self.condition };
        match self.attempts.last().and_then(|attempt| attempt.error.as_ref()) {
            Some(error) => format!("{condition} ({tried}): {error}"),
            None => format!("{condition} ({tried})"),
        }
    }
}

/// One run of an invocation's function.
#[derive(Debug, Deserialize)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) started_at: String,
    pub(super) duration_ms: Option<u64>,
    pub(super) error: Option<AttemptError>,
    pub(super) retry_at: Option<String>,
}

/// Why an attempt gave no result.
#[derive(Debug, Deserialize)]
pub(super) struct AttemptError {
    kind: String,
    message: String,
}

impl AttemptError {
    /// What fits a table: without the backtrace that a trap's message goes on with.
    pub(super) fn first_line(&self) -> String {
        format!("{}: {}", self.kind, self.message.lines().next().unwrap_or_default())
    }
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// The invocation that this one caused.
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    pub(super) id: String,
    pub(super) function: String,
    pub(super) on: On,
}

/// When a way is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum On {
    /// The invocation succeeded.
    Success,
    /// It ended in any other way.
    Failure,
    /// A trigger invokes it.
    Trigger,
    /// It gets what is published.
    Subscription,
    /// It gets messages that were received too often.
    Redrive,
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "on success",
            Self::Failure => "on failure",
            Self::Trigger => "triggers",
            Self::Subscription => "publishes to",
            Self::Redrive => "dead letters to",
        })
    }
}

/// A payload or a result, described.
#[derive(Debug, Deserialize)]
pub(super) struct Content {
    pub(super) bytes: u64,
    pub(super) content_type: Option<String>,
}

/// Functions and where their outcomes lead.
#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    pub(super) functions: Vec<Node>,
    pub(super) edges: Vec<Edge>,
}

/// A function in the graph.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A way from one node to another: functions named as [`path`] does, `queue:NAME` and `topic:NAME`.
#[derive(Debug, Deserialize)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) on: On,
    /// The one version that has it, where it is not all of them.
    pub(super) version: Option<u32>,
}

/// One page of a list. The items are read later, so that `--json` can hand them on as they came.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(
        alias = "functions",
        alias = "invocations",
        alias = "secrets",
        alias = "keys",
        alias = "deliveries",
        alias = "queues",
        alias = "streams",
        alias = "topics",
        alias = "triggers",
        alias = "connections",
        alias = "objects",
        alias = "publications",
        alias = "entries"
    )]
    pub(super) items: Vec<Box<RawValue>>,
    pub(super) next_cursor: Option<String>,
}

/// What the server says when it says no (RFC 9457).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    pub(super) title: String,
    pub(super) detail: Option<String>,
    pub(super) code: String,
    pub(super) effect: Option<String>,
    pub(super) fault: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) invocation_id: Option<String>,
    pub(super) path: Vec<String>,
    pub(super) used_by: Vec<String>,
    /// Whether the command has a flag that does it all the same, which no document says.
    #[serde(skip)]
    pub(super) has_force: bool,
    /// From the header `Retry-After`, not from the document.
    #[serde(skip)]
    pub(super) retry_after: Option<String>,
}

impl Problem {
    /// Whether the function is to blame, and neither the caller nor the platform.
    pub(super) fn is_functions_fault(&self) -> bool {
        self.fault.as_deref() == Some("function")
    }

    /// What happened, in the most telling words there are.
    pub(super) fn message(&self) -> &str {
        self.detail.as_deref().filter(|detail| !detail.is_empty()).unwrap_or(&self.title)
    }
}
