//! What can go wrong with the index, each with a sentence and what to do about it.

use std::fmt::Display;
use std::path::Path;

/// Why the index did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::store) enum IndexError {
    /// Something else lies where it should be.
    #[error("{path} holds another program's data: use an empty directory, or one of tidemill's")]
    Foreign {
        /// What was found.
        path: String,
    },
    /// It was written by a program with another idea of it.
    #[error("the index is in format {found} and this program reads format {reads}: use a program that reads {found}")]
    OtherFormat {
        /// The format found.
        found: u32,
        /// The format that this program reads.
        reads: u32,
    },
    /// It was there and is not any more, in whole or with all it held.
    #[error("the index at {path} has lost what it held: restore it from a backup")]
    Lost {
        /// Where it should be.
        path: String,
    },
    /// What it holds cannot be read.
    #[error("the index is damaged ({detail}): restore it from a backup, or move it away to start anew")]
    Damaged {
        /// Where and how.
        detail: String,
    },
    /// The disk or the operating system did not do it.
    #[error("the index at {path} cannot be used: {detail}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system says.
        detail: String,
    },
    /// It failed before. It takes nothing and answers nothing until it is opened again.
    #[error("the index has failed and must be opened again: {0}")]
    Failed(String),
    /// The caller broke a rule: unsorted changes, or more bytes than an entry may have. Nothing was changed.
    #[error("a change that the index does not take: {0}; nothing was changed")]
    Refused(String),
}

impl IndexError {
    pub(super) fn io(path: &Path, error: impl Display) -> Self {
        Self::Io { path: path.display().to_string(), detail: error.to_string() }
    }

    pub(super) fn damaged(detail: impl Into<String>) -> Self {
        Self::Damaged { detail: detail.into() }
    }
}
