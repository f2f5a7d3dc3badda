//! The record of what a program did to its files, as `recorder.c` writes it, event by event.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek as _};
use std::path::Path;

use crate::cli::bench::instant::Instant;

/// The head of an event: four numbers of four bytes and four of eight.
const HEAD_BYTES: usize = 48;

/// Something that was done, and when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Instant,
    pub(super) deed: Deed,
}

/// What was done. Paths are below the folder that is recorded; a file or folder is known by its inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    CreateFile {
        inode: u64,
        path: String,
    },
    CreateFolder {
        inode: u64,
        path: String,
    },
    Write {
        inode: u64,
        offset: u64,
        bytes: Vec<u8>,
    },
    Resize {
        inode: u64,
        bytes: u64,
    },
    Sync {
        inode: u64,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    Link {
        path: String,
        to: String,
    },
    /// What a folder holds: inodes and names.
    Names {
        inode: u64,
        names: Vec<(u64, String)>,
    },
    /// The record became too long and ends here.
    Overflow,
}

/// Takes the event off the end of a record that a kill has cut short: the next process writes behind it.
pub(super) fn trim(path: &Path) -> io::Result<()> {
    let mut reader = Reader::open(path)?;
    let mut end = 0;
    while reader.next()?.is_some() {
        end = reader.file.stream_position()?;
    }
    File::options().write(true).open(path)?.set_len(end)
}

/// Reads a record.
pub(super) struct Reader {
    file: BufReader<File>,
}

impl Reader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::with_capacity(1 << 20, File::open(path)?) })
    }

    /// The next event; `None` at the end, which may cut one short: the program was killed.
    pub(super) fn next(&mut self) -> io::Result<Option<Event>> {
        match self.read() {
            Ok(event) => Ok(Some(event)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&mut self) -> io::Result<Event> {
        let mut head = [0; HEAD_BYTES];
        self.file.read_exact(&mut head)?;
        let small = |at: usize| u64::from(u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes")));
        let large = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let (kind, first, second) = (small(0), small(4), small(8));
        let (at, inode, offset, length) = (Instant(large(16)), large(24), large(32), large(40));
        let path = text(self.bytes(first)?)?;
        let to = text(self.bytes(second)?)?;
        let bytes = self.bytes(length)?;
        let deed = match kind {
            1 => Deed::CreateFile { inode, path },
            2 => Deed::Write { inode, offset, bytes },
            3 => Deed::Resize { inode, bytes: offset },
            4 => Deed::Sync { inode },
            5 => Deed::CreateFolder { inode, path },
            6 => Deed::Rename { from: path, to },
            7 => Deed::Remove { path },
            8 => Deed::Link { path, to },
            9 => Deed::Names { inode, names: names(&bytes)? },
            10 => Deed::Overflow,
            _ => return Err(unknown()),
        };
        Ok(Event { at, deed })
    }

    fn bytes(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(length).read_to_end(&mut bytes)?;
        if read as u64 == length { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

fn names(bytes: &[u8]) -> io::Result<Vec<(u64, String)>> {
    let entries = bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    let read = |entry: &[u8]| {
        let entry = text(entry.to_vec())?;
        let (inode, name) = entry.split_once(' ').ok_or_else(unknown)?;
        Ok((inode.parse().map_err(|_| unknown())?, name.to_owned()))
    };
    entries.map(read).collect()
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| unknown())
}

fn unknown() -> io::Error {
    io::Error::other("the record holds what the recorder does not write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_a_kill_has_cut_short_is_taken_off_before_others_follow() {
        let mut sync = [0; HEAD_BYTES];
        sync[0] = 4;
        sync[24] = 9;
        let mut cut = [0; HEAD_BYTES];
        (cut[0], cut[40]) = (2, 100);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        std::fs::write(&path, [&sync[..], &cut, b"not a hundred bytes"].concat()).unwrap();
        trim(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), sync);
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().deed, Deed::Sync { inode: 9 });
        assert!(reader.next().unwrap().is_none());
    }
}
