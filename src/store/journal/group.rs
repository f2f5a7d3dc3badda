//! Groups and frames as they are read back: by replay, and by whoever copies what is still needed.

use super::format;

/// A group that checks out.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Group<'a>(&'a [u8]);

/// One frame of a group: all of it, the headers of its values included.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Frame<'a>(&'a [u8]);

impl<'a> Group<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// Its frames, in their order.
    pub(in crate::store) fn frames(self) -> impl Iterator<Item = Frame<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (frame, behind) = format::split_frame(rest)?;
            rest = behind;
            Some(Frame(frame))
        })
    }
}

impl<'a> Frame<'a> {
    pub(in crate::store) fn bytes(&self) -> &'a [u8] {
        self.0
    }
}
