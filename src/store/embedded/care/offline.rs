//! Opens a store without changing it: the index as it is, and over it, in memory, what it has not seen yet.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::index_writer::Opened;
use super::super::layout::Layout;
use super::super::modules::Modules;
use super::super::op;
use super::super::state::Shared;
use super::super::view::View;
use super::report::{Kind, Tell, finding};
use crate::model::bounds;
use crate::store::StoreError;
use crate::store::journal::{FileSystem, Group, JournalError, Position, Reader, Remains};
use crate::store::sled::Index;

/// A store that is only looked at.
pub(super) struct Offline {
    pub(super) view: View,
    pub(super) modules: Modules,
    /// Bytes that rows point to, by segment, as the index says and what it has not seen changes it.
    pub(super) needed: BTreeMap<u32, u64>,
}

/// What the index has not seen, taken in in memory.
pub(super) struct Unseen {
    shared: Shared,
    /// The end of the window that was being written when the process ended.
    applying: Option<Position>,
}

impl Offline {
    /// Opens the store of a directory that this process has to itself. Whatever keeps it from opening, and what is
    /// wrong with the journal, is told; `None` where nothing can be read for it.
    pub(super) fn open(layout: &Layout, tell: &mut Tell<'_>) -> Option<Self> {
        let missing: Vec<_> =
            [layout.journal(), layout.index(), layout.modules()].into_iter().filter(|dir| !dir.is_dir()).collect();
        for dir in &missing {
            tell(finding(Kind::Folder, dir.display().to_string(), "it is missing"));
        }
        if missing.contains(&layout.index()) || missing.contains(&layout.journal()) {
            return None;
        }
        let index = Index::open(&layout.index(), bounds::STORE_CACHE_BYTES, true);
        let opened = index.and_then(|index| Opened::read(&index).map(|opened| (Arc::new(index), opened)));
        let (index, opened) =
            opened.map_err(|error| tell(finding(Kind::Index, "the index", error.to_string()))).ok()?;
        let unseen = Unseen::new(&opened);
        let (reader, unseen) = unseen.take_in_all(layout, opened.applied, tell)?;
        let mut needed = opened.needed;
        for window in unseen.lock().windows() {
            for (segment, change) in window.needed() {
                let bytes = needed.entry(segment).or_default();
                *bytes = bytes.saturating_add_signed(change);
            }
        }
        needed.retain(|_, bytes| *bytes > 0);
        let view = View { shared: Arc::new(unseen), index, reader };
        Some(Self { view, modules: Modules::at(layout.modules()), needed })
    }

    /// As [`Offline::open`], for whoever can do nothing with a damaged one.
    pub(super) fn open_whole(layout: &Layout) -> Result<Self, StoreError> {
        let mut wrong = None;
        let opened = Self::open(layout, &mut |finding| {
            wrong.get_or_insert(format!("{}: {}", finding.what, finding.detail));
        });
        match (opened, wrong) {
            (Some(offline), None) => Ok(offline),
            (_, wrong) => Err(layout.refused(wrong.unwrap_or_else(|| "it cannot be read".to_owned()))),
        }
    }
}

impl Unseen {
    fn new(opened: &Opened) -> Self {
        let applied = opened.applied.unwrap_or(Position::START);
        Self { shared: Shared::new(applied, opened.newest, opened.counts.clone()), applying: opened.applying }
    }

    /// Takes in everything behind `applied`: as the journal itself would, or, where that would refuse, whatever is
    /// whole.
    fn take_in_all(
        mut self,
        layout: &Layout,
        applied: Option<Position>,
        tell: &mut Tell<'_>,
    ) -> Option<(Reader, Shared)> {
        let failed = |error: JournalError| finding(Kind::Journal, "the journal", error.to_string());
        let mut wrong = Vec::new();
        let remains = Remains::look(&layout.journal(), Arc::new(FileSystem), &mut |error| wrong.push(error));
        let is_whole = wrong.is_empty();
        for error in wrong {
            tell(failed(error));
        }
        let remains = remains.map_err(|error| tell(failed(error))).ok()?;
        if is_whole {
            match remains.replay(applied, &mut |end, group| self.take_in(end, group)) {
                Ok(reader) => {
                    self.check_reached(tell);
                    return Some((reader, self.shared));
                }
                Err(error) => tell(failed(error)),
            }
        }
        let behind = self.shared.lock().current.end;
        let salvaged = remains.salvage(
            &mut |end, group| if end > behind { self.take_in(end, group) } else { Ok(()) },
            &mut |error| {
                tell(failed(error));
            },
        );
        self.check_reached(tell);
        let reader = salvaged.and_then(|_| remains.reader());
        reader.map_err(|error| tell(failed(error))).ok().map(|reader| (reader, self.shared))
    }

    /// Tells when the index was being written up to a place that the journal does not reach any more: then neither has
    /// all of it.
    fn check_reached(&self, tell: &mut Tell<'_>) {
        let Some(applying) = self.applying else { return };
        let end = self.shared.lock().current.end;
        let detail = format!("it ends at {end}, but was being taken in up to {applying}: its end is missing");
        tell(finding(Kind::Journal, "the journal", detail));
        let detail = "a part of what was being written into it last is missing, and the journal has it no more";
        tell(finding(Kind::Index, "the index", detail));
    }

    /// As opening does it, but for writing: what was cut short stays apart, so that what comes behind is laid over it.
    fn take_in(&mut self, end: Position, group: Group<'_>) -> Result<(), JournalError> {
        let mut state = self.shared.lock();
        for frame in group.frames() {
            let detail = || "it holds something that this program does not write".to_owned();
            let ops = op::read_all(frame.bytes()).ok_or_else(|| JournalError::Refused { end, detail: detail() })?;
            state.take_in(ops, end);
        }
        if self.applying.take_if(|applying| end >= *applying).is_some() {
            state.applying = Some(Arc::new(state.seal()));
        }
        Ok(())
    }
}

/// Bytes of all files below a directory.
pub(super) fn disk_bytes(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
