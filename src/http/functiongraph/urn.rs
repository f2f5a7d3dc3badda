//! URNs of functions: `urn:fss:REGION:PROJECT:function:PACKAGE:NAME[:VERSION]`. Any region is read, since a client says what
//! its own service is in; `local` is written.

use std::fmt;

use super::error::{Code, FssError};
use crate::model::names::{AliasName, FunctionName, FunctionPath, Namespace};

/// Bytes of a URN.
const MAX_URN_BYTES: usize = 269;
/// What marks an alias where a version stands.
const ALIAS: char = '!';
/// The version that is being worked on.
pub(super) const LATEST: &str = "latest";

/// Which function, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Urn {
    pub(super) path: FunctionPath,
    pub(super) which: Which,
}

/// What of a function a URN means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// It says no version: the head, or all of the function.
    Whole,
    /// The head.
    Latest,
    /// The version that was published under this name.
    Version(String),
    /// What an alias names.
    Alias(AliasName),
}

impl Urn {
    /// Reads a URN of any project.
    pub(super) fn parse(text: &str) -> Result<Self, FssError> {
        let wrong = |why: &str| {
            let shown: String = text.chars().take(MAX_URN_BYTES).collect();
            let form =
                "a URN is `urn:fss:REGION:PROJECT:function:PACKAGE:NAME`, with `:VERSION` or `:!ALIAS` behind it";
            FssError::new(Code::URN, format!("`{shown}` is not the URN of a function: {why}; {form}"))
        };
        if text.len() > MAX_URN_BYTES {
            return Err(wrong(&format!("it has {} characters, and may have {MAX_URN_BYTES}", text.len())));
        }
        let parts: Vec<&str> = text.split(':').collect();
        let (project, package, name, version) = match &parts[..] {
            ["urn", "fss", _, project, "function", package, name] => (project, package, name, None),
            ["urn", "fss", _, project, "function", package, name, version] => (project, package, name, Some(*version)),
            _ => return Err(wrong("its parts are others")),
        };
        let namespace = project.parse::<Namespace>().map_err(|error| wrong(&error.to_string()))?;
        let name = FunctionName::in_package(package, name).map_err(|error| wrong(&error.to_string()))?;
        let which = match version {
            None => Which::Whole,
            Some("") => return Err(wrong("its version is empty")),
            Some(LATEST) => Which::Latest,
            Some(version) => match version.strip_prefix(ALIAS) {
                Some(alias) => Which::Alias(alias.parse().map_err(|error| wrong(&format!("{error}")))?),
                None => Which::Version(version.to_owned()),
            },
        };
        Ok(Self { path: FunctionPath { namespace, name }, which })
    }

    /// Reads one that must be of this project.
    pub(super) fn of_project(text: &str, project: &Namespace) -> Result<Self, FssError> {
        let urn = Self::parse(text)?;
        if urn.path.namespace == *project {
            return Ok(urn);
        }
        let message = format!(
            "the URN `{text}` is of the project `{}`, and the path says `{project}`: they must be the same",
            urn.path.namespace
        );
        Err(FssError::new(Code::URN, message))
    }

    /// Whether it names an alias.
    pub(super) fn is_alias(&self) -> bool {
        matches!(self.which, Which::Alias(_))
    }
}

impl fmt::Display for Urn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            Which::Whole | Which::Latest => f.write_str(&self.path.urn(&LATEST)),
            Which::Version(version) => f.write_str(&self.path.urn(version)),
            Which::Alias(alias) => f.write_str(&self.path.urn(&format_args!("{ALIAS}{alias}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, printed: &str) {
        let urn = Urn::parse(text).unwrap();
        assert_eq!(urn.to_string(), printed);
        assert_eq!(Urn::parse(printed).unwrap().to_string(), printed);
    }

    #[test]
    fn a_urn_is_read_of_any_region_and_written_as_ours() {
        check(
            "urn:fss:xxxxxxxxxxx:7aad83af3e8d42e99ac194e8419e2c9b:function:default:test:latest",
            "urn:fss:local:7aad83af3e8d42e99ac194e8419e2c9b:function:default:test:latest",
        );
        check("urn:fss:cn-north-1:p:function:default:f", "urn:fss:local:p:function:default:f:latest");
        check("urn:fss::p:function:shop:f:v1.2", "urn:fss:local:p:function:shop:f:v1.2");
        check("urn:fss:{region}:p:function:default:f:!prod", "urn:fss:local:p:function:default:f:!prod");
        let urn = Urn::parse("urn:fss:r:p:function:shop:f").unwrap();
        assert_eq!((urn.path.name.as_str(), urn.which), ("shop.f", Which::Whole));
    }

    #[test]
    fn what_is_no_urn_is_refused_as_it_was_written() {
        let long = format!("urn:fss:r:p:function:default:f:{}", "1".repeat(260));
        for text in [
            "",
            "f",
            "urn:fss:r:p:function:default",
            "urn:fss:r:p:function:default:f:",
            "urn:fss:r:p:function:default:f:!",
            "urn:fss:r:p:function:default:f:1:2",
            "urn:fss:r:-:function:default:f",
            "urn:fss:r:p:function:default:a.b",
            "urn:fss:r:p:function:a.b:f",
            "urn:aws:r:p:function:default:f",
            "urn:fss:r:p:function::f",
            &long,
        ] {
            let error = Urn::parse(text).unwrap_err();
            assert_eq!(error.code, Code::URN, "{text}");
            assert!(error.message.contains(&format!("`{}`", &text[..text.len().min(269)])), "{}", error.message);
        }
    }

    #[test]
    fn a_urn_of_another_project_is_refused() {
        let project: Namespace = "q".parse().unwrap();
        let error = Urn::of_project("urn:fss:r:p:function:default:f", &project).unwrap_err();
        assert!(error.message.contains("`p`") && error.message.contains("`q`"), "{}", error.message);
    }
}
