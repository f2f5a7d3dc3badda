//! What each route of the native API needs, in one table. A route that stands in none is let in by nothing; a test holds
//! that there is none, and no entry without a route.

use axum::http::{Method, Uri};
use form_urlencoded::parse;

use super::function_url;
use super::query;
use crate::http::gate::Need;
use crate::http::problem::Problem;
use crate::model::access::{Permission as P, ResourceKind, Scope};
use crate::model::names::Namespace;
use crate::runtime::Runtime;

/// A route and what it needs.
struct Entry {
    /// `*` for any.
    method: &'static str,
    pattern: &'static str,
    needs: Needs,
}

#[derive(Clone, Copy)]
enum Needs {
    /// Nothing, not even to be somebody.
    Nothing,
    /// To be somebody: the answer depends on who it is.
    Somebody,
    /// This permission on that.
    This(P, On),
}

/// Where in a request that stands which it is about.
#[derive(Clone, Copy)]
enum On {
    /// The whole runtime.
    Everything,
    /// `{name}` is a function's.
    Function,
    /// Behind `/fn/`.
    FunctionUrl,
    /// `{id}` is that of an invocation of a function.
    Invocation,
    /// The function in `?function=`, else the namespace, else all of them.
    Listed,
    /// The namespace that the request names, or the default one.
    Namespace,
    /// The namespace that it names, or all of them.
    Namespaces,
    /// `{name}` is that of such a thing.
    Resource(ResourceKind),
}

const fn entry(method: &'static str, pattern: &'static str, permission: P, on: On) -> Entry {
    Entry { method, pattern, needs: Needs::This(permission, on) }
}

const QUEUE: On = On::Resource(ResourceKind::Queue);
const STREAM: On = On::Resource(ResourceKind::Stream);
const TOPIC: On = On::Resource(ResourceKind::Topic);
const BUCKET: On = On::Resource(ResourceKind::Bucket);
/// See [`Matched::is_change`].
const PURGE: &str = "/v1/queues/{name}/purge";

/// What is more special stands before what is less.
#[rustfmt::skip]
const ENTRIES: &[Entry] = &[
    Entry { method: "GET", pattern: "/healthz", needs: Needs::Nothing },
    Entry { method: "GET", pattern: "/readyz", needs: Needs::Nothing },
    Entry { method: "GET", pattern: "/openapi.json", needs: Needs::Nothing },
    Entry { method: "GET", pattern: "/v1/functions", needs: Needs::Somebody },
    Entry { method: "GET", pattern: "/v1/roles", needs: Needs::Somebody },
    entry("PUT", "/v1/functions/{name}", P::FunctionsEdit, On::Function),
    entry("GET", "/v1/functions/{name}", P::FunctionsView, On::Function),
    entry("DELETE", "/v1/functions/{name}", P::FunctionsEdit, On::Function),
    entry("GET", "/v1/functions/{name}/versions", P::FunctionsView, On::Function),
    entry("GET", "/v1/functions/{name}/module", P::FunctionsView, On::Function),
    entry("GET", "/v1/functions/{name}/schema", P::FunctionsView, On::Function),
    entry("PUT", "/v1/functions/{name}/aliases/{alias}", P::FunctionsEdit, On::Function),
    entry("DELETE", "/v1/functions/{name}/aliases/{alias}", P::FunctionsEdit, On::Function),
    entry("GET", "/v1/functions/{name}/async-config", P::FunctionsView, On::Function),
    entry("PUT", "/v1/functions/{name}/async-config", P::FunctionsEdit, On::Function),
    entry("DELETE", "/v1/functions/{name}/async-config", P::FunctionsEdit, On::Function),
    entry("POST", "/v1/functions/{name}/invocations", P::FunctionsInvoke, On::Function),
    entry("GET", "/v1/functions/{name}/queue", P::FunctionsView, On::Function),
    entry("PUT", "/v1/functions/{name}/queue", P::FunctionsEdit, On::Function),
    entry("POST", "/v1/functions/{name}/disable", P::FunctionsEdit, On::Function),
    entry("POST", "/v1/functions/{name}/enable", P::FunctionsEdit, On::Function),
    entry("POST", "/v1/functions/{name}/queue/pause", P::FunctionsEdit, On::Function),
    entry("POST", "/v1/functions/{name}/queue/resume", P::FunctionsEdit, On::Function),
    entry("GET", "/v1/functions/{name}/dead-letters", P::FunctionsView, On::Function),
    entry("GET", "/v1/invocations", P::FunctionsView, On::Listed),
    entry("POST", "/v1/invocations/bulk", P::FunctionsEdit, On::Namespaces),
    entry("GET", "/v1/invocations/{id}", P::InvocationsFollow, On::Invocation),
    entry("DELETE", "/v1/invocations/{id}", P::FunctionsEdit, On::Invocation),
    entry("POST", "/v1/invocations/{id}/cancel", P::FunctionsEdit, On::Invocation),
    entry("POST", "/v1/invocations/{id}/retry", P::FunctionsEdit, On::Invocation),
    entry("POST", "/v1/invocations/{id}/redrive", P::FunctionsEdit, On::Invocation),
    entry("POST", "/v1/invocations/{id}/redeliver", P::FunctionsEdit, On::Invocation),
    entry("POST", "/v1/invocations/{id}/run-now", P::FunctionsEdit, On::Invocation),
    entry("GET", "/v1/invocations/{id}/logs", P::FunctionsView, On::Invocation),
    // It may hold secrets that the guest had.
    entry("GET", "/v1/invocations/{id}/coredump", P::FunctionsEdit, On::Invocation),
    entry("GET", "/v1/invocations/{id}/payload", P::FunctionsView, On::Invocation),
    entry("GET", "/v1/invocations/{id}/result", P::InvocationsFollow, On::Invocation),
    entry("GET", "/v1/key-value", P::ValuesView, On::Namespace),
    entry("GET", "/v1/key-value/{store}", P::ValuesView, On::Namespace),
    entry("GET", "/v1/key-value/{store}/{*key}", P::ValuesRead, On::Namespace),
    entry("PUT", "/v1/key-value/{store}/{*key}", P::ValuesWrite, On::Namespace),
    entry("DELETE", "/v1/key-value/{store}/{*key}", P::ValuesWrite, On::Namespace),
    entry("GET", "/v1/connections", P::ValuesView, On::Namespace),
    entry("GET", "/v1/connections/{name}", P::ValuesView, On::Namespace),
    entry("PUT", "/v1/connections/{name}", P::ConnectionsEdit, On::Namespace),
    entry("DELETE", "/v1/connections/{name}", P::ConnectionsEdit, On::Namespace),
    entry("GET", "/v1/objects", P::ValuesView, On::Namespace),
    entry("GET", "/v1/objects/{bucket}", P::ValuesView, BUCKET),
    entry("GET", "/v1/objects/{bucket}/{*key}", P::ValuesRead, BUCKET),
    entry("DELETE", "/v1/objects/{bucket}/{*key}", P::ValuesWrite, BUCKET),
    entry("GET", "/v1/deliveries", P::FunctionsView, On::Listed),
    entry("POST", "/v1/deliveries/redrive", P::FunctionsEdit, On::Listed),
    // What webhooks are signed with: whoever has it can sign some.
    entry("GET", "/v1/webhooks/keys", P::AccessEdit, On::Namespace),
    entry("POST", "/v1/webhooks/keys/rotate", P::AccessEdit, On::Namespace),
    entry("GET", "/v1/queues", P::QueuesView, On::Namespace),
    entry("GET", "/v1/queues/{name}", P::QueuesView, QUEUE),
    // To change one that is there takes `QueuesEdit`.
    entry("PUT", "/v1/queues/{name}", P::QueuesCreate, QUEUE),
    entry("DELETE", "/v1/queues/{name}", P::QueuesEdit, QUEUE),
    entry("POST", PURGE, P::QueuesReceive, QUEUE),
    entry("POST", "/v1/queues/{name}/receive", P::QueuesReceive, QUEUE),
    entry("POST", "/v1/queues/{name}/messages", P::QueuesSend, QUEUE),
    entry("DELETE", "/v1/queues/{name}/messages/{receipt}", P::QueuesReceive, QUEUE),
    entry("PUT", "/v1/queues/{name}/messages/{receipt}/visibility", P::QueuesReceive, QUEUE),
    entry("GET", "/v1/streams", P::StreamsRead, On::Namespace),
    entry("GET", "/v1/streams/{name}", P::StreamsRead, STREAM),
    entry("PUT", "/v1/streams/{name}", P::StreamsEdit, STREAM),
    entry("DELETE", "/v1/streams/{name}", P::StreamsEdit, STREAM),
    entry("GET", "/v1/streams/{name}/records", P::StreamsRead, STREAM),
    entry("POST", "/v1/streams/{name}/records", P::StreamsAppend, STREAM),
    entry("GET", "/v1/topics", P::TopicsView, On::Namespace),
    entry("GET", "/v1/topics/{name}", P::TopicsView, TOPIC),
    entry("PUT", "/v1/topics/{name}", P::TopicsEdit, TOPIC),
    entry("DELETE", "/v1/topics/{name}", P::TopicsEdit, TOPIC),
    entry("POST", "/v1/topics/{name}/publications", P::TopicsPublish, TOPIC),
    entry("GET", "/v1/topics/{name}/subscriptions", P::TopicsView, TOPIC),
    entry("POST", "/v1/topics/{name}/subscriptions", P::TopicsEdit, TOPIC),
    entry("GET", "/v1/topics/{name}/subscriptions/{id}", P::TopicsView, TOPIC),
    entry("DELETE", "/v1/topics/{name}/subscriptions/{id}", P::TopicsEdit, TOPIC),
    // A subscriber that has no account here confirms by the token that it was sent.
    Entry { method: "GET", pattern: "/v1/topics/{name}/subscriptions/{id}/confirm", needs: Needs::Nothing },
    Entry { method: "POST", pattern: "/v1/topics/{name}/subscriptions/{id}/confirm", needs: Needs::Nothing },
    entry("GET", "/v1/topics/{name}/subscriptions/{id}/dead", P::TopicsView, TOPIC),
    entry("DELETE", "/v1/topics/{name}/subscriptions/{id}/dead", P::TopicsEdit, TOPIC),
    entry("POST", "/v1/topics/{name}/subscriptions/{id}/redrive", P::TopicsEdit, TOPIC),
    // A trigger invokes functions for whoever set it.
    entry("GET", "/v1/triggers", P::FunctionsView, On::Namespace),
    entry("GET", "/v1/triggers/{name}", P::FunctionsView, On::Namespace),
    entry("PUT", "/v1/triggers/{name}", P::FunctionsEdit, On::Namespace),
    entry("DELETE", "/v1/triggers/{name}", P::FunctionsEdit, On::Namespace),
    entry("POST", "/v1/triggers/{name}/enable", P::FunctionsEdit, On::Namespace),
    entry("POST", "/v1/triggers/{name}/disable", P::FunctionsEdit, On::Namespace),
    entry("POST", "/v1/triggers/{name}/fire", P::FunctionsEdit, On::Namespace),
    entry("GET", "/v1/secrets", P::ValuesView, On::Namespace),
    entry("PUT", "/v1/secrets/{name}", P::FunctionsEdit, On::Namespace),
    entry("DELETE", "/v1/secrets/{name}", P::FunctionsEdit, On::Namespace),
    entry("GET", "/v1/accounts", P::AccessEdit, On::Namespace),
    entry("PUT", "/v1/accounts/{name}", P::AccessEdit, On::Namespace),
    entry("GET", "/v1/accounts/{name}", P::AccessEdit, On::Namespace),
    entry("DELETE", "/v1/accounts/{name}", P::AccessEdit, On::Namespace),
    entry("POST", "/v1/accounts/{name}/roles", P::AccessEdit, On::Namespace),
    entry("DELETE", "/v1/accounts/{name}/roles", P::AccessEdit, On::Namespace),
    entry("GET", "/v1/accounts/{name}/tokens", P::AccessEdit, On::Namespace),
    entry("POST", "/v1/accounts/{name}/tokens", P::AccessEdit, On::Namespace),
    entry("DELETE", "/v1/accounts/{name}/tokens/{id}", P::AccessEdit, On::Namespace),
    entry("GET", "/v1/accounts/{name}/keys", P::AccessEdit, On::Namespace),
    entry("POST", "/v1/accounts/{name}/keys", P::AccessEdit, On::Namespace),
    entry("DELETE", "/v1/accounts/{name}/keys/{id}", P::AccessEdit, On::Namespace),
    entry("GET", "/v1/audit", P::AccessEdit, On::Everything),
    entry("GET", "/v1/graph", P::FunctionsView, On::Namespaces),
    entry("GET", "/v1/runtime", P::RuntimeView, On::Everything),
    entry("PUT", "/v1/runtime", P::RuntimeEdit, On::Everything),
    entry("GET", "/metrics", P::RuntimeView, On::Everything),
    entry("*", "/fn/{name}", P::FunctionsInvoke, On::FunctionUrl),
    entry("*", "/fn/{name}/", P::FunctionsInvoke, On::FunctionUrl),
    entry("*", "/fn/{name}/{*path}", P::FunctionsInvoke, On::FunctionUrl),
    entry("POST", "/bench/accepted", P::RuntimeEdit, On::Everything),
];

/// A request whose route is known.
pub(in crate::http) struct Matched<'a> {
    entry: &'static Entry,
    uri: &'a Uri,
    /// What stands for the first `{}` of the pattern, as it was sent; empty where it has none.
    first: &'a str,
}

/// The route of a request; `None` where there is none.
pub(in crate::http) fn matched<'a>(method: &Method, uri: &'a Uri) -> Option<Matched<'a>> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let fits = |entry: &&Entry| entry.method == "*" || entry.method == method;
    ENTRIES.iter().filter(fits).find_map(|entry| {
        let first = fitting(entry.pattern, uri.path())?;
        Some(Matched { entry, uri, first })
    })
}

/// Whether a request may be one that the audit log is told of: quickly, for most are not.
pub(in crate::http) fn may_change(method: &Method, uri: &Uri) -> bool {
    *method != Method::GET && *method != Method::HEAD && uri.path().starts_with("/v1/") && !is_invocation(uri.path())
}

/// Whether a path is that of a function's invocations. Other things may be called so.
fn is_invocation(path: &str) -> bool {
    let behind = path.strip_prefix("/v1/functions/").and_then(|rest| rest.strip_suffix("/invocations"));
    behind.is_some_and(|name| !name.contains('/'))
}

impl Matched<'_> {
    /// Method and pattern, for people.
    pub(in crate::http) fn action(&self) -> String {
        format!("{} {}", self.entry.method, self.entry.pattern)
    }

    /// What it is about, for people: its path without what every path begins with.
    pub(in crate::http) fn target(&self, path: &str) -> String {
        let namespace = self.said("namespace").map_or_else(String::new, |name| format!(" in {name}"));
        let path: String = path.trim_start_matches("/v1/").chars().take(200).collect();
        format!("{path}{namespace}").chars().filter(|c| !c.is_control()).collect()
    }

    /// Whether it changes what others rely on. Running functions and changing values is what goes on anyway; taking all
    /// messages of a queue away is more than receiving some, though whoever may do the one may do the other.
    pub(in crate::http) fn is_change(&self) -> bool {
        let reads = self.entry.method == "GET" || self.entry.method == "*";
        match self.entry.needs {
            Needs::Nothing | Needs::Somebody => false,
            Needs::This(permission, _) => !reads && (changes(permission) || self.entry.pattern == PURGE),
        }
    }

    /// The function that it runs, or `None` where it does something else.
    pub(in crate::http) fn runs(&self) -> Result<Option<Scope>, Problem> {
        match self.entry.needs {
            Needs::This(P::FunctionsInvoke, On::Function) => self.function().map(Some),
            Needs::This(P::FunctionsInvoke, On::FunctionUrl) => {
                function_url::function(self.uri).map(|path| Some(Scope::function(&path)))
            }
            Needs::Nothing | Needs::Somebody | Needs::This(..) => Ok(None),
        }
    }

    /// Whether it needs nothing at all.
    pub(in crate::http) fn is_open(&self) -> bool {
        matches!(self.entry.needs, Needs::Nothing)
    }

    /// What it needs. Reads of the store what the request does not say itself.
    pub(in crate::http) async fn need(&self, runtime: &Runtime) -> Result<Need, Problem> {
        let (permission, on) = match self.entry.needs {
            Needs::Nothing => return Ok(Need::Nothing),
            Needs::Somebody => return Ok(Need::Somebody),
            Needs::This(permission, on) => (permission, on),
        };
        let on = match on {
            On::Everything => Scope::Everything,
            On::Function => self.function()?,
            On::FunctionUrl => Scope::function(&function_url::function(self.uri)?),
            On::Invocation => {
                let id = query::parsed(self.first)?;
                let target = runtime.invocation(id).await?.target;
                // It may have got another name since.
                let function = runtime.function_by_id(target.function);
                Scope::function(function.as_ref().map_or(&target.path, |function| &function.path))
            }
            On::Listed => match self.said("function") {
                Some(name) => Scope::function(&query::path(self.said("namespace").as_deref(), &name)?),
                None => self.namespaces()?,
            },
            On::Namespace => Scope::Namespace(self.namespace()?),
            On::Namespaces => self.namespaces()?,
            On::Resource(kind) => Scope::Resource(kind, self.namespace()?, self.name()),
        };
        Ok(Need::This(permission, on))
    }

    fn function(&self) -> Result<Scope, Problem> {
        Ok(Scope::function(&query::path(self.said("namespace").as_deref(), &self.name())?))
    }

    fn namespace(&self) -> Result<Namespace, Problem> {
        query::namespace(self.said("namespace").as_deref())
    }

    fn namespaces(&self) -> Result<Scope, Problem> {
        let namespace = self.said("namespace").as_deref().map(query::parsed).transpose()?;
        Ok(namespace.map_or(Scope::Everything, Scope::Namespace))
    }

    /// What stands in the query. Said twice it is refused by whoever reads the query.
    fn said(&self, name: &str) -> Option<String> {
        let mut pairs = parse(self.uri.query()?.as_bytes());
        pairs.find_map(|(its, value)| (its == name).then(|| value.into_owned()))
    }

    /// What stands for the first `{}`, unescaped as the router does.
    fn name(&self) -> String {
        let escaped = self.first.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
        let mut pairs = parse(escaped.as_bytes());
        pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default()
    }
}

const fn changes(permission: P) -> bool {
    match permission {
        P::AccessEdit
        | P::AccountsUse
        | P::ConnectionsEdit
        | P::FunctionsEdit
        | P::QueuesCreate
        | P::QueuesEdit
        | P::RuntimeEdit
        | P::StreamsEdit
        | P::TopicsEdit => true,
        P::FunctionsInvoke
        | P::FunctionsView
        | P::InvocationsFollow
        | P::ObjectsWrite
        | P::QueuesReceive
        | P::QueuesSend
        | P::QueuesView
        | P::RuntimeView
        | P::StreamsAppend
        | P::StreamsRead
        | P::TopicsPublish
        | P::TopicsView
        | P::ValuesRead
        | P::ValuesWrite
        | P::ValuesView => false,
    }
}

/// What stands for the first `{}` of a pattern in a path that fits it, as the router has it; empty where it has none.
fn fitting<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let (pattern, mut path, mut first) = (pattern.split('/'), path.split('/'), "");
    for part in pattern {
        if part.starts_with("{*") {
            let some = path.next()?;
            return (!some.is_empty() || path.next().is_some()).then_some(if first.is_empty() { some } else { first });
        }
        let segment = path.next()?;
        if part.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            if first.is_empty() {
                first = segment;
            }
        } else if part != segment {
            return None;
        }
    }
    path.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Method and pattern of every route that is declared in the sources of a dialect.
    fn declared(source: &str) -> BTreeSet<(String, String)> {
        let mut all = BTreeSet::new();
        for call in source.split(".route(").skip(1) {
            let mut depth = 1;
            let end = call.char_indices().find_map(|(at, c)| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                (depth == 0).then_some(at)
            });
            let call = &call[..end.unwrap()];
            let pattern = call.split('"').nth(1).unwrap();
            for method in ["get", "put", "post", "delete", "patch", "any"] {
                let begins = |at: usize| !call[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
                if call.match_indices(&format!("{method}(")).any(|(at, _)| begins(at)) {
                    let method = if method == "any" { "*".to_owned() } else { method.to_uppercase() };
                    all.insert((method, pattern.to_owned()));
                }
            }
        }
        all
    }

    #[test]
    fn every_route_stands_in_the_table_once_and_nothing_else_does() {
        let sources = concat!(include_str!("mod.rs"), include_str!("bench.rs"));
        let declared = declared(sources);
        assert!(declared.len() > 50, "{declared:?}");
        let entries: Vec<_> = ENTRIES.iter().map(|it| (it.method.to_owned(), it.pattern.to_owned())).collect();
        let set: BTreeSet<_> = entries.iter().cloned().collect();
        assert_eq!(set.len(), entries.len(), "an entry stands twice");
        let missing: Vec<_> = declared.difference(&set).collect();
        assert!(missing.is_empty(), "these routes need an entry in http/native/rules.rs: {missing:?}");
        let pointless: Vec<_> = set.difference(&declared).collect();
        assert!(pointless.is_empty(), "there is no such route: {pointless:?}");
    }

    #[track_caller]
    fn check(method: &Method, uri: &str, action: Option<&str>) {
        let uri = uri.parse().unwrap();
        assert_eq!(matched(method, &uri).map(|it| it.action()).as_deref(), action, "{uri}");
    }

    #[test]
    fn a_path_is_matched_as_the_router_matches_it() {
        check(&Method::GET, "/v1/functions", Some("GET /v1/functions"));
        check(&Method::HEAD, "/v1/functions?a=b", Some("GET /v1/functions"));
        check(&Method::GET, "/v1/functions/", None);
        check(&Method::GET, "/v1/functions/a/", None);
        check(&Method::GET, "/v1//functions", None);
        check(&Method::PATCH, "/v1/functions/a", None);
        check(&Method::POST, "/v1/invocations/bulk", Some("POST /v1/invocations/bulk"));
        check(&Method::POST, "/v1/invocations/a/cancel", Some("POST /v1/invocations/{id}/cancel"));
        check(&Method::PUT, "/v1/key-value/s/a/b//c", Some("PUT /v1/key-value/{store}/{*key}"));
        check(&Method::GET, "/v1/key-value/s/", None);
        check(&Method::PATCH, "/fn/a", Some("* /fn/{name}"));
        check(&Method::GET, "/fn/a/", Some("* /fn/{name}/"));
        check(&Method::GET, "/fn/~shop/a/b", Some("* /fn/{name}/{*path}"));
        check(&Method::GET, "/fn/", None);
    }

    #[test]
    fn a_name_is_unescaped_as_the_router_does() {
        for (uri, name) in [
            ("/v1/functions/%66", "f"),
            ("/v1/functions/a&b=c+d", "a&b=c+d"),
            ("/v1/functions/a%26b%2Fc?namespace=d", "a&b/c"),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(matched(&Method::GET, &uri).unwrap().name(), name, "{uri}");
        }
    }

    #[test]
    fn what_is_changed_is_noted_and_what_is_run_or_read_is_not() {
        for (method, uri, is_change) in [
            (Method::PUT, "/v1/functions/a", true),
            (Method::DELETE, "/v1/accounts/a", true),
            (Method::PUT, "/v1/runtime", true),
            (Method::DELETE, "/v1/queues/invocations", true),
            (Method::PUT, "/v1/functions/invocations", true),
            (Method::PUT, "/v1/functions/a/aliases/invocations", true),
            (Method::POST, "/v1/queues/a/purge", true),
            (Method::POST, "/v1/queues/a/receive", false),
            (Method::POST, "/v1/functions/a/invocations", false),
            (Method::POST, "/fn/a", false),
            (Method::PUT, "/v1/key-value/s/k", false),
            (Method::GET, "/v1/accounts", false),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(matched(&method, &uri).unwrap().is_change(), is_change, "{method} {uri}");
            assert!(may_change(&method, &uri) || !is_change, "{method} {uri}");
        }
        assert!(!may_change(&Method::POST, &"/v1/functions/a/invocations?mode=async".parse().unwrap()));
    }
}
