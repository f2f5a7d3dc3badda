//! `store`: looking after a store that no server has open. Talks to files here and to no server: each command takes
//! the directory for itself, and refuses while somebody else has it. The work is the store's own; here it gets its
//! arguments and is told about.

mod check;
mod compact;
mod export;
mod import;
mod repair;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::error::Error;
use super::output::Output;
use crate::config;
use crate::store::StoreError;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(in crate::cli) enum Command {
    /// Read everything and tell what is damaged
    Check(check::Check),
    /// Make a damaged store one that can be opened, and keep the damaged one aside
    Repair(repair::Repair),
    /// Write everything to a file, as lines of JSON; secrets are sealed in it, and their key is not
    Export(export::Export),
    /// Make a store of an exported file; for its secrets put their `secret.key` into the folder
    Import(import::Import),
    /// Write a store anew with nothing but what is live in it
    Compact(compact::Compact),
}

impl Command {
    pub(in crate::cli) fn run(self, output: Output) -> Result<(), Error> {
        match self {
            Self::Check(check) => check.run(output),
            Self::Repair(repair) => repair.run(output),
            Self::Export(export) => export.run(output),
            Self::Import(import) => import.run(output),
            Self::Compact(compact) => compact.run(output),
        }
    }
}

// Which store.
#[derive(Debug, Args)]
struct Data {
    /// The folder that a server was started with
    #[arg(long, value_name = "DIRECTORY", default_value = config::DEFAULT_DATA)]
    data: PathBuf,
}

impl Data {
    fn path(&self) -> &Path {
        &self.data
    }
}

/// What was left out, as a line.
fn sentence(error: &StoreError) -> String {
    match error {
        StoreError::Damaged { what, detail } => format!("{what}: {detail}"),
        other => other.to_string(),
    }
}
