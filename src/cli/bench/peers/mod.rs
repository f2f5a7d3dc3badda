//! `bench peers`: other durable queues under the same load as ours and the plain log, in turn. It starts no server:
//! `benches/peers` does, each set to answer only what is on the disk.
//!
//! Ours is in this process and the others are reached over loopback, as they are by whoever uses them. What each does in
//! a cycle stands in its file; they do not all do the same.

mod beanstalkd;
mod nats;
mod postgres;
mod redis;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use futures::future::try_join_all;
use serde_json::{Value, json};

use self::beanstalkd::Beanstalkd;
use self::nats::Nats;
use self::postgres::Postgres;
use self::redis::Redis;
use super::load::{Client, Measured, Stop, Work, measured};
use super::plain_log::{OUTCOME_BYTES, PlainLog};
use super::queue;
use super::queue::cases::{self, Case, How, Summary, payload, rounded};
use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use crate::cli::units;

/// What a completed cycle leaves.
const OUTCOME: [u8; OUTCOME_BYTES] = [2; OUTCOME_BYTES];

#[derive(Debug, Args)]
pub(in crate::cli) struct Peers {
    /// A beanstalkd, started with `-f0`
    #[arg(long, value_name = "ADDRESS")]
    beanstalkd: Option<SocketAddr>,
    /// A Redis with `appendfsync always`; its streams `enqueue` and `cycle` are emptied
    #[arg(long, value_name = "ADDRESS")]
    redis: Option<SocketAddr>,
    /// A NATS server with JetStream and `sync_interval: always`; its streams of these names are emptied
    #[arg(long, value_name = "ADDRESS")]
    nats: Option<SocketAddr>,
    /// A PostgreSQL that trusts the user `postgres`; its tables `queue` and `outcomes` are made anew
    #[arg(long, value_name = "ADDRESS")]
    postgres: Option<SocketAddr>,
    /// What clients do
    #[arg(long, value_name = "WORK", value_enum, value_delimiter = ',', default_values = ["enqueue", "cycle"])]
    cases: Vec<Work>,
    /// How many clients there are, each waiting for its own
    #[arg(long, value_name = "N", value_delimiter = ',', default_values = ["16"],
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    clients: Vec<u32>,
    /// How large payloads are
    #[arg(long, value_name = "SIZE", default_value = "256", value_parser = queue::payload)]
    payload: usize,
    /// How long one round of one case is counted
    #[arg(long, value_name = "N", default_value = "3", value_parser = queue::seconds)]
    seconds: Duration,
    /// Rounds of each case, all systems in turn; their medians are told
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Where our own files are written, in a folder that is removed again [default: the system's folder for such]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
enum System {
    Ours,
    Log,
    Beanstalkd(SocketAddr),
    Redis(SocketAddr),
    Nats(SocketAddr),
    Postgres(SocketAddr),
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "tidemill",
            Self::Log => "plain log",
            Self::Beanstalkd(_) => "beanstalkd",
            Self::Redis(_) => "redis",
            Self::Nats(_) => "nats",
            Self::Postgres(_) => "postgres",
        })
    }
}

impl System {
    /// One round.
    async fn measure(self, how: How<'_>, case: Case, log: &PlainLog) -> Result<Measured, Error> {
        let (work, payload) = (case.work, payload(case.payload_bytes));
        let places = || (0..case.clients).map(|n| (n, case.clients));
        match self {
            Self::Ours => cases::queue(how, case).await,
            Self::Log => cases::plain_log(how, case, log).await,
            Self::Beanstalkd(at) => load(places().map(|_| Beanstalkd::connect(at, work, &payload)), how, work).await,
            Self::Redis(at) => {
                Redis::prepare(at, work).await?;
                load(places().map(|place| Redis::connect(at, work, &payload, place)), how, work).await
            }
            Self::Nats(at) => {
                Nats::prepare(at, work).await?;
                load(places().map(|_| Nats::connect(at, work, &payload)), how, work).await
            }
            Self::Postgres(at) => {
                Postgres::prepare(at).await?;
                load(places().map(|_| Postgres::connect(at, &payload)), how, work).await
            }
        }
    }
}

async fn load<C: Client, F: Future<Output = Result<C, Error>>>(
    clients: impl Iterator<Item = F>,
    how: How<'_>,
    work: Work,
) -> Result<Measured, Error> {
    measured(try_join_all(clients).await?, work, how.window, &Stop::default()).await
}

impl Peers {
    pub(in crate::cli) async fn run(mut self, output: Output) -> Result<(), Error> {
        let folder = queue::folder(self.dir.take())?;
        let files = cases::temporary(&folder)?;
        let log = PlainLog::create(&files.path().join("log"));
        let log = log.map_err(|error| Error::Bench(format!("the plain log cannot be written: {error}")))?;
        let rounds = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        let how = How { window: self.seconds, rounds, folder: files.path() };
        let mut rows = Vec::new();
        for &work in &self.cases {
            for &clients in &self.clients {
                let clients = usize::try_from(clients).unwrap_or(usize::MAX);
                output::note(&format!("{}, {clients} clients, {} bytes", work.as_str(), self.payload));
                let case = Case { work, clients, payload_bytes: self.payload };
                for row in self.compare(how, case, &log).await? {
                    if output.json {
                        output::line(&row.to_string())?;
                    }
                    rows.push(row);
                }
            }
        }
        if output.json { Ok(()) } else { output::line(&table(&rows)) }
    }

    fn systems(&self) -> Vec<System> {
        let peers = [
            self.beanstalkd.map(System::Beanstalkd),
            self.redis.map(System::Redis),
            self.nats.map(System::Nats),
            self.postgres.map(System::Postgres),
        ];
        [System::Ours, System::Log].into_iter().chain(peers.into_iter().flatten()).collect()
    }

    /// All systems in turn, round by round; then how each compares with ours and with the log.
    async fn compare(&self, how: How<'_>, case: Case, log: &PlainLog) -> Result<Vec<Value>, Error> {
        let systems = self.systems();
        let mut seen = vec![Vec::new(); systems.len()];
        for _ in 0..how.rounds {
            for (system, seen) in systems.iter().zip(&mut seen) {
                let named = |error| Error::Bench(format!("{system}: {error}"));
                seen.push(system.measure(how, case, log).await.map_err(named)?);
            }
        }
        let summaries: Vec<_> = seen.iter().map(|rounds| Summary::of(rounds)).collect();
        let (ours, log) = (&summaries[0], &summaries[1]);
        let rows = systems.iter().zip(&summaries).map(|(system, summary)| {
            json!({
                "system": system.to_string(),
                "work": case.work.as_str(),
                "clients": case.clients,
                "payload_bytes": case.payload_bytes,
                "per_second": summary.per_second.round(),
                "of_log": summary.ratio(log),
                "tidemill_is_times": ours.ratio(summary),
                "p50_us": summary.p50_us,
                "p99_us": summary.p99_us,
                "client_cpu_us_per_op": rounded(summary.cpu_us_per_op, 10),
                "rounds_per_second": summary.rounds.iter().map(|rate| rate.round()).collect::<Vec<_>>(),
            })
        });
        Ok(rows.collect())
    }
}

fn table(rows: &[Value]) -> String {
    let header =
        ["SYSTEM", "WORK", "CLIENTS", "PAYLOAD", "RATE", "OF THE LOG", "TIDEMILL IS", "P50", "P99", "CPU HERE"];
    let rows = rows.iter().map(|row| {
        let text = |name: &str| row[name].as_str().map_or_else(|| row[name].to_string(), ToOwned::to_owned);
        let ratio = |name: &str| output::or_dash(row[name].as_f64().map(|ratio| format!("{ratio:.2}x")));
        [
            text("system"),
            text("work"),
            text("clients"),
            units::show_size(row["payload_bytes"].as_u64().unwrap_or_default()),
            format!("{:.0}/s", row["per_second"].as_f64().unwrap_or_default()),
            ratio("of_log"),
            ratio("tidemill_is_times"),
            format!("{} us", text("p50_us")),
            format!("{} us", text("p99_us")),
            format!("{} us", text("client_cpu_us_per_op")),
        ]
    });
    output::table(header, rows)
}

/// A number that a server wrote.
fn parsed<T: FromStr>(server: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| odd(server, text))
}

/// A server said what is not expected of it.
fn odd(server: &str, said: &str) -> Error {
    Error::Bench(format!("{server} says `{}`", output::plain(said).chars().take(300).collect::<String>()))
}
