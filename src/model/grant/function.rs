//! Functions that a version may invoke, and how they are written: `thumbnail`, `media/thumbnail` in another namespace,
//! `media/*` for all of one, `*` for all of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::access::Scope;
use crate::model::names::{FunctionName, FunctionPath, InvalidName, Namespace};

/// Functions that a version may invoke.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionGrant {
    /// `None` for the namespace of whoever has the grant.
    namespace: Option<Namespace>,
    /// `None` for all of that namespace.
    name: Option<FunctionName>,
}

/// The text grants no function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write `NAME`, `NAMESPACE/NAME`, `*` or `NAMESPACE/*`")]
pub struct InvalidFunctionGrant(#[from] InvalidName);

const ALL: &str = "*";

impl FunctionGrant {
    /// Whether it grants `target` to a function of `namespace`.
    #[must_use]
    pub fn covers(&self, namespace: &Namespace, target: &FunctionPath) -> bool {
        *self.namespace.as_ref().unwrap_or(namespace) == target.namespace
            && self.name.as_ref().is_none_or(|name| *name == target.name)
    }

    /// All that it grants to a function of `namespace`: one function, or those of a whole namespace.
    #[must_use]
    pub fn scope(&self, namespace: &Namespace) -> Scope {
        let namespace = self.namespace.as_ref().unwrap_or(namespace).clone();
        match self.name.clone() {
            Some(name) => Scope::function(&FunctionPath { namespace, name }),
            None => Scope::Namespace(namespace),
        }
    }
}

impl FromStr for FunctionGrant {
    type Err = InvalidFunctionGrant;

    fn from_str(text: &str) -> Result<Self, InvalidFunctionGrant> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace.parse()?), name),
            None => (None, text),
        };
        let name = if name == ALL { None } else { Some(name.parse()?) };
        Ok(Self { namespace, name })
    }
}

impl fmt::Display for FunctionGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(self.name.as_ref().map_or(ALL, FunctionName::as_str))
    }
}

as_text!(FunctionGrant, InvalidFunctionGrant);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(grant: &str, namespace: &str, name: &str, covered: bool) {
        let target = FunctionPath { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() };
        let grant: FunctionGrant = grant.parse().unwrap();
        assert_eq!(grant.covers(&"own".parse().unwrap(), &target), covered, "{grant} and {namespace}/{name}");
    }

    #[test]
    fn a_grant_is_of_its_own_namespace_unless_it_names_another() {
        check("thumbnail", "own", "thumbnail", true);
        check("thumbnail", "media", "thumbnail", false);
        check("media/thumbnail", "media", "thumbnail", true);
        check("media/*", "media", "anything", true);
        check("*", "own", "anything", true);
        check("*", "media", "anything", false);
    }

    #[test]
    fn all_of_a_namespace_takes_more_than_what_is_in_it() {
        let own = "own".parse().unwrap();
        for (grant, scope) in [
            ("thumbnail", "function:own/thumbnail"),
            ("media/thumbnail", "function:media/thumbnail"),
            ("media/*", "namespace:media"),
            ("*", "namespace:own"),
        ] {
            assert_eq!(grant.parse::<FunctionGrant>().unwrap().scope(&own).to_string(), scope);
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_what_is_no_name_is_refused() {
        for text in ["*", "a", "media/*", "media/a"] {
            assert_eq!(text.parse::<FunctionGrant>().unwrap().to_string(), text);
        }
        for text in ["", "a/b/c", "a b", "/a", "**"] {
            assert!(text.parse::<FunctionGrant>().is_err(), "{text}");
        }
    }
}
