//! Reads a request's body within a size and without letting a silent client keep anything but its connection.

use axum::body::Body;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::problem::Problem;
use crate::model::bounds;

/// The whole body, at most `limit` bytes. `what` names it in the refusal.
pub(super) async fn read(body: Body, limit: usize, what: &str) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("the {what} has more than {limit} bytes, which is the limit");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).with("limit_bytes", limit)
    };
    // What the client announces is refused before it is sent.
    if http_body::Body::size_hint(&body).lower() > limit as u64 {
        return Err(too_large());
    }
    let mut body = body;
    let mut whole = BytesMut::new();
    loop {
        let piece = tokio::time::timeout(bounds::READ_TIMEOUT, body.frame()).await.map_err(|_| silent(what))?;
        let data = match piece {
            None => return Ok(whole.freeze()),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(), // trailers say nothing here
            Some(Err(error)) => return Err(broken(what, &error)),
        };
        if whole.len() + data.len() > limit {
            return Err(too_large());
        }
        whole.extend_from_slice(&data);
    }
}

fn silent(what: &str) -> Problem {
    let seconds = bounds::READ_TIMEOUT.as_secs();
    let detail = format!("no part of the {what} arrived for {seconds} s");
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail)
}

fn broken(what: &str, error: &axum::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "body_broken", format!("the {what} did not arrive whole: {error}"))
}
