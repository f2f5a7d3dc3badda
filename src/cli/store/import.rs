//! `store import`: a store made of an exported file.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::error::Error;
use super::super::output;
use super::Data;
use super::check::summary;
use crate::store::embedded::care::{self, Finding};

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// The file to read; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    data: Data,
}

impl Import {
    pub(super) fn run(self) -> Result<(), Error> {
        let mut missing = |found: Finding| {
            output::note(&format!(
                "not in the export: {}: {}",
                output::plain(&found.what),
                output::plain(&found.detail)
            ));
        };
        let imported = if self.file == Path::new("-") {
            care::import(self.data.path(), &mut io::stdin().lock(), &mut missing)
        } else {
            let file = File::open(&self.file);
            let file = file.map_err(|cause| Error::Unreadable { path: self.file.clone(), cause })?;
            care::import(self.data.path(), &mut BufReader::new(file), &mut missing)
        };
        output::line(&summary(&imported.map_err(Error::Store)?))
    }
}
