//! `bench invoke`: what it costs that a request is answered by a function: in requests a second and in latency against a
//! server that does nothing, at a cold start, in memory for those that wait, and beside functions that never end or do other harm. Each
//! answer is read and compared; a wrong one ends the bench.
//!
//! | file         | decides                                                        |
//! | ------------ | -------------------------------------------------------------- |
//! | `asker`      | how a request is sent, and its answer held against the right one |
//! | `cases`      | the kinds of functions                                         |
//! | `throughput` | many requests over many connections, and over one              |
//! | `unloaded`   | functions that are deployed and not in memory                  |
//! | `density`    | functions that wait                                            |
//! | `spinning`   | functions that never end                                       |
//! | `hostile`    | functions that do harm, each of its own kind                   |

mod asker;

mod cases;

mod throughput;

mod density;
mod spinning;
mod unloaded;

mod hostile;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use self::cases::Case;
use self::throughput::{Against, How};
use self::unloaded::Kind;
use super::queue;
use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use crate::model::bounds;

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
    /// How many functions are deployed at a cold start
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=20_000))]
    functions: u32,
    /// How many functions are deployed where there are many
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=20_000))]
    many: u32,
    /// How many invocations wait while their memory is measured
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    suspended: u64,
    /// How many are then asked for in all
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    asked: u64,
    /// How many of them the server is told to run at once
    #[arg(long, value_name = "N", default_value_t = *bounds::RUNTIME_CONCURRENCY.end())]
    concurrency: u32,
    /// How many functions that never end run beside each other
    #[arg(long, value_name = "N", value_delimiter = ',', default_values = ["16", "64"],
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    loops: Vec<u32>,
    /// Steps of a chain that one which doubles itself at each may take
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=16))]
    hops: u32,
    /// Where the servers' data is, in a folder that is removed again [default: the system's folder for such]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// A part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Requests a second and latency, over many connections and over one
    Throughput,
    /// A server's start with functions deployed, and first requests to those that are not in memory
    Cold,
    /// Functions that wait: memory, and how many there can be
    Density,
    /// Functions that never end: when they are stopped, and what others notice
    Neighbours,
    /// Functions that do harm, kind by kind: as what each ends, the server's memory, and what an echo notices
    Hostile,
    /// The same as the cold start with very many small functions
    Many,
    /// All of them
    All,
}

/// Functions that get a first request where there are many.
const SAMPLED: u32 = 200;

/// What was measured so far, for programs and for people.
#[derive(Default)]
struct Told {
    report: Map<String, Value>,
    texts: Vec<String>,
}

impl Told {
    /// A part that is told under a name of its own.
    fn part(&mut self, name: &str, value: Value, text: fn(&Value) -> String) {
        self.texts.push(format!("{name}:\n{}", text(&value)));
        self.report.insert(name.to_owned(), value);
    }
}

impl Invoke {
    pub(in crate::cli) async fn run(mut self, output: Output) -> Result<(), Error> {
        let folder = &queue::folder(self.dir.take())?;
        let cases =
            if self.cases.is_empty() { Case::value_variants().to_vec() } else { std::mem::take(&mut self.cases) };
        let mut told = Told::default();
        if self.has(Part::Throughput) {
            let report = throughput::run(folder, &cases, &self.against, self.how()).await?;
            told.texts.push(throughput::text(&report));
            if let Value::Object(report) = report {
                told.report.extend(report);
            }
        }
        if self.has(Part::Cold) {
            let kinds = cases.iter().copied().map(Kind::of).collect();
            let plan = self.unloaded(kinds, self.functions, self.functions);
            told.part("cold", unloaded::run(folder, plan).await?, unloaded::text);
        }
        if self.has(Part::Density) {
            let Self { suspended, asked, concurrency, .. } = self;
            let plan = density::Plan { suspended, asked, concurrency };
            told.part("density", density::run(folder, plan).await?, density::text);
        }
        if self.has(Part::Neighbours) {
            let plan = spinning::Plan { loops: self.loops.clone(), rounds: self.rounds, window: self.seconds };
            told.part("neighbours", spinning::run(folder, &plan).await?, spinning::text);
        }
        if self.has(Part::Hostile) {
            let plan = hostile::Plan { window: self.seconds, hops: self.hops };
            told.part("hostile", hostile::run(folder, plan).await?, hostile::text);
        }
        if self.has(Part::Many) {
            // The case with the fewest bytes: what many functions cost is then not what their code weighs.
            let plan = self.unloaded(vec![Kind::of(Case::Handler)], self.many, SAMPLED);
            told.part("many", unloaded::run(folder, plan).await?, unloaded::text);
        }
        output::line(&if output.json { Value::Object(told.report).to_string() } else { told.texts.join("\n\n") })
    }

    const fn how(&self) -> How {
        How { connections: self.connections, rounds: self.rounds, window: self.seconds }
    }

    const fn unloaded(&self, kinds: Vec<Kind>, functions: u32, sampled: u32) -> unloaded::Plan {
        unloaded::Plan { kinds, functions, starts: self.rounds, sampled }
    }

    fn has(&self, part: Part) -> bool {
        self.part.contains(&part) || self.part.contains(&Part::All)
    }
}
