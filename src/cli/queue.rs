//! `queue`: what waits for a function, how much may, and whether it is taken at all.

use std::str::FromStr;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Serialize;

use super::api;
use super::client::Client;
use super::error::Error;
use super::figures::Queue;
use super::keep::{KeepText, keep};
use super::output::{self, Output};
use super::request::Request;
use super::units;
use crate::model::names::FunctionName;
use crate::model::outcome::OutcomeKind;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Show what waits and runs, how it ended, and the settings
    ///
    /// What was accepted, and how it ended, is counted of asynchronous invocations alone. What is kept is counted of all:
    /// synchronous ones do not wait here, but their records are kept for as long.
    Show(Of),
    /// Replace the settings as a whole: what is not given is the server's own again. A pause stays
    Set {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Take nothing from it any more; what is accepted waits, and grows too old as usual
    Pause(Of),
    /// Take from it again
    Resume(Of),
}

// Whose queue.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The function
    name: FunctionName,
}

// The settings as flags.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Attempts that run at once, over all versions: a number, or `none` for no limit of its own [default: none]
    #[arg(long, value_name = "N|none")]
    concurrency: Option<Limit>,
    /// Invocations that may wait
    #[arg(long, value_name = "N")]
    max_queued: Option<u64>,
    /// Bytes of payloads that may wait, such as `64MiB`
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_queued_bytes: Option<u64>,
    /// What is kept of those that succeeded, such as `age=1h,count=1000,bytes=64MiB`; the oldest go first
    #[arg(long, value_name = "KEEP")]
    keep_succeeded: Option<KeepText>,
    /// What is kept of those that failed
    #[arg(long, value_name = "KEEP")]
    keep_failed: Option<KeepText>,
    /// What is kept of those that grew too old
    #[arg(long, value_name = "KEEP")]
    keep_expired: Option<KeepText>,
    /// What is kept of those that were cancelled
    #[arg(long, value_name = "KEEP")]
    keep_cancelled: Option<KeepText>,
}

/// A number, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit(Option<u32>);

/// The text is neither a number nor `none`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("write a number, or `none`")]
struct InvalidLimit;

impl FromStr for Limit {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(|n| Self(Some(n))).map_err(|_| InvalidLimit) }
    }
}

/// The settings as the API reads them; what is absent is the server's own.
#[derive(Debug, Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_queued: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_queued_bytes: Option<u64>,
    retention: RetentionBody,
}

#[derive(Debug, Serialize)]
struct RetentionBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    succeeded: Option<KeepText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<KeepText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired: Option<KeepText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled: Option<KeepText>,
}

impl Flags {
    fn body(&self) -> Body {
        Body {
            concurrency: self.concurrency.and_then(|limit| limit.0),
            max_queued: self.max_queued,
            max_queued_bytes: self.max_queued_bytes,
            retention: RetentionBody {
                succeeded: self.keep_succeeded,
                failed: self.keep_failed,
                expired: self.keep_expired,
                cancelled: self.keep_cancelled,
            },
        }
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let request = match self {
            Self::Show(of) => of.request(client, Method::GET, &[]),
            Self::Set { of, flags } => of.request(client, Method::PUT, &[]).json(&flags.body()),
            Self::Pause(of) => of.request(client, Method::POST, &["pause"]),
            Self::Resume(of) => of.request(client, Method::POST, &["resume"]),
        };
        output.answer(&client.json(request).await?, text)
    }
}

impl Of {
    fn request(&self, client: &Client, method: Method, verb: &[&str]) -> Request {
        client.in_namespace(method, &[&["functions", self.name.as_str(), "queue"], verb].concat())
    }
}

fn text(queue: &Queue) -> String {
    let config = &queue.config;
    let own = |limit: Option<String>| limit.unwrap_or_else(|| "as the server's".to_owned());
    let oldest = queue.oldest_due_age_s.map(|age| format!("due for {age} s"));
    let rows = [
        ("function", api::path(&queue.namespace, &queue.function)),
        ("state", if config.paused { "paused" } else { "open" }.to_owned()),
        ("accepted", queue.accepted.to_string()),
        ("waiting or running", amount(queue.live.count, queue.live.bytes)),
        ("running", queue.running.to_string()),
        ("oldest", output::or_dash(oldest)),
        ("concurrency", own(config.concurrency.map(|n| n.to_string()))),
        ("max queued", own(config.max_queued.map(|n| n.to_string()))),
        ("max queued bytes", own(config.max_queued_bytes.map(units::show_size))),
    ];
    format!("{}\n\n{}", output::pairs(rows), outcomes(queue))
}

fn outcomes(queue: &Queue) -> String {
    let of = |map: &std::collections::BTreeMap<String, u64>, kind: &str| map.get(kind).copied().unwrap_or_default();
    output::table(
        ["OUTCOME", "ASYNC EVER", "KEPT OF ALL", "SETTING"],
        OutcomeKind::ALL.map(OutcomeKind::as_str).map(|kind| {
            let kept = queue.kept.get(kind).map(|kept| amount(kept.count, kept.bytes));
            let setting = queue.config.retention.get(kind).map(keep).unwrap_or_default();
            [kind.to_owned(), of(&queue.settled, kind).to_string(), output::or_dash(kept), output::or_dash(setting)]
        }),
    )
}

fn amount(count: u64, bytes: u64) -> String {
    format!("{count} ({})", units::show_size(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        flags: Flags,
    }

    #[track_caller]
    fn check(typed: &[&str], expected: &serde_json::Value) {
        let typed = Typed::try_parse_from(std::iter::once(&"test").chain(typed)).unwrap();
        assert_eq!(serde_json::to_value(typed.flags.body()).unwrap(), *expected);
    }

    #[test]
    fn only_what_was_given_is_sent() {
        check(&[], &json!({"retention": {}}));
        check(&["--concurrency", "none"], &json!({"retention": {}}));
        let all = [
            ["--concurrency", "3"],
            ["--max-queued", "10"],
            ["--max-queued-bytes", "1MiB"],
            ["--keep-succeeded", "age=1h,count=5,bytes=2K"],
            ["--keep-failed", "count=0"],
        ];
        let expected = json!({
            "concurrency": 3, "max_queued": 10, "max_queued_bytes": 1_048_576,
            "retention": {"succeeded": {"age_s": 3600, "count": 5, "bytes": 2048}, "failed": {"count": 0}},
        });
        check(all.as_flattened(), &expected);
    }

    #[test]
    fn a_limit_is_a_number_or_none() {
        assert_eq!("3".parse::<Limit>().unwrap(), Limit(Some(3)));
        assert!("some".parse::<Limit>().is_err());
    }

    #[test]
    fn a_queue_is_shown_with_its_settings_and_what_became_of_what_was_accepted() {
        let queue = serde_json::from_value(json!({
            "namespace": "shop", "function": "a",
            "config": {
                "paused": true, "concurrency": 2, "max_queued": null, "max_queued_bytes": 1_048_576,
                "retention": {
                    "succeeded": {"age_s": 3600, "count": 5, "bytes": null},
                    "failed": {"age_s": null, "count": null, "bytes": null},
                },
            },
            "accepted": 9, "live": {"count": 3, "bytes": 2048}, "running": 1, "oldest_due_age_s": 1.5,
            "settled": {"succeeded": 5, "failed": 1, "expired": 0, "cancelled": 0},
            "kept": {"succeeded": {"count": 5, "bytes": 1024}},
        }));
        let expected = "\
function            shop/a
state               paused
accepted            9
waiting or running  3 (2 KiB)
running             1
oldest              due for 1.5 s
concurrency         2
max queued          as the server's
max queued bytes    1 MiB

OUTCOME    ASYNC EVER  KEPT OF ALL  SETTING
succeeded  5           5 (1 KiB)    age=1h,count=5
failed     1           -            -
expired    0           -            -
cancelled  0           -            -";
        assert_eq!(text(&queue.unwrap()), expected);
    }
}
