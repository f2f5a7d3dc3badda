//! Reads a request's body within a size and without letting a silent client keep anything but its connection; and
//! what nobody read of it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    let (mut only, mut whole) = (Bytes::new(), BytesMut::new());
    loop {
        let piece = tokio::time::timeout(bounds::READ_TIMEOUT, body.frame()).await.map_err(|_| silent(what))?;
        let data = match piece {
            None if whole.is_empty() => return Ok(only), // as nearly all: nothing is copied
            None => return Ok(whole.freeze()),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(), // trailers say nothing here
            Some(Err(error)) => return Err(broken(what, &error)),
        };
        if only.len() + whole.len() + data.len() > limit {
            return Err(too_large());
        }
        if only.is_empty() && whole.is_empty() {
            only = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut only));
            whole.extend_from_slice(&data);
        }
    }
}

/// Room in memory for bodies that are read whole. All clones are the same.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// Bytes that one permit of a [`Room`] stands for.
const UNIT: usize = 1_024;

impl Room {
    /// For bodies of so many bytes in all.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// Takes what a body may need that has at most `limit` bytes, until that is dropped; `None` while there is not as much.
    pub(super) fn take(&self, body: &Body, limit: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = body.size_hint().upper().unwrap_or(u64::MAX).min(limit as u64);
        let units = u32::try_from(bytes.div_ceil(UNIT as u64).max(1)).unwrap_or(u32::MAX);
        self.0.clone().try_acquire_many_owned(units).ok()
    }
}

/// A body that can still be read to its end when whoever was to read it has not.
#[derive(Clone)]
pub(super) struct Rest(Arc<Mutex<Left>>);

/// What is left of a body.
struct Left {
    body: Body,
    /// Nothing is: its end was met. A body that broke off has none.
    ended: bool,
}

/// How long a client that was refused may go on sending. One whose connection is closed in the middle of that
/// sees a broken connection instead of the refusal.
const LINGER: Duration = Duration::from_secs(1);

impl Rest {
    /// The same body, and what is left of it later.
    pub(super) fn of(body: Body) -> (Body, Self) {
        let rest = Self(Arc::new(Mutex::new(Left { body, ended: false })));
        (Body::new(rest.clone()), rest)
    }

    /// Whether it was read to its end, as far as is known.
    pub(super) fn was_read(&self) -> bool {
        let left = self.left();
        left.ended || left.body.is_end_stream()
    }

    /// Reads what is left, for a moment, and throws it away.
    pub(super) async fn drain(mut self) {
        let end = async { while let Some(Ok(_)) = self.frame().await {} };
        let _ = tokio::time::timeout(LINGER, end).await;
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for Rest {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut left = self.left();
        let frame = Pin::new(&mut left.body).poll_frame(context);
        left.ended |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.left().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left().body.size_hint()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_takes_the_room_that_it_says_or_may_need_until_it_is_done_with() {
        let room = Room::new(8 * UNIT);
        let unknown = || Body::from_stream(futures::stream::empty::<Result<Bytes, axum::Error>>());
        let small = room.take(&Body::from(vec![0; UNIT + 1]), 8 * UNIT).unwrap();
        assert!(room.take(&unknown(), 8 * UNIT).is_none());
        let large = room.take(&unknown(), 6 * UNIT).unwrap();
        assert!(room.take(&Body::empty(), 8 * UNIT).is_none());
        drop((small, large));
        assert!(room.take(&unknown(), 8 * UNIT).is_some());
    }
}
