//! A container's own URL, `/ID/...`: the request goes to the active revision as it is, whatever its method and path; and with
//! `X-Ycf-Container-Integration-Type: async` it waits in the queue, and is answered at once.

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::shown;
use crate::access::Caller;
use crate::engine::call::{Input, Reply, Request as Sent};
use crate::http::body;
use crate::http::passing::{without_connection_headers, without_our_headers};
use crate::http::problem::Problem;
use crate::model::access::{Permission, Scope};
use crate::model::bounds;
use crate::model::function::Function;
use crate::model::names::{InvocationId, Qualifier};
use crate::model::outcome::FailureKind;
use crate::runtime::{Answered, Ask, Error, Runtime};

/// How a container is called.
const INTEGRATION: &str = "x-ycf-container-integration-type";
/// Whose fault it was that a call failed.
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-function-error");
/// Which call an answer is of.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers a request to the URL of a container, of which `rest` is what stands behind the id.
pub(in crate::http::yandex) async fn call(
    runtime: &Runtime,
    caller: &Caller,
    function: &Function,
    rest: Uri,
    request: Request,
) -> Response {
    let answered = called(runtime, caller, function, rest, request).await;
    answered.unwrap_or_else(|problem| refused(&problem))
}

async fn called(
    runtime: &Runtime,
    caller: &Caller,
    function: &Function,
    rest: Uri,
    request: Request,
) -> Result<Response, Problem> {
    runtime.check(caller, Permission::FunctionsInvoke, &Scope::function(&function.path))?;
    let (head, body) = request.into_parts();
    let waits = waits(&head.headers)?;
    let limit = if waits { bounds::MAX_SYNC_PAYLOAD_BYTES } else { bounds::MAX_ASYNC_PAYLOAD_BYTES };
    let Some(active) = shown::active(function) else {
        let detail = format!("the container `{}` has no revision: deploy one first", function.path.name);
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_revision", detail));
    };
    let body = body::read(body, limit, "request").await?;
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (content_type, traceparent) = (text(CONTENT_TYPE.as_str()), text("traceparent"));
    let chain = text("tidemill-chain");
    let chain = chain.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::parse::<InvocationId>);
    let chain = chain.collect::<Result<_, _>>().map_err(|error| bad(format!("Tidemill-Chain: {error}")))?;
    let headers = without_connection_headers(head.headers);
    let input = Input::Request(Box::new(Sent { method: head.method, uri: rest, headers, body }));
    let ask = Ask {
        content_type,
        traceparent: Some(traceparent).filter(|traceparent| !traceparent.is_empty()),
        chain,
        ..Ask::now(function.path.clone(), Qualifier::Version(active), input)
    };
    if waits {
        return answer(runtime.invoke(ask).await);
    }
    let accepted = runtime.accept(ask).await?;
    Ok((StatusCode::ACCEPTED, [(REQUEST_ID, accepted.id.to_string())]).into_response())
}

/// Whether the caller waits for the answer.
fn waits(headers: &HeaderMap) -> Result<bool, Problem> {
    match headers.get(INTEGRATION).map(HeaderValue::as_bytes) {
        None => Ok(true),
        Some(kind) if kind.eq_ignore_ascii_case(b"async") => Ok(false),
        Some(kind) if kind.eq_ignore_ascii_case(b"sync") => Ok(true),
        Some(other) => {
            let told: String = String::from_utf8_lossy(other).chars().take(100).collect();
            Err(bad(format!("X-Ycf-Container-Integration-Type is `{told}`: write `async`, or leave it out")))
        }
    }
}

/// What the container answered, whatever its status is; or why it did not.
fn answer(answered: Result<Answered, Error>) -> Result<Response, Problem> {
    let (id, mut response) = match answered {
        Ok(Answered { id, reply, .. }) => (id, rendered(reply)),
        Err(Error::Function { id, answer: Some(reply), .. }) => (id, rendered(*reply)),
        Err(Error::Function { id, failure, .. }) => {
            let status = match failure.kind {
                FailureKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
                FailureKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
                FailureKind::Load => StatusCode::SERVICE_UNAVAILABLE,
                FailureKind::AccessDenied => StatusCode::FORBIDDEN,
                _ => StatusCode::BAD_GATEWAY,
            };
            let error =
                json!({ "errorMessage": failure.message, "errorType": failure.kind.as_str(), "stackTrace": [] });
            let mut response = (status, axum::Json(error)).into_response();
            response.headers_mut().insert(FUNCTION_ERROR, HeaderValue::from_static("true"));
            (id, response)
        }
        Err(error) => return Err(error.into()),
    };
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}

fn rendered(reply: Reply) -> Response {
    let Reply { head, body, .. } = reply;
    let mut response = body.into_response();
    if let Some((status, headers)) = head {
        *response.status_mut() = status;
        *response.headers_mut() = without_our_headers(without_connection_headers(headers));
    }
    response
}

/// A refusal in this dialect's form.
fn refused(problem: &Problem) -> Response {
    let status = problem.status();
    let kind = if status.is_server_error() { "ServerError" } else { "ClientError" };
    let error = json!({ "errorCode": status.as_u16(), "errorMessage": problem.detail(), "errorType": kind });
    let mut response = (status, axum::Json(error)).into_response();
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_header", detail)
}
