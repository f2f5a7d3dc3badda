//! What stands behind a key: the bytes themselves, or where in a file of their own they are. Only the form.
//!
//! | first byte | then                                             |
//! | ---------- | ------------------------------------------------ |
//! | 0          | the bytes                                        |
//! | 1          | session, 8; sequence, 8; how many bytes, 8; all big-endian |

/// The bytes are here.
const INLINE: u8 = 0;
/// The bytes are in a file.
const IN_FILE: u8 = 1;

/// A value as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Inline(&'a [u8]),
    InFile(FileRef),
}

/// A file with the value of one key. No two values ever share one and none is written twice, so a commit
/// that does not come about leaves what was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileRef {
    /// Drawn when the store was opened.
    pub(super) session: u64,
    /// Counts the files of a session.
    pub(super) sequence: u64,
    /// How large it is.
    pub(super) bytes: u64,
}

impl<'a> Value<'a> {
    /// `None` when the bytes are no value of this form.
    pub(super) fn read(kept: &'a [u8]) -> Option<Self> {
        match kept.split_first()? {
            (&INLINE, bytes) => Some(Self::Inline(bytes)),
            (&IN_FILE, reference) => {
                let (session, rest) = reference.split_first_chunk()?;
                let (sequence, bytes) = rest.split_first_chunk()?;
                Some(Self::InFile(FileRef {
                    session: u64::from_be_bytes(*session),
                    sequence: u64::from_be_bytes(*sequence),
                    bytes: u64::from_be_bytes(bytes.try_into().ok()?),
                }))
            }
            _ => None,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Inline(bytes) => [&[INLINE], *bytes].concat(),
            Self::InFile(FileRef { session, sequence, bytes }) => {
                [&[IN_FILE][..], &session.to_be_bytes(), &sequence.to_be_bytes(), &bytes.to_be_bytes()].concat()
            }
        }
    }

    /// The file that `kept` points to, where it does.
    pub(super) fn file_of(kept: &[u8]) -> Option<FileRef> {
        match Value::read(kept) {
            Some(Value::InFile(file)) => Some(file),
            Some(Value::Inline(_)) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &Value<'_>) {
        assert_eq!(Value::read(&value.to_bytes()).as_ref(), Some(value));
    }

    #[test]
    fn a_value_is_read_back() {
        check(&Value::Inline(b""));
        check(&Value::Inline(b"\x01bytes"));
        check(&Value::InFile(FileRef { session: u64::MAX, sequence: 1, bytes: 5 << 30 }));
    }

    #[test]
    fn what_is_no_value_is_not_read() {
        for bytes in [&b""[..], b"\x01", b"\x01too short", b"\x02anything"] {
            assert_eq!(Value::read(bytes), None);
        }
    }
}
