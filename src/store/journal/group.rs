//! Groups and frames as they are read back: by replay, and by whoever copies what is still needed.

use super::format::{self, FRAME_HEADER};
use super::position::{Position, Span};

/// A group that checks out.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Group<'a> {
    segment: u32,
    /// Where the body starts in the segment.
    offset: u32,
    body: &'a [u8],
    /// The place behind it.
    end: Position,
}

/// One frame of a group.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Frame<'a> {
    segment: u32,
    offset: u32,
    bytes: &'a [u8],
}

/// The frames of a group, in their order.
#[derive(Clone, Debug)]
pub(in crate::store) struct Frames<'a> {
    segment: u32,
    offset: u32,
    rest: &'a [u8],
}

impl<'a> Group<'a> {
    pub(super) fn new(segment: u32, offset: u32, body: &'a [u8], end: Position) -> Self {
        Self { segment, offset, body, end }
    }

    pub(in crate::store) fn frames(&self) -> Frames<'a> {
        Frames { segment: self.segment, offset: self.offset, rest: self.body }
    }

    /// The place behind it.
    pub(in crate::store) fn end(&self) -> Position {
        self.end
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let (bytes, rest) = format::split_frame(self.rest)?;
        let frame = Frame { segment: self.segment, offset: self.offset + format::small(FRAME_HEADER), bytes };
        self.offset = frame.offset + format::small(bytes.len());
        self.rest = rest;
        Some(frame)
    }
}

impl<'a> Frame<'a> {
    /// All of it, the headers of its values included.
    pub(in crate::store) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value of a span that lies in this frame; `None` if it does not, or does not check out.
    pub(in crate::store) fn value(&self, span: Span) -> Option<&'a [u8]> {
        if span.segment != self.segment {
            return None;
        }
        let start = span.offset.checked_sub(self.offset)? as usize;
        format::read_value(span, self.bytes.get(start..start.checked_add(span.stored_bytes())?)?)
    }

    /// The value that starts at this byte of the frame, and where it stands: for a reader that goes through the
    /// frame from its start.
    pub(in crate::store) fn value_at(&self, start: usize) -> Option<(Span, &'a [u8])> {
        let length = u32::from_be_bytes(*self.bytes.get(start..)?.first_chunk()?);
        let offset = self.offset.checked_add(u32::try_from(start).ok()?)?;
        let span = Span { segment: self.segment, offset, bytes: length };
        Some((span, self.value(span)?))
    }
}
