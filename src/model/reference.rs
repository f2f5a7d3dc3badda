//! A function as people and guests write it: `[NAMESPACE/]NAME[@QUALIFIER]`. Looks nothing up.

use std::str::FromStr;

use super::names::{FunctionName, FunctionPath, InvalidName, Namespace, Qualifier};

/// A function as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionReference {
    /// The namespace, where one was written.
    pub namespace: Option<Namespace>,
    /// The function.
    pub name: FunctionName,
    /// Which of its versions.
    pub qualifier: Qualifier,
}

impl FunctionReference {
    /// What it means to somebody in the namespace `own`.
    #[must_use]
    pub fn within(self, own: &Namespace) -> (FunctionPath, Qualifier) {
        let namespace = self.namespace.unwrap_or_else(|| own.clone());
        (FunctionPath { namespace, name: self.name }, self.qualifier)
    }

    /// The shortest text that means the same to somebody in the namespace `own`.
    #[must_use]
    pub fn text(self, own: &Namespace) -> String {
        let (FunctionPath { namespace, name }, qualifier) = self.within(own);
        let path = if namespace == *own { name.to_string() } else { format!("{namespace}/{name}") };
        if qualifier == Qualifier::Latest { path } else { format!("{path}@{qualifier}") }
    }
}

impl FromStr for FunctionReference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (path, qualifier) = match text.split_once('@') {
            Some((path, qualifier)) => (path, qualifier.parse()?),
            None => (text, Qualifier::Latest),
        };
        let (namespace, name) = match path.split_once('/') {
            Some((namespace, name)) => (Some(namespace.parse()?), name),
            None => (None, path),
        };
        Ok(Self { namespace, name: name.parse()?, qualifier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, path: &str, qualifier: &str) {
        let reference: FunctionReference = text.parse().unwrap();
        let (found, version) = reference.within(&"own".parse().unwrap());
        assert_eq!((found.to_string(), version.to_string()), (path.to_owned(), qualifier.to_owned()), "{text}");
    }

    #[test]
    fn a_function_without_a_namespace_is_ones_own_and_without_a_qualifier_the_latest() {
        check("b", "own/b", "latest");
        check("shop/b@3", "shop/b", "3");
        check("default/b@live", "b", "live");
    }

    #[test]
    fn a_function_has_one_shortest_text_within_a_namespace() {
        let shortest = |text: &str| text.parse::<FunctionReference>().unwrap().text(&"own".parse().unwrap());
        assert_eq!(["b", "own/b", "b@latest", "own/b@latest"].map(shortest), ["b"; 4]);
        assert_eq!(["own/b@3", "default/b", "shop/b@live"].map(shortest), ["b@3", "default/b", "shop/b@live"]);
    }

    #[test]
    fn what_names_no_function_is_refused() {
        for text in ["", "/b", "a/", "a/b/c", "b@", "a b", "b@0"] {
            assert!(text.parse::<FunctionReference>().is_err(), "{text}");
        }
    }
}
