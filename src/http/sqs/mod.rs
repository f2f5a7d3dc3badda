//! The SQS dialect: message queues for clients that were written for SQS. Two protocols, AWS JSON 1.0 and the older Query
//! with XML, become one call with one kind of input and output (`operations`); `json` and `query` are nothing but form.
//!
//! The account of a queue's URL and of its ARN stands for the namespace: `http://HOST/NAMESPACE/NAME`,
//! `arn:aws:sqs:local:NAMESPACE:NAME`. An account of twelve digits means `default`. Where a request names no queue (to
//! list, to create), the namespace is that of the endpoint: `http://HOST` is `default`, `http://HOST/shop` is `shop`.

mod error;
mod json;
mod md5;
mod names;
mod query;

mod attributes;
mod input;
mod messages;
mod operations;

pub(crate) mod fuzz;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use uuid::Uuid;

use super::body;
use super::dialect::Named;
use super::note::Note;
use super::problem::Problem;
use crate::access::Caller;
use crate::model::access::{Permission, Scope};
use crate::model::bounds;
use crate::model::message_queue::QueuePath;
use crate::model::names::Namespace;
use crate::runtime::Runtime;
use error::SqsError;
use input::Input;

/// Bytes of a request: a batch of messages in the longest form that a protocol gives them.
const MAX_REQUEST_BYTES: usize = 8 * bounds::MAX_MESSAGE_BATCH_BYTES;
/// What tells the operation of a JSON request: `AmazonSQS.SendMessage`.
const TARGET: &str = "x-amz-target";

/// Who asks, and for what.
struct Call<'a> {
    runtime: &'a Runtime,
    /// Where queues are that are named without a URL.
    namespace: Namespace,
    /// Where the client reached us, for the URLs of queues.
    base: String,
    /// Who asks.
    caller: Caller,
    /// Who sends, as receivers of messages are told.
    sender: Option<String>,
}

impl Call<'_> {
    /// Refuses what whoever asks may not do.
    fn check(&self, permission: Permission, on: &Scope) -> Result<(), SqsError> {
        self.runtime.access().allows(&self.caller, permission, on).map_err(SqsError::from)
    }
}

/// Which form the request has, and so the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Json,
    Query,
}

/// Answers a request of this dialect.
pub(super) async fn answer(runtime: Runtime, protocol: Protocol, request: Request) -> Response {
    let id = Uuid::new_v4();
    let (head, body) = request.into_parts();
    let answered = handled(&runtime, protocol, &head, body).await;
    let response = match (protocol, answered) {
        (Protocol::Json, Ok((_, output))) => json::answer(&output),
        (Protocol::Query, Ok((operation, output))) => query::answer(&operation, &output, id),
        (_, Err(error)) => return refused(protocol, &error, id),
    };
    with_id(response, id)
}

/// The refusal of a request that was not let in.
pub(super) fn refusal(protocol: Protocol, problem: Problem) -> Response {
    refused(protocol, &problem.into(), Uuid::new_v4())
}

fn refused(protocol: Protocol, error: &SqsError, id: Uuid) -> Response {
    let response = match protocol {
        Protocol::Json => json::refusal(error),
        Protocol::Query => query::refusal(error, id),
    };
    with_id(response, id)
}

fn with_id(mut response: Response, id: Uuid) -> Response {
    if let Ok(value) = id.to_string().parse() {
        response.headers_mut().insert("x-amzn-requestid", value);
    }
    response
}

/// The queue of an ARN, for other dialects that name queues so; or what is wrong with it.
pub(super) fn queue_of_arn(text: &str) -> Result<QueuePath, String> {
    names::of_arn(text).map_err(|error| error.message)
}

/// The ARN of a queue as Yandex Message Queue writes it.
pub(super) fn yandex_arn(path: &QueuePath) -> String {
    names::yandex_arn(path)
}

/// The form of a request of this dialect, as far as its head tells.
pub(super) fn protocol(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Protocol> {
    let mut segments = uri.path().split('/').filter(|segment| !segment.is_empty());
    // Our own paths are never a namespace's.
    let is_ours = segments.next().is_some_and(|first| matches!(first, "v1" | "v2" | "fn"));
    if method != Method::POST || is_ours || segments.count() > 1 {
        return None;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text(TARGET).starts_with(json::PREFIX) {
        return Some(Protocol::Json);
    }
    text(header::CONTENT_TYPE.as_str()).starts_with("application/x-www-form-urlencoded").then_some(Protocol::Query)
}

async fn handled(
    runtime: &Runtime,
    protocol: Protocol,
    head: &Parts,
    body: Body,
) -> Result<(String, serde_json::Value), SqsError> {
    let body = body::read(body, MAX_REQUEST_BYTES, "request").await?;
    let caller = sent_by(runtime, head);
    let sender = match &caller {
        Caller::Account(who) => Some(who.id.to_string()),
        Caller::Nobody | Caller::Trusted => None,
    };
    let (operation, input) = match protocol {
        Protocol::Json => json::read(&head.headers, &body)?,
        Protocol::Query => query::read(&head.uri, &body)?,
    };
    let namespace = names::endpoint(&head.uri)?;
    let (call, input) = (Call { runtime, namespace, base: names::base(head), caller, sender }, Input::new(&input));
    let note = noted(&call, &operation, &input);
    let output = operations::run(&call, &operation, &input).await;
    if let Some(note) = note {
        note.answered(output.as_ref().err().map_or(StatusCode::OK, |error| error.status)).await;
    }
    Ok((operation, output?))
}

/// What the audit log is told of an operation. What nobody in particular asks for is refused, and would fill the log.
fn noted(call: &Call<'_>, operation: &str, input: &Input<'_>) -> Option<Note> {
    let on = operations::changed(call, operation, input)?;
    let change = Named { action: format!("{}{operation}", json::PREFIX), on };
    (call.caller != Caller::Nobody).then(|| Note::new(call.runtime, &call.caller, change))
}

/// Who sends a request, as whoever let it in has found out.
fn sent_by(runtime: &Runtime, head: &Parts) -> Caller {
    let unasked = if runtime.authenticates() { Caller::Nobody } else { Caller::Trusted };
    head.extensions.get::<Caller>().cloned().unwrap_or(unasked)
}
