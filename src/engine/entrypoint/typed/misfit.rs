//! What is said of a payload that does not fit a signature.

use std::fmt;

/// Where a payload does not fit its function's signature, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The place, as a JSON Pointer (RFC 6901): `/items/2/name`. Empty for the whole payload, and only its beginning where
    /// names in it are long.
    pub pointer: String,
    /// What is wrong there, with the value.
    pub message: String,
}

/// Bytes of a path and of a message: the names and the value in them may be as long as the payload.
const TOLD: usize = 400;

impl std::error::Error for Misfit {}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => write!(f, "the payload does not fit the function: {}", self.message),
            pointer => write!(f, "the payload does not fit the function at `{pointer}`: {}", self.message),
        }
    }
}

impl Misfit {
    pub(super) fn new(path: &[Step<'_>], message: String) -> Self {
        Self { pointer: cut(path.iter().map(Step::to_string).collect()), message: cut(message) }
    }
}

fn cut(mut told: String) -> String {
    if told.len() > TOLD {
        told.truncate(told.floor_char_boundary(TOLD));
        told.push_str(" …");
    }
    told
}

/// One step into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// To an element.
    Element(usize),
    /// To a member of this name.
    Member(&'a str),
    /// To a member that a caller has named: it may be long.
    Stranger(String),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element(index) => write!(f, "/{index}"),
            Self::Member(name) => write!(f, "/{}", escaped(name)),
            Self::Stranger(name) => write!(f, "/{}", escaped(name)),
        }
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
