//! `bench neighbours`: how long a function takes alone, and how long beside functions that do harm. It tells
//! numbers and judges none: they are the machine's, and the clients that measure run on it too.
//!
//! | file      | decides                                     |
//! | --------- | ------------------------------------------- |
//! | `clients` | who invokes what, and for how long          |
//! | `report`  | how it is told                              |

mod clients;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use rustix::process::Pid;
use tempfile::TempDir;
use tokio::time::Instant;

use super::child::Child;
use super::deployed::Deployed;
use super::guests;
use super::memory::{self, Memory};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use clients::{Counts, Measured};
use report::Report;

/// The one whose time is measured.
const ECHO: Deployed = Deployed::new("echo", guests::ECHO);
/// Those that do harm.
const HOSTILE: [Deployed; 4] = [
    Deployed { timeout: Duration::from_millis(500), ..Deployed::new("spin", guests::SPIN) },
    Deployed::new("grow", guests::GROW),
    Deployed::new("flood", guests::FLOOD),
    Deployed::new("recurse", guests::RECURSE),
];
/// Clients of each hostile function.
const CLIENTS_EACH: usize = 2;
/// Invocations before anything is measured: what is loaded at first use is loaded then.
const WARM_UP: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(in crate::cli) struct Neighbours {
    /// How long to measure, alone and again beside the others
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
}

impl Neighbours {
    pub(in crate::cli) async fn run(self, output: Output) -> Result<(), Error> {
        let data = TempDir::new().map_err(|error| Error::Bench(format!("there is no temporary folder: {error}")))?;
        let (mut child, client) = Child::start(data.path(), &["--log", "error"]).await?;
        let report = self.measure(&client, child.pid()).await?;
        child.terminate()?;
        child.ended().await?;
        output::line(&if output.json { report.json() } else { report.text() })
    }

    async fn measure(&self, client: &Client, server: Option<Pid>) -> Result<Report, Error> {
        for function in HOSTILE.iter().chain([&ECHO]) {
            function.deploy(client).await?;
        }
        output::note(&format!("measuring echo alone for {} s, then beside hostile functions", self.seconds));
        clients::measured(client, ECHO.name, WARM_UP).await?;
        let duration = Duration::from_secs(self.seconds);
        let alone = clients::measured(client, ECHO.name, duration).await?;
        let before = memory::resident(server).await;
        memory::forget_peak(server).await;
        let (beside, neighbours) = beside(client, duration).await?;
        let memory = Memory { before, peak: memory::peak(server).await };
        Ok(Report { seconds: self.seconds, alone, beside, neighbours, memory })
    }
}

/// Measures while the hostile functions are invoked.
async fn beside(client: &Client, duration: Duration) -> Result<(Measured, BTreeMap<&'static str, Counts>), Error> {
    let until = Instant::now() + duration;
    let hostile = HOSTILE.iter().flat_map(|function| std::iter::repeat_n(function.name, CLIENTS_EACH));
    let hostile = hostile.map(|name| async move { (name, clients::invoking(client, name, until).await) });
    let measuring = clients::measured(client, ECHO.name, duration);
    let (measured, hostile) = futures::join!(measuring, futures::future::join_all(hostile));
    let mut neighbours = BTreeMap::new();
    for (name, counts) in hostile {
        clients::add(neighbours.entry(name).or_default(), counts?);
    }
    Ok((measured?, neighbours))
}
