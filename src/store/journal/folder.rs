//! What is in a journal's folder: which files there are and whether they are what their names say. Changes nothing
//! before it is told to: a folder that is refused is left as it was found.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::buffer::Buffer;
use super::disk::{Disk, DiskFile};
use super::error::JournalError;
use super::format::{self, FIRST, SECTOR, SegmentHeader};
use super::names::Name;
use super::scan;

/// The folder and the files in it.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) dir: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    /// Segments by number, the oldest first.
    pub(super) segments: Vec<Segment>,
    /// Segments whose header was never finished: nothing is in them.
    blank: Vec<Segment>,
    spares: Vec<u32>,
    unfinished: Vec<u32>,
}

/// A file with groups, or with room for them.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) bytes: u32,
    pub(super) file: Arc<dyn DiskFile>,
}

/// What is left of a folder once it was tidied.
#[derive(Debug)]
pub(super) struct Tidied {
    pub(super) spares: Vec<u32>,
    /// Bytes of all files.
    pub(super) bytes: u64,
}

impl Folder {
    /// Looks at the folder, which is made if it is not there.
    pub(super) fn read(dir: &Path, disk: Arc<dyn Disk>) -> Result<Self, JournalError> {
        let failed = |error| JournalError::disk(dir, "the journal's folder cannot be read", &error);
        disk.create_dir(dir).map_err(failed)?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_dir(parent).map_err(failed)?;
        }
        Self::look(dir, disk, &mut Err)
    }

    /// Looks at the folder, and changes nothing. What is wrong with one file goes to `wrong`, which may go on
    /// without that file.
    pub(super) fn look(
        dir: &Path,
        disk: Arc<dyn Disk>,
        wrong: &mut dyn FnMut(JournalError) -> Result<(), JournalError>,
    ) -> Result<Self, JournalError> {
        let names = disk.list(dir).map_err(|error| unreadable(dir, &error))?;
        let mut folder = Self {
            dir: dir.to_owned(),
            disk,
            segments: Vec::new(),
            blank: Vec::new(),
            spares: Vec::new(),
            unfinished: Vec::new(),
        };
        for name in names {
            match Name::read(&name) {
                Some(Name::Segment(number)) => folder.add_segment(number).or_else(&mut *wrong)?,
                Some(Name::Spare(number)) => folder.spares.push(number),
                Some(Name::Unfinished(number)) => folder.unfinished.push(number),
                None => wrong(JournalError::Foreign { path: dir.join(&name) })?,
            }
        }
        folder.segments.sort_unstable_by_key(|segment| segment.number);
        Ok(folder)
    }

    fn add_segment(&mut self, number: u32) -> Result<(), JournalError> {
        let path = self.path(number);
        let file = self.disk.open(&path).map_err(|error| unreadable(&path, &error))?;
        let bytes = file.bytes().map_err(|error| unreadable(&path, &error))?;
        let bytes = u32::try_from(bytes).map_err(|_| JournalError::Foreign { path: path.clone() })?;
        let mut sector = [0; SECTOR as usize];
        let read = file.read_at(&mut sector, 0).map_err(|error| unreadable(&path, &error))?;
        let segment = Segment { number, bytes, file };
        match format::read_segment_header(&sector[..read]) {
            SegmentHeader::Blank if self.is_empty(&segment)? => self.blank.push(segment),
            SegmentHeader::Blank => {
                let detail = "its header is gone, and it is not empty".to_owned();
                return Err(JournalError::Damaged { path, offset: 0, detail });
            }
            SegmentHeader::Of { number: told, bytes: whole } if told == number => {
                if whole != bytes {
                    let detail = format!("the file has {bytes} bytes in place of {whole}");
                    return Err(JournalError::Damaged { path, offset: bytes.min(whole), detail });
                }
                self.segments.push(segment);
            }
            SegmentHeader::Format(found) => return Err(JournalError::Format { path, found }),
            SegmentHeader::Of { .. } | SegmentHeader::Foreign => return Err(JournalError::Foreign { path }),
        }
        Ok(())
    }

    /// Whether no group is in it.
    fn is_empty(&self, segment: &Segment) -> Result<bool, JournalError> {
        let bytes = self.load(segment)?;
        let bytes = scan::Bytes { number: segment.number, bytes: &bytes };
        Ok(bytes.groups_from(FIRST).next().is_none())
    }

    /// All of a segment's bytes.
    pub(super) fn load(&self, segment: &Segment) -> Result<Buffer, JournalError> {
        let failed = |error| unreadable(&self.path(segment.number), &error);
        let mut bytes = Buffer::of(segment.bytes).map_err(failed)?;
        let read = segment.file.read_at(&mut bytes, 0).map_err(failed)?;
        if read < bytes.len() {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes)
    }

    pub(super) fn path(&self, number: u32) -> PathBuf {
        Name::Segment(number).path(&self.dir)
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.segments.iter().any(|segment| segment.number == number)
    }

    /// The highest number that a name has.
    pub(super) fn last_number(&self) -> u32 {
        let segments = self.segments.iter().chain(&self.blank).map(|segment| segment.number);
        segments.chain(self.spares.iter().copied()).chain(self.unfinished.iter().copied()).max().unwrap_or(0)
    }

    /// Removes the spares: whoever opens the journal makes new ones.
    pub(super) fn remove_spares(&self) -> io::Result<()> {
        self.spares.iter().try_for_each(|number| self.disk.remove(&Name::Spare(*number).path(&self.dir)))
    }

    /// Makes spares of the segments that hold nothing, and removes what cannot be one. Durable before anything
    /// is written: groups that were dropped must not be found behind later ones.
    pub(super) fn tidy(mut self, unused: &[u32], segment_bytes: u32) -> Result<Tidied, JournalError> {
        let failed = |error| JournalError::disk(&self.dir, "the journal's folder cannot be tidied", &error);
        let (empty, used) = self.segments.iter().partition::<Vec<_>, _>(|segment| unused.contains(&segment.number));
        for segment in empty.into_iter().chain(&self.blank) {
            let spare = Name::Spare(segment.number).path(&self.dir);
            self.disk.rename(&self.path(segment.number), &spare).map_err(failed)?;
            self.spares.push(segment.number);
        }
        for number in &self.unfinished {
            self.disk.remove(&Name::Unfinished(*number).path(&self.dir)).map_err(failed)?;
        }
        let used: u64 = used.into_iter().map(|segment| u64::from(segment.bytes)).sum();
        let mut spares = Vec::new();
        for number in self.spares {
            let path = Name::Spare(number).path(&self.dir);
            let bytes = self.disk.open(&path).and_then(|file| file.bytes()).map_err(failed)?;
            if bytes == u64::from(segment_bytes) {
                spares.push(number);
            } else {
                self.disk.remove(&path).map_err(failed)?;
            }
        }
        self.disk.sync_dir(&self.dir).map_err(failed)?;
        let bytes = used + spares.len() as u64 * u64::from(segment_bytes);
        Ok(Tidied { spares, bytes })
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> JournalError {
    JournalError::disk(path, "it cannot be read", error)
}
