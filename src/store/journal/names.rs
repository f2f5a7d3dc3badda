//! The names of the journal's files. A number in a name is used once, whatever it is used for.
//!
//! | name              | what                                                    | becomes                           |
//! | ----------------- | ------------------------------------------------------- | --------------------------------- |
//! | `NNNNNNNN.seg`    | a segment; its header says the same number, durably     | a spare when nothing needs it     |
//! | `spare-NNNN.seg`  | as many bytes as a segment, their contents without use  | a segment of a new number         |
//! | `spare-NNNN.new`  | a spare that is being written for the first time        | a spare; after a crash it goes    |

use std::path::{Path, PathBuf};

/// A name of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Segment(u32),
    Spare(u32),
    Unfinished(u32),
}

impl Name {
    /// `None` for a name that the journal does not give.
    pub(super) fn read(name: &str) -> Option<Self> {
        let (stem, extension) = name.split_once('.')?;
        let digits = stem.strip_prefix("spare-").unwrap_or(stem);
        let number: u32 = digits.parse().ok().filter(|number| *number > 0)?;
        let read = match (stem.len() > digits.len(), extension) {
            (false, "seg") => Self::Segment(number),
            (true, "seg") => Self::Spare(number),
            (true, "new") => Self::Unfinished(number),
            _ => return None,
        };
        (read.text() == name).then_some(read)
    }

    pub(super) fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.text())
    }

    fn text(self) -> String {
        match self {
            Self::Segment(number) => format!("{number:08}.seg"),
            Self::Spare(number) => format!("spare-{number:08}.seg"),
            Self::Unfinished(number) => format!("spare-{number:08}.new"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        for name in [Name::Segment(1), Name::Segment(u32::MAX), Name::Spare(17), Name::Unfinished(99_999_999)] {
            assert_eq!(Name::read(&name.text()), Some(name));
        }
        assert_eq!(Name::Segment(42).path(Path::new("journal")), Path::new("journal/00000042.seg"));
    }

    #[test]
    fn a_name_that_is_not_ours_is_not_read() {
        for name in ["", "1.seg", "00000000.seg", "00000001.new", "00000001.seg.bak", "spare-1.seg", "+0000001.seg"] {
            assert_eq!(Name::read(name), None, "{name}");
        }
    }
}
