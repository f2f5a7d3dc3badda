//! How what is wrong with a store is told: one finding after the other, to whoever listens.

use crate::store::StoreError;

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Numbers that are not what is there.
    Counts,
    /// A folder that is missing.
    Folder,
    /// The index cannot be read, or is not in order.
    Index,
    /// The journal would not open.
    Journal,
    /// A module that is missing or not what its name says.
    Module,
    /// A record that does not say what the index says of it.
    Record,
    /// A row that is missing, or belongs to nothing.
    Row,
    /// A segment that holds what is no group.
    Segment,
    /// A value that is missing or not what was written.
    Value,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Folder => "folder",
            Self::Index => "index",
            Self::Journal => "journal",
            Self::Module => "module",
            Self::Record => "record",
            Self::Row => "row",
            Self::Segment => "segment",
            Self::Value => "value",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// With what.
    pub(crate) what: String,
    /// Where and how.
    pub(crate) detail: String,
}

/// Who listens.
pub(crate) type Tell<'a> = dyn FnMut(Finding) + 'a;

pub(super) fn finding(kind: Kind, what: impl Into<String>, detail: impl Into<String>) -> Finding {
    Finding { kind, what: what.into(), detail: detail.into() }
}

/// An error of a read as a finding.
pub(super) fn of_error(kind: Kind, error: StoreError) -> Finding {
    match error {
        StoreError::Damaged { what, detail } => Finding { kind, what, detail },
        other => Finding { kind, what: "the store".to_owned(), detail: other.to_string() },
    }
}
