//! `deliveries`: what is on its way out of the runtime, and what was given up.

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde::Deserialize;

use super::api;
use super::client::Client;
use super::error::Error;
use super::filter::Span;
use super::output::{self, Output};
use super::request::Request;
use crate::model::names::{FunctionName, InvocationId};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// List deliveries that have not been made
    List {
        #[command(flatten)]
        which: Which,
        /// Those that are to be tried, or those that were given up [default: both]
        #[arg(long)]
        state: Option<State>,
        /// How many invocations to list the deliveries of
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Have deliveries that were given up tried again
    Redrive {
        /// Those of this invocation
        #[arg(value_name = "INVOCATION", conflicts_with_all = ["many", "all_namespaces"])]
        id: Option<InvocationId>,
        /// All of them, as far as the other flags do not narrow that
        #[arg(long, group = "many")]
        all: bool,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        span: Span,
    },
    /// Remove an invocation with its dead deliveries, and all that is kept of it
    Purge {
        /// The invocation
        #[arg(value_name = "INVOCATION")]
        id: InvocationId,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum State {
    Pending,
    Dead,
}

// Which deliveries.
#[derive(Debug, Args)]
#[group(multiple = true, id = "many")]
pub(super) struct Which {
    /// Only those of this function
    #[arg(long, value_name = "NAME")]
    function: Option<FunctionName>,
    /// Only those to this destination, as it is listed
    #[arg(long, value_name = "DESTINATION")]
    target: Option<String>,
}

/// A delivery as it is listed.
#[derive(Debug, Deserialize)]
struct Listed {
    invocation: String,
    namespace: String,
    function: String,
    to: String,
    state: String,
    tries: u32,
    next_try_at: Option<String>,
    error: Option<String>,
}

/// What became of those that were to be tried again.
#[derive(Debug, Deserialize)]
struct Again {
    redriven: usize,
    failed: Vec<Failed>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Failed {
    id: String,
    detail: String,
}

impl Which {
    fn narrowed(&self, request: Request) -> Request {
        let function = self.function.as_ref().map(FunctionName::as_str);
        request.query(&[("function", function), ("target", self.target.as_deref())])
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List { which, state, limit } => {
                let state = state.map(|state| match state {
                    State::Pending => "pending",
                    State::Dead => "dead",
                });
                let all = || client.in_namespace(Method::GET, &["deliveries"]).query(&[("state", state)]);
                let request = || which.narrowed(all());
                let listed = client.list::<Listed>("deliveries", limit, request).await?;
                output.answer(&listed, |listed| table(&listed.items))
            }
            Self::Redrive { id: Some(id), .. } => {
                client.send(client.request(Method::POST, &["invocations", &id.to_string(), "redeliver"])).await?;
                output::note(&format!("the deliveries of {id} are tried again"));
                Ok(())
            }
            Self::Redrive { id: None, all, which, span } => {
                if !all && which.function.is_none() && which.target.is_none() {
                    let usage = "say which: the id of an invocation, or `--function`, `--target` or `--all`";
                    return Err(Error::Usage(usage.to_owned()));
                }
                redrive(client, output, &which, &span).await
            }
            Self::Purge { id } => {
                client.send(client.request(Method::DELETE, &["invocations", &id.to_string()])).await?;
                output::note(&format!("removed {id}"));
                Ok(())
            }
        }
    }
}

/// Page by page, until all have been looked at.
async fn redrive(client: &Client, output: Output, which: &Which, span: &Span) -> Result<(), Error> {
    let (mut cursor, mut redriven, mut failed) = (None, 0, 0_u64);
    loop {
        let request = which.narrowed(span.request(client, Method::POST, &["deliveries", "redrive"])?);
        let request = request.query(&[("cursor", &cursor)]);
        let page = client.json::<Again>(request).await?;
        if output.json {
            output::line(&page.raw)?;
        }
        (redriven, failed) = (redriven + page.value.redriven, failed + page.value.failed.len() as u64);
        for Failed { id, detail } in &page.value.failed {
            output::note(&format!("{id}: {detail}"));
        }
        cursor = page.value.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    output::note(&format!("the deliveries of {redriven} invocations are tried again, {failed} could not be"));
    if failed > 0 { Err(Error::NotAll { failed }) } else { Ok(()) }
}

fn table(listed: &[Listed]) -> String {
    output::table(
        ["INVOCATION", "FUNCTION", "TO", "STATE", "TRIES", "NEXT", "ERROR"],
        listed.iter().map(|it| {
            [
                it.invocation.clone(),
                api::path(&it.namespace, &it.function),
                it.to.clone(),
                it.state.clone(),
                it.tries.to_string(),
                output::or_dash(it.next_try_at.clone()),
                output::or_dash(it.error.clone()),
            ]
        }),
    )
}
