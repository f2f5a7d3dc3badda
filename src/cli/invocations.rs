//! `invocations`: what was asked, what became of it, and what can still be done about it.

use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;

use super::api::{Accepted, Answer, Invocation};
use super::bulk::{self, Action};
use super::client::Client;
use super::error::Error;
use super::filter::{Extent, Filter, Span, When, status_parser};
use super::invocation_text::{table, text};
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
#[command(defer = true)]
pub(super) enum Command {
    /// List invocations, the newest first
    List(List),
    /// Show an invocation with its attempts
    Show {
        /// The invocation
        id: InvocationId,
        /// Wait until it is settled, for ever or that long; where it is not by then, the exit code is 4
        #[arg(long, value_name = "DURATION", num_args = 0..=1, value_parser = units::duration)]
        #[expect(clippy::option_option, reason = "this is how clap tells a flag without a value from no flag")]
        wait: Option<Option<Duration>>,
    },
    /// Stop an invocation that is not settled, or many
    Cancel(Which),
    /// Invoke again with the payload of a settled one, and print the id of the new one; or of many
    Retry(Which),
    /// Put a new invocation in the place of a dead letter, and print its id; or of many
    Redrive(Which),
    /// Remove a settled invocation with all that is kept of it, or many
    Purge(Which),
    /// Have the next attempt made now instead of when it is due
    RunNow {
        /// The invocation
        id: InvocationId,
    },
    /// Write the core dump of its latest attempt that trapped to standard output, where the function was deployed with
    /// `--core-dump`: `tidemill invocations core-dump ID > function.wasmcore`
    CoreDump {
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

// One, or many.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The invocation; or say below which ones
    #[arg(conflicts_with_all = ["many", "limit", "dry_run", "all_namespaces"])]
    id: Option<InvocationId>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    extent: Extent,
    #[command(flatten)]
    span: Span,
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
    since: Option<When>,
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
                let invocation = wait::settled(client, id, patience).await?;
                output.answer(&invocation, text)?;
                wait::check_settled(&invocation.value)
            }
            Self::Cancel(which) => which.run(client, output, Action::Cancel).await,
            Self::Retry(which) => which.run(client, output, Action::Retry).await,
            Self::Redrive(which) => which.run(client, output, Action::Redrive).await,
            Self::Purge(which) => which.run(client, output, Action::Purge).await,
            Self::RunNow { id } => stands(client, output, id, "run-now").await,
            Self::CoreDump { id } => bytes(client, id, "coredump").await,
            Self::Logs { id } => bytes(client, id, "logs").await,
            Self::Payload { id } => bytes(client, id, "payload").await,
            Self::Result { id } => bytes(client, id, "result").await,
        }
    }
}

impl Which {
    async fn run(self, client: &Client, output: Output, action: Action) -> Result<(), Error> {
        let Self { id, filter, extent, span } = self;
        let Some(id) = id else {
            filter.check_given()?;
            return bulk::run(client, output, action, &filter, &extent, &span).await;
        };
        match action {
            Action::Cancel => stands(client, output, id, "cancel").await,
            Action::Retry => accepted(client, output, id, "retry").await,
            Action::Redrive => accepted(client, output, id, "redrive").await,
            Action::Purge => {
                client.send(client.request(Method::DELETE, &["invocations", &id.to_string()])).await?;
                output::note(&format!("purged {id}"));
                Ok(())
            }
        }
    }
}

/// Asks for something to be done to an invocation and shows where it then stands.
async fn stands(client: &Client, output: Output, id: InvocationId, verb: &str) -> Result<(), Error> {
    let request = client.request(Method::POST, &["invocations", &id.to_string(), verb]);
    let answer: Answer<Invocation> = client.json(request).await?;
    output.answer(&answer, |invocation| format!("{} is {}", invocation.id, invocation.status))
}

/// Asks for an invocation to be repeated and shows the id of the new one.
async fn accepted(client: &Client, output: Output, id: InvocationId, verb: &str) -> Result<(), Error> {
    let request = client.request(Method::POST, &["invocations", &id.to_string(), verb]);
    output.answer(&client.json(request).await?, |accepted: &Accepted| accepted.id.to_string())
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
        let since = self.since.map(|since| since.from(now));
        [
            ("function", self.function.as_ref().map(ToString::to_string)),
            ("status", self.status.map(|status| status.to_string())),
            ("since", since.map(|since| since.to_string())),
            ("dead_letter", self.dead_letters.then(|| "true".to_owned())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_filters_that_were_given_are_sent() {
        let none = List { function: None, status: None, since: None, dead_letters: false, limit: 1, all: false };
        assert!(none.query(Timestamp::from_ms(0)).iter().all(|(_, value)| value.is_none()));
        let some = List { since: Some(When::Ago(Duration::from_secs(1))), dead_letters: true, ..none };
        let [_, _, since, dead] = some.query(Timestamp::from_ms(2_000));
        assert_eq!(since, ("since", Some("1970-01-01T00:00:01.000Z".to_owned())));
        assert_eq!(dead, ("dead_letter", Some("true".to_owned())));
    }
}
