//! On what a role is held, or a permission needed: everything, a namespace, or one thing in it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::names::{FunctionPath, Namespace};

/// The kinds of resource that a role can be held on one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ResourceKind {
    /// A bucket of objects.
    Bucket,
    /// A function.
    Function,
    /// A message queue.
    Queue,
    /// A stream.
    Stream,
    /// A topic.
    Topic,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Bucket, Self::Function, Self::Queue, Self::Stream, Self::Topic];

    /// As it stands in front of a name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Function => "function",
            Self::Queue => "queue",
            Self::Stream => "stream",
            Self::Topic => "topic",
        }
    }
}

/// On what a role is held, or a permission needed. Written `everything`, `namespace:NAME` or `KIND:[NAMESPACE/]NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// The runtime with all its namespaces.
    Everything,
    /// All that is in a namespace.
    Namespace(Namespace),
    /// One thing in a namespace; it need not be there yet.
    Resource(ResourceKind, Namespace, String),
}

/// Letters of a resource's name: what the longest names of any kind take.
const MAX_RESOURCE_NAME: usize = 128;

impl Scope {
    /// A function.
    #[must_use]
    pub fn function(path: &FunctionPath) -> Self {
        Self::Resource(ResourceKind::Function, path.namespace.clone(), path.name.to_string())
    }

    /// Whether what is held on this is held on `other` too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) => true,
            (Self::Namespace(own), Self::Namespace(other) | Self::Resource(_, other, _)) => own == other,
            (Self::Resource(..), Self::Resource(..)) => self == other,
            (Self::Namespace(_) | Self::Resource(..), Self::Everything) | (Self::Resource(..), Self::Namespace(_)) => {
                false
            }
        }
    }

    /// Reads what [`Scope`] is written as; a resource without a namespace is in `namespace`.
    pub fn parse(text: &str, namespace: &Namespace) -> Result<Self, InvalidScope> {
        let invalid = || InvalidScope(text.chars().take(200).collect());
        if text == "everything" {
            return Ok(Self::Everything);
        }
        let (kind, name) = text.split_once(':').ok_or_else(invalid)?;
        if kind == "namespace" {
            return name.parse().map(Self::Namespace).map_err(|_| invalid());
        }
        let kind = ResourceKind::ALL.into_iter().find(|it| it.as_str() == kind).ok_or_else(invalid)?;
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) => (namespace.parse().map_err(|_| invalid())?, name),
            None => (namespace.clone(), name),
        };
        let is_name = (1..=MAX_RESOURCE_NAME).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        if is_name { Ok(Self::Resource(kind, namespace, name.to_owned())) } else { Err(invalid()) }
    }
}

/// As [`Scope::parse`] reads it in any namespace.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Namespace(namespace) => write!(f, "namespace:{namespace}"),
            Self::Resource(kind, namespace, name) => write!(f, "{}:{namespace}/{name}", kind.as_str()),
        }
    }
}

/// The text says nothing that a role can be held on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is nothing that a role can be held on: write `everything`, `namespace:NAME`, or `KIND:NAME` with the kind \
     {kinds}",
    kinds = ResourceKind::ALL.map(ResourceKind::as_str).join(", ")
)]
pub struct InvalidScope(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text, &Namespace::default()).unwrap()
    }

    #[test]
    fn what_is_held_on_the_whole_is_held_on_its_parts_and_not_the_other_way() {
        let all = ["everything", "namespace:default", "namespace:shop", "function:a", "function:shop/a", "queue:a"];
        let covered: Vec<Vec<&str>> = all
            .iter()
            .map(|own| all.iter().filter(|other| scope(own).covers(&scope(other))).copied().collect())
            .collect();
        let expected: [&[&str]; 6] = [
            &all,
            &["namespace:default", "function:a", "queue:a"],
            &["namespace:shop", "function:shop/a"],
            &["function:a"],
            &["function:shop/a"],
            &["queue:a"],
        ];
        assert_eq!(covered, expected);
    }

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for text in ["everything", "namespace:shop", "function:shop/a", "queue:shop/jobs.fifo", "bucket:default/b-1"] {
            assert_eq!(scope(text).to_string(), text);
        }
        assert_eq!(scope("queue:jobs").to_string(), "queue:default/jobs");
        for text in ["", "all", "function:", "function:a/b/c", "cat:a", "namespace:a/b", "queue:a b"] {
            let error = Scope::parse(text, &Namespace::default()).unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }
}
