//! Where the record of an outcome goes: as it is written ([`DestinationText`]) and as it is meant
//! ([`Destination`], with the function's id in place of its name). Delivers nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::{
    AccountName, ConnectionName, Edge, FunctionId, FunctionName, FunctionPath, InvalidName, Namespace, Qualifier,
};
use super::outcome::Outcome;
use super::reference::FunctionReference;

/// A destination as people write it: `kind:target`, names not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationText {
    /// `function:[NAMESPACE/]NAME[@QUALIFIER]`; no namespace means that of the function it is set on.
    Function {
        /// The namespace, where one was written.
        namespace: Option<Namespace>,
        /// The function.
        name: FunctionName,
        /// Which of its versions.
        qualifier: Qualifier,
    },
    /// Something outside the runtime.
    Outside(Outside),
}

/// A place outside the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Outside {
    /// What it is.
    pub kind: OutsideKind,
    /// Which one: a name, a bucket and prefix, an address.
    pub target: String,
}

/// The kinds of destination that lie outside the runtime: reaching them is durable work of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutsideKind {
    /// An object in a bucket.
    Object,
    /// A message in a queue.
    Queue,
    /// A record in a stream.
    Stream,
    /// A publication on a topic.
    Topic,
    /// An HTTP POST.
    Webhook,
}

/// A destination with its names looked up; this is what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Destination {
    /// Another function: the next invocation is written in the commit that settles this one.
    Function(FunctionTarget),
    /// A delivery.
    Outside(Outside),
}

/// A function as a destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FunctionTarget {
    /// Which function: this decides.
    pub id: FunctionId,
    /// What it was called when the destination was set, for people.
    pub path: FunctionPath,
    /// Which of its versions, resolved when the next invocation is accepted.
    pub qualifier: Qualifier,
}

/// How the record of an outcome is brought to its destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// What is sent.
    pub format: Format,
    /// The service account that must be allowed to write there; `None` where nobody is asked.
    pub service_account: Option<AccountName>,
    /// The service outside the runtime that the target is in; `None` for what is built in.
    pub connection: Option<ConnectionName>,
    /// Days until an object is deleted, 0 to 365; 0 keeps it.
    pub expires_days: u16,
}

/// What of an outcome is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Format {
    /// The record ([`super::record`]).
    #[default]
    Record,
    /// The bare result, and for a failure the record: what Yandex Cloud Functions put into a queue.
    Payload,
    /// A CloudEvent 1.0 in one JSON document with the record as its data (structured mode).
    CloudEvent,
    /// A CloudEvent 1.0 whose attributes are headers of the HTTP request (binary mode); elsewhere as [`Format::CloudEvent`].
    CloudEventBinary,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Record, Self::Payload, Self::CloudEvent, Self::CloudEventBinary];

    /// As it is written in a configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Payload => "payload",
            Self::CloudEvent => "cloudevent",
            Self::CloudEventBinary => "cloudevent-binary",
        }
    }
}

/// The two destinations of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destinations {
    /// Where the record of a success goes.
    pub on_success: Option<Destination>,
    /// Where the record of any other outcome goes.
    pub on_failure: Option<Destination>,
    /// How that of a success is brought there.
    #[serde(default)]
    pub success_terms: Terms,
    /// How that of any other outcome is brought there.
    #[serde(default)]
    pub failure_terms: Terms,
}

impl Destinations {
    /// The destination of `outcome`, with the edge that leads there.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> Option<(Edge, &Destination)> {
        let edge = outcome.edge();
        let destination = match edge {
            Edge::OnSuccess => &self.on_success,
            Edge::OnFailure => &self.on_failure,
        };
        destination.as_ref().map(|destination| (edge, destination))
    }

    /// How the record of an outcome is brought along `edge`.
    #[must_use]
    pub const fn terms(&self, edge: Edge) -> &Terms {
        match edge {
            Edge::OnSuccess => &self.success_terms,
            Edge::OnFailure => &self.failure_terms,
        }
    }

    /// The functions that these destinations lead to.
    pub fn functions(&self) -> impl Iterator<Item = (Edge, &FunctionTarget)> {
        let destinations = [(Edge::OnSuccess, &self.on_success), (Edge::OnFailure, &self.on_failure)];
        destinations.into_iter().filter_map(|(edge, destination)| match destination {
            Some(Destination::Function(target)) => Some((edge, target)),
            Some(Destination::Outside(_)) | None => None,
        })
    }
}

/// Characters of what was written that an error repeats.
const MAX_TOLD: usize = 200;

/// Why a text is not a destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDestination {
    /// There is no `kind:` in front, or no such kind.
    #[error(
        "`{0}` is not a destination: write `function:NAME`, `queue:NAME`, `stream:NAME`, `topic:NAME`, `object:BUCKET/PREFIX` or `https://...`"
    )]
    Kind(String),
    /// A part of the target is not a name.
    #[error("the destination `{text}` has a part that is no name: {source}")]
    Name {
        /// What was written.
        text: String,
        /// What is wrong with it.
        source: InvalidName,
    },
    /// Nothing stands behind the kind.
    #[error("`{0}` names no target: write one after the colon")]
    Target(String),
}

impl FromStr for DestinationText {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, InvalidDestination> {
        if text.starts_with("https://") || text.starts_with("http://") {
            return Ok(outside(OutsideKind::Webhook, text));
        }
        let told = || text.chars().take(MAX_TOLD).collect();
        let (kind, target) = text.split_once(':').ok_or_else(|| InvalidDestination::Kind(told()))?;
        if target.is_empty() {
            return Err(InvalidDestination::Target(told()));
        }
        match kind {
            "function" => function(target).map_err(|source| InvalidDestination::Name { text: told(), source }),
            "object" => Ok(outside(OutsideKind::Object, target)),
            "queue" => Ok(outside(OutsideKind::Queue, target)),
            "stream" => Ok(outside(OutsideKind::Stream, target)),
            "topic" => Ok(outside(OutsideKind::Topic, target)),
            _ => Err(InvalidDestination::Kind(told())),
        }
    }
}

fn outside(kind: OutsideKind, target: &str) -> DestinationText {
    DestinationText::Outside(Outside { kind, target: target.to_owned() })
}

fn function(target: &str) -> Result<DestinationText, InvalidName> {
    let FunctionReference { namespace, name, qualifier } = target.parse()?;
    Ok(DestinationText::Function { namespace, name, qualifier })
}

impl Destination {
    /// The form that [`DestinationText`] reads on a function of the namespace `owner`.
    #[must_use]
    pub fn written_in(&self, owner: &Namespace) -> String {
        match self {
            Self::Function(FunctionTarget { path, qualifier, .. }) => {
                let namespace = if path.namespace == *owner { String::new() } else { format!("{}/", path.namespace) };
                let qualifier = if *qualifier == Qualifier::Latest { String::new() } else { format!("@{qualifier}") };
                format!("function:{namespace}{}{qualifier}", path.name)
            }
            Self::Outside(outside) => outside.to_string(),
        }
    }
}

/// For people; a name without a namespace is in the default one.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(FunctionTarget { path, qualifier: Qualifier::Latest, .. }) => write!(f, "function:{path}"),
            Self::Function(FunctionTarget { path, qualifier, .. }) => write!(f, "function:{path}@{qualifier}"),
            Self::Outside(outside) => outside.fmt(f),
        }
    }
}

impl Outside {
    /// As a log may have it: without the query of an address, which may hold a key, and not too long.
    #[must_use]
    pub fn told(&self) -> String {
        let text = self.to_string();
        let told = text.split(['?', '#']).next().unwrap_or_default();
        told.chars().take(200).collect()
    }
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            OutsideKind::Object => write!(f, "object:{}", self.target),
            OutsideKind::Queue => write!(f, "queue:{}", self.target),
            OutsideKind::Stream => write!(f, "stream:{}", self.target),
            OutsideKind::Topic => write!(f, "topic:{}", self.target),
            OutsideKind::Webhook => f.write_str(&self.target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, namespace: Option<&str>, name: &str, qualifier: &str) {
        let expected = DestinationText::Function {
            namespace: namespace.map(|text| text.parse().unwrap()),
            name: name.parse().unwrap(),
            qualifier: qualifier.parse().unwrap(),
        };
        assert_eq!(text.parse(), Ok(expected));
    }

    #[test]
    fn a_function_is_named_with_or_without_namespace_and_qualifier() {
        check("function:b", None, "b", "latest");
        check("function:shop/b@3", Some("shop"), "b", "3");
        check("function:b@prod", None, "b", "prod");
    }

    #[test]
    fn a_destination_is_written_so_that_it_is_read_as_the_same_again() {
        let namespaces = ["default", "shop"].map(|text| text.parse::<Namespace>().unwrap());
        for (owner, of) in namespaces.iter().flat_map(|owner| namespaces.iter().map(move |of| (owner, of))) {
            let id = FunctionId::from_bytes([0; 16]);
            let path = FunctionPath { namespace: of.clone(), name: "b".parse().unwrap() };
            let target = Destination::Function(FunctionTarget { id, path, qualifier: "prod".parse().unwrap() });
            let Ok(DestinationText::Function { namespace, .. }) = target.written_in(owner).parse() else { panic!() };
            assert_eq!(namespace.as_ref().unwrap_or(owner), of);
        }
    }

    #[test]
    fn what_is_no_destination_is_refused_with_what_was_written() {
        for text in ["b", "functoin:b", "function:", "function:9", "function:a/b/c", "function:a@", ""] {
            let error = text.parse::<DestinationText>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}")), "{error}");
        }
        for long in
            ["x".repeat(10_000), format!("function:{}", "é".repeat(10_000)), format!("x:{}", "y".repeat(10_000))]
        {
            let error = long.parse::<DestinationText>().unwrap_err().to_string();
            assert!(error.len() < 1_000, "all of a long text is repeated: {} bytes", error.len());
        }
    }
}
