//! The journal: groups of bytes, each written and synced as one, and found again after a crash. It knows no records
//! and no database: bytes go in, positions come out. Everything here blocks, so it is for threads that may.
//!
//! What it promises. A group is there whole or not at all. What was synced is there after a power cut; what was
//! only written is there after the death of the process. Groups are shown again in the order of the writes, without
//! a gap. What was acknowledged and is damaged is refused by name, and never taken for what a crash has torn.
//!
//! What it costs. A group is one write and one `fdatasync` into a file whose every byte was written before: nothing
//! else of the file system has to change with it. No memory is allocated for it, and each byte is copied twice, into
//! the group and into the tail, and goes through a checksum once, a value twice.
//!
//! What it is not. It is no queue and no database: it has no keys, and forgets nothing by itself. Whoever writes to
//! it remembers up to where it was taken in, where its values stand, and which segments are still needed.
//!
//! One thread writes ([`Journal`]), that or another syncs ([`Unsynced`]), any number read ([`Reader`]) and give away segments
//! ([`Segments`]), and one thread of the journal's own prepares segments. After a failed write or sync nothing is written
//! any more.
//!
//! | file              | decides                                                             |
//! | ----------------- | ------------------------------------------------------------------- |
//! | `format`          | the bytes of segments, groups and values                            |
//! | `buffer`          | nothing: memory for a whole segment                                 |
//! | `position`        | the words for where something stands                                |
//! | `disk`            | nothing: what is asked of the file system, so that tests can fail it |
//! | `names`           | the names of files                                                  |
//! | `draft`, `group`  | a group while it is built; a group that is read back                |
//! | `scan`            | how one goes through the bytes of a segment                         |
//! | `table`, `tail`, `files` | what segments there are, the last bytes in memory, open files |
//! | `demand`, `pool`  | how many segments to prepare, and what is to be done about it       |
//! | `prepare`         | how that is done, on its own thread                                 |
//! | `folder`          | what the files in the folder are                                    |
//! | `replay`          | where the journal ends, and whether that may be                     |
//! | `reader`, `segments`, `unsynced`, `writer` | what others call                           |
//! | `remains`         | a journal that is only looked at, damaged or not                    |
//!
//! A segment's life, and what is durable before each step:
//!
//! ```text
//! spare-N.new --written--> spare-N.seg --header--> M.seg --groups, synced--> full
//!                               ^                                             |
//!                               +---------- released: renamed, then reused ---+
//! ```

mod buffer;
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
mod unsynced;
mod writer;

mod remains;

#[cfg(test)]
pub(in crate::store) use disk::DiskFile;
pub(in crate::store) use disk::{Disk, FileSystem};
pub(in crate::store) use draft::{Draft, FrameWriter};
pub(in crate::store) use error::JournalError;
pub(in crate::store) use group::Group;
pub(in crate::store) use position::{Position, Span};
pub(in crate::store) use reader::Reader;
pub(in crate::store) use remains::{Remains, Salvaged};
pub(in crate::store) use segments::{Pressure, Purpose, Room, Segments};
pub(in crate::store) use unsynced::Unsynced;
pub(in crate::store) use writer::{Journal, Known, Settings};

#[cfg(test)]
mod tests;
