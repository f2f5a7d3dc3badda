//! `invocations`: what was asked, what became of it, and what can still be done about it.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use reqwest::Method;

use super::api::{self, Accepted, Answer, Invocation};
use super::client::Client;
use super::error::Error;
use super::invoke;
use super::output::{self, Output};
use super::units;
use super::wait::{self, Patience};
use crate::clock::Clock;
use crate::model::bounds;
use crate::model::names::{FunctionName, InvocationId};
use crate::model::status::Status;
use crate::model::time::Timestamp;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List invocations, the newest first
    List(List),
    /// Show an invocation with its attempts
    Show {
        /// The invocation
        id: InvocationId,
        /// Wait until it is settled, for ever or that long
        #[arg(long, value_name = "DURATION", num_args = 0..=1, value_parser = units::duration)]
        #[expect(clippy::option_option, reason = "this is how clap tells a flag without a value from no flag")]
        wait: Option<Option<Duration>>,
    },
    /// Stop an invocation that is not settled
    Cancel {
        /// The invocation
        id: InvocationId,
    },
    /// Invoke again with the payload of a settled one, and print the id of the new one
    Retry {
        /// The invocation
        id: InvocationId,
    },
    /// Print what its attempts wrote
    Logs {
        /// The invocation
        id: InvocationId,
    },
    /// Print its payload as it is
    Payload {
        /// The invocation
        id: InvocationId,
    },
    /// Print its result as it is
    Result {
        /// The invocation
        id: InvocationId,
    },
}

/// Knows every status, for the help and for completions.
fn status_parser() -> impl clap::builder::TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.map(Status::as_str)).try_map(|text| text.parse::<Status>())
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those of this function
    #[arg(long, value_name = "NAME")]
    function: Option<FunctionName>,
    /// Only those that stand there
    #[arg(long, value_parser = status_parser())]
    status: Option<Status>,
    /// Only those accepted since: a time such as `2026-11-21T09:00:00Z`, or how long ago, such as `1h`
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Only those that failed and had no destination for it
    #[arg(long)]
    dead_letters: bool,
    /// At most that many
    #[arg(long, value_name = "N", default_value_t = bounds::DEFAULT_PAGE, value_parser = limit)]
    limit: usize,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// A point in time, as one can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Ago(Duration),
    At(Timestamp),
}

/// The text is neither a time nor a duration.
#[derive(Debug, Clone, thiserror::Error)]
#[error("write a time such as `2026-11-21T09:00:00Z`, or how long ago, such as `1h`")]
struct InvalidSince;

impl FromStr for Since {
    type Err = InvalidSince;

    fn from_str(text: &str) -> Result<Self, InvalidSince> {
        let at = Timestamp::parse(text).map(Self::At);
        at.or_else(|_| units::duration(text).map(Self::Ago)).map_err(|_| InvalidSince)
    }
}

fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("write a number from 1".to_owned()),
        Ok(limit) => Ok(limit),
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List(list) => list.run(client, output).await,
            Self::Show { id, wait: None } => {
                let request = client.request(Method::GET, &["invocations", &id.to_string()]);
                output.answer(&client.json(request).await?, text)
            }
            Self::Show { id, wait: Some(patience) } => {
                let patience = patience.map_or(Patience::Endless, Patience::AtMost);
                output.answer(&wait::settled(client, id, patience).await?, text)
            }
            Self::Cancel { id } => {
                let request = client.request(Method::POST, &["invocations", &id.to_string(), "cancel"]);
                let answer: Answer<Invocation> = client.json(request).await?;
                output.answer(&answer, |invocation| format!("{} is {}", invocation.id, invocation.status))
            }
            Self::Retry { id } => {
                let request = client.request(Method::POST, &["invocations", &id.to_string(), "retry"]);
                output.answer(&client.json(request).await?, |accepted: &Accepted| accepted.id.to_string())
            }
            Self::Logs { id } => bytes(client, id, "logs").await,
            Self::Payload { id } => bytes(client, id, "payload").await,
            Self::Result { id } => bytes(client, id, "result").await,
        }
    }
}

async fn bytes(client: &Client, id: InvocationId, part: &str) -> Result<(), Error> {
    let request = client.request(Method::GET, &["invocations", &id.to_string(), part]);
    invoke::copy(client, client.send(request).await?).await
}

impl List {
    async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let query = self.query(Clock::system().now());
        let request = || client.in_namespace(Method::GET, &["invocations"]).query(&query);
        let limit = if self.all { usize::MAX } else { self.limit };
        let invocations = client.list("invocations", limit, request).await?;
        if !output.json && invocations.value.items.is_empty() {
            output::note("no such invocations");
            return Ok(());
        }
        output.answer(&invocations, |invocations| table(&invocations.items))?;
        if !output.json && invocations.value.has_more {
            output::note("there are more: use `--limit N` or `--all`");
        }
        Ok(())
    }

    fn query(&self, now: Timestamp) -> [(&'static str, Option<String>); 4] {
        let since = self.since.map(|since| match since {
            Since::Ago(duration) => now.minus(duration),
            Since::At(time) => time,
        });
        [
            ("function", self.function.as_ref().map(ToString::to_string)),
            ("status", self.status.map(|status| status.to_string())),
            ("since", since.map(|since| since.to_string())),
            ("dead_letter", self.dead_letters.then(|| "true".to_owned())),
        ]
    }
}

fn table(invocations: &[Invocation]) -> String {
    let header = ["ID", "FUNCTION", "MODE", "STATUS", "ATTEMPTS", "ACCEPTED", "CONDITION"];
    output::table(
        header,
        invocations.iter().map(|invocation| {
            [
                invocation.id.clone(),
                invocation.target(),
                invocation.mode.clone(),
                invocation.status.to_string(),
                invocation.attempts.len().to_string(),
                invocation.accepted_at.clone(),
                output::or_dash(invocation.condition.clone()),
            ]
        }),
    )
}

fn text(invocation: &Invocation) -> String {
    let Invocation { status, condition, .. } = invocation;
    let status = if condition.is_empty() { status.to_string() } else { format!("{status} ({condition})") };
    let next = |next: &api::Next| format!("{} {}: {}", next.on, next.function, next.id);
    let delivery = if invocation.dead_letter { "a dead letter" } else { &invocation.delivery };
    let rows = [
        ("id", Some(invocation.id.clone())),
        ("function", Some(invocation.target())),
        ("mode", Some(invocation.mode.clone())),
        ("status", Some(status)),
        ("accepted", Some(invocation.accepted_at.clone())),
        ("due", invocation.due_at.clone()),
        ("expires", invocation.expires_at.clone().filter(|_| !invocation.status.is_settled())),
        ("settled", invocation.settled_at.clone()),
        ("delivery", Some(delivery.to_owned()).filter(|delivery| delivery != "none")),
        ("hop", Some(invocation.hop.to_string()).filter(|_| !invocation.chain.is_empty())),
        ("chain", Some(invocation.chain.join(" -> "))),
        ("retry of", invocation.retry_of.clone()),
        ("next", invocation.next.as_ref().map(next)),
        ("payload", invocation.payload.as_ref().map(content)),
        ("result", invocation.result.as_ref().map(content)),
    ];
    let rows = rows.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    let head = output::pairs(rows);
    if invocation.attempts.is_empty() { head } else { format!("{head}\n\n{}", attempts(&invocation.attempts)) }
}

fn content(content: &api::Content) -> String {
    let size = units::show_size(content.bytes);
    match content.content_type.as_deref() {
        None | Some("") => size,
        Some(kind) => format!("{size}, {kind}"),
    }
}

fn attempts(attempts: &[api::Attempt]) -> String {
    output::table(
        ["ATTEMPT", "STARTED", "TOOK", "NEXT", "ERROR"],
        attempts.iter().map(|attempt| {
            [
                attempt.number.to_string(),
                attempt.started_at.clone(),
                output::or_dash(attempt.duration_ms.map(units::show_elapsed)),
                output::or_dash(attempt.retry_at.clone()),
                output::or_dash(attempt.error.as_ref().map(api::AttemptError::first_line)),
            ]
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failed() -> Invocation {
        serde_json::from_value(json!({
            "id": "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77", "function": "a", "namespace": "shop", "version": 3,
            "mode": "async", "status": "failed", "condition": "RetriesExhausted", "accepted_at": "2026-01-01T00:00:00.000Z",
            "due_at": null, "expires_at": "2026-01-01T01:00:00.000Z", "settled_at": "2026-01-01T00:00:02.000Z",
            "attempts": [
                {"number": 1, "started_at": "t1", "ended_at": "t1", "duration_ms": 12, "retry_at": "t2",
                 "error": {"kind": "trap", "message": "unreachable\nat main"}},
                {"number": 2, "started_at": "t2", "ended_at": "t2", "duration_ms": 1200, "retry_at": null,
                 "error": {"kind": "trap", "message": "unreachable"}},
            ],
            "delivery": "none", "dead_letter": false, "chain": ["r"], "hop": 1, "retry_of": null,
            "next": {"id": "n", "function": "alarm", "on": "failure"},
            "payload": {"bytes": 2, "content_type": "application/json"}, "result": null,
        }))
        .unwrap()
    }

    #[test]
    fn invocations_are_a_table() {
        let expected = "\
ID                                    FUNCTION  MODE   STATUS  ATTEMPTS  ACCEPTED                  CONDITION
0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77  shop/a@3  async  failed  2         2026-01-01T00:00:00.000Z  RetriesExhausted";
        assert_eq!(table(&[failed()]), expected);
    }

    #[test]
    fn an_invocation_is_shown_with_what_applies_to_it_and_its_attempts() {
        let expected = "\
id        0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77
function  shop/a@3
mode      async
status    failed (RetriesExhausted)
accepted  2026-01-01T00:00:00.000Z
settled   2026-01-01T00:00:02.000Z
hop       1
chain     r
next      on failure alarm: n
payload   2 B, application/json

ATTEMPT  STARTED  TOOK   NEXT  ERROR
1        t1       12 ms  t2    trap: unreachable
2        t2       1.2 s  -     trap: unreachable";
        assert_eq!(text(&failed()), expected);
    }

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        assert_eq!("1h".parse::<Since>().unwrap(), Since::Ago(Duration::from_hours(1)));
        assert!(matches!("2026-11-21T09:00:00Z".parse(), Ok(Since::At(_))));
        assert!("yesterday".parse::<Since>().is_err());
    }

    #[test]
    fn only_filters_that_were_given_are_sent() {
        let none = List { function: None, status: None, since: None, dead_letters: false, limit: 1, all: false };
        assert!(none.query(Timestamp::from_ms(0)).iter().all(|(_, value)| value.is_none()));
        let some = List { since: Some(Since::Ago(Duration::from_secs(1))), dead_letters: true, ..none };
        let [_, _, since, dead] = some.query(Timestamp::from_ms(2_000));
        assert_eq!(since, ("since", Some("1970-01-01T00:00:01.000Z".to_owned())));
        assert_eq!(dead, ("dead_letter", Some("true".to_owned())));
    }
}
