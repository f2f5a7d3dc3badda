//! What in a module is called, as a value and as text. What a module really has is the engine's to find out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::bounds;

/// What in the module is called, and how. Kept in records: new kinds go to the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Entrypoint {
    /// A program: payload on stdin, result on stdout.
    Command,
    /// A function of the world in `wit/`: an event comes in, bytes or a typed failure go out.
    Handler,
    /// A `wasi:http` component: the payload is the body of a request, the result that of its response.
    Http,
    /// An exported function of a component, such as `shop:orders/total@1.0.0#total`, or `total` at its root: JSON goes in
    /// and comes out by its signature.
    Typed(ExportName),
    /// An exported function of a core module that also exports `memory` and `alloc`: bytes go in and come out.
    Raw(ExportName),
}

impl Entrypoint {
    /// Every kind that needs no name, in the order in which a deployment looks for one.
    pub const ALL: [Self; 3] = [Self::Handler, Self::Http, Self::Command];

    /// The kind alone. All of it is what it displays as.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Handler => "handler",
            Self::Http => "http",
            Self::Typed(_) => TYPED,
            Self::Raw(_) => RAW,
        }
    }
}

const TYPED: &str = "typed";
const RAW: &str = "raw";

impl fmt::Display for Entrypoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed(name) | Self::Raw(name) => write!(f, "{}:{name}", self.kind()),
            Self::Command | Self::Handler | Self::Http => f.write_str(self.kind()),
        }
    }
}

/// What somebody asks to have called: all of it, or an export whose kind only the module can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This.
    Entrypoint(Entrypoint),
    /// The export of this name: `typed` in a component, `raw` in a core module.
    Export(ExportName),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entrypoint(entrypoint) => entrypoint.fmt(f),
            Self::Export(name) => name.fmt(f),
        }
    }
}

impl FromStr for Wanted {
    type Err = InvalidEntrypoint;

    /// Reads a kind, the name of the export that makes a module one of that kind, or the name of any export.
    fn from_str(text: &str) -> Result<Self, InvalidEntrypoint> {
        let unversioned = match text.split_once('@') {
            Some((interface, version)) if !version.contains('#') => interface,
            _ => text,
        };
        Ok(match unversioned {
            "command" | "_start" | "wasi:cli/run" => Self::Entrypoint(Entrypoint::Command),
            "handler" | "handle" | "tidemill:function/handler" | "tidemill:function/handler-async" => {
                Self::Entrypoint(Entrypoint::Handler)
            }
            "http" | "wasi:http/incoming-handler" | "wasi:http/handler" => Self::Entrypoint(Entrypoint::Http),
            _ => match text.split_once(':') {
                Some((TYPED, name)) => Self::Entrypoint(Entrypoint::Typed(name.parse()?)),
                Some((RAW, name)) => Self::Entrypoint(Entrypoint::Raw(name.parse()?)),
                _ => Self::Export(text.parse()?),
            },
        })
    }
}

/// The name of an exported function: `pkg:name/iface@1.2.0#func` in an interface of a component, `func` otherwise.
/// Visible ASCII, at most [`bounds::MAX_EXPORT_NAME_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExportName(String);

impl ExportName {
    /// The name as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The interface that the function is in, if it is in one, and its own name.
    #[must_use]
    pub fn parts(&self) -> (Option<&str>, &str) {
        match self.0.split_once('#') {
            Some((interface, function)) => (Some(interface), function),
            None => (None, &self.0),
        }
    }
}

impl FromStr for ExportName {
    type Err = InvalidEntrypoint;

    fn from_str(text: &str) -> Result<Self, InvalidEntrypoint> {
        let parts = || text.split('#');
        let sound = text.len() <= bounds::MAX_EXPORT_NAME_BYTES
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && parts().count() <= 2
            && parts().all(|part| !part.is_empty());
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidEntrypoint(text.chars().take(100).collect())) }
    }
}

impl TryFrom<String> for ExportName {
    type Error = InvalidEntrypoint;

    fn try_from(text: String) -> Result<Self, InvalidEntrypoint> {
        text.parse()
    }
}

impl From<ExportName> for String {
    fn from(name: ExportName) -> Self {
        name.0
    }
}

impl fmt::Display for ExportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text names no entrypoint this runtime can call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an entrypoint: use `command` (or `_start`), `handler`, `http`, or the name of an exported function, such \
     as `add` or `pkg:name/interface#add`, in at most {max} visible ASCII characters",
    max = bounds::MAX_EXPORT_NAME_BYTES
)]
pub struct InvalidEntrypoint(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ExportName {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(text: &str, expected: Wanted) {
        assert_eq!(text.parse(), Ok(expected.clone()));
        assert_eq!(expected.to_string().parse(), Ok(expected));
    }

    #[test]
    fn a_kind_is_named_by_itself_or_by_the_export_that_makes_it() {
        for text in ["command", "_start", "wasi:cli/run", "wasi:cli/run@0.2.3"] {
            check(text, Wanted::Entrypoint(Entrypoint::Command));
        }
        check("handle", Wanted::Entrypoint(Entrypoint::Handler));
        check("tidemill:function/handler-async@1.0.0", Wanted::Entrypoint(Entrypoint::Handler));
        check("wasi:http/incoming-handler@0.2.0", Wanted::Entrypoint(Entrypoint::Http));
        check("wasi:http/handler@0.3.0", Wanted::Entrypoint(Entrypoint::Http));
    }

    #[test]
    fn an_export_is_named_with_or_without_its_kind() {
        check("typed:handle", Wanted::Entrypoint(Entrypoint::Typed(name("handle"))));
        check("typed:a:b/c@1.0.0#d", Wanted::Entrypoint(Entrypoint::Typed(name("a:b/c@1.0.0#d"))));
        check("raw:run", Wanted::Entrypoint(Entrypoint::Raw(name("run"))));
        check("a:b/c#d", Wanted::Export(name("a:b/c#d")));
        check("wasi:cli/run@0.2.3#run", Wanted::Export(name("wasi:cli/run@0.2.3#run")));
        check("main", Wanted::Export(name("main")));
        assert_eq!(name("a:b/c@1.0.0#d").parts(), (Some("a:b/c@1.0.0"), "d"));
        assert_eq!(name("d").parts(), (None, "d"));
    }

    #[test]
    fn what_can_be_no_name_is_refused_as_it_was_written() {
        let long = "x".repeat(bounds::MAX_EXPORT_NAME_BYTES + 1);
        for text in ["", "typed:", "raw:a b", "a#", "#a", "a#b#c", "é", &long] {
            let refused = text.parse::<Wanted>().unwrap_err().to_string();
            let written = text.trim_start_matches("typed:").trim_start_matches("raw:");
            assert!(refused.starts_with(&format!("`{}", &written[..written.len().min(100)])), "{refused}");
        }
    }
}
