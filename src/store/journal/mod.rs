//! The journal: groups of bytes, written one behind the other, synced, and read back after a crash. It knows no
//! records and no database: bytes go in, positions come out. Everything here blocks.

mod format;
mod position;

mod disk;
mod error;
mod names;

mod draft;
mod group;

mod scan;
mod table;
mod tail;

mod demand;
mod files;
mod pool;
mod shared;

mod prepare;

mod folder;
mod replay;

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

#[cfg(test)]
mod tests;
