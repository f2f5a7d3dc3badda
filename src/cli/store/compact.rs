//! `store compact`: the same store in less room.

use clap::Args;

use super::super::error::Error;
use super::super::output::{self, Output};
use super::Data;
use super::check::{counts, summary};
use crate::store::embedded::care::{self, Compacted};

#[derive(Debug, Args)]
pub(in crate::cli) struct Compact {
    #[command(flatten)]
    data: Data,
}

impl Compact {
    pub(super) fn run(self, output: Output) -> Result<(), Error> {
        let Compacted { before, after, checked } = care::compact(self.data.path()).map_err(Error::Store)?;
        if output.json {
            let mut json = counts(&checked);
            (json["bytes_before"], json["bytes_after"]) = (before.into(), after.into());
            return output::line(&json.to_string());
        }
        output::line(&summary(&checked))?;
        output::line(&format!("{before} bytes before, {after} bytes after"))
    }
}
