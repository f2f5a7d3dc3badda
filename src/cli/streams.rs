//! `streams`: what is appended once and read from any place on.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::api::Answer;
use super::client::Client;
use super::content;
use super::error::Error;
use super::input;
use super::output::{self, Output};
use super::units;
use super::variable::{Variable, once_each};
use crate::model::bounds;
use crate::model::names::StreamName;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// List the streams
    List,
    /// Make a stream, or give one other settings
    Create(Create),
    /// Show where a stream begins and ends, and what it holds
    Show {
        /// The stream
        stream: StreamName,
    },
    /// Append a record and print its place
    Append(Append),
    /// Print records of a stream
    Read(Read),
    /// Delete a stream with its records
    Delete {
        /// The stream
        stream: StreamName,
    },
}

// What a stream is to be like.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The stream
    stream: StreamName,
    /// How long records are kept [default: 1d]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    retention: Option<std::time::Duration>,
    /// Bytes that it holds; past them the oldest records go [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_bytes: Option<u64>,
}

// A record to append.
#[derive(Debug, Args)]
pub(super) struct Append {
    /// The stream
    stream: StreamName,
    /// What it says [default: standard input]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    data: Option<String>,
    /// What it is about: readers can ask for the records of one key
    #[arg(long)]
    key: Option<String>,
    /// A UUID: a record with it that was appended lately is not appended again
    #[arg(long, value_parser = units::uuid)]
    id: Option<Uuid>,
    /// What the data is
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// More about it
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<Variable>,
}

// What to read.
#[derive(Debug, Args)]
pub(super) struct Read {
    /// The stream
    stream: StreamName,
    /// Where to begin: `earliest`, `latest`, a place, or a time such as `2026-11-21T09:00:00Z`
    #[arg(long, value_name = "WHERE", default_value = "earliest")]
    from: String,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Only those with this key
    #[arg(long)]
    key: Option<String>,
    /// How long to wait for the first one where there is none, up to 20s
    #[arg(long, value_name = "TIME")]
    wait: Option<String>,
}

#[derive(Serialize)]
struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    name: String,
    retention_s: u64,
    max_bytes: u64,
    first: u64,
    next: u64,
    records: u64,
    bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Places {
    places: Vec<u64>,
}

#[derive(Debug, Deserialize)]
struct Records {
    records: Vec<Record>,
    next: u64,
}

#[derive(Debug, Deserialize)]
struct Record {
    place: u64,
    at: String,
    key: Option<String>,
    data: Option<String>,
    data_base64: Option<String>,
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List => list(client, output).await,
            Self::Create(create) => create.run(client, output).await,
            Self::Show { stream } => {
                let request = client.in_namespace(Method::GET, &["streams", stream.as_str()]);
                output.answer(&client.json(request).await?, shown)
            }
            Self::Append(append) => append.run(client, output).await,
            Self::Read(read) => read.run(client, output).await,
            Self::Delete { stream } => {
                client.send(client.in_namespace(Method::DELETE, &["streams", stream.as_str()])).await?;
                output::note(&format!("deleted {stream}"));
                Ok(())
            }
        }
    }
}

impl Create {
    async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let retention_s = self.retention.map(|time| time.as_secs());
        let settings = Settings { retention_s, max_bytes: self.max_bytes };
        let request = client.in_namespace(Method::PUT, &["streams", self.stream.as_str()]);
        output.answer(&client.json(request.json(&settings)).await?, shown)
    }
}

impl Append {
    async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let data = match self.data {
            Some(data) => data.into_bytes(),
            None => standard_input("tidemill streams append STREAM").await?,
        };
        let attributes = once_each("--attribute", &self.attributes)?;
        let mut record = serde_json::json!({
            "id": self.id, "key": self.key, "content_type": self.content_type, "attributes": attributes,
        });
        content::put(&mut record, "data", data);
        let request = client.in_namespace(Method::POST, &["streams", self.stream.as_str(), "records"]);
        let request = request.json(&serde_json::json!({ "records": [record] }));
        let places: Answer<Places> = client.json(request).await?;
        output.answer(&places, |places| places.places.iter().map(u64::to_string).collect::<Vec<_>>().join("\n"))
    }
}

impl Read {
    async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let request = client.in_namespace(Method::GET, &["streams", self.stream.as_str(), "records"]);
        let query = [
            ("from", Some(self.from)),
            ("limit", Some(self.limit.to_string())),
            ("key", self.key),
            ("wait", self.wait),
        ];
        let records: Answer<Records> = client.json(request.query(&query)).await?;
        if !output.json {
            output::note(&format!("go on with `--from {}`", records.value.next));
        }
        output.answer(&records, |records| {
            if records.records.is_empty() {
                return String::new();
            }
            let rows = records.records.iter().map(|it| {
                let data = it.data.clone().or_else(|| it.data_base64.as_ref().map(|text| format!("base64:{text}")));
                [it.place.to_string(), it.at.clone(), output::or_dash(it.key.clone()), data.unwrap_or_default()]
            });
            output::table(["PLACE", "AT", "KEY", "DATA"], rows)
        })
    }
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let request = || client.in_namespace(Method::GET, &["streams"]);
    let streams = client.list::<Stream>("streams", bounds::MAX_STREAMS, request).await?;
    if streams.value.items.is_empty() && !output.json {
        output::note("no streams: make one with `tidemill streams create NAME`");
        return Ok(());
    }
    output.answer(&streams, |streams| {
        let rows = streams.items.iter().map(|it| {
            [it.name.clone(), it.records.to_string(), units::show_size(it.bytes), kept(it), it.next.to_string()]
        });
        output::table(["NAME", "RECORDS", "SIZE", "KEPT", "NEXT"], rows)
    })
}

fn kept(stream: &Stream) -> String {
    let time = units::show_duration(stream.retention_s.saturating_mul(1_000));
    format!("{time}, {}", units::show_size(stream.max_bytes))
}

fn shown(stream: &Stream) -> String {
    output::pairs([
        ("name", stream.name.clone()),
        ("records", stream.records.to_string()),
        ("size", units::show_size(stream.bytes)),
        ("first place", stream.first.to_string()),
        ("next place", stream.next.to_string()),
        ("kept", kept(stream)),
    ])
}

/// What stands at standard input, and no more of it than the server would refuse; `usage` is told where that is a person's
/// keyboard.
pub(super) async fn standard_input(usage: &str) -> Result<Vec<u8>, Error> {
    let told = || format!("say it with `--data`, or at standard input: `printf %s TEXT | {usage}`");
    input::piped(bounds::MAX_STREAM_RECORD_BYTES, told).await
}
