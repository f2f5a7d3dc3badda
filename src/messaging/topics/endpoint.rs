//! What is subscribed to a topic, what it wants to hear, and the way there: a trait, since this room knows no function.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

use super::{Publication, TopicError};
use crate::model::names::Namespace;
use crate::model::outcome::OutcomeKind;
use crate::model::reference::FunctionReference;
use crate::outbound::{NotSent, Post};

/// Attributes that a filter names, and values of each.
pub(super) const MAX_FILTER: usize = 32;

/// What is subscribed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Endpoint {
    /// A function, as it is written shortest in the topic's namespace: `[NAMESPACE/]NAME[@QUALIFIER]`.
    Function(String),
    /// A message queue of the topic's namespace.
    Queue(String),
    /// An HTTP address, which gets a POST.
    Web(String),
}

impl Endpoint {
    /// Reads `https://…`, `http://…`, `function:…` or `queue:…`, of a topic in the namespace `own`.
    pub fn parse(text: &str, own: &Namespace) -> Result<Self, TopicError> {
        let refused = || TopicError::Endpoint(text.chars().take(200).collect());
        if text.starts_with("https://") || text.starts_with("http://") {
            return if text.len() <= 2_048 { Ok(Self::Web(text.to_owned())) } else { Err(refused()) };
        }
        match text.split_once(':') {
            Some(("function", name)) => match name.parse::<FunctionReference>() {
                Ok(function) => Ok(Self::Function(function.text(own))),
                Err(_) => Err(refused()),
            },
            Some(("queue", name)) if (1..=80).contains(&name.len()) => Ok(Self::Queue(name.to_owned())),
            _ => Err(refused()),
        }
    }

    /// The same as [`parse`](Self::parse) gives it; some are kept as they were written.
    pub(super) fn shortest(&self, own: &Namespace) -> Self {
        self.function().map_or_else(|| self.clone(), |function| Self::Function(function.text(own)))
    }

    /// The function, where it is one.
    pub fn function(&self) -> Option<FunctionReference> {
        match self {
            Self::Function(text) => text.parse().ok(),
            Self::Queue(_) | Self::Web(_) => None,
        }
    }

    /// The name of the queue, where it is one.
    pub(super) fn queue(&self) -> Option<&str> {
        match self {
            Self::Queue(name) => Some(name),
            Self::Function(_) | Self::Web(_) => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(name) => write!(f, "function:{name}"),
            Self::Queue(name) => write!(f, "queue:{name}"),
            Self::Web(url) => f.write_str(url),
        }
    }
}

/// Which publications a subscription gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Those that tell of one of these outcomes; none for all, also those that tell of none.
    pub outcomes: Vec<OutcomeKind>,
    /// Those that have each of these attributes, with one of its values.
    pub attributes: BTreeMap<String, Vec<String>>,
}

impl Filter {
    /// Whether it is of a bounded size.
    pub(super) fn check(&self) -> Result<(), TopicError> {
        let fits = self.attributes.values().all(|values| (1..=MAX_FILTER).contains(&values.len()));
        let texts = self.attributes.iter().flat_map(|(name, values)| std::iter::once(name).chain(values));
        let is_short = texts.map(String::len).sum::<usize>() <= crate::model::bounds::MAX_RECORD_ATTRIBUTE_BYTES;
        let fits = fits && is_short && self.attributes.len() <= MAX_FILTER && self.outcomes.len() <= MAX_FILTER;
        fits.then_some(()).ok_or(TopicError::Filter)
    }

    /// Whether a publication is one of them.
    pub fn wants(&self, publication: &Publication) -> bool {
        let value = |name: &String| publication.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value);
        let of_outcome = self.outcomes.is_empty() || publication.outcome.is_some_and(|it| self.outcomes.contains(&it));
        of_outcome && self.attributes.iter().all(|(name, of)| value(name).is_some_and(|value| of.contains(value)))
    }
}

/// What an endpoint's answer arrives as.
pub type Reached<'a, T> = Pin<Box<dyn Future<Output = Result<T, NotSent>> + Send + 'a>>;

/// A function that is to be invoked asynchronously.
pub struct Call<'a> {
    /// The namespace that the function's name is read in.
    pub namespace: &'a Namespace,
    /// Which.
    pub function: &'a FunctionReference,
    /// What it is told.
    pub publication: &'a Publication,
    /// The same at every try: it is accepted once.
    pub key: String,
}

/// The ways to endpoints that are no queues. Each is tried once; the topic tries again.
pub trait Ways: Send + Sync + 'static {
    /// Whether there is such an endpoint, and it may be subscribed, as far as can be told now. Queues are not asked for.
    fn check<'a>(&'a self, namespace: &'a Namespace, endpoint: &'a Endpoint) -> Reached<'a, ()>;

    /// Sends a signed POST.
    fn post<'a>(&'a self, namespace: &'a Namespace, url: &'a str, post: Post) -> Reached<'a, ()>;

    /// Has a function invoked: when this returns, the invocation is accepted.
    fn invoke<'a>(&'a self, call: Call<'a>) -> Reached<'a, ()>;
}
