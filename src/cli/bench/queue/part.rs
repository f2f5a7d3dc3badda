//! A part of a bench that needs a process of its own, so that it can be killed and its memory is its own: this same
//! program with a hidden command. It tells what it sees on standard output, one JSON object a line.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use clap::Subcommand;
use rustix::process::{Signal, set_parent_process_death_signal};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::{backlog, churn, sustained};
use crate::cli::error::Error;
use crate::cli::output;

/// What a process of its own does.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(in crate::cli) enum Part {
    /// Fill a queue, and wait to be killed
    Fill(backlog::Fill),
    /// Open a queue and work a part of it
    Open(backlog::Open),
    /// Load that lasts
    Sustain(sustained::Sustain),
    /// Churn
    Churn(churn::Run),
}

impl Part {
    pub(in crate::cli::bench) async fn run(self) -> Result<(), Error> {
        // Nobody is left behind when the process that started this one is killed.
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| failed(&error))?;
        match self {
            Self::Fill(fill) => fill.run().await,
            Self::Open(open) => open.run().await,
            Self::Sustain(sustain) => sustain.run().await,
            Self::Churn(churn) => churn.run().await,
        }
    }
}

/// Tells the process that started this one.
pub(super) fn tell(said: &Value) -> Result<(), Error> {
    output::line(&said.to_string())
}

/// Such a process. Dropping it kills it.
pub(super) struct Started {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Started {
    pub(super) fn new(part: &str, folder: &Path, arguments: &[(&str, String)]) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(|error| failed(&error))?;
        let mut command = Command::new(program);
        command.args(["bench", "queue-part", part, "--folder"]).arg(folder);
        for (name, value) in arguments {
            command.arg(name).arg(value);
        }
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut process = spawned.map_err(|error| failed(&error))?;
        let stdout = process.stdout.take().ok_or_else(|| failed(&"it has no standard output"))?;
        Ok(Self { process, lines: BufReader::new(stdout).lines() })
    }

    /// What it says next; `None` once it has ended well.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Error> {
        if let Some(line) = self.lines.next_line().await.map_err(|error| failed(&error))? {
            return serde_json::from_str(&line).map(Some).map_err(|_| failed(&format_args!("it says `{line}`")));
        }
        let status = self.process.wait().await.map_err(|error| failed(&error))?;
        if status.success() { Ok(None) } else { Err(failed(&status)) }
    }

    /// What it says next, where it has to say something.
    pub(super) async fn told(&mut self) -> Result<Value, Error> {
        self.next().await?.ok_or_else(|| failed(&"it ended too early"))
    }

    /// Kills it with SIGKILL, and returns when it is gone.
    pub(super) async fn kill(mut self) -> Result<(), Error> {
        self.process.kill().await.map_err(|error| failed(&error))
    }
}

/// Waits to be killed.
pub(super) async fn wait_for_death() {
    loop {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
}

fn failed(cause: &dyn std::fmt::Display) -> Error {
    Error::Bench(format!("a process of the bench failed: {cause}"))
}
