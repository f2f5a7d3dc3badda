//! `bench crash`: loads a server, kills it, starts it again on the same data, and so on; then lets it finish its
//! work and looks for what was lost, settled twice or attempted too often.
//!
//! | file      | decides                                                                     |
//! | --------- | --------------------------------------------------------------------------- |
//! | `load`    | the functions, and what clients send and are promised                       |
//! | `keys`    | what is sent again under the same idempotency key                           |
//! | `ledger`  | what the server says it did, line by line, until the instant of its death   |
//! | `records` | what the server says became of each invocation                              |
//! | `life`    | one process of the server, from its start to its end                        |
//! | `plan`    | how one round goes                                                          |
//! | `driver`  | the rounds, and the time after the last one in which everything is to settle |
//! | `audit`   | what broke a promise: pure                                                  |

pub(super) mod keys;
pub(super) mod ledger;
pub(super) mod load;
pub(super) mod records;

pub(super) mod life;
mod plan;

pub(super) mod driver;

pub(super) mod audit;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tempfile::TempDir;

use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use crate::cli::units;
use audit::Findings;
use driver::{Driven, Driver};

/// Offences of each kind that are told with their details.
const MAX_TOLD: usize = 20;

#[derive(Debug, Args)]
pub(in crate::cli) struct Crash {
    /// How often the server is killed, or stopped, or left to a function that takes it down
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Draws load and deaths; the same seed draws the same, but their timing is the machine's [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The server's data; left there [default: a temporary folder, kept if a promise was broken]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
    /// How long a round may take, start and stop of the server included
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = units::duration)]
    max_round: Duration,
}

/// Where the server keeps its data.
#[derive(Debug)]
enum Data {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Data {
    fn new(given: Option<PathBuf>) -> Result<Self, Error> {
        match given {
            Some(path) => Ok(Self::Given(path)),
            None => tempfile::tempdir()
                .map(Self::Temporary)
                .map_err(|error| Error::Bench(format!("there is no temporary folder: {error}"))),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Given(path) => path.clone(),
            Self::Temporary(folder) => folder.path().to_owned(),
        }
    }

    /// Leaves it where it is, for whoever wants to know more.
    fn keep(self) {
        let path = match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.keep(),
        };
        output::note(&format!("the server's data is kept in {}", path.display()));
    }
}

impl Crash {
    pub(in crate::cli) async fn run(self, output: Output) -> Result<(), Error> {
        let data = Data::new(self.data)?;
        let seed = self.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
        output::note(&format!("crash: {} rounds, seed {seed}, data in {}", self.rounds, data.path().display()));
        let driven = match Driver::new(data.path(), seed, self.max_round).drive(self.rounds).await {
            Ok(driven) => driven,
            Err(error) => {
                data.keep();
                return Err(error);
            }
        };
        let findings = audit::audit(&driven);
        output::line(&summary(self.rounds, &driven, &findings, output))?;
        if findings.is_empty() {
            return Ok(());
        }
        tell(&findings);
        data.keep();
        Err(Error::Broken("a promise was broken".to_owned()))
    }
}

fn summary(rounds: u32, driven: &Driven, findings: &Findings, output: Output) -> String {
    let acknowledged = driven.acknowledged.len();
    let (lost, twice) = (findings.lost.len(), findings.settled_twice.len());
    let (over, partial) = (findings.over_the_limit.len(), findings.partial.len());
    if output.json {
        let counts = json!({
            "rounds": rounds, "acknowledged": acknowledged, "invocations": driven.records.len(),
            "lost": lost, "settled_twice": twice, "over_the_limit": over, "partial": partial,
        });
        return counts.to_string();
    }
    format!(
        "crash: {rounds} rounds, {acknowledged} acknowledged, {lost} lost, {twice} settled twice, {over} over the limit, \
         {partial} partial"
    )
}

fn tell(findings: &Findings) {
    for (what, offences) in findings.kinds() {
        for (id, detail) in offences.iter().take(MAX_TOLD) {
            output::note(&format!("{what}: {id}: {detail}"));
        }
        if offences.len() > MAX_TOLD {
            output::note(&format!("{what}: and {} more", offences.len() - MAX_TOLD));
        }
    }
}
