//! `triggers`: what invokes functions by itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Accepted, Answer};
use super::client::Client;
use super::content;
use super::error::Error;
use super::output::{self, Output};
use super::request::Request;
use super::units;
use crate::model::bounds;
use crate::model::message_queue::QueueName;
use crate::model::names::{AccountName, TriggerName};
use crate::model::reference::FunctionReference;
use crate::model::trigger::{CatchUp, Form};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// List the triggers
    List,
    /// Make a trigger, or replace the one of that name as a whole
    #[command(subcommand)]
    Create(Create),
    /// Show a trigger: what it watches, when it last fired and why it could not, and when it fires next
    Show(Of),
    /// Switch a trigger on; a timer begins with the next time that comes
    Enable(Of),
    /// Switch a trigger off
    Disable(Of),
    /// Fire a timer now, once more than its schedule says; print the id of the invocation
    Fire(Of),
    /// Delete a trigger; what it has started goes on
    Delete(Of),
}

/// The kinds of trigger.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Create {
    /// Invoke a function when a time comes
    ///
    /// A time at a fixed hour and minute is met once a day: where the clock of the time zone skips it, at the first
    /// instant behind the gap; where it shows it twice, the first time. Times that repeat (`*/10 * * * *`) follow the
    /// clock on the wall.
    ///
    /// A time is missed when it is noticed more than 10 s late: the server was off, or could take no more work. What
    /// becomes of missed times is said by `--catch-up`; none that is older than the function's max age is fired.
    Timer(Box<Timer>),
    /// Invoke a function with the messages of a queue
    ///
    /// A message is removed from the queue in the commit that accepts its invocation. While the function can take no more,
    /// its messages wait. What the function is given is a JSON document `{"namespace", "trigger", "queue", "messages":
    /// [{"id", "body", "sent_at", "receives", "attributes", "group"}]}`, or with `--format body` the body of one message.
    Queue(Box<FromQueue>),
}

#[derive(Debug, Args)]
pub(super) struct FromQueue {
    #[command(flatten)]
    common: Common,
    /// The queue, in the namespace of the trigger
    #[arg(long = "queue", value_name = "NAME")]
    from: QueueName,
    /// Messages of one invocation at most, 1 to 100 [default: 10, or 1 with `--format body`]
    #[arg(long, value_name = "N")]
    batch_size: Option<u16>,
    /// How long a batch that is not full waits for more, up to 5m
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = units::duration)]
    batch_window: Duration,
    /// Batches that are collected at once, 1 to 16
    #[arg(long, value_name = "N", default_value_t = 1)]
    concurrency: u16,
    /// What the function is given: a document with the messages, or the body of one message
    #[arg(long, value_name = "FORMAT", default_value = "batch", value_parser = PossibleValuesParser::new(Form::ALL.map(Form::as_str)))]
    format: String,
}

#[derive(Debug, Args)]
pub(super) struct Timer {
    #[command(flatten)]
    common: Common,
    /// When: minute, hour, day of month, month and day of week, such as `30 2 * * *`; a sixth field in front is the second.
    /// Or how often: `@every 90s`, `@every 1h30m`
    #[arg(long, value_name = "EXPRESSION", allow_hyphen_values = true)]
    cron: String,
    /// The time zone of that, such as `Europe/Berlin`
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// Missed times that are fired late: all of the last hundred, the latest for all of them, or none
    #[arg(long, value_name = "RULE", default_value = "latest", value_parser = catch_up_parser())]
    catch_up: CatchUp,
    /// The payload [default: JSON with the trigger, the time it fires for and the time it fires at]
    #[arg(long, value_name = "TEXT", conflicts_with = "file", allow_hyphen_values = true)]
    data: Option<String>,
    /// A file that holds the payload
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What the payload is [default: JSON, text or bytes, by the look of it]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
}

// What every trigger has.
#[derive(Debug, Args)]
struct Common {
    /// The trigger
    name: TriggerName,
    /// What it invokes: `[NAMESPACE/]NAME[@QUALIFIER]`
    #[arg(long, value_name = "FUNCTION", value_parser = function)]
    function: String,
    /// Make it switched off
    #[arg(long)]
    disabled: bool,
    /// The service account that must be allowed to invoke the function, and to receive from the queue, now and each time
    /// the trigger fires; without one you have to be, now
    #[arg(long, value_name = "ACCOUNT")]
    service_account: Option<AccountName>,
}

// Which trigger.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The trigger
    name: TriggerName,
}

/// A trigger as the server shows it.
#[derive(Debug, Deserialize)]
struct Shown {
    name: String,
    kind: String,
    function: String,
    enabled: bool,
    service_account: Option<String>,
    created_at: String,
    fired: u64,
    last_fired_at: Option<String>,
    last_invocation_id: Option<String>,
    last_error: Option<Trouble>,
    next_at: Option<String>,
    cron: Option<String>,
    time_zone: Option<String>,
    catch_up: Option<String>,
    queue: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Trouble {
    at: String,
    message: String,
}

fn catch_up_parser() -> impl clap::builder::TypedValueParser<Value = CatchUp> {
    let word = |text: String| CatchUp::ALL.into_iter().find(|rule| rule.as_str() == text).unwrap_or_default();
    PossibleValuesParser::new(CatchUp::ALL.map(CatchUp::as_str)).map(word)
}

/// A function that has been found to be written as one.
fn function(text: &str) -> Result<String, crate::model::names::InvalidName> {
    text.parse::<FunctionReference>().map(|_| text.to_owned())
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List => list(client, output).await,
            Self::Create(Create::Timer(timer)) => {
                let request = client.in_namespace(Method::PUT, &["triggers", timer.common.name.as_str()]);
                let made: Answer<Shown> = client.json(request.json(&timer.body()?)).await?;
                output.answer(&made, text)
            }
            Self::Create(Create::Queue(queue)) => {
                let request = client.in_namespace(Method::PUT, &["triggers", queue.common.name.as_str()]);
                let made: Answer<Shown> = client.json(request.json(&queue.body()?)).await?;
                output.answer(&made, text)
            }
            Self::Show(of) => {
                let shown: Answer<Shown> = client.json(of.request(client, Method::GET, None)).await?;
                output.answer(&shown, text)
            }
            Self::Enable(of) => switch(client, output, &of, "enable").await,
            Self::Disable(of) => switch(client, output, &of, "disable").await,
            Self::Fire(of) => {
                let accepted: Answer<Accepted> = client.json(of.request(client, Method::POST, Some("fire"))).await?;
                output.answer(&accepted, |accepted| accepted.id.to_string())
            }
            Self::Delete(of) => {
                client.send(of.request(client, Method::DELETE, None)).await?;
                output::note(&format!("deleted {}", of.name));
                Ok(())
            }
        }
    }
}

impl Of {
    fn request(&self, client: &Client, method: Method, verb: Option<&str>) -> Request {
        let path: Vec<_> = ["triggers", self.name.as_str()].into_iter().chain(verb).collect();
        client.in_namespace(method, &path)
    }
}

impl FromQueue {
    fn body(&self) -> Result<Value, Error> {
        if self.batch_window.subsec_nanos() != 0 {
            return Err(Error::Usage("--batch-window counts in whole seconds".to_owned()));
        }
        Ok(json!({
            "kind": "queue",
            "function": self.common.function,
            "enabled": !self.common.disabled,
            "service_account": self.common.service_account,
            "queue": self.from.as_str(),
            "batch_size": self.batch_size,
            "batch_window_s": self.batch_window.as_secs(),
            "concurrency": self.concurrency,
            "format": self.format,
        }))
    }
}

impl Timer {
    fn body(&self) -> Result<Value, Error> {
        let payload = match (&self.data, &self.file) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(path)) => Some(read(path)?),
            (None, None) => None,
        };
        let seems = payload.as_deref().and_then(content::content_type);
        let mut body = json!({
            "kind": "timer",
            "function": self.common.function,
            "enabled": !self.common.disabled,
            "service_account": self.common.service_account,
            "cron": self.cron,
            "time_zone": self.time_zone,
            "catch_up": self.catch_up.as_str(),
            "content_type": self.content_type.as_deref().or(seems),
        });
        if let Some(payload) = payload {
            content::put(&mut body, "payload", payload);
        }
        Ok(body)
    }
}

/// A payload. More of it than a timer may have is not read: the server says what is wrong with that.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let mut payload = Vec::new();
    let most = bounds::MAX_TIMER_PAYLOAD_BYTES as u64 + 1;
    let read = std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut payload));
    read.map(|_| payload).map_err(|cause| Error::Unreadable { path: path.to_owned(), cause })
}

async fn switch(client: &Client, output: Output, of: &Of, verb: &str) -> Result<(), Error> {
    let shown: Answer<Shown> = client.json(of.request(client, Method::POST, Some(verb))).await?;
    output.answer(&shown, text)
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let request = || client.in_namespace(Method::GET, &["triggers"]);
    let triggers = client.list::<Shown>("triggers", bounds::MAX_TRIGGERS, request).await?;
    if triggers.value.items.is_empty() && !output.json {
        output::note("no triggers: make one with `tidemill triggers create`");
        return Ok(());
    }
    output.answer(&triggers, |triggers| {
        let rows = triggers.items.iter().map(|it| {
            let state = if it.enabled { "on" } else { "off" };
            let watches = watches(it);
            [
                it.name.clone(),
                it.kind.clone(),
                watches,
                it.function.clone(),
                state.to_owned(),
                output::or_dash(it.last_fired_at.clone()),
                output::or_dash(it.next_at.clone()),
            ]
        });
        output::table(["NAME", "KIND", "WATCHES", "FUNCTION", "STATE", "LAST FIRED", "NEXT"], rows)
    })
}

fn watches(shown: &Shown) -> String {
    match (&shown.cron, &shown.time_zone) {
        (Some(cron), Some(zone)) => output::plain(&format!("{cron} {zone}")),
        _ => shown.queue.as_ref().map_or_else(|| "-".to_owned(), |queue| format!("queue:{queue}")),
    }
}

fn text(shown: &Shown) -> String {
    let error = shown.last_error.as_ref().map(|error| output::plain(&format!("{}: {}", error.at, error.message)));
    let mut rows = vec![
        ("name", shown.name.clone()),
        ("kind", shown.kind.clone()),
        ("watches", watches(shown)),
        ("invokes", shown.function.clone()),
        ("state", if shown.enabled { "on" } else { "off" }.to_owned()),
    ];
    rows.extend(shown.service_account.clone().map(|account| ("acts for", account)));
    rows.extend(shown.catch_up.clone().map(|rule| ("catches up with", rule)));
    rows.extend([
        ("created", shown.created_at.clone()),
        ("fired", shown.fired.to_string()),
        ("last fired", output::or_dash(shown.last_fired_at.clone())),
        ("last invocation", output::or_dash(shown.last_invocation_id.clone())),
        ("last error", output::or_dash(error)),
        ("next", output::or_dash(shown.next_at.clone())),
    ]);
    output::pairs(rows)
}
