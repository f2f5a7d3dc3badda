//! The bytes of a segment: its header, and the headers of groups and values. Pure: bytes in, bytes out.
//!
//! All numbers are big-endian. A segment starts with one sector of its own:
//!
//! | offset | bytes | segment header                                             |
//! | ------ | ----- | ---------------------------------------------------------- |
//! | 0      | 8     | `TMJRNL\r\n`                                               |
//! | 8      | 4     | format, 1                                                  |
//! | 12     | 4     | the segment's number                                       |
//! | 16     | 4     | bytes of the file                                          |
//! | 20     | 4     | CRC-32 of the bytes 0 to 19                                |
//! | 24     | 488   | zero                                                       |
//!
//! Groups follow, each from the start of a sector: so no sector that holds one is ever written again.
//!
//! | offset | bytes | group                                                      |
//! | ------ | ----- | ---------------------------------------------------------- |
//! | 0      | 4     | `TMgr`                                                     |
//! | 4      | 4     | CRC-32 of segment number, offset, the bytes from 8, body   |
//! | 8      | 4     | bytes of the body                                          |
//! | 12     | 4     | zero                                                       |
//! | 16     | 8     | `previous`: the end of the group before                    |
//! | 24     | 8     | `synced`: up to where all was synced when this was written |
//! | 32     | ...   | body: frames, each 4 bytes of length and that many bytes   |
//!
//! A value within a frame can be read alone, so it is checked alone:
//!
//! | offset | bytes | value                                                      |
//! | ------ | ----- | ---------------------------------------------------------- |
//! | 0      | 4     | bytes of the value                                         |
//! | 4      | 4     | CRC-32 of segment number, offset, length, value            |
//! | 8      | ...   | the value                                                  |
//!
//! Why a recycled segment's old groups never pass: a CRC-32 finds every error that is confined to 32 bits in a
//! row, and the same group under another segment number is such an error. It is certain, not just likely.

use crc32fast::Hasher;

use super::position::{Position, Span};

/// What the bytes mean. A change of meaning is a new number.
pub(super) const FORMAT: u32 = 1;
/// What a disk writes whole or not at all, and where groups may start.
pub(super) const SECTOR: u32 = 512;
/// Where the first group of a segment starts.
pub(super) const FIRST: u32 = SECTOR;
/// Bytes before a group's body.
pub(super) const GROUP_HEADER: usize = 32;
/// Bytes before a frame.
pub(super) const FRAME_HEADER: usize = 4;
/// Bytes before a value.
pub(super) const VALUE_HEADER: usize = 8;

const SEGMENT_MAGIC: [u8; 8] = *b"TMJRNL\r\n";
const GROUP_MAGIC: [u8; 4] = *b"TMgr";

/// What the first sector of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SegmentHeader {
    /// Nothing yet: it was being prepared.
    Blank,
    /// A segment.
    Of { number: u32, bytes: u32 },
    /// A segment of another format.
    Format(u32),
    /// Something else.
    Foreign,
}

/// A group that checks out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked<'a> {
    pub(super) previous: Position,
    pub(super) synced: Position,
    /// Where the next group starts.
    pub(super) end: u32,
    pub(super) body: &'a [u8],
}

/// What a group's header says, unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupHeader {
    pub(super) body_bytes: u32,
    pub(super) previous: Position,
    pub(super) synced: Position,
}

/// The next place where a group may start.
pub(super) fn next_sector(offset: usize) -> usize {
    offset.next_multiple_of(SECTOR as usize)
}

/// A length or offset within a segment. What does not fit 32 bits fits no segment either.
pub(super) fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

pub(super) fn segment_header(number: u32, bytes: u32) -> [u8; SECTOR as usize] {
    let mut sector = [0; SECTOR as usize];
    sector[..8].copy_from_slice(&SEGMENT_MAGIC);
    sector[8..12].copy_from_slice(&FORMAT.to_be_bytes());
    sector[12..16].copy_from_slice(&number.to_be_bytes());
    sector[16..20].copy_from_slice(&bytes.to_be_bytes());
    let crc = crc32fast::hash(&sector[..20]);
    sector[20..24].copy_from_slice(&crc.to_be_bytes());
    sector
}

/// Reads a file's first sector, or as much of it as the file has.
pub(super) fn read_segment_header(sector: &[u8]) -> SegmentHeader {
    if sector.iter().all(|byte| *byte == 0) {
        return SegmentHeader::Blank;
    }
    let whole =
        sector.len() >= 24 && sector[..8] == SEGMENT_MAGIC && crc32fast::hash(&sector[..20]) == word(sector, 20);
    if !whole {
        return SegmentHeader::Foreign;
    }
    match word(sector, 8) {
        FORMAT => SegmentHeader::Of { number: word(sector, 12), bytes: word(sector, 16) },
        other => SegmentHeader::Format(other),
    }
}

/// Completes a group whose body stands behind room for its header: fills up the last sector and writes the header.
pub(super) fn seal(group: &mut Vec<u8>, number: u32, offset: u32, previous: Position, synced: Position) {
    let end = group.len();
    group.resize(next_sector(end), 0);
    group[8..12].copy_from_slice(&small(end - GROUP_HEADER).to_be_bytes());
    group[12..16].fill(0);
    group[16..24].copy_from_slice(&previous.to_bytes());
    group[24..32].copy_from_slice(&synced.to_bytes());
    let crc = located(number, offset, &[&group[8..end]]);
    group[..4].copy_from_slice(&GROUP_MAGIC);
    group[4..8].copy_from_slice(&crc.to_be_bytes());
}

/// The header at the start of `bytes`, if they look like a group at all.
pub(super) fn read_group_header(bytes: &[u8]) -> Option<GroupHeader> {
    if bytes.len() < GROUP_HEADER || bytes[..4] != GROUP_MAGIC {
        return None;
    }
    Some(GroupHeader { body_bytes: word(bytes, 8), previous: position(bytes, 16), synced: position(bytes, 24) })
}

/// The group at the start of `bytes`, which stand at `offset` of segment `number`; `None` unless all of it checks out.
pub(super) fn read_group(bytes: &[u8], number: u32, offset: u32) -> Option<Checked<'_>> {
    let GroupHeader { body_bytes, previous, synced } = read_group_header(bytes)?;
    let end = GROUP_HEADER.checked_add(body_bytes as usize)?;
    let sealed = bytes.get(8..end)?;
    let body = bytes.get(GROUP_HEADER..end)?;
    let passes = located(number, offset, &[sealed]) == word(bytes, 4) && is_tiled(body);
    let end = offset.checked_add(u32::try_from(next_sector(end)).ok()?)?;
    passes.then_some(Checked { previous, synced, end, body })
}

/// Whether a body is frames and nothing else.
fn is_tiled(mut body: &[u8]) -> bool {
    while let Some((_, rest)) = split_frame(body) {
        body = rest;
    }
    body.is_empty()
}

/// The first frame of a body, and what follows it.
pub(super) fn split_frame(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

pub(super) fn value_header(span: Span, value: &[u8]) -> [u8; VALUE_HEADER] {
    let mut header = [0; VALUE_HEADER];
    header[..4].copy_from_slice(&span.bytes.to_be_bytes());
    header[4..].copy_from_slice(&value_crc(span, value).to_be_bytes());
    header
}

/// The value of `span`, whose stored bytes these are; `None` unless it checks out.
pub(super) fn read_value(span: Span, stored: &[u8]) -> Option<&[u8]> {
    let (header, value) = stored.split_at_checked(VALUE_HEADER)?;
    let whole = value.len() == span.bytes as usize && word(header, 0) == span.bytes;
    (whole && word(header, 4) == value_crc(span, value)).then_some(value)
}

fn value_crc(span: Span, value: &[u8]) -> u32 {
    located(span.segment, span.offset, &[&span.bytes.to_be_bytes(), value])
}

fn position(bytes: &[u8], offset: usize) -> Position {
    Position { segment: word(bytes, offset), offset: word(bytes, offset + 4) }
}

/// A checksum that holds at one place only.
fn located(number: u32, offset: u32, parts: &[&[u8]]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&Position { segment: number, offset }.to_bytes());
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// The number at `offset`, which the caller knows to be there.
pub(super) fn word(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(body: &[u8]) -> Vec<u8> {
        let mut group = vec![0xff; GROUP_HEADER];
        group.extend_from_slice(&small(body.len()).to_be_bytes());
        group.extend_from_slice(body);
        seal(&mut group, 7, 1_024, Position { segment: 7, offset: 1_024 }, Position { segment: 6, offset: 512 });
        group
    }

    #[test]
    fn a_group_is_whole_sectors_and_read_back() {
        let bytes = group(&[9; 600]);
        assert_eq!(bytes.len(), 1_024);
        let read = read_group(&bytes, 7, 1_024).unwrap();
        assert_eq!((read.end, read.previous.offset, read.synced.segment), (2_048, 1_024, 6));
        assert_eq!(split_frame(read.body), Some(([9; 600].as_slice(), [].as_slice())));
    }

    #[test]
    fn a_group_passes_at_no_other_place() {
        let bytes = group(b"bytes");
        assert_eq!(read_group(&bytes, 8, 1_024), None);
        assert_eq!(read_group(&bytes, 7, 512), None);
    }

    #[test]
    fn a_group_with_any_byte_changed_does_not_pass() {
        let bytes = group(b"bytes");
        for at in 0..GROUP_HEADER + 9 {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(read_group(&changed, 7, 1_024), None, "byte {at}");
        }
    }

    #[test]
    fn a_value_passes_only_whole_and_where_it_was_written() {
        let span = Span { segment: 3, offset: 700, bytes: 5 };
        let stored = [value_header(span, b"bytes").as_slice(), b"bytes"].concat();
        assert_eq!(read_value(span, &stored), Some(b"bytes".as_slice()));
        assert_eq!(read_value(Span { segment: 4, ..span }, &stored), None);
        assert_eq!(read_value(Span { bytes: 4, ..span }, &stored[..12]), None);
        assert_eq!(read_value(span, &stored[..12]), None);
    }

    #[test]
    fn a_first_sector_says_what_the_file_is() {
        let header = segment_header(12, 4_096);
        assert_eq!(read_segment_header(&header), SegmentHeader::Of { number: 12, bytes: 4_096 });
        assert_eq!(read_segment_header(&[0; 512]), SegmentHeader::Blank);
        assert_eq!(read_segment_header(&[]), SegmentHeader::Blank);
        assert_eq!(read_segment_header(b"notes"), SegmentHeader::Foreign);
        let mut newer = header;
        newer[11] = 2;
        let crc = crc32fast::hash(&newer[..20]);
        newer[20..24].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(read_segment_header(&newer), SegmentHeader::Format(2));
    }
}
