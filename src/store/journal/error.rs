//! Why the journal did not do what it was asked, as sentences that say what to do. `Unknown` is an answer of its
//! own: it says that the bytes may or may not be there.

use std::io;
use std::path::{Path, PathBuf};

use super::position::Position;

/// What went wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::store) enum JournalError {
    /// Something that was acknowledged cannot be read any more.
    #[error("{} is damaged at offset {offset}: {detail}; restore the directory from a backup", path.display())]
    Damaged { path: PathBuf, offset: u32, detail: String },
    /// What was taken in lies behind the last group: groups are missing at the end.
    #[error(
        "the journal in {} ends at {end}, but was taken in up to {applied}, at least in part: its end is missing; restore \
         the directory from a backup",
        dir.display()
    )]
    Beyond { dir: PathBuf, applied: Position, end: Position },
    /// A segment is needed that is not there.
    #[error(
        "segment {segment} of the journal is needed, and {} is missing: restore the directory from a backup",
        path.display()
    )]
    Missing { segment: u32, path: PathBuf },
    /// A file that the journal did not write.
    #[error("{} is no file of the journal: move it somewhere else", path.display())]
    Foreign { path: PathBuf },
    /// A segment of another version of the program.
    #[error(
        "{} has format {found}, this program knows format {}: use the version of the program that wrote it",
        path.display(),
        super::format::FORMAT
    )]
    Format { path: PathBuf, found: u32 },
    /// Settings that no journal can have.
    #[error("segments of {segment_bytes} bytes cannot be: use a multiple of 512, 4096 or more")]
    Settings { segment_bytes: u32 },
    /// No room for another segment. Nothing was changed.
    #[error("the journal has no room for another segment: {0}; nothing was changed")]
    Full(String),
    /// More than a segment holds. Nothing was changed.
    #[error("{bytes} bytes do not fit a segment of the journal, which holds {most}; nothing was changed")]
    TooLarge { bytes: usize, most: usize },
    /// A draft that belongs to a place where something else was written since. Nothing was changed.
    #[error("the draft was begun before something else was written: begin it again; nothing was changed")]
    Outdated,
    /// A group was not taken in by whoever replays.
    #[error("the group that ends at {end} was not taken in: {detail}")]
    Refused { end: Position, detail: String },
    /// The disk did not do what it was asked, and nothing depends on it.
    #[error("{}: {what}: {detail}", path.display())]
    Disk { path: PathBuf, what: &'static str, detail: String },
    /// The write or the sync failed half way: whether it took effect cannot be told.
    #[error("the write to the journal failed, it may or may not have taken effect: {0}")]
    Unknown(String),
    /// It failed before and takes nothing more until it is opened again. Nothing was changed.
    #[error("the journal takes nothing more since {0}: nothing was changed; restart the process")]
    Stopped(String),
}

impl JournalError {
    /// The disk refused, `what` says what it was asked.
    pub(super) fn disk(path: &Path, what: &'static str, error: &io::Error) -> Self {
        Self::Disk { path: path.to_owned(), what, detail: error.to_string() }
    }
}
