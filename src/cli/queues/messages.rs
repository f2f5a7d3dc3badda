//! `queues send` and `queues receive`: the messages of a queue.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Of, pair, present, whole};
use crate::cli::api::Answer;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::input;
use crate::cli::output::{self, Output};
use crate::cli::units;
use crate::model::bounds;

// A message as flags.
#[derive(Debug, Args)]
pub(in crate::cli) struct Send {
    #[command(flatten)]
    of: Of,
    /// What it says [default: what comes from standard input]
    body: Option<String>,
    /// The file that holds what it says
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    file: Option<PathBuf>,
    /// How long before it can be received, up to 15m [default: as the queue says]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    delay: Option<Duration>,
    /// Something that is said about it, as `NAME=TEXT`; repeatable
    #[arg(long = "attribute", value_name = "NAME=TEXT", value_parser = pair)]
    attributes: Vec<(String, String)>,
    /// FIFO: which messages it must not overtake
    #[arg(long, value_name = "TEXT")]
    group: Option<String>,
    /// FIFO: by what it is known again for five minutes
    #[arg(long, value_name = "TEXT")]
    deduplication_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Sent {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Messages {
    messages: Vec<Message>,
}

/// A message as the server shows it.
#[derive(Debug, Deserialize)]
struct Message {
    id: String,
    receipt: String,
    body: String,
    receives: u32,
    sent_at: String,
}

impl Send {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        whole(self.delay)?;
        let body = match (self.body, &self.file) {
            (Some(body), _) => body,
            (None, Some(path)) => {
                let read = tokio::fs::read_to_string(path).await;
                read.map_err(|cause| Error::Unreadable { path: path.clone(), cause })?
            }
            (None, None) => {
                let usage = "the message is an argument, a file or standard input: `tidemill queues send QUEUE BODY`";
                let body = input::piped(bounds::MAX_MESSAGE_BATCH_BYTES, || usage.to_owned()).await?;
                String::from_utf8(body).map_err(|error| Error::Unreadable {
                    path: PathBuf::from("-"),
                    cause: io::Error::new(io::ErrorKind::InvalidData, error),
                })?
            }
        };
        let attributes =
            self.attributes.into_iter().map(|(name, text)| (name, json!({ "type": "String", "value": text })));
        let message = present([
            ("body", Some(body.into())),
            ("attributes", Some(Value::Object(attributes.collect()))),
            ("group", self.group.map(Value::from)),
            ("deduplication_id", self.deduplication_id.map(Value::from)),
            ("delay_s", self.delay.map(|delay| delay.as_secs().into())),
        ]);
        let request = client.in_namespace(Method::POST, &["queues", self.of.name.as_str(), "messages"]);
        let sent: Answer<Sent> = client.json(request.json(&message)).await?;
        output.answer(&sent, |sent| sent.id.clone())
    }
}

/// Receives messages, shows them, and then removes them where that is asked for.
pub(super) async fn receive(
    client: &Client,
    output: Output,
    of: &Of,
    query: &[(&str, String)],
    delete: bool,
) -> Result<(), Error> {
    let request = client.in_namespace(Method::POST, &["queues", of.name.as_str(), "receive"]).query(query);
    let received: Answer<Messages> = client.json(request).await?;
    if received.value.messages.is_empty() && !output.json {
        output::note("no messages: wait for some with `--wait 20s`");
        return Ok(());
    }
    output.answer(&received, |received| {
        let rows = received.messages.iter().map(|it| {
            [it.id.clone(), it.sent_at.clone(), it.receives.to_string(), it.receipt.clone(), it.body.clone()]
        });
        output::table(["ID", "SENT", "RECEIVES", "RECEIPT", "BODY"], rows)
    })?;
    // Not before they are printed: what nobody has seen comes back.
    for message in received.value.messages.iter().filter(|_| delete) {
        let path = ["queues", of.name.as_str(), "messages", &message.receipt];
        client.send(client.in_namespace(Method::DELETE, &path)).await?;
    }
    Ok(())
}
