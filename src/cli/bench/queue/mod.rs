//! `bench queue`: the durable queue at its own interface, the store, in this process: no HTTP, no guests. Alone among
//! the benches it opens a store itself.
//!
//! | file        | decides                                                             |
//! | ----------- | ------------------------------------------------------------------- |
//! | `ours`      | what a client does with the store                                   |
//! | `cases`     | one case: the queue and the plain log in turn                       |
//! | `watch`     | memory and disk over time                                           |
//! | `part`      | processes of their own                                              |
//! | `sustained` | `--sustained`: a rate that has to be held                           |
//! | `backlog`   | `--backlog`: many that wait, a death, and an open                   |
//! | `churn`     | `--churn`: what grows when nothing should                           |
//! | `report`    | how it is told                                                      |

mod ours;

pub(super) mod cases;

mod watch;

pub(super) mod backlog;
pub(super) mod churn;
pub(super) mod sustained;

pub(super) mod part;

mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use self::backlog::Backlog;
use self::cases::{Case, How};
use self::churn::Churn;
use super::load::Work;
use super::plain_log::PlainLog;
use super::usage;
use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use crate::cli::units;

#[derive(Debug, Args)]
pub(in crate::cli) struct Queue {
    /// What clients do
    #[arg(long, value_name = "WORK", value_enum, value_delimiter = ',', default_values = ["enqueue", "cycle"])]
    cases: Vec<Work>,
    /// How many clients there are, each waiting for its own
    #[arg(long, value_name = "N", value_delimiter = ',', default_values = ["1", "16", "256"],
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: Vec<u32>,
    /// How large payloads are
    #[arg(long, value_name = "SIZE", value_delimiter = ',', default_values = ["256", "4KiB", "64KiB"], value_parser = payload)]
    payload: Vec<usize>,
    /// How long one round of one case is counted
    #[arg(long, value_name = "N", default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// Rounds of each case, the queue and the plain log in turn; their medians are told
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Where the files are written, in a folder that is removed again [default: the system's folder for such]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
    /// Instead of the cases: hold the load for so long, and see what becomes of rate, memory and disk
    #[arg(long, value_name = "DURATION", value_parser = units::duration, group = "instead")]
    sustained: Option<Duration>,
    /// Instead of the cases: leave so many waiting, kill the process, open what it left
    #[arg(long, value_name = "N", group = "instead")]
    backlog: Option<u64>,
    /// Let the backlog be due so much later
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = units::duration, requires = "backlog")]
    delay: Duration,
    /// How many of the backlog are worked at the end
    #[arg(long, value_name = "N", default_value_t = 20_000, requires = "backlog")]
    cycles: usize,
    /// Instead of the cases: so many cycles at a constant backlog, and see what grows
    #[arg(long, value_name = "N", group = "instead")]
    churn: Option<u64>,
    /// The longest that `--backlog` and `--churn` may take, each
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = units::duration)]
    at_most: Duration,
}

/// A payload's size, within what an asynchronous invocation may bring.
pub(super) fn payload(text: &str) -> Result<usize, String> {
    let bytes = units::size(text).map_err(|error| error.to_string())?;
    let most = crate::model::bounds::MAX_ASYNC_PAYLOAD_BYTES;
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| (1..=most).contains(bytes))
        .ok_or_else(|| format!("use 1 to {most} bytes"))
}

/// Seconds, also parts of one.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds, for example 2 or 0.5".to_owned())?;
    let range = 0.05..=3_600.0;
    if range.contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err("use 0.05 to 3600".to_owned()) }
}

/// The folder that was named, or the system's; refused where it is no disk.
pub(super) fn folder(named: Option<PathBuf>) -> Result<PathBuf, Error> {
    let folder = named.unwrap_or_else(std::env::temp_dir);
    usage::refuse_memory(&folder)?;
    Ok(folder)
}

impl Queue {
    pub(in crate::cli) async fn run(mut self, output: Output) -> Result<(), Error> {
        let folder = folder(self.dir.take())?;
        let payload = self.payload.first().copied().unwrap_or_default();
        if let Some(time) = self.sustained {
            return tell(&sustained::run(&folder, time, payload).await?, output);
        }
        if let Some(count) = self.backlog {
            let Self { delay, cycles, at_most, .. } = self;
            return tell(&[Backlog { count, payload, delay, cycles, at_most }.run(&folder).await?], output);
        }
        if let Some(cycles) = self.churn {
            for churn in [Churn::small(cycles, self.at_most), Churn::large(cycles, self.at_most)] {
                tell(&[churn.run(&folder).await?], output)?;
            }
            return Ok(());
        }
        self.compare(&folder, output).await
    }

    /// All cases. Programs are told each when it is done, people all together.
    async fn compare(&self, folder: &Path, output: Output) -> Result<(), Error> {
        let rounds = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        let files = cases::temporary(folder)?;
        let log = PlainLog::create(&files.path().join("log"));
        let log = log.map_err(|error| Error::Bench(format!("the plain log cannot be written: {error}")))?;
        let how = How { window: self.seconds, rounds, folder: files.path() };
        let mut compared = Vec::new();
        for case in self.all() {
            let Case { work, clients, payload_bytes } = case;
            output::note(&format!("{}, {clients} clients, {payload_bytes} bytes", work.as_str()));
            let case = cases::compare(how, case, &log).await?;
            if output.json {
                output::line(&case.json().to_string())?;
            }
            compared.push(case);
        }
        if output.json { Ok(()) } else { output::line(&report::table(&compared)) }
    }

    fn all(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for &payload_bytes in &self.payload {
            for &work in &self.cases {
                for &clients in &self.clients {
                    let clients = usize::try_from(clients).unwrap_or(usize::MAX);
                    cases.push(Case { work, clients, payload_bytes });
                }
            }
        }
        cases
    }
}

/// One or more objects, as they are or for people.
fn tell(said: &[Value], output: Output) -> Result<(), Error> {
    for object in said {
        output::line(&if output.json { object.to_string() } else { format!("{}\n\n", report::pairs(object)) })?;
    }
    Ok(())
}
