//! `bench messages`: how fast messages and outcomes go through what is built in. A message queue is sent to, received
//! from and deleted from over HTTP; a stream is appended to; outcomes are brought to a receiver of webhooks on this
//! machine; and a queue is filled, to see what memory its messages take.
//!
//! | file | decides |
//! | --- | --- |
//! | `client` | what one client does, in the native dialect |

mod client;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use futures::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::client::{Kind, Messenger};
use super::child::Child;
use super::deployed::Deployed;
use super::load::{Measured, Stop, Work, measured_beside, repeated};
use super::metrics::Metrics;
use super::queue::cases::{Summary, rate, rounded, temporary};
use super::{caller, guests, memory, queue, usage};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use crate::cli::units;

/// Clients of each case.
const CLIENTS: [u32; 2] = [1, 16];
/// Those that fill a queue: so many share a sync that the disk is not what is waited for.
const FILLERS: u32 = 64;
/// What settles, so that its outcome is brought somewhere.
const ECHO: Deployed = Deployed::new("echo", guests::ECHO);
/// How long outcomes may take to be brought.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Args)]
pub(in crate::cli) struct Messages {
    /// How long is counted in each case and round
    #[arg(long, value_name = "N", default_value = "3", value_parser = queue::seconds)]
    seconds: Duration,
    /// Rounds, each with a new server and all cases in turn; their medians are told
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How large messages are
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = size)]
    payload: usize,
    /// Outcomes that are brought to the receiver of webhooks, in all
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    deliveries: u64,
    /// Messages that one queue is filled with
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=20_000_000))]
    fill: u64,
    /// Where the server's data is, in a folder that is removed again [default: the system's folder for such]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// A case, round by round.
struct Case {
    kind: Kind,
    clients: u32,
    rounds: Vec<Measured>,
}

impl Messages {
    pub(in crate::cli) async fn run(mut self, output: Output) -> Result<(), Error> {
        let folder = queue::folder(self.dir.take())?;
        let kinds = [Kind::Cycle, Kind::Append].into_iter();
        let of = |kind| CLIENTS.map(|clients| Case { kind, clients, rounds: Vec::new() });
        let mut cases: Vec<_> = kinds.flat_map(of).collect();
        for round in 1..=self.rounds {
            output::note(&format!("round {round} of {}", self.rounds));
            self.round(&folder, &mut cases).await?;
        }
        output::note("outcomes to a receiver of webhooks");
        let delivered = self.deliver(&folder).await?;
        output::note(&format!("{} messages into one queue", self.fill));
        let filled = self.fill(&folder).await?;
        let report = json!({
            "payload_bytes": self.payload,
            "cases": cases.iter().map(Case::json).collect::<Vec<_>>(),
            "deliveries": delivered,
            "filled": filled,
        });
        output::line(&if output.json { report.to_string() } else { text(&report) })
    }

    /// One server, all cases.
    async fn round(&self, folder: &Path, cases: &mut [Case]) -> Result<(), Error> {
        let data = temporary(folder)?;
        let (mut child, client) = start(data.path(), &[]).await?;
        for case in cases {
            let messengers = self.messengers(&client, case.kind, case.clients).await?;
            let server_cpu = || usage::cpu_of(child.pid());
            let stop = Stop::default();
            case.rounds.push(measured_beside(messengers, Work::Cycle, self.seconds, &stop, server_cpu).await?);
        }
        end(&mut child).await
    }

    async fn messengers(&self, client: &Client, kind: Kind, count: u32) -> Result<Vec<Messenger>, Error> {
        let address = client.socket()?;
        try_join_all((0..count).map(|_| Messenger::connect(address, kind, self.payload))).await
    }

    /// How long it takes to run so many invocations that wait and to bring their outcomes to a receiver.
    async fn deliver(&self, folder: &Path) -> Result<Value, Error> {
        let data = temporary(folder)?;
        let (mut receiver, address) = Child::start_bare().await?;
        let (mut child, client) = start(data.path(), &["--allow-private-targets", "127.0.0.0/8"]).await?;
        ECHO.deploy(&client).await?;
        let function = ["functions", ECHO.name];
        let config = json!({ "on_success": format!("http://{address}/") });
        let configure = client.in_namespace(Method::PUT, &[function[0], function[1], "async-config"]);
        client.send(configure.body(config.to_string())).await?;
        let queue = |verb| client.in_namespace(Method::POST, &[function[0], function[1], "queue", verb]);
        client.send(queue("pause")).await?;
        let payload = queue::cases::payload(self.payload);
        caller::enqueue(client.socket()?, ECHO.name, &payload, self.deliveries).await?;

        let began = Instant::now();
        client.send(queue("resume")).await?;
        while Metrics::read(&client).await?.count("tidemill_deliveries_made_total") < self.deliveries {
            if began.elapsed() > PATIENCE {
                return Err(Error::Bench(format!("not all outcomes were brought within {PATIENCE:?}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let per_second = rate(self.deliveries, began.elapsed());
        end(&mut child).await?;
        end(&mut receiver).await?;
        Ok(json!({ "count": self.deliveries, "per_second": per_second }))
    }

    /// What a queue of many short messages takes.
    async fn fill(&self, folder: &Path) -> Result<Value, Error> {
        let data = temporary(folder)?;
        let (mut child, client) = start(data.path(), &[]).await?;
        let messengers = self.messengers(&client, Kind::Send, FILLERS).await?;
        let before = memory::resident(child.pid()).await;
        let began = Instant::now();
        repeated(messengers, Work::Enqueue, self.fill, &Stop::default()).await?;
        let per_second = rate(self.fill, began.elapsed());
        let after = memory::resident(child.pid()).await;
        let filled = json!({
            "messages": self.fill,
            "per_second": per_second,
            "rss_before_bytes": before,
            "rss_after_bytes": after,
            "disk_bytes": usage::disk_bytes(data.path()),
        });
        end(&mut child).await?;
        Ok(filled)
    }
}

impl Case {
    fn json(&self) -> Value {
        let summary = Summary::of(&self.rounds);
        let server_cpu =
            super::load::median(self.rounds.iter().map(Measured::peer_cpu_us_per_op).collect(), f64::total_cmp);
        json!({
            "case": self.kind.as_str(),
            "clients": self.clients,
            "per_second": summary.per_second.round(),
            "p50_us": summary.p50_us,
            "p99_us": summary.p99_us,
            "server_cpu_us_per_op": rounded(server_cpu.unwrap_or_default(), 10),
            "rounds_per_second": summary.rounds.iter().map(|rate| rate.round()).collect::<Vec<_>>(),
        })
    }
}

/// A server with a queue and a stream.
async fn start(data: &Path, more: &[&str]) -> Result<(Child, Client), Error> {
    let (child, client) = Child::start(data, &[&["--log", "error"], more].concat()).await?;
    for path in [["queues", client::NAME], ["streams", client::NAME]] {
        client.send(client.in_namespace(Method::PUT, &path).body("{}")).await?;
    }
    Ok((child, client))
}

/// Ends a server whose data nobody wants.
async fn end(child: &mut Child) -> Result<(), Error> {
    child.kill()?;
    child.ended().await.map(drop)
}

/// Characters of a message.
fn size(text: &str) -> Result<usize, String> {
    let bytes = units::size(text).map_err(|error| error.to_string())?;
    usize::try_from(bytes).ok().filter(|bytes| (1..=100_000).contains(bytes)).ok_or("use 1 to 100000 bytes".to_owned())
}

fn text(report: &Value) -> String {
    let rows = report["cases"].as_array().into_iter().flatten().map(|case| {
        [
            case["case"].as_str().unwrap_or_default().to_owned(),
            case["clients"].to_string(),
            format!("{:.0}/s", case["per_second"].as_f64().unwrap_or_default()),
            format!("{} us", case["p50_us"]),
            format!("{} us", case["p99_us"]),
            format!("{} us", case["server_cpu_us_per_op"]),
        ]
    });
    let table = output::table(["CASE", "CLIENTS", "RATE", "P50", "P99", "SERVER'S CPU"], rows);
    let (delivered, filled) = (&report["deliveries"], &report["filled"]);
    let size = |of: &str| filled[of].as_u64().map_or_else(|| "?".to_owned(), units::show_size);
    format!(
        "{table}\n\n{} invocations run and brought to a webhook: {}/s\n{} messages sent into one queue: {}/s, memory from {} to {}, {} on disk",
        delivered["count"],
        delivered["per_second"],
        filled["messages"],
        filled["per_second"],
        size("rss_before_bytes"),
        size("rss_after_bytes"),
        size("disk_bytes"),
    )
}
