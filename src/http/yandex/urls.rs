//! The URLs of functions and containers, `/ID` and what stands behind it: whose one is. A function has no paths of its own, a
//! container has all of them.

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::{containers, invoke};
use crate::access::Caller;
use crate::http::problem::Problem;
use crate::model::access::{Permission, Scope};
use crate::model::names::FunctionId;
use crate::runtime::Runtime;

/// Characters of an id as it is written in a URL: other forms of it may be names of namespaces.
const ID_CHARACTERS: usize = 36;

/// Whether a path begins with an id, as those of URLs do.
pub(in crate::http) fn is_url(path: &str) -> bool {
    split(path).is_some()
}

/// Whether everybody may call what this URL is of, so that what its callers show is for itself.
pub(in crate::http) fn is_for_everyone(runtime: &Runtime, uri: &Uri) -> bool {
    let function = split(uri.path()).and_then(|(id, _)| runtime.function_by_id(id));
    function.is_some_and(|function| {
        runtime.access().everyone_may(Permission::FunctionsInvoke, &Scope::function(&function.path))
    })
}

/// Answers a call; `None` where the request is none.
pub(super) async fn answer(runtime: &Runtime, request: Request) -> Result<Response, Request> {
    let Some((id, rest)) = split(request.uri().path()) else { return Err(request) };
    let function = runtime.function_by_id(id);
    if let Some(function) = function.filter(|function| containers::is_container(function)) {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let Ok(rest) = format!("{rest}{query}").parse::<Uri>() else { return Ok(nothing(request.uri())) };
        let unasked = if runtime.authenticates() { Caller::Nobody } else { Caller::Trusted };
        let caller = request.extensions().get::<Caller>().cloned().unwrap_or(unasked);
        return Ok(containers::call(runtime, &caller, &function, rest, request).await);
    }
    Ok(if rest == "/" { invoke::call(runtime, id, request).await } else { nothing(request.uri()) })
}

fn nothing(uri: &Uri) -> Response {
    let detail = format!("there is no container at `{}`", uri.path());
    invoke::refusal(&Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail))
}

/// The id, and the path behind it as it was sent.
fn split(path: &str) -> Option<(FunctionId, &str)> {
    let (id, rest) = path.strip_prefix('/')?.split_at_checked(ID_CHARACTERS)?;
    let rest = if rest.is_empty() { "/" } else { rest };
    Some((id.parse().ok()?, rest)).filter(|_| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_an_id_is_left_as_it_was_sent() {
        let id = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77";
        let path = |rest: &str| format!("/{id}{rest}");
        let read = |path: &str| split(path).map(|(_, rest)| rest.to_owned());
        assert_eq!(read(&path("")).as_deref(), Some("/"));
        assert_eq!(read(&path("/")).as_deref(), Some("/"));
        assert_eq!(read(&path("/a%20b//c")).as_deref(), Some("/a%20b//c"));
        let short = id.replace('-', "");
        for other in ["/", "/v1/functions", &path("x"), &format!("/{short}"), "/queue-of-somebody-that-is-36-long-xx"] {
            assert!(!is_url(other), "{other}");
        }
    }
}
