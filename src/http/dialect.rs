//! The dialects that check by themselves what a request needs, because that stands in its body or in names of their own: for
//! them the gate finds out who sends a request, and they do the rest. The native dialect has a table instead
//! (`native/rules`).

use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;

use super::problem::Problem;
use super::{functiongraph, sqs, yandex};
use crate::config;

/// Such a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    FunctionGraph,
    Sqs(sqs::Protocol),
    Yandex,
}

/// A change that the audit log is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// What is done: the dialect and its own name for it, `functiongraph:create_function`.
    pub(super) action: String,
    /// To what, as the request has it.
    pub(super) on: String,
}

impl Dialect {
    /// The one that a request is meant for, as far as its head tells; `None` for the native one.
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        if functiongraph::is_meant(uri) {
            return Some(Self::FunctionGraph);
        }
        if yandex::is_url(uri.path()) {
            return Some(Self::Yandex);
        }
        // Paths of the Yandex API may begin as those of a namespace's queues do; what such requests look like differs.
        let queues = sqs::protocol(method, uri, headers).map(Self::Sqs);
        queues.or_else(|| yandex::is_meant(uri).then_some(Self::Yandex))
    }

    /// What the dialect of a request is called where dialects are switched off; `None` for what is nobody's, such as
    /// whether the server is alive.
    pub(super) fn named(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<config::Dialect> {
        let path = uri.path();
        match Self::of(method, uri, headers) {
            Some(Self::FunctionGraph) => Some(config::Dialect::FunctionGraph),
            Some(Self::Sqs(_)) => Some(config::Dialect::Sqs),
            Some(Self::Yandex) => Some(config::Dialect::Yandex),
            None if path.starts_with("/v1/") || path.starts_with("/fn/") => Some(config::Dialect::Native),
            None => None,
        }
    }

    /// The refusal of a request that was not let in, in the dialect's own form.
    pub(super) fn refusal(self, uri: &Uri, problem: Problem) -> Response {
        match self {
            Self::FunctionGraph => functiongraph::refusal(problem),
            Self::Sqs(protocol) => sqs::refusal(protocol, problem),
            Self::Yandex => yandex::refusal(uri, &problem),
        }
    }

    /// What a request would change, for the audit log; `None` where it changes nothing, or where only its body says what,
    /// which the dialect notes by itself.
    pub(super) fn change(self, method: &Method, uri: &Uri) -> Option<Named> {
        match self {
            Self::FunctionGraph => functiongraph::change(method, uri),
            Self::Sqs(_) | Self::Yandex => None,
        }
    }
}
