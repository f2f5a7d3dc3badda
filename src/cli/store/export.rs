//! `store export`: everything in a file. A file appears under its name once it is whole and on disk.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::output::{self, Output};
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
    pub(super) fn run(self, output: Output) -> Result<(), Error> {
        let to_stdout = self.file == Path::new("-");
        let Exported { lines, bytes, skipped } =
            if to_stdout { self.to(&mut io::stdout().lock(), Error::Output)? } else { self.to_file()? };
        if output.json && !to_stdout {
            output::line(&json!({ "lines": lines, "bytes": bytes, "skipped": skipped }).to_string())?;
        } else {
            output::note(&format!("exported {lines} lines, {bytes} bytes"));
        }
        if skipped > 0 && !self.skip_damaged {
            return Err(Error::Damaged(format!("{skipped} damaged things were left out")));
        }
        Ok(())
    }

    /// Writes all of it; what is wrong with `to` is told as `unwritten`, and not as what is wrong with the store.
    fn to(&self, to: &mut dyn Write, unwritten: impl FnOnce(io::Error) -> Error) -> Result<Exported, Error> {
        let mut to = Watched { to, failed: None };
        let exported = care::export(self.data.path(), &mut to, &mut |error| tell(&error));
        match to.failed {
            Some(cause) => Err(unwritten(cause)),
            None => exported.map_err(Error::Store),
        }
    }

    fn to_file(&self) -> Result<Exported, Error> {
        let unwritten = |cause| Error::Unwritable { path: self.file.clone(), cause };
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".tidemill-export-").tempfile_in(folder).map_err(unwritten)?;
        let mut writer = BufWriter::new(file.as_file());
        let exported = self.to(&mut writer, unwritten)?;
        writer.flush().map_err(unwritten)?;
        drop(writer);
        file.as_file().sync_all().map_err(unwritten)?;
        file.persist(&self.file).map_err(|error| unwritten(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritten)?;
        Ok(exported)
    }
}

/// A writer that remembers why it takes no more.
struct Watched<'a> {
    to: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Watched<'_> {
    fn seen<T>(&mut self, written: io::Result<T>) -> io::Result<T> {
        written.map_err(|error| {
            let kind = error.kind();
            // Whoever writes goes on after this one.
            if kind != io::ErrorKind::Interrupted {
                self.failed = Some(error);
            }
            kind.into()
        })
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes);
        self.seen(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.to.flush();
        self.seen(flushed)
    }
}

fn tell(error: &StoreError) {
    output::note(&format!("left out: {}", output::plain(&sentence(error))));
}
