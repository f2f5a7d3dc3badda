//! `store import`: a store made of an exported file.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::error::Error;
use super::super::output::{self, Output};
use super::Data;
use super::check::{counts, summary};
use crate::store::embedded::care::{self, Finding, NotImported};

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// The file to read; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    data: Data,
}

impl Import {
    pub(super) fn run(self, output: Output) -> Result<(), Error> {
        let mut missing = |found: Finding| {
            let (what, detail) = (output::plain(&found.what), output::plain(&found.detail));
            output::note(&format!("not in the export: {what}: {detail}"));
        };
        let imported = if self.file == Path::new("-") {
            care::import(self.data.path(), &mut io::stdin().lock(), &mut missing)
        } else {
            let file = File::open(&self.file);
            let file = file.map_err(|cause| Error::Unreadable { path: self.file.clone(), cause })?;
            care::import(self.data.path(), &mut BufReader::new(file), &mut missing)
        };
        let imported = imported.map_err(|error| match error {
            NotImported::Unreadable(cause) => Error::Unreadable { path: self.file.clone(), cause },
            NotImported::Broken(detail) => {
                Error::Damaged(format!("{} is no whole export: {detail}", self.file.display()))
            }
            NotImported::Store(error) => Error::Store(error),
        })?;
        output::line(&if output.json { counts(&imported).to_string() } else { summary(&imported) })
    }
}
