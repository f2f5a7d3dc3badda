//! The URLs of functions and containers, `/ID/...`: whose one is, and what stands behind the id.

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::containers;
use crate::access::Caller;
use crate::http::problem::Problem;
use crate::model::names::FunctionId;
use crate::runtime::Runtime;

/// Length of an id as it is written.
const ID: usize = 36;

/// Whether a path begins with the id of something that could be called.
pub(in crate::http) fn is_url(uri: &Uri) -> bool {
    split(uri).is_some()
}

/// The refusal of a call whose sender is not let in.
pub(in crate::http) fn refused_call(problem: &Problem) -> Response {
    containers::refused(problem)
}

/// Answers a call.
pub(in crate::http) async fn call(runtime: &Runtime, request: Request) -> Response {
    let unasked = if runtime.authenticates() { Caller::Nobody } else { Caller::Trusted };
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or(unasked);
    let found = split(request.uri()).and_then(|(id, rest)| Some((runtime.function_by_id(id)?, rest)));
    match found {
        Some((function, rest)) if containers::is_container(&function) => {
            containers::call(runtime, &caller, &function, rest, request).await
        }
        _ => {
            let detail = format!("nothing is called at `{}`", request.uri().path());
            refused_call(&Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail))
        }
    }
}

/// The id, and path and query behind it as they were sent.
fn split(uri: &Uri) -> Option<(FunctionId, Uri)> {
    let path = uri.path().strip_prefix('/')?;
    let (id, rest) = path.split_at_checked(ID)?;
    if !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    let rest = if rest.is_empty() { "/" } else { rest };
    let rest = uri.query().map_or_else(|| rest.parse(), |query| format!("{rest}?{query}").parse());
    Some((id.parse().ok()?, rest.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_an_id_is_left_as_it_was_sent() {
        let id = "0197a3b2-0000-7000-8000-000000000001";
        let read = |rest: &str| split(&format!("/{id}{rest}").parse().unwrap()).map(|(_, rest)| rest.to_string());
        assert_eq!(read("").as_deref(), Some("/"));
        assert_eq!(read("/").as_deref(), Some("/"));
        assert_eq!(read("/a%20b//c?d=e&f").as_deref(), Some("/a%20b//c?d=e&f"));
        assert_eq!(read("?a=b").as_deref(), Some("/?a=b"));
        assert_eq!(read("x"), None);
        for other in
            ["/", "/v1/functions", "/0197a3b2000070008000000000000001", "/not-an-id-not-an-id-not-an-id-not-an/x"]
        {
            assert!(!is_url(&other.parse().unwrap()), "{other}");
        }
    }
}
