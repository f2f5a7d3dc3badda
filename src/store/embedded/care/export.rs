//! A store written out as text, see `form`. The file can be read without this program.

use std::io::Write;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::super::layout::Layout;
use super::form::{FORMAT, Hex, Line};
use super::offline::Offline;
use super::read::{self, Everything, Skipped};
use super::report::Kind;
use crate::store::StoreError;

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exported {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// How much was damaged and is not there.
    pub(crate) skipped: u64,
}

/// Lines on their way out.
struct Lines<'a> {
    to: &'a mut dyn Write,
    sum: Sha256,
    written: Exported,
}

/// Writes all that the store in `data` holds to `to`. What is damaged is told and left out.
///
/// # Errors
/// [`StoreError::Open`] when it cannot be read at all, [`StoreError::Unreadable`] when `to` takes no more.
pub(crate) fn export(data: &Path, to: &mut dyn Write, skipped: &mut Skipped<'_>) -> Result<Exported, StoreError> {
    let layout = Layout::existing(data)?;
    let mut count = 0;
    let mut skipped = |error| {
        count += 1;
        skipped(error);
    };
    let store = Offline::open(&layout, &mut |found| {
        let damaged = |found: super::Finding| StoreError::Damaged { what: found.what, detail: found.detail };
        // Modules that are missing are told once, where they are read.
        if found.kind != Kind::Folder || !found.what.ends_with("modules") {
            skipped(damaged(found));
        }
    });
    let store = store.ok_or_else(|| layout.refused("it cannot be read: `tidemill store check` says why"))?;
    let mut lines = Lines { to, sum: Sha256::new(), written: Exported::default() };
    lines.line(&Line::Export { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned() })?;
    read::each(&store, &Everything, &mut |item| lines.line(&item.into()), &mut skipped)?;
    let end = Line::End { lines: lines.written.lines, sha256: Hex(lines.sum.clone().finalize().into()) };
    lines.line(&end)?;
    lines.to.flush().map_err(|error| unwritten(&error))?;
    Ok(Exported { skipped: count, ..lines.written })
}

impl Lines<'_> {
    fn line(&mut self, line: &Line) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec(line).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        text.push(b'\n');
        self.sum.update(&text);
        self.written.lines += 1;
        self.written.bytes += text.len() as u64;
        self.to.write_all(&text).map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &std::io::Error) -> StoreError {
    StoreError::Unreadable(format!("the export cannot be written: {error}"))
}
