//! An invocation as it is answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use super::deliveries::DeliveryOut;
use super::openapi::values;
use super::usage_json::UsageOut;
use crate::model::bounds;
use crate::model::invocation::{Attempt, Invocation, Mode, PayloadInfo, State};
use crate::model::names::{Edge, InvocationId, VersionNumber};
use crate::model::place::Priority;
use crate::model::status::Status;
use crate::model::time::whole_ms;
use crate::runtime::Wanted;

/// An invocation as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invocation)]
pub(super) struct InvocationOut {
    id: String,
    function: String,
    namespace: String,
    #[schema(value_type = Option<u32>)]
    version: Option<VersionNumber>,
    /// `async` or `sync`.
    mode: &'static str,
    #[schema(schema_with = values::status)]
    status: Status,
    /// Empty on success and before it has settled; otherwise why there is no result.
    condition: &'static str,
    #[schema(format = DateTime)]
    accepted_at: String,
    #[schema(schema_with = values::priority)]
    priority: Priority,
    /// When it may run at the earliest, where its caller asked for a time.
    #[schema(format = DateTime)]
    run_at: Option<String>,
    /// When its next attempt may start.
    #[schema(format = DateTime)]
    due_at: Option<String>,
    /// No attempt starts after it.
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    settled_at: Option<String>,
    attempts: Vec<AttemptOut>,
    /// Of its outcome to its destination: `none`, `pending`, `delivered` or `dead`.
    delivery: &'static str,
    deliveries: Vec<DeliveryOut>,
    /// It failed, and nothing was told of it.
    dead_letter: bool,
    /// The invocations that led to it, from the root on.
    chain: Vec<String>,
    hop: u32,
    /// The invocation that it repeats.
    retry_of: Option<String>,
    next: Option<NextOut>,
    traceparent: Option<String>,
    payload: PayloadOut,
    result: Option<ResultOut>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
struct AttemptOut {
    number: u32,
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    duration_ms: Option<u64>,
    error: Option<ErrorOut>,
    #[schema(format = DateTime)]
    retry_at: Option<String>,
    usage: Option<UsageOut>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AttemptError)]
struct ErrorOut {
    kind: &'static str,
    message: String,
}

/// The invocation that this one caused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NextInvocation)]
struct NextOut {
    id: String,
    function: String,
    on: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payload)]
struct PayloadOut {
    bytes: u64,
    content_type: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Result)]
struct ResultOut {
    bytes: u64,
    content_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    body: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<bool>,
}

impl InvocationOut {
    /// `result` is what it gave, where that is to be shown with it.
    pub(super) fn of(invocation: &Invocation, result: Option<&[u8]>) -> Self {
        let (outcome, settled_at) = invocation.outcome().unzip();
        let due = if let State::Queued { due, .. } = &invocation.state { Some(due) } else { None };
        Self {
            id: invocation.id.to_string(),
            function: invocation.target.path.name.to_string(),
            namespace: invocation.target.path.namespace.to_string(),
            version: invocation.target.version,
            mode: match invocation.mode {
                Mode::Async => "async",
                Mode::Sync => "sync",
            },
            status: Status::of(invocation),
            condition: outcome.map_or("", |outcome| outcome.condition()),
            accepted_at: invocation.accepted.to_string(),
            priority: invocation.priority,
            run_at: Some(invocation.first_due).filter(|at| *at > invocation.accepted).map(|at| at.to_string()),
            due_at: due.map(ToString::to_string),
            expires_at: invocation.expires().to_string(),
            settled_at: settled_at.map(|at| at.to_string()),
            attempts: invocation.attempts.iter().map(AttemptOut::of).collect(),
            delivery: delivery(invocation),
            deliveries: deliveries(invocation),
            dead_letter: invocation.is_dead_letter(),
            chain: invocation.lineage.chain.iter().map(InvocationId::to_string).collect(),
            hop: invocation.lineage.hop(),
            retry_of: invocation.lineage.retry_of.map(|id| id.to_string()),
            next: next(invocation),
            traceparent: invocation.request.traceparent.clone(),
            payload: PayloadOut::of(&invocation.request.payload),
            result: invocation.result.as_ref().map(|info| ResultOut::of(info, result)),
        }
    }
}

impl AttemptOut {
    fn of(attempt: &Attempt) -> Self {
        let end = attempt.end.as_ref();
        let failure = end.and_then(|end| end.failure.as_ref());
        Self {
            number: attempt.number.get(),
            started_at: attempt.started.to_string(),
            ended_at: end.map(|end| end.at.to_string()),
            duration_ms: end.map(|end| whole_ms(end.at.since(attempt.started))),
            error: failure.map(|failure| ErrorOut { kind: failure.kind.as_str(), message: failure.message.clone() }),
            retry_at: end.and_then(|end| end.retry_at).map(|at| at.to_string()),
            usage: end.and_then(|end| end.usage).map(UsageOut::of),
        }
    }
}

impl PayloadOut {
    fn of(info: &PayloadInfo) -> Self {
        Self { bytes: info.bytes, content_type: info.content_type.clone() }
    }
}

impl ResultOut {
    /// JSON is embedded as it stands, other text as a string, other bytes as base64; what is large is left out
    /// and can be had by itself. Without `result` only the facts about it are told.
    fn of(info: &PayloadInfo, result: Option<&[u8]>) -> Self {
        let (bytes, content_type) = (info.bytes, info.content_type.clone());
        let facts = Self { bytes, content_type, body: None, encoding: None, omitted: None };
        match result.map(|result| (result, std::str::from_utf8(result))) {
            None => facts,
            Some((result, _)) if result.len() as u64 != bytes || result.len() > bounds::MAX_RECORD_PAYLOAD_BYTES => {
                Self { omitted: Some(true), ..facts }
            }
            Some((_, Ok(text))) => {
                let body = RawValue::from_string(text.to_owned()).or_else(|_| to_raw_value(text)).ok();
                Self { body, ..facts }
            }
            Some((result, Err(_))) => {
                Self { body: to_raw_value(&STANDARD.encode(result)).ok(), encoding: Some("base64"), ..facts }
            }
        }
    }
}

/// What has not been brought out of the runtime: on its way, or given up.
fn deliveries(invocation: &Invocation) -> Vec<DeliveryOut> {
    let all = Wanted::default().of(invocation);
    all.iter().map(|undone| DeliveryOut::of(undone.invocation, undone.state, &undone.delivery)).collect()
}

fn delivery(invocation: &Invocation) -> &'static str {
    let outcome = invocation.outcome().map(|(outcome, _)| outcome).filter(|outcome| outcome.is_passed_on());
    let destination = outcome.is_some_and(|outcome| invocation.policy.config.destinations.of(outcome).is_some());
    match &invocation.state {
        State::Delivering { .. } => "pending",
        State::Done { undelivered, .. } if !undelivered.is_empty() => "dead",
        State::Done { .. } if destination || invocation.policy.callback.is_some() => "delivered",
        State::Queued { .. } | State::Running { .. } | State::Done { .. } => "none",
    }
}

fn next(invocation: &Invocation) -> Option<NextOut> {
    let (edge, target) = invocation.leads_to()?;
    let on = match edge {
        Edge::OnSuccess => "success",
        Edge::OnFailure => "failure",
    };
    Some(NextOut { id: invocation.id.next(edge).to_string(), function: target.path.to_string(), on })
}
