//! What the headers of an invocation ask for: when, how urgent, under which key, on whose behalf.

use std::time::Duration;

use axum::http::HeaderMap;

use super::query::{self, bad};
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::destination::{DestinationText, Outside, OutsideKind};
use crate::model::names::InvocationId;
use crate::model::place::Priority;
use crate::model::time::{Timestamp, When, parse_duration};

/// The invocations that led to a request that a function makes.
const CHAIN: &str = "tidemill-chain";
/// How long an asynchronous invocation is to wait before its first attempt.
const DELAY: &str = "tidemill-delay";
/// When its first attempt may start.
const RUN_AT: &str = "tidemill-run-at";
/// How urgent it is among those of its function.
const PRIORITY: &str = "tidemill-priority";
/// The caller's name for the request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Where the caller wants to be told of the outcome.
const CALLBACK: &str = "tidemill-callback-url";
/// Headers that are told to the function begin with this.
const ATTRIBUTE_PREFIX: &str = "tidemill-attribute-";

/// What can be asked of an invocation that waits in the queue, and of no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queueing {
    pub(super) when: When,
    pub(super) priority: Priority,
    pub(super) idempotency_key: Option<String>,
    pub(super) callback: Option<Outside>,
}

/// What is asked of an invocation that is to be queued.
pub(super) fn queueing(headers: &HeaderMap) -> Result<Queueing, Problem> {
    let priority = query::header(headers, PRIORITY)?.map(str::parse::<Priority>).transpose();
    Ok(Queueing {
        when: when(headers)?,
        priority: priority
            .map_err(|error| bad("bad_header", format!("Tidemill-Priority: {error}")))?
            .unwrap_or_default(),
        idempotency_key: query::header(headers, IDEMPOTENCY_KEY)?.map(ToOwned::to_owned),
        callback: query::header(headers, CALLBACK)?.map(callback).transpose()?,
    })
}

/// Refuses what has no meaning for a caller who waits. To ignore it would run a function twice, or too early.
pub(super) fn not_for_those_who_wait(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(IDEMPOTENCY_KEY) {
        let detail = "Idempotency-Key is honoured for asynchronous invocations only: \
                      leave it out, or add `Prefer: respond-async`";
        return Err(bad("idempotency_key_not_supported", detail.to_owned()));
    }
    not_for_requests(headers)
}

/// The same for a request that is the function's own, which may know an idempotency key by itself.
pub(super) fn not_for_requests(headers: &HeaderMap) -> Result<(), Problem> {
    match [DELAY, RUN_AT, PRIORITY, CALLBACK].into_iter().find(|name| headers.contains_key(*name)) {
        None => Ok(()),
        Some(name) => {
            let detail =
                format!("`{name}` is for asynchronous invocations: leave it out, or add `Prefer: respond-async`");
            Err(bad("asynchronous_only", detail))
        }
    }
}

fn callback(text: &str) -> Result<Outside, Problem> {
    match text.parse() {
        Ok(DestinationText::Outside(outside)) if outside.kind == OutsideKind::Webhook => Ok(outside),
        _ => Err(bad("bad_header", format!("Tidemill-Callback-Url is `{text}`: write `https://HOST/PATH`"))),
    }
}

fn when(headers: &HeaderMap) -> Result<When, Problem> {
    match (query::header(headers, DELAY)?, query::header(headers, RUN_AT)?) {
        (None, None) => Ok(When::Now),
        (Some(delay), None) => delay_of(delay).map(When::After),
        (None, Some(at)) => {
            Timestamp::parse(at).map(When::At).map_err(|error| bad("bad_header", format!("Tidemill-Run-At: {error}")))
        }
        (Some(_), Some(_)) => {
            Err(bad("bad_header", "Tidemill-Delay and Tidemill-Run-At say the same thing: send one of them".to_owned()))
        }
    }
}

fn delay_of(text: &str) -> Result<Duration, Problem> {
    let delay = parse_duration(text).map_err(|error| bad("bad_header", format!("Tidemill-Delay: {error}")))?;
    if delay > bounds::MAX_AHEAD {
        let (asked, most) = (delay.as_secs(), bounds::MAX_AHEAD.as_secs());
        return Err(bad("bad_range", format!("Tidemill-Delay is {asked} s: use up to {most} s (15 days)")));
    }
    Ok(delay)
}

/// The invocations that led here, as a function that calls on passes them along.
pub(in crate::http) fn chain(headers: &HeaderMap) -> Result<Vec<InvocationId>, Problem> {
    let text = query::header(headers, CHAIN)?.unwrap_or_default();
    text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(query::parsed).collect()
}

/// The headers that are meant for the function, without their prefix.
pub(super) fn attributes(headers: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let mut attributes = Vec::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(ATTRIBUTE_PREFIX) else { continue };
        let value = value.to_str().map_err(|_| bad("bad_header", format!("attribute `{name}` is no text")))?;
        attributes.push((name.to_owned(), value.to_owned()));
    }
    let bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    if attributes.len() > bounds::MAX_ATTRIBUTES || bytes > bounds::MAX_ATTRIBUTE_BYTES {
        let (count, limit) = (bounds::MAX_ATTRIBUTES, bounds::MAX_ATTRIBUTE_BYTES);
        return Err(bad("bad_range", format!("use at most {count} attributes of {limit} bytes in all")));
    }
    Ok(attributes)
}
