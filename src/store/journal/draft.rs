//! A group while it is built: frames go in, and each value in them learns at once where it will stand. Knows no
//! file: nothing is written before the journal takes the draft.

use crate::model::bounds;

use super::format::{self, FRAME_HEADER, GROUP_HEADER, VALUE_HEADER};
use super::position::Span;

/// One group to be. It belongs to one place: whoever begins two has to write the first one first.
#[derive(Debug)]
pub(in crate::store) struct Draft {
    pub(super) bytes: Vec<u8>,
    pub(super) segment: u32,
    /// Where the group will start.
    pub(super) start: u32,
    /// Bytes from there to the segment's end.
    room: usize,
    frames: u64,
}

/// A place in a draft to come back to.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Mark {
    bytes: usize,
    frames: u64,
}

/// One frame while it is written.
#[derive(Debug)]
pub(in crate::store) struct FrameWriter<'a>(&'a mut Draft);

impl Draft {
    /// What a value costs besides its own bytes; a frame's size counts it for every value in it.
    pub(in crate::store) const VALUE_OVERHEAD: usize = VALUE_HEADER;

    pub(super) fn new(mut bytes: Vec<u8>, segment: u32, start: u32, room: usize) -> Self {
        bytes.clear();
        bytes.resize(GROUP_HEADER, 0);
        Self { bytes, segment, start, room, frames: 0 }
    }

    /// Whether a frame of this many bytes still fits: into the segment, and into the size of a group. A frame that
    /// is larger than a group should be is a group by itself.
    pub(in crate::store) fn fits(&self, bytes: usize) -> bool {
        let end = self.bytes.len().saturating_add(FRAME_HEADER).saturating_add(bytes);
        end <= self.room && (self.is_empty() || end <= bounds::MAX_GROUP_BYTES)
    }

    /// Lays one frame into the group. What `write` returns is handed on.
    pub(in crate::store) fn push<R>(&mut self, write: impl FnOnce(&mut FrameWriter<'_>) -> R) -> R {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; FRAME_HEADER]);
        let written = write(&mut FrameWriter(self));
        let length = format::small(self.bytes.len() - start - FRAME_HEADER);
        self.bytes[start..start + FRAME_HEADER].copy_from_slice(&length.to_be_bytes());
        self.frames += 1;
        written
    }

    pub(in crate::store) fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), frames: self.frames }
    }

    /// Takes back every frame since the mark.
    pub(in crate::store) fn truncate(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.frames = mark.frames;
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Bytes of the frames so far, their headers included.
    pub(in crate::store) fn body_bytes(&self) -> usize {
        self.bytes.len() - GROUP_HEADER
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether the segment has room for all of it.
    pub(super) fn is_within_its_segment(&self) -> bool {
        self.bytes.len() <= self.room
    }
}

impl FrameWriter<'_> {
    /// Bytes that only replay reads.
    pub(in crate::store) fn bytes(&mut self, bytes: &[u8]) {
        self.0.bytes.extend_from_slice(bytes);
    }

    /// A value that can be read alone, and where it will stand.
    pub(in crate::store) fn value(&mut self, value: &[u8]) -> Span {
        let offset = self.0.start.saturating_add(format::small(self.0.bytes.len()));
        let span = Span { segment: self.0.segment, offset, bytes: format::small(value.len()) };
        self.bytes(&format::value_header(span, value));
        self.bytes(value);
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_taken_back_leaves_nothing() {
        let mut draft = Draft::new(Vec::new(), 4, 1_024, 512);
        draft.push(|frame| frame.bytes(b"first"));
        let (before, mark) = (draft.bytes.clone(), draft.mark());
        draft.push(|frame| frame.value(b"half"));
        draft.truncate(mark);
        assert_eq!((draft.bytes.as_slice(), draft.frames()), (before.as_slice(), 1));
    }

    #[test]
    fn a_value_is_told_its_place_as_it_is_written() {
        let mut draft = Draft::new(Vec::new(), 4, 1_024, 512);
        let span = draft.push(|frame| {
            frame.bytes(&[0; 12]);
            frame.value(b"value")
        });
        assert_eq!(span, Span { segment: 4, offset: 1_024 + 32 + 4 + 12, bytes: 5 });
    }

    #[test]
    fn a_frame_fits_up_to_the_end_of_the_segment_and_of_a_group() {
        let mut draft = Draft::new(Vec::new(), 4, 1_024, 512);
        assert!(draft.fits(512 - 32 - 4));
        assert!(!draft.fits(512 - 32 - 4 + 1));
        draft.room = usize::MAX;
        assert!(draft.fits(bounds::MAX_GROUP_BYTES), "alone");
        draft.push(|_| ());
        assert!(!draft.fits(bounds::MAX_GROUP_BYTES));
    }
}
