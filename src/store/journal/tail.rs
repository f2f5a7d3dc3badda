//! What was written last, kept in memory: most values are read soon after they were written, and then cost no
//! system call. One ring of bytes, allocated once and written as far as it was used: a server that was just started has
//! none of it in memory. Values are copied out, so nobody holds on to it.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;

use super::format;
use super::position::Span;

/// The last groups.
#[derive(Debug)]
pub(super) struct Tail(RwLock<Ring>);

#[derive(Debug)]
struct Ring {
    /// As long as it was ever filled.
    bytes: Vec<u8>,
    /// How long it becomes.
    most: usize,
    /// Where the next group goes.
    next: usize,
    /// The oldest first, which is also the order of where they stand in the journal.
    groups: VecDeque<Kept>,
}

/// One group in the ring.
#[derive(Debug)]
struct Kept {
    segment: u32,
    offset: u32,
    start: usize,
    length: usize,
}

impl Tail {
    pub(super) fn new(bytes: usize) -> Self {
        Self(RwLock::new(Ring {
            // Nothing yet: what replay has read into is given out again at once, and would be here for good.
            bytes: Vec::new(),
            most: bytes,
            next: 0,
            groups: VecDeque::new(),
        }))
    }

    /// Keeps a group that was written, in place of the oldest ones.
    pub(super) fn keep(&self, segment: u32, offset: u32, group: &[u8]) {
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        ring.keep(segment, offset, group);
    }

    /// A copy of the value, if it is among what was written last.
    pub(super) fn copy(&self, span: Span) -> Option<Bytes> {
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ring.find(span).map(Bytes::copy_from_slice)
    }
}

impl Ring {
    fn keep(&mut self, segment: u32, offset: u32, group: &[u8]) {
        if group.len() > self.most {
            return;
        }
        if self.next + group.len() > self.most {
            // What stands behind `next` is of the lap before, so it is the oldest.
            self.forget(self.next, self.most);
            self.next = 0;
        }
        let (start, end) = (self.next, self.next + group.len());
        self.forget(start, end);
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(group);
        self.groups.push_back(Kept { segment, offset, start, length: group.len() });
        self.next = end;
    }

    /// Lets go of the oldest groups as long as they start between these two places.
    fn forget(&mut self, start: usize, end: usize) {
        while self.groups.pop_front_if(|oldest| (start..end).contains(&oldest.start)).is_some() {}
    }

    fn find(&self, span: Span) -> Option<&[u8]> {
        let place = (span.segment, span.offset);
        let behind = self.groups.partition_point(|kept| (kept.segment, kept.offset) <= place);
        let kept = self.groups.get(behind.checked_sub(1)?).filter(|kept| kept.segment == span.segment)?;
        let skipped = (span.offset - kept.offset) as usize;
        let group = &self.bytes[kept.start..kept.start + kept.length];
        format::read_value(span, group.get(skipped..skipped.checked_add(span.stored_bytes())?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group that is one value of `bytes` bytes, stored at `offset` of segment 1.
    fn put(tail: &Tail, offset: u32, bytes: u32) -> Span {
        let span = Span { segment: 1, offset, bytes };
        let value = vec![u8::try_from(offset / 100).unwrap(); bytes as usize];
        tail.keep(1, offset, &[format::value_header(span, &value).as_slice(), &value].concat());
        span
    }

    #[test]
    fn the_last_groups_are_kept_and_the_oldest_go_first() {
        let tail = Tail::new(64);
        let spans: Vec<_> = (0..20).map(|count| put(&tail, count * 100, 4 + count % 7)).collect();
        let kept: Vec<_> = spans.iter().map(|span| tail.copy(*span).is_some()).collect();
        assert!(kept.is_sorted(), "{kept:?}");
        let count = kept.iter().filter(|kept| **kept).count();
        assert!((3..=4).contains(&count), "{count} of at most 18 bytes in 64");
        let last = spans[19];
        assert_eq!(tail.copy(last).unwrap(), vec![19; last.bytes as usize]);
    }

    #[test]
    fn memory_is_touched_as_far_as_it_was_used_and_no_further_than_told() {
        let tail = Tail::new(64);
        let touched = || tail.0.read().unwrap().bytes.len();
        assert_eq!(touched(), 0);
        put(&tail, 0, 4);
        let one = touched();
        assert!((4..32).contains(&one), "{one}");
        for count in 1..20 {
            put(&tail, count * 100, 4);
        }
        assert!((one..=64).contains(&touched()), "{}", touched());
    }

    #[test]
    fn a_group_larger_than_all_of_it_is_not_kept_and_costs_nothing() {
        let tail = Tail::new(64);
        let small = put(&tail, 0, 8);
        let large = put(&tail, 100, 64);
        assert!(tail.copy(small).is_some() && tail.copy(large).is_none());
    }

    #[test]
    fn a_span_that_is_no_value_is_not_found() {
        let tail = Tail::new(64);
        let span = put(&tail, 100, 8);
        for wrong in [
            Span { offset: 99, ..span },
            Span { offset: 101, ..span },
            Span { offset: 9_999, ..span },
            Span { segment: 2, ..span },
            Span { bytes: 9, ..span },
            Span { bytes: u32::MAX, ..span },
        ] {
            assert_eq!(tail.copy(wrong), None, "{wrong:?}");
        }
    }
}
