//! `bench invoke`: what it costs that a request is answered by a function: in requests a second and in latency against a
//! server that does nothing, at a cold start, in memory for those that wait, and beside functions that never end. Each
//! answer is read and compared; a wrong one ends the bench.
//!
//! | file         | decides                                                        |
//! | ------------ | -------------------------------------------------------------- |
//! | `asker`      | how a request is sent, and its answer held against the right one |
//! | `cases`      | the kinds of functions                                         |
//! | `throughput` | many requests over many connections, and over one              |

mod asker;

mod cases;

mod throughput;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use self::cases::Case;
use self::throughput::{Against, How};
use super::queue;
use crate::cli::error::Error;
use crate::cli::output::{self, Output};

#[derive(Debug, Args)]
pub(in crate::cli) struct Invoke {
    /// What is measured
    #[arg(long, value_name = "PART", value_enum, value_delimiter = ',', default_values = ["throughput"])]
    part: Vec<Part>,
    /// The kinds of functions; those that the server cannot run are skipped, and it is said why [default: all]
    #[arg(long, value_name = "CASE", value_enum, value_delimiter = ',')]
    cases: Vec<Case>,
    /// How long one round of one case is counted; half of that over one connection
    #[arg(long, value_name = "N", default_value = "2", value_parser = queue::seconds)]
    seconds: Duration,
    /// Rounds, each with all cases in turn; their medians are told
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Connections, each waiting for its answer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    connections: u32,
    /// Another server to measure in turn with the cases, which answers with what it is sent; the number of its process
    /// tells its processor time and memory. May be repeated
    #[arg(long, value_name = "NAME=URL[,PID]")]
    against: Vec<Against>,
    /// Where the servers' data is, in a folder that is removed again [default: the system's folder for such]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// A part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Requests a second and latency, over many connections and over one
    Throughput,
    /// All of them
    All,
}

impl Invoke {
    pub(in crate::cli) async fn run(mut self, output: Output) -> Result<(), Error> {
        let folder = queue::folder(self.dir.take())?;
        let cases = if self.cases.is_empty() { Case::value_variants() } else { &self.cases };
        let (mut report, mut texts) = (Map::new(), Vec::new());
        if self.has(Part::Throughput) {
            let Self { connections, rounds, seconds: window, .. } = self;
            let how = How { connections, rounds, window };
            let throughput = throughput::run(&folder, cases, &self.against, how).await?;
            texts.push(throughput::text(&throughput));
            if let Value::Object(throughput) = throughput {
                report.extend(throughput);
            }
        }
        output::line(&if output.json { Value::Object(report).to_string() } else { texts.join("\n\n") })
    }

    fn has(&self, part: Part) -> bool {
        self.part.contains(&part) || self.part.contains(&Part::All)
    }
}
