//! `store export`: everything in a file. A file appears under its name once it is whole and on disk.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::error::Error;
use super::super::output;
use super::{Data, sentence};
use crate::store::StoreError;
use crate::store::embedded::care::{self, Exported};

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The file to write; `-` for standard output
    file: PathBuf,
    /// Succeed although something damaged was left out
    #[arg(long)]
    skip_damaged: bool,
    #[command(flatten)]
    data: Data,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Error> {
        let to_stdout = self.file == Path::new("-");
        let Exported { lines, bytes, skipped } = if to_stdout {
            care::export(self.data.path(), &mut io::stdout().lock(), &mut |error| tell(&error)).map_err(Error::Store)?
        } else {
            self.to_file()?
        };
        output::note(&format!("exported {lines} lines, {bytes} bytes"));
        if skipped > 0 && !self.skip_damaged {
            return Err(Error::Damaged(format!("{skipped} damaged things were left out")));
        }
        Ok(())
    }

    fn to_file(&self) -> Result<Exported, Error> {
        let unwritten = |error: io::Error| Error::Usage(format!("cannot write {}: {error}", self.file.display()));
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".tidemill-export-").tempfile_in(folder).map_err(unwritten)?;
        let mut writer = BufWriter::new(file.as_file());
        let exported = care::export(self.data.path(), &mut writer, &mut |error| tell(&error)).map_err(Error::Store)?;
        writer.flush().map_err(unwritten)?;
        drop(writer);
        file.as_file().sync_all().map_err(unwritten)?;
        file.persist(&self.file).map_err(|error| unwritten(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritten)?;
        Ok(exported)
    }
}

fn tell(error: &StoreError) {
    output::note(&format!("left out: {}", output::plain(&sentence(error))));
}
