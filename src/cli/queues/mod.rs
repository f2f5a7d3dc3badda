//! `queues`: message queues, which functions and people send each other messages over. Not `queue`, which is what waits
//! for one function.

mod messages;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use messages::{Send, receive};

use super::api::{Answer, Problem};
use super::client::Client;
use super::error::Error;
use super::output::{self, Output, or_dash};
use super::units;
use crate::model::message_queue::QueueName;
use crate::model::time::whole_ms;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// List the queues and what they hold
    List {
        /// Only those whose names begin like this
        #[arg(long, value_name = "TEXT", default_value = "")]
        prefix: String,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: usize,
    },
    /// Make a queue; one whose name ends in `.fifo` keeps order and takes no message twice
    Create {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        settings: Settings,
    },
    /// Show the settings of a queue and what it holds
    Show(Of),
    /// Replace the settings as a whole: what is not given is as usual again
    Set {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        settings: Settings,
    },
    /// Send a message
    Send(Box<Send>),
    /// Receive messages: they are hidden from others for a while, and come back unless they are deleted
    Receive {
        #[command(flatten)]
        of: Of,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 1)]
        max: usize,
        /// For how long they are hidden [default: as the queue says]
        #[arg(long, value_name = "TIME", value_parser = units::duration)]
        visibility: Option<Duration>,
        /// How long to wait for the first, up to 20s [default: as the queue says]
        #[arg(long, value_name = "TIME", value_parser = units::duration)]
        wait: Option<Duration>,
        /// Delete them once they are printed
        #[arg(long)]
        delete: bool,
    },
    /// Remove every message of a queue
    Purge(Of),
    /// Delete a queue with its messages, or one message of it
    Delete {
        #[command(flatten)]
        of: Of,
        /// The message that was received with this receipt, and not the queue
        #[arg(long, value_name = "RECEIPT")]
        message: Option<String>,
    },
}

// Which queue.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The queue
    name: QueueName,
}

// The settings as flags.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// For how long a message that was received is hidden from others [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    visibility: Option<Duration>,
    /// How long before a message can be received for the first time, up to 15m [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    delay: Option<Duration>,
    /// For how long a message is kept that nobody deletes, 1m to 14d [default: 4d]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    retention: Option<Duration>,
    /// How long a receive waits for a message, up to 20s [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    wait: Option<Duration>,
    /// How large a message may be, attributes included, up to 256KiB [default: 256KiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_message: Option<u64>,
    /// Where messages go that were received too often
    #[arg(long, value_name = "QUEUE", requires = "max_receives")]
    dead_letters: Option<QueueName>,
    /// How often a message is received before it goes there
    #[arg(long, value_name = "N", requires = "dead_letters")]
    max_receives: Option<u32>,
    /// FIFO: messages with the same body are the same message
    #[arg(long)]
    deduplicate_by_content: bool,
    /// A note about the queue, as `KEY=VALUE`; repeatable
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
}

/// The text is no name and value.
#[derive(Debug, Clone, thiserror::Error)]
#[error("write it as `NAME=VALUE`")]
struct NoPair;

fn pair(text: &str) -> Result<(String, String), NoPair> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or(NoPair)?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A queue as the server shows it.
#[derive(Debug, Deserialize)]
struct Queue {
    name: String,
    created_at: String,
    visibility_s: u64,
    delay_s: u64,
    retention_s: u64,
    wait_s: u64,
    max_message_bytes: u64,
    redrive: Option<Redrive>,
    content_deduplication: bool,
    tags: BTreeMap<String, String>,
    visible: u64,
    in_flight: u64,
    delayed: u64,
    bytes: u64,
    oldest_age_s: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Redrive {
    to: String,
    max_receives: u32,
}

impl Settings {
    fn body(&self) -> Value {
        let seconds = |time: Option<Duration>| time.map(|time| Value::from(time.as_secs()));
        let redrive = self.dead_letters.as_ref().zip(self.max_receives);
        let redrive = redrive.map(|(to, most)| json!({ "to": to.as_str(), "max_receives": most }));
        let given = [
            ("visibility_s", seconds(self.visibility)),
            ("delay_s", seconds(self.delay)),
            ("retention_s", seconds(self.retention)),
            ("wait_s", seconds(self.wait)),
            ("max_message_bytes", self.max_message.map(Value::from)),
            ("redrive", redrive),
            ("content_deduplication", self.deduplicate_by_content.then_some(Value::Bool(true))),
            ("tags", Some(self.tags.iter().cloned().map(|(key, value)| (key, Value::from(value))).collect())),
        ];
        present(given)
    }

    /// Times are whole seconds: what is not is said, and not cut.
    fn check(&self) -> Result<(), Error> {
        [self.visibility, self.delay, self.retention, self.wait].into_iter().try_for_each(whole)
    }
}

fn whole(time: Option<Duration>) -> Result<(), Error> {
    match time {
        Some(time) if time.subsec_nanos() > 0 => {
            let shown = units::show_duration(whole_ms(time));
            Err(Error::Usage(format!("`{shown}` is not a number of whole seconds, which queues count in")))
        }
        _ => Ok(()),
    }
}

fn present<const N: usize>(given: [(&str, Option<Value>); N]) -> Value {
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List { prefix, limit } => list(client, output, &prefix, limit).await,
            Self::Create { of, settings } => create(client, output, &of, &settings).await,
            Self::Show(of) => show(client, output, &of).await,
            Self::Set { of, settings } => set(client, output, &of, &settings).await,
            Self::Send(send) => send.run(client, output).await,
            Self::Receive { of, max, visibility, wait, delete } => {
                [visibility, wait].into_iter().try_for_each(whole)?;
                let mut query = vec![("max_messages", max.to_string())];
                query.extend(visibility.map(|time| ("visibility_s", time.as_secs().to_string())));
                query.extend(wait.map(|time| ("wait_s", time.as_secs().to_string())));
                receive(client, output, &of, &query, delete).await
            }
            Self::Purge(of) => {
                client.send(client.in_namespace(Method::POST, &["queues", of.name.as_str(), "purge"])).await?;
                output::note(&format!("purged {}", of.name));
                Ok(())
            }
            Self::Delete { of, message } => {
                let name = of.name.as_str();
                if let Some(receipt) = &message {
                    let path = ["queues", name, "messages", receipt.as_str()];
                    client.send(client.in_namespace(Method::DELETE, &path)).await?;
                    output::note(&format!("deleted a message of {name}"));
                } else {
                    client.send(client.in_namespace(Method::DELETE, &["queues", name])).await?;
                    output::note(&format!("deleted {name}"));
                }
                Ok(())
            }
        }
    }
}

async fn list(client: &Client, output: Output, prefix: &str, limit: usize) -> Result<(), Error> {
    let request = || client.in_namespace(Method::GET, &["queues"]).query(&[("prefix", prefix)]);
    let queues = client.list::<Queue>("queues", limit.max(1), request).await?;
    if queues.value.items.is_empty() && !output.json {
        output::note("no queues: make one with `tidemill queues create NAME`");
        return Ok(());
    }
    if queues.value.has_more && !output.json {
        output::note(&format!("there are more: show them with `--limit {}`", limit.saturating_mul(10)));
    }
    output.answer(&queues, |queues| {
        let rows = queues.items.iter().map(|it| {
            let counts = [it.visible, it.in_flight, it.delayed].map(|count| count.to_string());
            let [visible, in_flight, delayed] = counts;
            [it.name.clone(), visible, in_flight, delayed, units::show_size(it.bytes), or_dash(age(it))]
        });
        output::table(["NAME", "VISIBLE", "IN FLIGHT", "DELAYED", "SIZE", "OLDEST"], rows)
    })
}

/// How old the oldest message is.
fn age(queue: &Queue) -> Option<String> {
    let age = Duration::try_from_secs_f64(queue.oldest_age_s?).ok()?;
    Some(units::show_elapsed(whole_ms(age)))
}

async fn create(client: &Client, output: Output, of: &Of, settings: &Settings) -> Result<(), Error> {
    settings.check()?;
    // What is there is not changed by making it: that is `set`.
    let path = ["queues", of.name.as_str()];
    let there = client.exchange(client.in_namespace(Method::GET, &path)).await?;
    if there.status().is_success() {
        let detail = format!("the queue `{}` exists: change it with `tidemill queues set`", of.name);
        return Err(Error::Refused(Box::new(Problem { detail: Some(detail), ..Problem::default() })));
    }
    let queue: Answer<Queue> = client.json(client.in_namespace(Method::PUT, &path).json(&settings.body())).await?;
    output::note(&format!("created {}", of.name));
    if output.json { output::line(&queue.raw) } else { Ok(()) }
}

async fn set(client: &Client, output: Output, of: &Of, settings: &Settings) -> Result<(), Error> {
    settings.check()?;
    let path = ["queues", of.name.as_str()];
    client.send(client.in_namespace(Method::GET, &path)).await?; // what is not there is made by `create`
    let queue: Answer<Queue> = client.json(client.in_namespace(Method::PUT, &path).json(&settings.body())).await?;
    output.answer(&queue, text)
}

async fn show(client: &Client, output: Output, of: &Of) -> Result<(), Error> {
    let queue = client.json(client.in_namespace(Method::GET, &["queues", of.name.as_str()])).await?;
    output.answer(&queue, text)
}

fn text(queue: &Queue) -> String {
    let seconds = |seconds: u64| units::show_duration(seconds * 1_000);
    let redrive = queue.redrive.as_ref().map(|it| format!("to {} after {} receives", it.to, it.max_receives));
    let tags: Vec<_> = queue.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    output::pairs([
        ("name", queue.name.clone()),
        ("created", queue.created_at.clone()),
        ("visible", queue.visible.to_string()),
        ("in flight", queue.in_flight.to_string()),
        ("delayed", queue.delayed.to_string()),
        ("size", units::show_size(queue.bytes)),
        ("oldest", or_dash(age(queue))),
        ("visibility", seconds(queue.visibility_s)),
        ("delay", seconds(queue.delay_s)),
        ("retention", seconds(queue.retention_s)),
        ("receive wait", seconds(queue.wait_s)),
        ("largest message", units::show_size(queue.max_message_bytes)),
        ("dead letters", or_dash(redrive)),
        ("deduplication", if queue.content_deduplication { "by content" } else { "-" }.to_owned()),
        ("tags", or_dash(tags.join(", "))),
    ])
}
