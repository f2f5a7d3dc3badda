//! An http function's response: read up to its bound, and judged by its status.

use std::fmt;

use bytes::BytesMut;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::Set;
use crate::clock::Clock;
use crate::engine::call::Reply;
use crate::engine::entrypoint::End;
use crate::engine::output::TooLarge;
use crate::model::bounds;
use crate::model::outcome::{Advice, Failure, FailureKind};
use crate::model::time::Timestamp;
use crate::outbound::retry_after;

/// What came of waiting for a response.
pub(super) enum Collected {
    /// The guest gave an error in its place, or broke the body off.
    Broken(String),
    /// All of it.
    Whole(Reply),
    /// The guest ended and had set none.
    Unset,
}

impl Collected {
    /// The guest gave this error.
    pub(super) fn error(code: &impl fmt::Debug) -> Self {
        Self::Broken(format!("the function answered with an error: {code:?}"))
    }
}

/// Waits for the response and reads it; an error only where it is too large, which ends the guest too.
pub(super) async fn collect(response: oneshot::Receiver<Set>, most: usize) -> wasmtime::Result<Collected> {
    match response.await {
        Ok(Ok(response)) => whole(response, most).await,
        Ok(Err(code)) => Ok(Collected::error(&code)),
        Err(_) => Ok(Collected::Unset),
    }
}

/// Reads a response that has begun.
pub(super) async fn whole(response: Response<HyperOutgoingBody>, most: usize) -> wasmtime::Result<Collected> {
    let (head, mut body) = response.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    Ok(match read(&mut body, most).await? {
        Ok(body) => {
            Collected::Whole(Reply { head: Some((head.status, head.headers)), content_type, body: body.freeze() })
        }
        Err(what) => Collected::Broken(format!("the function broke off its response: {what:?}")),
    })
}

async fn read(
    body: &mut HyperOutgoingBody,
    most: usize,
) -> wasmtime::Result<Result<BytesMut, wasmtime_wasi_http::Error>> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_trailers)) => continue,
            Err(error) => return Ok(Err(error)),
        };
        if bytes.len() + data.len() > most {
            return Err(TooLarge(most).into());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Ok(bytes))
}

/// Whether a response is a result or a failure.
pub(super) fn judge(collected: Collected) -> End {
    let reply = match collected {
        Collected::Whole(reply) => reply,
        Collected::Broken(what) => return Err(Failure::retry(FailureKind::HttpStatus(502), what)).into(),
        Collected::Unset => {
            let message = "the function returned without setting a response";
            return Err(Failure::retry(FailureKind::HttpStatus(502), message)).into();
        }
    };
    if let Some((status, _)) = reply.head.as_ref().filter(|(status, _)| status.is_informational()) {
        let message = format!("the function answered with status {status}, which ends no request");
        return Err(Failure::retry(FailureKind::HttpStatus(502), message)).into();
    }
    let now = || Clock::system().now(); // as the function's own clock shows it
    let advice = reply.head.as_ref().and_then(|(status, headers)| Some((*status, advice(*status, headers, now)?)));
    let Some((status, advice)) = advice else { return Ok(reply).into() };
    let message = format!("the function answered with status {status}{}", excerpt(&reply));
    let failure = Failure::new(FailureKind::HttpStatus(status.as_u16()), message, advice);
    End { end: Err(failure), answer: Some(reply) }
}

/// What a status says about another attempt; `None` where it is a success. What waits until a time is told waits from `now`
/// on, unless the response says when it was made.
fn advice(status: StatusCode, headers: &HeaderMap, now: impl FnOnce() -> Timestamp) -> Option<Advice> {
    let status = Some(status.as_u16()).filter(|status| *status >= 400)?;
    let pause = retry_after(headers, now()).map(|pause| pause.min(bounds::MAX_THROTTLE));
    Some(match (status, pause) {
        (429, Some(pause)) => Advice::Postpone(pause),
        (408 | 500.., Some(pause)) => Advice::RetryAfter(pause),
        (408 | 429 | 500.., None) => Advice::Retry,
        _ => Advice::GiveUp,
    })
}

/// The first line of a body of text, for the message.
fn excerpt(reply: &Reply) -> String {
    const SHOWN: usize = 200;
    let is_text = reply.content_type.starts_with("text/plain");
    let text = is_text.then(|| std::str::from_utf8(&reply.body).ok()).flatten().unwrap_or_default();
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() { String::new() } else { format!(": {}", &line[..line.floor_char_boundary(SHOWN)]) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(status: u16, retry_after: Option<&str>, expected: Option<Advice>) {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        }
        let advice = advice(StatusCode::from_u16(status).unwrap(), &headers, || {
            Timestamp::parse("2026-11-22T03:00:00Z").unwrap()
        });
        assert_eq!(advice, expected, "{status} {retry_after:?}");
    }

    #[test]
    fn a_status_says_whether_another_attempt_makes_sense() {
        let pause = Duration::from_secs(7);
        check(200, None, None);
        check(302, Some("7"), None);
        check(400, None, Some(Advice::GiveUp));
        check(404, Some("7"), Some(Advice::GiveUp));
        check(408, None, Some(Advice::Retry));
        check(408, Some("7"), Some(Advice::RetryAfter(pause)));
        check(429, None, Some(Advice::Retry));
        check(429, Some("7"), Some(Advice::Postpone(pause)));
        check(500, None, Some(Advice::Retry));
        check(503, Some("7"), Some(Advice::RetryAfter(pause)));
        check(503, Some("Sun, 22 Nov 2026 03:00:07 GMT"), Some(Advice::RetryAfter(pause)));
        check(429, Some("Sat, 21 Nov 2026 03:00:07 GMT"), Some(Advice::Postpone(Duration::ZERO)));
        check(503, Some("soon"), Some(Advice::Retry));
        check(429, Some("999999999"), Some(Advice::Postpone(bounds::MAX_THROTTLE)));
    }
}
