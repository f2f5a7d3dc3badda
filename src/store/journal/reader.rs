//! Reading what was written: single values, by their spans, and all frames of a segment. Any number of threads,
//! while the writer writes and segments are given away under them.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::buffer::Buffer;
use super::disk::DiskFile;
use super::error::JournalError;
use super::format::{self, FIRST, VALUE_HEADER};
use super::group::{Frame, Group};
use super::names::Name;
use super::position::{Position, Span};
use super::scan;
use super::shared::Shared;

/// Reads values and whole segments. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) struct Reader(Arc<Shared>);

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// The value of a span. `None` when its segment is no longer there: whoever gave it away has moved the value
    /// before, so look the span up again.
    pub(in crate::store) fn read(&self, span: Span) -> Result<Option<Bytes>, JournalError> {
        let Some(extent) = self.0.table.extent(span.segment) else { return Ok(None) };
        if let Some(value) = self.0.tail.copy(span) {
            return Ok(Some(value));
        }
        let end = (span.offset as usize).saturating_add(span.stored_bytes());
        if end > extent.bytes as usize {
            return Err(self.damaged(span.segment, span.offset, format!("{span} is behind its last group")));
        }
        let mut stored = vec![0; span.stored_bytes()];
        let Some(read) = self.read_at(span.segment, span.offset, &mut stored)? else { return Ok(None) };
        if format::read_value(span, &stored[..read]).is_some() {
            return Ok(Some(Bytes::from(stored).slice(VALUE_HEADER..)));
        }
        // Recycled meanwhile, or damaged: the segment leaves the table before its file is touched.
        if self.has(span.segment) {
            return Err(self.damaged(
                span.segment,
                span.offset,
                format!("the value of {} bytes is not there", span.bytes),
            ));
        }
        Ok(None)
    }

    /// The value of a span, if it is still in memory. Never waits for a disk.
    pub(in crate::store) fn recent(&self, span: Span) -> Option<Bytes> {
        self.0.table.extent(span.segment)?;
        self.0.tail.copy(span)
    }

    /// Shows every frame of a finished segment, in order. `false` when the segment is no longer there; frames that
    /// were shown until then were what it held.
    pub(in crate::store) fn frames(&self, segment: u32, see: &mut dyn FnMut(Frame<'_>)) -> Result<bool, JournalError> {
        let Some(extent) = self.0.table.extent(segment) else { return Ok(false) };
        let no_memory = |error| JournalError::disk(&self.0.dir, "there is no memory to read a segment", &error);
        let mut bytes = Buffer::of(extent.bytes).map_err(no_memory)?;
        let Some(read) = self.read_at(segment, 0, &mut bytes)? else { return Ok(false) };
        let bytes = scan::Bytes { number: segment, bytes: &bytes[..read] };
        let mut offset = FIRST;
        while let Some(group) = bytes.group(offset) {
            Group::new(group.body).frames().for_each(&mut *see);
            offset = group.end;
        }
        let here = Position { segment, offset };
        let is_cut = offset < extent.bytes && (extent.exact || bytes.acknowledges_more_than(here, offset).is_some());
        if !self.has(segment) {
            return Ok(false);
        }
        if is_cut {
            return Err(self.damaged(segment, offset, "no whole group is there, but it is not the end".to_owned()));
        }
        Ok(true)
    }

    /// Reads from a segment's file. `None` when the segment was given away.
    fn read_at(&self, segment: u32, offset: u32, bytes: &mut [u8]) -> Result<Option<usize>, JournalError> {
        match self.file(segment).and_then(|file| file.read_at(bytes, u64::from(offset))) {
            Ok(read) => Ok(Some(read)),
            Err(_) if !self.has(segment) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(JournalError::Missing { segment, path: Name::Segment(segment).path(&self.0.dir) })
            }
            Err(error) => {
                Err(JournalError::disk(&Name::Segment(segment).path(&self.0.dir), "it cannot be read", &error))
            }
        }
    }

    fn file(&self, segment: u32) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.files.get(&*self.0.disk, &self.0.dir, segment)?;
        if !self.has(segment) {
            // It was given away while it was opened, and nobody else will close it.
            self.0.files.forget(segment);
        }
        Ok(file)
    }

    fn has(&self, segment: u32) -> bool {
        self.0.table.extent(segment).is_some()
    }

    fn damaged(&self, segment: u32, offset: u32, detail: String) -> JournalError {
        JournalError::Damaged { path: Name::Segment(segment).path(&self.0.dir), offset, detail }
    }
}
