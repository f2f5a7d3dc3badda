//! `/FUNCTION_ID`: a function's own URL. Without more the function gets an HTTP event and answers with one (`event`), with
//! `?integration=raw` the body and gives one, with `?integration=async` the body later. An `http` function gets the request
//! as it is.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use form_urlencoded::{Serializer, parse};
use serde_json::json;
use uuid::Uuid;

use super::event;
use super::functions::kept::Kept;
use super::functions::read::qualifier;
use crate::access::Caller;
use crate::engine::call::{Input, Reply, Request as GuestRequest};
use crate::http::body;
use crate::http::native::headers;
use crate::http::passing::{without_connection_headers, without_our_headers};
use crate::http::problem::{Problem, mark_fault};
use crate::model::access::{Permission, Scope};
use crate::model::bounds;
use crate::model::function::{Entrypoint, Function};
use crate::model::names::{FunctionId, InvocationId, Qualifier};
use crate::model::outcome::{Failure, FailureKind};
use crate::runtime::{Ask, Error, Runtime};

/// Which request an answer is to: the same as in the event, or the id of the invocation that was left to the queue.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Says that the function failed, and not we.
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-function-error");
/// Bytes of a request: that service's limit.
const MAX_REQUEST_BYTES: usize = 3 * 1_024 * 1_024 + 512 * 1_024;
/// What a function gets and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Integration {
    Async,
    Event,
    Raw,
}

/// What the query asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    integration: Integration,
    qualifier: Qualifier,
    /// The rest of the query, for functions that get the request as it is.
    rest: String,
}

/// The refusal of a request whose sender is not let in.
pub(in crate::http) fn refusal(problem: &Problem) -> Response {
    turned_away(problem, Uuid::new_v4())
}

/// Answers a request to a function's URL.
pub(in crate::http) async fn call(runtime: &Runtime, id: FunctionId, request: Request) -> Response {
    let request_id = Uuid::new_v4();
    let answered = called(runtime, id, request, request_id).await;
    let (mut response, accepted) = answered.unwrap_or_else(|response| (*response, None));
    let request_id = accepted.map_or_else(|| request_id.to_string(), |id| id.to_string());
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The answer, and the invocation that will give it later where that is what was asked for.
async fn called(
    runtime: &Runtime,
    id: FunctionId,
    request: Request,
    request_id: Uuid,
) -> Result<(Response, Option<InvocationId>), Box<Response>> {
    let no = |status: StatusCode, why: &str| Box::new(refused(status, why, request_id));
    let of_problem = |problem: Problem| Box::new(turned_away(&problem, request_id));
    let of_error = |error: Error| Box::new(failed(error, request_id));
    let (head, body) = request.into_parts();
    let unknown = || no(StatusCode::NOT_FOUND, &format!("there is no function `{id}`"));
    let function = runtime.function_by_id(id).filter(|it| Kept::of(it).container.is_none()).ok_or_else(unknown)?;
    may_invoke(runtime, &head, &function).map_err(of_error)?;
    let wanted = wanted(head.uri.query()).map_err(|why| no(StatusCode::BAD_REQUEST, &why))?;
    let described = runtime.describe(&function.path, &wanted.qualifier).map_err(of_error)?;
    let limit = match wanted.integration {
        Integration::Async => bounds::MAX_ASYNC_PAYLOAD_BYTES,
        Integration::Event | Integration::Raw => MAX_REQUEST_BYTES,
    };
    let body = body::read(body, limit, "request").await.map_err(of_problem)?;
    let chain = headers::chain(&head.headers).map_err(of_problem)?;
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let is_http = described.version.entrypoint == Entrypoint::Http;
    let (input, content_type) = match wanted.integration {
        // The function has no use of headers that are gone by the time it runs.
        Integration::Async => (Input::Payload(body), String::new()),
        Integration::Event if is_http => (Input::Request(Box::new(passed_on(&head, &wanted, body))), String::new()),
        Integration::Event => {
            let event = event::of_request(&head, &body, request_id, runtime.now());
            (Input::Payload(Bytes::from(event.to_string())), "application/json".to_owned())
        }
        Integration::Raw => (Input::Payload(body), text(CONTENT_TYPE.as_str()).unwrap_or_default()),
    };
    let ask = Ask {
        content_type,
        traceparent: text("traceparent"),
        chain,
        ..Ask::now(function.path.clone(), wanted.qualifier, input)
    };
    if wanted.integration == Integration::Async {
        let accepted = runtime.accept(ask).await.map_err(of_error)?;
        return Ok((StatusCode::ACCEPTED.into_response(), Some(accepted.id)));
    }
    let reply = runtime.invoke(ask).await.map_err(of_error)?.reply;
    let response = match wanted.integration {
        Integration::Event if !is_http => event::to_response(&reply.body)
            .map_err(|why| Box::new(function_failed(StatusCode::BAD_GATEWAY, &why, "InvalidResponse")))?,
        Integration::Async | Integration::Event | Integration::Raw => given(reply),
    };
    Ok((response, None))
}

fn may_invoke(runtime: &Runtime, head: &Parts, function: &Arc<Function>) -> Result<(), Error> {
    let unasked = if runtime.authenticates() { Caller::Nobody } else { Caller::Trusted };
    let caller = head.extensions.get::<Caller>().cloned().unwrap_or(unasked);
    runtime.check(&caller, Permission::FunctionsInvoke, &Scope::function(&function.path))
}

fn wanted(query: Option<&str>) -> Result<Wanted, String> {
    let (mut integration, mut tag, mut rest) = (Integration::Event, Qualifier::Latest, Serializer::new(String::new()));
    for (name, value) in parse(query.unwrap_or_default().as_bytes()) {
        match (&*name, &*value) {
            ("integration", "raw") => integration = Integration::Raw,
            ("integration", "async") => integration = Integration::Async,
            ("integration", other) => {
                let other: String = other.chars().take(60).collect();
                return Err(format!("integration is `{other}`: use `raw` or `async`, or leave it out"));
            }
            ("tag", value) => tag = qualifier(value).map_err(|status| status.message().to_owned())?,
            (name, value) => drop(rest.append_pair(name, value)),
        }
    }
    Ok(Wanted { integration, qualifier: tag, rest: rest.finish() })
}

/// A request as an `http` function gets it.
fn passed_on(head: &Parts, wanted: &Wanted, body: Bytes) -> GuestRequest {
    let path = if wanted.rest.is_empty() { "/".to_owned() } else { format!("/?{}", wanted.rest) };
    let uri = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
    let headers = without_connection_headers(head.headers.clone());
    GuestRequest { method: head.method.clone(), uri, headers, body }
}

/// What a function gave, as it is.
fn given(reply: Reply) -> Response {
    let Reply { head, content_type, body } = reply;
    let mut response = body.into_response();
    if let Some((status, headers)) = head {
        *response.status_mut() = status;
        *response.headers_mut() = without_our_headers(without_connection_headers(headers));
    } else if let Ok(value) = HeaderValue::from_str(&content_type)
        && !content_type.is_empty()
    {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

/// Why there is nothing: the function's fault, or a refusal.
fn failed(error: Error, request_id: Uuid) -> Response {
    let wait = error.retry_after();
    let response = match error {
        Error::Function { answer: Some(reply), .. } => {
            let mut response = given(*reply);
            response.headers_mut().insert(FUNCTION_ERROR, HeaderValue::from_static("true"));
            response
        }
        Error::Function { failure: Failure { kind, message, .. }, .. } => {
            function_failed(status_of(kind), &message, kind.as_str())
        }
        other => {
            let problem = Problem::from(other);
            refused(problem.status(), problem.detail(), request_id)
        }
    };
    after(wait, response)
}

/// A refusal with when to come again.
fn turned_away(problem: &Problem, request_id: Uuid) -> Response {
    after(problem.wait(), refused(problem.status(), problem.detail(), request_id))
}

fn after(wait: Option<Duration>, mut response: Response) -> Response {
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}

const fn status_of(kind: FailureKind) -> StatusCode {
    match kind {
        FailureKind::AccessDenied => StatusCode::FORBIDDEN,
        FailureKind::Load => StatusCode::SERVICE_UNAVAILABLE,
        FailureKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        FailureKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        FailureKind::ExitCode(_)
        | FailureKind::HttpStatus(_)
        | FailureKind::Interrupted
        | FailureKind::OutOfFuel
        | FailureKind::OutOfMemory
        | FailureKind::Permanent
        | FailureKind::ResponseTooLarge
        | FailureKind::Retryable
        | FailureKind::StackOverflow
        | FailureKind::TableTooLarge
        | FailureKind::TooManyHandles
        | FailureKind::TooManyInstances
        | FailureKind::Trap => StatusCode::BAD_GATEWAY,
    }
}

/// A failure in the function's code, as that service tells it.
fn function_failed(status: StatusCode, message: &str, kind: &str) -> Response {
    let body = json!({ "errorMessage": message, "errorType": kind, "stackTrace": [] });
    let mut response = (status, axum::Json(body)).into_response();
    response.headers_mut().insert(FUNCTION_ERROR, HeaderValue::from_static("true"));
    response
}

/// A refusal of ours.
fn refused(status: StatusCode, why: &str, request_id: Uuid) -> Response {
    let kind = if status.is_client_error() { "ClientError" } else { "ServerError" };
    let body = json!({ "errorCode": status.as_u16(), "errorMessage": why, "errorType": kind });
    let mut response = (status, axum::Json(body)).into_response();
    mark_fault(&mut response);
    if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_says_what_the_function_gets_and_which_version_it_is() {
        let read = |query| wanted(Some(query)).map(|it| (it.integration, it.qualifier.to_string(), it.rest));
        assert_eq!(read(""), Ok((Integration::Event, "latest".to_owned(), String::new())));
        assert_eq!(read("integration=raw&a=1"), Ok((Integration::Raw, "latest".to_owned(), "a=1".to_owned())));
        assert_eq!(read("integration=async&tag=prod"), Ok((Integration::Async, "prod".to_owned(), String::new())));
        assert_eq!(read("tag=%24latest"), Ok((Integration::Event, "latest".to_owned(), String::new())));
        assert!(read("integration=later").unwrap_err().contains("`later`"));
        assert!(read("tag=9").unwrap_err().contains("tag: "));
    }
}
