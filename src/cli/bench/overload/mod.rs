//! `bench overload`: what a server does that is offered many times what it can do. It is to say so with `429`, to hold
//! its memory, to keep what it accepted, and to have counted right when all is over.
//!
//! | file       | decides                                                   |
//! | ---------- | --------------------------------------------------------- |
//! | `counters` | whether the server's counts add up                        |
//! | `watch`    | what is seen of the server from outside                   |
//! | `offer`    | what is sent when, and what was answered                  |
//! | `report`   | how it is told, and what of it is a promise broken        |

mod counters;

mod watch;

mod offer;

mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::counters::Counters;
use self::offer::Target;
use self::report::Report;
use super::caller;
use super::child::Child;
use super::deployed::Deployed;
use super::load::as_f64;
use super::metrics::Metrics;
use super::queue::cases::temporary;
use super::{guests, memory, queue};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use crate::cli::units;

/// Runs for as long as its payload says, so many at once: what it can do is the same whatever else the cores do.
const FUNCTION: Deployed = Deployed { concurrency: Some(8), ..Deployed::new("work", guests::SLEEP) };
/// Milliseconds.
const PAYLOAD: &[u8] = b"10";
/// How the server is started: few may wait, and what has settled is kept only so far that it does not grow for ever.
const LIMITS: [&str; 8] =
    ["--max-queued-per-function", "2000", "--max-queued", "3000", "--retention-count", "20000", "--log", "error"];
/// How many are worked to find out how many it can do in a second, and how many of them are left when that is known.
const CALIBRATED: u64 = 1_500;
const CALIBRATED_LEFT: u64 = 100;
/// Waiting for what is known to be done in seconds.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, Args)]
pub(in crate::cli) struct Overload {
    /// How many times what it can do is offered
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    times: u32,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = time)]
    time: Duration,
    /// How long it is left alone at the end, when all has settled: it counts again each minute, and tells a difference
    /// that it sees twice
    #[arg(long, value_name = "DURATION", default_value = "130s", value_parser = units::duration)]
    rest: Duration,
    /// Where the server's data is, in a folder that is removed again [default: the system's folder for such]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = units::duration(text).map_err(|error| error.to_string())?;
    let range = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
    if range.contains(&time) { Ok(time) } else { Err("use 1s to 24h".to_owned()) }
}

impl Overload {
    pub(in crate::cli) async fn run(mut self, output: Output) -> Result<(), Error> {
        let data = temporary(&queue::folder(self.dir.take())?)?;
        let (mut child, client) = Child::start(data.path(), &LIMITS).await?;
        let report = self.measure(&client, &child).await?;
        child.terminate()?;
        child.ended().await?;
        output::line(&if output.json { report.json().to_string() } else { report.text() })?;
        match &report.wrong()[..] {
            [] => Ok(()),
            wrong => Err(Error::Broken(wrong.join("; "))),
        }
    }

    async fn measure(&self, client: &Client, child: &Child) -> Result<Report, Error> {
        FUNCTION.deploy(client).await?;
        let target = Target { server: client.socket()?, function: FUNCTION.name, payload: PAYLOAD };
        output::note(&format!("working {CALIBRATED} to find out what it can do"));
        let capacity = calibrate(client, target).await?;

        let offered = capacity * as_f64(self.times.into());
        let seconds = self.time.as_secs();
        output::note(&format!("it can do {capacity:.0} a second: offering {offered:.0} a second for {seconds} s"));
        memory::forget_peak(child.pid()).await;
        let offering = offer::offer(target, offered, self.time);
        let watching = watch::watch(client, child.pid(), self.time);
        let (tally, seen) = futures::join!(offering, watching);
        let (tally, seen) = (tally?, seen?);
        let max_rss_bytes = memory::peak(child.pid()).await;

        output::note(&format!("waiting for what was accepted, and {} s more", self.rest.as_secs()));
        let (drained, _) = watch::drained(client, 0, PATIENCE).await?;
        tokio::time::sleep(self.rest).await;
        let counters = Counters::of(&Metrics::read(client).await?);
        Ok(Report {
            times: self.times,
            time: self.time,
            capacity,
            before: CALIBRATED,
            tally,
            seen,
            max_rss_bytes,
            drained,
            counters,
        })
    }
}

/// How many it can do in a second: it is given many, and then left alone with them.
async fn calibrate(client: &Client, target: Target) -> Result<f64, Error> {
    caller::enqueue(target.server, target.function, target.payload, CALIBRATED).await?;
    let (_, per_second) = watch::drained(client, CALIBRATED_LEFT, PATIENCE).await?;
    watch::drained(client, 0, PATIENCE).await?;
    if per_second > 0.0 { Ok(per_second) } else { Err(Error::Bench("what it can do could not be measured".to_owned())) }
}
