//! Where things stand in the journal: a [`Position`] between two groups, and the [`Span`] of one value. Both are
//! plain numbers that may be kept anywhere; neither says whether what it points to is still there.
//!
//! A segment's number is never used twice, so neither can come to mean something else.

use std::fmt;

use super::format::{VALUE_HEADER, word};

/// A place between groups: everything before it has been taken in. Ordered as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct Position {
    /// The segment of the group before, 0 where there is none.
    pub segment: u32,
    /// The sector behind that group, in bytes from the segment's start.
    pub offset: u32,
}

/// Where a value stands. Ordered as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct Span {
    /// The segment it is in.
    pub segment: u32,
    /// Where the value's own header starts, in bytes from the segment's start.
    pub offset: u32,
    /// Length of the value, without that header.
    pub bytes: u32,
}

impl Position {
    /// Before the first group that was ever written.
    pub(in crate::store) const START: Self = Self { segment: 0, offset: 0 };

    /// Big-endian, so that bytes are ordered as positions are.
    pub(in crate::store) fn to_bytes(self) -> [u8; 8] {
        ((u64::from(self.segment) << 32) | u64::from(self.offset)).to_be_bytes()
    }

    pub(in crate::store) fn from_bytes(bytes: [u8; 8]) -> Self {
        Self { segment: word(&bytes, 0), offset: word(&bytes, 4) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {} of segment {}", self.offset, self.segment)
    }
}

impl Span {
    /// Bytes of a span that is written down.
    pub(in crate::store) const BYTES: usize = 12;

    /// Bytes that the value takes up in its frame, its header included.
    pub(in crate::store) fn stored_bytes(self) -> usize {
        VALUE_HEADER + self.bytes as usize
    }

    /// Big-endian: segment, offset, length.
    pub(in crate::store) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.segment.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.offset.to_be_bytes());
        bytes[8..].copy_from_slice(&self.bytes.to_be_bytes());
        bytes
    }

    pub(in crate::store) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self { segment: word(&bytes, 0), offset: word(&bytes, 4), bytes: word(&bytes, 8) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at offset {} of segment {}", self.bytes, self.offset, self.segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_positions_are_ordered_as_positions_are() {
        let at = |segment, offset| Position { segment, offset };
        let order = [Position::START, at(1, 512), at(1, 66_048), at(2, 512), at(300, 0)];
        assert!(order.is_sorted());
        assert!(order.map(Position::to_bytes).is_sorted());
        assert_eq!(order.map(|position| Position::from_bytes(position.to_bytes())), order);
    }

    #[test]
    fn a_span_is_read_back_from_its_bytes() {
        let span = Span { segment: 0x0102_0304, offset: 0x0506_0708, bytes: 0x090a_0b0c };
        assert_eq!(span.to_bytes(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(Span::from_bytes(span.to_bytes()), span);
    }
}
