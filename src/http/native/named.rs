//! What has a name in a namespace: which of them a request is about, and which part of their list it wants. What does not fit
//! is refused before the route begins.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;

use super::query::{self, Page, Path, Within};
use crate::http::problem::Problem;
use crate::messaging::streams::StreamPath;
use crate::messaging::topics::TopicPath;
use crate::model::message_queue::{QueueName, QueuePath};
use crate::model::names::{AccountName, FunctionName, FunctionPath, Namespace, Qualifier, StreamName, TopicName};
use crate::runtime::AccountPath;

/// The thing that is called `{name}` in the namespace of the query, which says nothing else.
pub(super) struct Named<T>(pub(super) T);

/// The function that is called `{name}` in the namespace of the query, and which of its versions is meant.
pub(super) struct Qualified(pub(super) FunctionPath, pub(super) Qualifier);

/// A part of the list of what a namespace has.
pub(super) struct Listing<N> {
    pub(super) namespace: Namespace,
    /// The last name of the part before.
    pub(super) after: Option<N>,
    pub(super) limit: usize,
}

/// What is known by a namespace and a name in it.
pub(super) trait InNamespace {
    /// What its names are.
    type Name: FromStr<Err: Display>;

    fn of(namespace: Namespace, name: Self::Name) -> Self;
}

impl<N: FromStr<Err: Display>> InNamespace for (Namespace, N) {
    type Name = N;

    fn of(namespace: Namespace, name: N) -> Self {
        (namespace, name)
    }
}

macro_rules! in_namespace {
    ($($path:ident, $name:ident;)*) => {$(
        impl InNamespace for $path {
            type Name = $name;

            fn of(namespace: Namespace, name: $name) -> Self {
                Self { namespace, name }
            }
        }
    )*};
}

in_namespace! {
    AccountPath, AccountName;
    FunctionPath, FunctionName;
    QueuePath, QueueName;
    StreamPath, StreamName;
    TopicPath, TopicName;
}

/// The places of a path among which `{name}` is.
#[derive(Deserialize)]
struct Places {
    name: String,
}

async fn name<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    let Path(Places { name }) = Path::from_request_parts(parts, state).await?;
    Ok(name)
}

impl<T: InNamespace, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = name(parts, state).await?;
        let which: Within = query::query(&parts.uri)?;
        Ok(Self(T::of(which.namespace()?, query::parsed(&name)?)))
    }
}

/// What a path of a function's version takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    namespace: Option<String>,
    qualifier: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Qualified {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = name(parts, state).await?;
        let Which { namespace, qualifier } = query::query(&parts.uri)?;
        let path = query::path(namespace.as_deref(), &name)?;
        Ok(Self(path, qualifier.as_deref().map(query::parsed).transpose()?.unwrap_or_default()))
    }
}

impl<N: FromStr<Err: Display>, S: Send + Sync> FromRequestParts<S> for Listing<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Page { namespace, limit, cursor } = query::query(&parts.uri)?;
        let limit = query::limit(limit)?;
        let after = cursor.as_deref().map(query::parsed).transpose()?;
        Ok(Self { namespace: query::namespace(namespace.as_deref())?, after, limit })
    }
}
