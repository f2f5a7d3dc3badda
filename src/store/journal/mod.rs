//! The journal: groups of bytes, written one behind the other, synced, and read back after a crash. It knows no
//! records and no database: bytes go in, positions come out. Everything here blocks.

mod format;
mod position;

mod disk;
mod error;

mod draft;
mod group;

mod reader;
mod segments;
mod writer;

pub(in crate::store) use disk::{Disk, DiskFile, FileSystem};
pub(in crate::store) use draft::{Draft, FrameWriter, Mark};
pub(in crate::store) use error::JournalError;
pub(in crate::store) use group::{Frame, Frames, Group};
pub(in crate::store) use position::{Position, Span};
pub(in crate::store) use reader::Reader;
pub(in crate::store) use segments::{Room, Segments, Stats};
pub(in crate::store) use writer::{Journal, Replay, Settings, Written};
