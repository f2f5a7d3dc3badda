//! Errors as they are sent: RFC 9457 problem details with a stable `code`, the `effect` and whose `fault` it was.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Says whose fault a failed answer is, also where its body is the function's own.
pub(super) const FAULT_HEADER: HeaderName = HeaderName::from_static("tidemill-fault");

/// Whether anything happened: what a caller must know before trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// It may or may not have.
    Unknown,
}

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Whoever sent the request.
    Caller,
    /// The function's.
    Function,
    /// Ours.
    Platform,
}

impl Fault {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Function => "function",
            Self::Platform => "platform",
        }
    }
}

/// What is wrong with what a request shows of its sender, for dialects that have a name for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unproven {
    /// It cannot be read, or lacks something.
    Incomplete,
    /// There is no such token or key, or no longer.
    Unknown,
    /// It was signed for another time.
    Untimely,
    /// It was signed with another secret, or is not what was signed.
    Wrong,
}

/// An error on its way out. Starts as the caller's fault without effect, which most are.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    effect: Effect,
    fault: Fault,
    retry_after: Option<Duration>,
    unproven: Option<Unproven>,
    more: Vec<(&'static str, Value)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: String) -> Self {
        debug_assert!(status.is_client_error() || status.is_server_error(), "a problem is no success");
        let (effect, fault) = (Effect::None, Fault::Caller);
        Self { status, code, detail, effect, fault, retry_after: None, unproven: None, more: Vec::new() }
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) const fn code(&self) -> &'static str {
        self.code
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// How long to wait before trying again, where that is known.
    pub(super) const fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What is wrong with what the sender showed, where that is the problem.
    pub(super) const fn unproven(&self) -> Option<Unproven> {
        self.unproven
    }

    /// The refusal of somebody who did not show who they are.
    pub(super) fn unauthenticated(what: Unproven, detail: String) -> Self {
        Self { unproven: Some(what), ..Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail) }
    }

    pub(super) fn effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    pub(super) fn fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    pub(super) fn retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// Adds a member of this problem's own.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more.push((name, value.into()));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let effect = match self.effect {
            Effect::None => "none",
            Effect::Unknown => "unknown",
        };
        let mut body = json!({
            "type": format!("urn:tidemill:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
            "effect": effect,
            "fault": self.fault.as_str(),
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(FAULT_HEADER, HeaderValue::from_static(self.fault.as_str()));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tidemill\""));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
        }
        response
    }
}

/// Says of a refusal in another form than [`Problem`]'s that it is the caller's fault, so that a connection whose request was
/// not read to its end is closed.
pub(super) fn mark_fault(response: &mut Response) {
    let fault = if response.status().is_client_error() { Fault::Caller } else { Fault::Platform };
    response.headers_mut().insert(FAULT_HEADER, HeaderValue::from_static(fault.as_str()));
}

/// Whole seconds, rounded up: `Retry-After` knows nothing smaller, and too early is of no use.
pub(super) fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
