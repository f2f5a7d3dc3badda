//! Which operations there are: method and path, what whoever asks must be allowed, and how many bytes it may send.

use axum::http::{Method, Uri};

use super::error::{Code, FssError};
use crate::model::access::Permission as P;
use crate::model::bounds;

/// Bytes of a package, decoded: what the service takes.
pub(super) const MAX_PACKAGE_BYTES: usize = 50 * 1_024 * 1_024;
/// Bytes of a body that carries a package: as base64, in JSON that says more.
const MAX_CODE_BODY_BYTES: usize = MAX_PACKAGE_BYTES / 3 * 4 + 1_024 * 1_024;
/// Bytes of any other body of JSON, and of what one with a package says besides.
pub(super) const MAX_JSON_BYTES: usize = 256 * 1_024;
/// Bytes of the event of an asynchronous invocation: what the service takes.
const MAX_ASYNC_EVENT_BYTES: usize = 256 * 1_024;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateFunction,
    ListFunctions,
    DeleteFunction,
    ShowConfig,
    UpdateConfig,
    UpdateMaxInstances,
    ShowCode,
    UpdateCode,
    CreateVersion,
    ListVersions,
    CreateAlias,
    ListAliases,
    ShowAlias,
    UpdateAlias,
    DeleteAlias,
    ListQuotas,
    EnableStatusLog,
    ShowStatusLog,
    Invoke,
    InvokeAsync,
    CancelInvocation,
    ListInvocations,
    ListActiveInvocations,
    SetAsyncConfig,
    ShowAsyncConfig,
    DeleteAsyncConfig,
    ListAsyncConfigs,
    ListTriggers,
    CreateTrigger,
    DeleteTriggers,
    ShowTrigger,
    UpdateTrigger,
    DeleteTrigger,
    ShowMetrics,
    ListStatistics,
}

/// An operation and where it is found: the path behind `/v2/{project_id}/fgs`.
struct Entry {
    method: Method,
    pattern: &'static str,
    operation: Operation,
}

const fn entry(method: Method, pattern: &'static str, operation: Operation) -> Entry {
    Entry { method, pattern, operation }
}

/// Fixed words stand before places, since the first that fits is taken.
#[rustfmt::skip]
static ENTRIES: &[Entry] = &[
    entry(Method::POST, "functions", Operation::CreateFunction),
    entry(Method::GET, "functions", Operation::ListFunctions),
    entry(Method::POST, "functions/enable-async-status-logs", Operation::EnableStatusLog),
    entry(Method::GET, "functions/async-status-log-detail", Operation::ShowStatusLog),
    entry(Method::DELETE, "functions/{urn}", Operation::DeleteFunction),
    entry(Method::GET, "functions/{urn}/config", Operation::ShowConfig),
    entry(Method::PUT, "functions/{urn}/config", Operation::UpdateConfig),
    entry(Method::PUT, "functions/{urn}/config-max-instance", Operation::UpdateMaxInstances),
    entry(Method::GET, "functions/{urn}/code", Operation::ShowCode),
    entry(Method::PUT, "functions/{urn}/code", Operation::UpdateCode),
    entry(Method::POST, "functions/{urn}/versions", Operation::CreateVersion),
    entry(Method::GET, "functions/{urn}/versions", Operation::ListVersions),
    entry(Method::POST, "functions/{urn}/aliases", Operation::CreateAlias),
    entry(Method::GET, "functions/{urn}/aliases", Operation::ListAliases),
    entry(Method::GET, "functions/{urn}/aliases/{name}", Operation::ShowAlias),
    entry(Method::PUT, "functions/{urn}/aliases/{name}", Operation::UpdateAlias),
    entry(Method::DELETE, "functions/{urn}/aliases/{name}", Operation::DeleteAlias),
    entry(Method::POST, "functions/{urn}/invocations", Operation::Invoke),
    entry(Method::POST, "functions/{urn}/invocations-async", Operation::InvokeAsync),
    entry(Method::POST, "functions/{urn}/cancel", Operation::CancelInvocation),
    entry(Method::GET, "functions/{urn}/async-invocations", Operation::ListInvocations),
    entry(Method::GET, "functions/{urn}/active-async-invocations", Operation::ListActiveInvocations),
    entry(Method::PUT, "functions/{urn}/async-invoke-config", Operation::SetAsyncConfig),
    entry(Method::GET, "functions/{urn}/async-invoke-config", Operation::ShowAsyncConfig),
    entry(Method::DELETE, "functions/{urn}/async-invoke-config", Operation::DeleteAsyncConfig),
    entry(Method::GET, "functions/{urn}/async-invoke-configs", Operation::ListAsyncConfigs),
    entry(Method::GET, "functions/{urn}/slareports/{period}", Operation::ShowMetrics),
    entry(Method::GET, "functions/{urn}/statistics/{period}", Operation::ListStatistics),
    entry(Method::GET, "triggers/{urn}", Operation::ListTriggers),
    entry(Method::POST, "triggers/{urn}", Operation::CreateTrigger),
    entry(Method::DELETE, "triggers/{urn}", Operation::DeleteTriggers),
    entry(Method::GET, "triggers/{urn}/{kind}/{id}", Operation::ShowTrigger),
    entry(Method::PUT, "triggers/{urn}/{kind}/{id}", Operation::UpdateTrigger),
    entry(Method::DELETE, "triggers/{urn}/{kind}/{id}", Operation::DeleteTrigger),
    entry(Method::GET, "quotas", Operation::ListQuotas),
];

impl Operation {
    /// What whoever asks must be allowed: on the function, or on the project where the path names none or it is about triggers.
    pub(super) const fn permission(self) -> P {
        match self {
            Self::ListFunctions
            | Self::ShowConfig
            | Self::ShowCode
            | Self::ListVersions
            | Self::ListAliases
            | Self::ShowAlias
            | Self::ListQuotas
            | Self::ShowStatusLog
            | Self::ListInvocations
            | Self::ListActiveInvocations
            | Self::ShowAsyncConfig
            | Self::ListAsyncConfigs
            | Self::ListTriggers
            | Self::ShowTrigger
            | Self::ShowMetrics
            | Self::ListStatistics => P::FunctionsView,
            Self::Invoke | Self::InvokeAsync => P::FunctionsInvoke,
            Self::CreateFunction
            | Self::DeleteFunction
            | Self::UpdateConfig
            | Self::UpdateMaxInstances
            | Self::UpdateCode
            | Self::CreateVersion
            | Self::CreateAlias
            | Self::UpdateAlias
            | Self::DeleteAlias
            | Self::EnableStatusLog
            | Self::CancelInvocation
            | Self::SetAsyncConfig
            | Self::DeleteAsyncConfig
            | Self::CreateTrigger
            | Self::DeleteTriggers
            | Self::UpdateTrigger
            | Self::DeleteTrigger => P::FunctionsEdit,
        }
    }

    /// Whether it is about triggers, which are the project's: one may take from a queue that is nothing of the function's.
    pub(super) const fn is_about_triggers(self) -> bool {
        matches!(
            self,
            Self::ListTriggers
                | Self::CreateTrigger
                | Self::DeleteTriggers
                | Self::ShowTrigger
                | Self::UpdateTrigger
                | Self::DeleteTrigger
        )
    }

    /// Whether it changes what others rely on, and so is noted.
    pub(super) const fn is_change(self) -> bool {
        matches!(self.permission(), P::FunctionsEdit)
    }

    /// Whether it is about running a function, or about what became of that: what is not there has a code of its own then.
    pub(super) const fn is_invocation(self) -> bool {
        matches!(
            self,
            Self::Invoke
                | Self::InvokeAsync
                | Self::CancelInvocation
                | Self::ListInvocations
                | Self::ListActiveInvocations
        )
    }

    /// Bytes that its body may have.
    pub(super) const fn body_limit(self) -> usize {
        match self {
            Self::CreateFunction | Self::UpdateCode => MAX_CODE_BODY_BYTES,
            Self::Invoke => bounds::MAX_SYNC_PAYLOAD_BYTES,
            Self::InvokeAsync => MAX_ASYNC_EVENT_BYTES,
            _ => MAX_JSON_BYTES,
        }
    }
}

/// What stands in the places of a path, unescaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) project: String,
    pub(super) urn: Option<String>,
    /// The type of a trigger.
    pub(super) kind: Option<String>,
    /// The name of an alias, a period, or the id of a trigger.
    pub(super) last: Option<String>,
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) operation: Operation,
    pub(super) places: Places,
}

/// The operation that a request asks for.
pub(super) fn route(method: &Method, uri: &Uri) -> Result<Route, FssError> {
    let nothing = || FssError::new(Code::NOT_FOUND, format!("there is nothing at `{}` for {method}", uri.path()));
    let segments = uri.path().trim_start_matches('/').split('/').map(unescaped);
    let segments: Vec<String> = segments.collect::<Option<_>>().ok_or_else(nothing)?;
    let [_, project, fgs, rest @ ..] = &segments[..] else { return Err(nothing()) };
    if fgs != "fgs" {
        return Err(nothing());
    }
    let found = ENTRIES.iter().filter(|entry| entry.method == *method).find_map(|entry| {
        let places = fitting(entry.pattern, rest)?;
        Some(Route { operation: entry.operation, places: Places { project: project.clone(), ..places } })
    });
    found.ok_or_else(nothing)
}

/// What an operation is called in the log of changes.
pub(super) fn action(operation: Operation) -> String {
    let found = ENTRIES.iter().find(|entry| entry.operation == operation);
    found.map_or_else(String::new, |entry| format!("{} /v2/{{project_id}}/fgs/{}", entry.method, entry.pattern))
}

fn fitting(pattern: &str, segments: &[String]) -> Option<Places> {
    let mut places = Places::default();
    let parts: Vec<_> = pattern.split('/').collect();
    if parts.len() != segments.len() {
        return None;
    }
    for (part, segment) in parts.into_iter().zip(segments) {
        match part {
            _ if part == segment => (),
            "{urn}" if !segment.is_empty() => places.urn = Some(segment.clone()),
            "{kind}" if !segment.is_empty() => places.kind = Some(segment.clone()),
            "{name}" | "{period}" | "{id}" if !segment.is_empty() => places.last = Some(segment.clone()),
            _ => return None,
        }
    }
    Some(places)
}

/// A segment of a path without its escapes; `None` for what is no text.
fn unescaped(segment: &str) -> Option<String> {
    if !segment.contains('%') {
        return Some(segment.to_owned());
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(segment.len()), segment.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(others.get(..2)?).ok()?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
            rest = &others[2..];
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, path: &str, operation: Option<Operation>) {
        let found = route(method, &path.parse().unwrap()).ok();
        assert_eq!(found.map(|route| route.operation), operation, "{method} {path}");
    }

    #[test]
    fn an_operation_is_found_by_its_method_and_path() {
        check(&Method::GET, "/v2/p/fgs/functions", Some(Operation::ListFunctions));
        check(&Method::POST, "/v2/p/fgs/functions/enable-async-status-logs", Some(Operation::EnableStatusLog));
        check(&Method::DELETE, "/v2/p/fgs/functions/enable-async-status-logs", Some(Operation::DeleteFunction));
        check(&Method::DELETE, "/v2/p/fgs/functions/u/aliases/a", Some(Operation::DeleteAlias));
        check(&Method::PATCH, "/v2/p/fgs/functions", None);
        check(&Method::GET, "/v2/p/fgs/functions/", None);
        check(&Method::GET, "/v2/p/fgs/functions//config", None);
        check(&Method::GET, "/v2/p/fgs", None);
        check(&Method::GET, "/v2/p/other/functions", None);
        check(&Method::GET, "/v2/", None);
        check(&Method::GET, "/v2/p/fgs/functions/%ff/config", None);
        check(&Method::GET, "/v2/p/fgs/functions/%+1/config", None);
    }

    #[test]
    fn a_urn_is_the_same_escaped_and_as_it_is() {
        let urn = |path: &str| route(&Method::GET, &path.parse().unwrap()).unwrap().places.urn.unwrap();
        let escaped = urn("/v2/p/fgs/functions/urn%3Afss%3Ar%3Ap%3Afunction%3Adefault%3Af%3A%21a/config");
        assert_eq!(escaped, "urn:fss:r:p:function:default:f:!a");
        assert_eq!(urn("/v2/p/fgs/functions/urn:fss:r:p:function:default:f:!a/config"), escaped);
    }

    #[test]
    fn every_operation_stands_in_the_table_once_and_is_called_by_its_route() {
        let mut seen = Vec::new();
        for entry in ENTRIES {
            assert!(!seen.contains(&entry.operation), "{:?} stands twice", entry.operation);
            seen.push(entry.operation);
            assert!(action(entry.operation).ends_with(entry.pattern));
        }
    }
}
