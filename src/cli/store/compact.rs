//! `store compact`: the same store in less room.

use clap::Args;

use super::super::error::Error;
use super::super::output;
use super::Data;
use super::check::summary;
use crate::store::embedded::care::{self, Compacted};

#[derive(Debug, Args)]
pub(in crate::cli) struct Compact {
    #[command(flatten)]
    data: Data,
}

impl Compact {
    pub(super) fn run(self) -> Result<(), Error> {
        let Compacted { before, after, checked } = care::compact(self.data.path()).map_err(Error::Store)?;
        output::line(&summary(&checked))?;
        output::line(&format!("{before} bytes before, {after} bytes after"))
    }
}
