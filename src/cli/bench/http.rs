//! `bench http`: how many durable acceptances a second a server answers, against what the same server answers when it
//! only reads the request and says the same. What lies between the two is the price of the disk; what both pay is HTTP.
//!
//! Clients and server share the machine. The clients are as cheap as they can be (`caller`), the same for both, and
//! what they cost is told.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::caller::Caller;
use super::child::Child;
use super::deployed::Deployed;
use super::load::{Measured, Stop, Work, measured_beside, median};
use super::queue::cases::{Summary, payload, rounded, temporary};
use super::{guests, queue, usage};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use crate::cli::units;
use reqwest::Method;

const ECHO: Deployed = Deployed::new("echo", guests::ECHO);
const ACCEPTING: &str = "/v1/functions/echo/invocations";
/// Answers as an acceptance does, and keeps nothing.
const CONSTANT: &str = "/bench/accepted";
/// Nothing is to run while it is measured: what a function costs is another question.
const LATER: &str = "tidemill-delay: 1h\r\n";

#[derive(Debug, Args)]
pub(in crate::cli) struct Http {
    /// How long is counted in all, over both answers and all rounds
    #[arg(long, value_name = "N", default_value = "30", value_parser = queue::seconds)]
    seconds: Duration,
    /// Rounds, each with a new server and both answers in turn; their medians are told
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Connections, each waiting for its answer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    connections: u32,
    /// How large payloads are
    #[arg(long, value_name = "SIZE", default_value = "256", value_parser = queue::payload)]
    payload: usize,
    /// Where the server's data is, in a folder that is removed again [default: the system's folder for such]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// What one answer came to, round by round.
#[derive(Debug, Default)]
struct Side(Vec<Measured>);

/// A server under load.
struct Server {
    child: Child,
    address: SocketAddr,
    /// What a request needs so that it waits in the queue.
    headers: &'static str,
    payload: Bytes,
}

impl Http {
    pub(in crate::cli) async fn run(mut self, output: Output) -> Result<(), Error> {
        let folder = queue::folder(self.dir.take())?;
        let (mut durable, mut constant, mut bytes) = (Side::default(), Side::default(), [0; 2]);
        for round in 1..=self.rounds {
            output::note(&format!("round {round} of {}", self.rounds));
            bytes = self.round(&folder, &mut durable, &mut constant).await?;
        }
        let report = self.report(&durable, &constant, bytes);
        output::line(&if output.json { report.to_string() } else { text(&report) })
    }

    /// One server, both answers. Returns how large each of them is.
    async fn round(&self, folder: &Path, durable: &mut Side, constant: &mut Side) -> Result<[usize; 2], Error> {
        let data = temporary(folder)?;
        let mut server = Server::start(data.path(), payload(self.payload)).await?;
        let window = self.seconds / (2 * self.rounds);
        for (path, side) in [(ACCEPTING, durable), (CONSTANT, constant)] {
            let server_cpu = || usage::cpu_of(server.child.pid());
            let callers = (0..self.connections).map(|_| server.caller(path));
            let callers = try_join_all(callers).await?;
            side.0.push(measured_beside(callers, Work::Enqueue, window, &Stop::default(), server_cpu).await?);
        }
        let bytes =
            [server.caller(ACCEPTING).await?.call().await?.bytes, server.caller(CONSTANT).await?.call().await?.bytes];
        server.child.kill()?; // a backlog that nobody wants need not be put away
        server.child.ended().await?;
        Ok(bytes)
    }

    fn report(&self, durable: &Side, constant: &Side, [durable_bytes, constant_bytes]: [usize; 2]) -> Value {
        let ratio = Summary::of(&durable.0).ratio(&Summary::of(&constant.0));
        json!({
            "connections": self.connections,
            "payload_bytes": self.payload,
            "ratio": ratio,
            "durable": durable.json(durable_bytes),
            "constant": constant.json(constant_bytes),
        })
    }
}

impl Side {
    fn json(&self, answer_bytes: usize) -> Value {
        let summary = Summary::of(&self.0);
        let server_cpu = median(self.0.iter().map(Measured::peer_cpu_us_per_op).collect(), f64::total_cmp);
        json!({
            "per_second": summary.per_second.round(),
            "p50_us": summary.p50_us,
            "p99_us": summary.p99_us,
            "client_cpu_us_per_op": rounded(summary.cpu_us_per_op, 10),
            "server_cpu_us_per_op": rounded(server_cpu.unwrap_or_default(), 10),
            "answer_bytes": answer_bytes,
            "rounds_per_second": summary.rounds.iter().map(|rate| rate.round()).collect::<Vec<_>>(),
        })
    }
}

impl Server {
    async fn start(data: &Path, payload: Bytes) -> Result<Self, Error> {
        let (child, client) = Child::start(data, &["--log", "error", "--bench-endpoints"]).await?;
        ECHO.deploy(&client).await?;
        let headers = if is_paused(&client).await? { "" } else { LATER };
        Ok(Self { child, address: client.socket()?, headers, payload })
    }

    /// Both paths are sent the same request.
    async fn caller(&self, path: &str) -> Result<Caller, Error> {
        let headers = format!("prefer: respond-async\r\n{}", self.headers);
        Caller::connect(self.address, path, &headers, &self.payload).await
    }
}

/// Pauses the queue of the function, where the server can do that.
async fn is_paused(client: &Client) -> Result<bool, Error> {
    let request = client.in_namespace(Method::POST, &["functions", ECHO.name, "queue", "pause"]);
    let response = client.exchange(request).await?;
    match response.status().as_u16() {
        404 => Ok(false),
        200..300 => Ok(true),
        _ => Err(client.refused(response).await),
    }
}

fn text(report: &Value) -> String {
    let header = ["ANSWER", "RATE", "P50", "P99", "CLIENTS' CPU", "SERVER'S CPU", "SIZE"];
    let rows = ["durable", "constant"].map(|name| {
        let side = &report[name];
        let us = |field: &str| format!("{} us", side[field]);
        [
            name.to_owned(),
            format!("{:.0}/s", side["per_second"].as_f64().unwrap_or_default()),
            us("p50_us"),
            us("p99_us"),
            us("client_cpu_us_per_op"),
            us("server_cpu_us_per_op"),
            units::show_size(side["answer_bytes"].as_u64().unwrap_or_default()),
        ]
    });
    format!("{}\n\nratio: {}", output::table(header, rows), report["ratio"])
}
