//! What identifies compiled code: the module, and how it was compiled.

use crate::model::function::Version;
use crate::model::names::Digest;

/// Which compiled code is meant.
///
/// What differs between two ways to compile a module for one engine stands here; what differs between engines is in their
/// settings, whose hash is part of a cached file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeId {
    /// The module's digest.
    pub digest: Digest,
    /// Whether its debug information is kept, so that backtraces say files and lines.
    pub debug_info: bool,
}

impl CodeId {
    /// The code of a version.
    pub fn of(version: &Version) -> Self {
        Self { digest: version.digest, debug_info: version.debug_info }
    }
}

impl From<Digest> for CodeId {
    fn from(digest: Digest) -> Self {
        Self { digest, debug_info: false }
    }
}
