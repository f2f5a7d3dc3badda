//! Whether a store is whole: everything that something points to is there and is what was written, and all that is
//! said twice is said alike. Changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::layout::Layout;
use super::entries::Values;
use super::offline::Offline;
use super::report::{Finding, Kind, Tell, finding, of_error};
use super::{entries, records, rows};
use crate::store::StoreError;
use crate::store::counts::Counts;
use crate::store::journal::{FileSystem, Remains};

/// What a check has looked at, and how much it found wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) functions: u64,
    pub(crate) invocations: u64,
    /// Values that something points to.
    pub(crate) values: u64,
    /// Bytes of those values.
    pub(crate) bytes: u64,
    pub(crate) segments: u64,
    pub(crate) findings: u64,
}

/// Checks the store in `data`.
///
/// # Errors
/// [`StoreError::Open`] when it holds none, or somebody has it open.
pub(crate) fn check(data: &Path, tell: &mut Tell<'_>) -> Result<Checked, StoreError> {
    check_in(&Layout::existing(data)?, tell)
}

/// Checks a store that was just made: it takes nobody's place unless it is whole. A module that is lost is told to `missing`:
/// deploying it again brings it back, and its versions wait for it.
pub(super) fn check_made(new: &Path, missing: &mut Tell<'_>) -> Result<Checked, StoreError> {
    let mut wrong = None;
    let checked = check(new, &mut |found| match found.kind {
        Kind::Module => missing(found),
        _ => drop(wrong.get_or_insert(StoreError::Damaged { what: found.what, detail: found.detail })),
    })?;
    wrong.map_or(Ok(checked), Err)
}

/// Checks a store that this process has to itself.
pub(super) fn check_in(layout: &Layout, tell: &mut Tell<'_>) -> Result<Checked, StoreError> {
    let mut findings = 0;
    let mut tell = |found: Finding| {
        findings += 1;
        tell(found);
    };
    let mut checked = Checked::default();
    if let Some(store) = Offline::open(layout, &mut tell) {
        if let Err(error) = store.view.index.check(&mut |_| ()) {
            tell(finding(Kind::Index, "the index", error.to_string()));
        }
        checked.segments = check_segments(layout, &store, &mut tell)?;
        let mut values = Values::new(&store);
        checked.functions = records::check(&mut values, &mut tell);
        checked.invocations = entries::check(&mut values, &mut tell);
        rows::check(&store, &mut tell);
        (checked.values, checked.bytes) = (values.count, values.bytes);
        check_needed(&store.needed, &values.needed, &mut tell);
        check_counts(&store, &mut tell);
    }
    checked.findings = findings;
    Ok(checked)
}

/// Every group of every segment.
fn check_segments(layout: &Layout, store: &Offline, tell: &mut Tell<'_>) -> Result<u64, StoreError> {
    // What is wrong with files as such was told when the store was opened.
    let remains = Remains::look(&layout.journal(), std::sync::Arc::new(FileSystem), &mut |_| ());
    let remains = remains.map_err(|error| layout.refused(error.to_string()))?;
    let mut count = 0;
    for segment in remains.segments() {
        count += 1;
        if let Err(error) = store.view.reader.frames(segment, &mut |_| ()) {
            tell(finding(Kind::Segment, format!("segment {segment}"), error.to_string()));
        }
    }
    for segment in store.needed.keys().filter(|needed| !remains.segments().any(|there| there == **needed)) {
        let path = remains.path(*segment);
        tell(finding(Kind::Segment, format!("segment {segment}"), format!("{} is missing", path.display())));
    }
    Ok(count)
}

/// What each segment is needed for, as it is noted and as it is.
fn check_needed(noted: &BTreeMap<u32, u64>, found: &BTreeMap<u32, u64>, tell: &mut Tell<'_>) {
    let segments: std::collections::BTreeSet<_> = noted.keys().chain(found.keys()).collect();
    for segment in segments {
        let [noted, found] = [noted, found].map(|of| of.get(segment).copied().unwrap_or_default());
        if noted != found {
            let detail = format!("{noted} bytes of it are said to be needed, and {found} are");
            tell(finding(Kind::Counts, format!("segment {segment}"), detail));
        }
    }
}

fn check_counts(store: &Offline, tell: &mut Tell<'_>) {
    let recounted = match store.view.recount() {
        Ok(recounted) => recounted,
        Err(error) => return tell(of_error(Kind::Counts, error)),
    };
    let known = store.view.shared.lock().counts.clone();
    for (function, found) in recounted {
        let known: Counts = known.get(&function).copied().unwrap_or_default();
        let what = || format!("function {function}");
        if known != found {
            let detail = format!("its counts say {}, and there are {}", sentence(&known), sentence(&found));
            tell(finding(Kind::Counts, what(), detail));
        }
        if !known.is_sound() {
            let Counts { accepted, live, settled, .. } = known;
            let settled: u64 = settled.iter().sum();
            let detail = format!("{accepted} were accepted, and {live} are live and {settled} have settled");
            tell(finding(Kind::Counts, what(), detail));
        }
    }
}

fn sentence(counts: &Counts) -> String {
    let (kept, bytes) =
        counts.kept.iter().fold((0, 0), |(count, bytes), kept| (count + kept.count, bytes + kept.bytes));
    format!("{} live with {} bytes and {kept} settled with {bytes}", counts.live, counts.live_bytes)
}
