//! A store made of what an export holds. It is made beside the directory, checked, and only then takes its place.

use std::fs;
use std::io::{BufRead, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::beside::{self, refused};
use super::check::{Checked, check_made};
use super::form::{FORMAT, Hex, Line};
use super::fresh::Fresh;
use super::report::Tell;
use crate::model::bounds;
use crate::store::StoreError;

/// The longest line: a module.
const MAX_LINE_BYTES: u64 = (bounds::MAX_MODULE_BYTES / 3 * 4 + 1_024 * 1_024) as u64;

/// Why there is no store of an export.
#[derive(Debug)]
pub(crate) enum NotImported {
    /// The export cannot be read.
    Unreadable(std::io::Error),
    /// It is not whole, or was changed, or is none.
    Broken(String),
    /// The store cannot be made.
    Store(StoreError),
}

/// Lines on their way in.
struct Lines<'a> {
    from: &'a mut dyn BufRead,
    sum: Sha256,
    read: u64,
}

/// Makes a store in `data`, which is missing or empty, of an export. Modules that are not in it are told to `missing`.
///
/// # Errors
/// When the directory is neither, or the export is not whole. Nothing is left behind then.
pub(crate) fn import(data: &Path, from: &mut dyn BufRead, missing: &mut Tell<'_>) -> Result<Checked, NotImported> {
    let is_empty = match fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(refused(data, error.to_string()).into()),
    };
    if !is_empty {
        let why = "something is in it: import into a directory that is empty or missing";
        return Err(refused(data, why.to_owned()).into());
    }
    let new = beside::beside(data, "importing")?;
    if new.exists() {
        beside::remove_store(&new)?; // an import was cut short
    }
    // Where it is a link, it is what that leads to that becomes the store.
    let place = if data.exists() { data.canonicalize() } else { Ok(data.to_owned()) };
    let place = place.map_err(|error| refused(data, error.to_string()))?;
    let mut made = || {
        fill(&new, from)?;
        let checked = check_made(&new, missing)?;
        beside::rename(&new, &place)?;
        Ok(checked)
    };
    match made() {
        Ok(checked) => Ok(checked),
        Err(error) => {
            drop(fs::remove_dir_all(&new)); // it was ours, and whatever is left of it is in nobody's way
            Err(error)
        }
    }
}

fn fill(new: &Path, from: &mut dyn BufRead) -> Result<(), NotImported> {
    let mut lines = Lines { from, sum: Sha256::new(), read: 0 };
    match lines.next()? {
        (Line::Export { format: FORMAT, .. }, _) => (),
        (Line::Export { format, .. }, _) => {
            return Err(broken(format!("it is in format {format} and this program reads format {FORMAT}")));
        }
        _ => return Err(broken("its first line does not say that it is an export")),
    }
    let mut fresh = Fresh::begin(new)?;
    loop {
        let (before, sum) = (lines.read, lines.sum.clone());
        let (line, number) = lines.next()?;
        if let Line::End { lines: told, sha256 } = line {
            if told != before || sha256 != Hex(sum.finalize().into()) {
                return Err(broken("its sum is not that of what it holds"));
            }
            return Ok(fresh.finish()?);
        }
        let item = line.item().ok_or_else(|| broken(format!("line {number} is out of place")))?;
        fresh.take(item)?;
    }
}

impl Lines<'_> {
    /// The next line and its number.
    fn next(&mut self) -> Result<(Line, u64), NotImported> {
        let mut text = Vec::new();
        let read = (&mut *self.from).take(MAX_LINE_BYTES).read_until(b'\n', &mut text);
        read.map_err(NotImported::Unreadable)?;
        if text.last() != Some(&b'\n') {
            return Err(broken(format!("it is cut behind line {}", self.read)));
        }
        self.sum.update(&text);
        self.read += 1;
        let line = serde_json::from_slice(&text).map_err(|error| broken(format!("line {}: {error}", self.read)))?;
        Ok((line, self.read))
    }
}

fn broken(detail: impl Into<String>) -> NotImported {
    NotImported::Broken(detail.into())
}

impl From<StoreError> for NotImported {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
