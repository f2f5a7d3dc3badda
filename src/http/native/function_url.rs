//! `/fn/{name}/...`: a function's own URL. An `http` function gets the request as it is, with the path behind
//! its name, and so does a command that answers as CGI has it; the others get the body as payload, and method, path and
//! query as attributes. With `Prefer: respond-async` the request waits in the queue, head and body, and is answered 202;
//! what only such a request can ask for is refused of the others.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use bytes::Bytes;

use super::headers::{self, Queueing, attributes, chain};
use super::invoke::{Wait, answer, answered, wait};
use super::query::{self, bad};
use crate::engine::call::{Input, Request};
use crate::http::body;
use crate::http::passing::without_connection_headers;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::names::{FunctionPath, Qualifier};
use crate::runtime::{Ask, Runtime};

/// What stands behind `/fn/`.
struct Addressed {
    path: FunctionPath,
    /// Path and query for the function.
    rest: Uri,
}

pub(super) async fn call(
    State(runtime): State<Runtime>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Addressed { path, rest } = addressed(&uri)?;
    let described = runtime.describe(&path, &Qualifier::Latest)?;
    let (waits, limit, queueing) = match wait(None, &headers)? {
        Wait::ForResult => {
            headers::not_for_requests(&headers)?;
            (true, bounds::MAX_SYNC_PAYLOAD_BYTES, Queueing::default())
        }
        Wait::ForAcceptance => (false, bounds::MAX_ASYNC_PAYLOAD_BYTES, headers::queueing(&headers)?),
    };
    let body = body::read(body, limit, "payload").await?;
    let (chain, asked) = (chain(&headers)?, attributes(&headers)?);
    let content_type = query::header(&headers, CONTENT_TYPE.as_str())?.unwrap_or_default().to_owned();
    let traceparent = query::header(&headers, "traceparent")?.map(ToOwned::to_owned);
    // What is true of the request stands before what its sender says.
    let mut attributes = Vec::new();
    let input = if described.version.answers_requests() {
        Input::Request(Box::new(request(method, rest, headers, body)))
    } else {
        attributes.extend(told(&method, &rest));
        Input::Payload(body)
    };
    attributes.extend(asked);
    // With the same key it is the same request, whatever was deployed meanwhile.
    let qualifier = if waits { Qualifier::Version(described.version.number) } else { Qualifier::Latest };
    let Queueing { when, priority, idempotency_key, callback } = queueing;
    let ask = Ask {
        path,
        qualifier,
        input,
        content_type,
        traceparent,
        attributes,
        chain,
        when,
        priority,
        idempotency_key,
        callback,
    };
    if waits {
        return Ok(answer(runtime.invoke(ask).await));
    }
    Ok(answered(&runtime, &runtime.accept(ask).await?).await)
}

fn request(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Request {
    Request { method, uri, headers: without_connection_headers(headers), body }
}

fn told(method: &Method, rest: &Uri) -> [(String, String); 3] {
    let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    [
        attribute("http-method", method.as_str()),
        attribute("http-path", rest.path()),
        attribute("http-query", rest.query().unwrap_or_default()),
    ]
}

/// The function that is meant.
pub(super) fn function(uri: &Uri) -> Result<FunctionPath, Problem> {
    Ok(addressed(uri)?.path)
}

/// Takes `/fn/NAME/...` or `/fn/~NAMESPACE/NAME/...` apart. By hand, for the path must reach the function as it
/// was sent, escapes and doubled slashes included.
fn addressed(uri: &Uri) -> Result<Addressed, Problem> {
    let behind = uri.path().strip_prefix("/fn/").unwrap_or_default();
    let (namespace, behind) = match behind.strip_prefix('~') {
        Some(named) => {
            let (namespace, behind) = named.split_once('/').unwrap_or((named, ""));
            (Some(namespace), behind)
        }
        None => (None, behind),
    };
    let (name, rest) = match behind.find('/') {
        Some(slash) => behind.split_at(slash),
        None => (behind, "/"),
    };
    let rest = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let rest = rest.parse().map_err(|error| bad("bad_path", format!("`{rest}` is not a path: {error}")))?;
    Ok(Addressed { path: query::path(namespace, name)?, rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, path: &str, rest: &str) {
        let addressed = addressed(&uri.parse().unwrap()).unwrap();
        assert_eq!((addressed.path.to_string().as_str(), addressed.rest.to_string().as_str()), (path, rest));
    }

    #[test]
    fn the_path_behind_the_name_reaches_the_function_as_it_was_sent() {
        check("/fn/a", "a", "/");
        check("/fn/a/", "a", "/");
        check("/fn/a/b//c%2Fd?q=1&r", "a", "/b//c%2Fd?q=1&r");
        check("/fn/~shop/a/b", "shop/a", "/b");
        assert!(addressed(&"/fn/~shop".parse().unwrap()).is_err());
        assert!(addressed(&"/fn/9".parse().unwrap()).is_err());
    }
}
