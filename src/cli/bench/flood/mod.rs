//! `bench flood`: whether many that wait for one function delay a single invocation of another. What is claimed is that
//! it starts within the time of the attempts that run already.
//!
//! | file     | decides                                                           |
//! | -------- | ----------------------------------------------------------------- |
//! | `single` | single invocations of the quick function, and how long each took  |
//! | `slow`   | what is seen of the many of the slow one                          |
//! | `report` | how it is told                                                    |

mod single;
mod slow;

mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use self::report::Report;
use super::child::Child;
use super::deployed::Deployed;
use super::load::Stop;
use super::metrics::Metrics;
use super::queue::cases::{rate, temporary};
use super::{caller, guests, memory, queue};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use crate::cli::units;
use crate::model::bounds;

const QUICK: Deployed = Deployed::new("quick", guests::ECHO);
/// Nothing of it is to grow too old while the others are measured.
const SLOW: Deployed =
    Deployed { max_event_age: Duration::from_secs(24 * 3_600), ..Deployed::new("slow", guests::SLEEP) };
/// Room in the queue beside those of the slow function.
const SPARE: u64 = 100;
/// How long a run may take: short of the timeout by as much as a loaded machine needs.
const RUN: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);

#[derive(Debug, Args)]
pub(in crate::cli) struct Flood {
    /// How many invocations of the slow function are queued
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    queued: u64,
    /// How long each of them runs
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = run)]
    run: Duration,
    /// How many invocations of the quick function are measured, alone and again beside the others
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    samples: u32,
    /// Where the server's data is, in a folder that is removed again [default: the system's folder for such]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

fn run(text: &str) -> Result<Duration, String> {
    let run = units::duration(text).map_err(|error| error.to_string())?;
    if RUN.contains(&run) { Ok(run) } else { Err("use 1ms to 10s".to_owned()) }
}

impl Flood {
    pub(in crate::cli) async fn run(mut self, output: Output) -> Result<(), Error> {
        let data = temporary(&queue::folder(self.dir.take())?)?;
        let room = (self.queued + SPARE).max(bounds::DEFAULT_MAX_QUEUED).to_string();
        let limits = ["--max-queued", &room, "--max-queued-per-function", &room];
        let (mut child, client) = Child::start(data.path(), &[&["--log", "error"][..], &limits].concat()).await?;
        let report = self.measure(&client, &child).await?;
        child.kill()?; // a backlog that nobody wants need not be put away
        child.ended().await?;
        output::line(&if output.json { report.json().to_string() } else { report.text() })
    }

    async fn measure(&self, client: &Client, child: &Child) -> Result<Report, Error> {
        QUICK.deploy(client).await?;
        SLOW.deploy(client).await?;
        single::measured(client, QUICK.name, 1).await?; // what is loaded at first use is loaded now
        output::note(&format!("{} single invocations alone", self.samples));
        let alone = single::measured(client, QUICK.name, self.samples).await?;

        output::note(&format!("queueing {} that run for {} ms each", self.queued, self.run.as_millis()));
        let began = Instant::now();
        let payload = self.run.as_millis().to_string();
        caller::enqueue(client.socket()?, SLOW.name, payload.as_bytes(), self.queued).await?;
        let accepted_per_second = rate(self.queued, began.elapsed());

        let before = Metrics::read(client).await?;
        output::note(&format!("{} single invocations beside them", self.samples));
        let stop = Stop::default();
        let beside = async {
            let measured = single::measured(client, QUICK.name, self.samples).await;
            stop.stop();
            measured
        };
        let (beside, running) = futures::join!(beside, slow::watch(client, SLOW.name, &stop));
        let after = Metrics::read(client).await?;
        slow::check_accepted(&after, SLOW.name, self.queued)?;
        Ok(Report {
            run: self.run,
            concurrency: after.count("tidemill_concurrency_limit"),
            queued: self.queued,
            accepted_per_second,
            live_at_begin: slow::live(&before, SLOW.name),
            live_at_end: slow::live(&after, SLOW.name),
            running: running?,
            alone,
            beside: beside?,
            max_rss_bytes: memory::peak(child.pid()).await,
        })
    }
}
