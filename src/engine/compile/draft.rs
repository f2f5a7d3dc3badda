//! Where compiled code is written before it is known to be of use: a file that goes unless it is kept.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use rustix::fs::MemfdFlags;
use tempfile::NamedTempFile;

use crate::engine::disk::Disk;

/// A file for compiled code.
#[derive(Debug)]
pub(in crate::engine) enum Draft {
    /// In the directory of compiled code, under a name that says it is unfinished.
    File(NamedTempFile),
    /// Nowhere but in memory.
    Memory(File),
}

impl Draft {
    pub(super) fn new(disk: Option<&Disk>) -> io::Result<Self> {
        match disk {
            Some(disk) => disk.draft().map(Self::File),
            None => Ok(Self::Memory(rustix::fs::memfd_create("tidemill-code", MemfdFlags::CLOEXEC)?.into())),
        }
    }

    pub(super) fn file(&self) -> &File {
        match self {
            Self::File(file) => file.as_file(),
            Self::Memory(file) => file,
        }
    }

    /// Where it can be opened while this value lives.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::File(file) => file.path().to_owned(),
            Self::Memory(file) => format!("/proc/self/fd/{}", file.as_raw_fd()).into(),
        }
    }
}
