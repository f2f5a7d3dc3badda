//! Reads a request's body within a size, and within the time that even a slow client needs for it; and what nobody read of
//! it. How much room all bodies take is `room`'s business.

use std::error::Error as _;
use std::iter::successors;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep_until};

use super::problem::Problem;
use super::room::{NoRoom, Room, Taken};
use crate::model::bounds;
use crate::tasks::Held;

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
    let mut body = Paced::new(body);
    let (mut only, mut whole) = (Bytes::new(), BytesMut::new());
    loop {
        let data = match body.frame().await {
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

/// When the next piece of a body must be there, of which so much has arrived since it was `begun`.
fn next_by(begun: Instant, arrived: usize) -> Instant {
    let earned = Duration::from_secs((arrived / bounds::MIN_BODY_RATE) as u64);
    (Instant::now() + bounds::READ_TIMEOUT).min(begun + bounds::READ_TIMEOUT + earned)
}

/// Why a body could not be read, if that is an error of this kind.
pub(super) fn cause<E: std::error::Error + 'static>(error: &axum::Error) -> Option<String> {
    let mut causes = successors(error.source(), |error| (*error).source());
    causes.find(|cause| cause.is::<E>()).map(ToString::to_string)
}

/// A body whose sender keeps up: it ends with [`Late`] when it pauses for too long, or arrives too slowly.
pub(super) struct Paced {
    body: Body,
    begun: Instant,
    arrived: usize,
    /// When the piece that is waited for must be there.
    end: Option<Pin<Box<Sleep>>>,
}

/// A body arrives too slowly.
#[derive(Debug, thiserror::Error)]
#[error(
    "arrives too slowly, {0} bytes so far: it may pause for {pause} s, and take {pause} s and one more for each {rate} bytes",
    pause = bounds::READ_TIMEOUT.as_secs(),
    rate = bounds::MIN_BODY_RATE
)]
pub(super) struct Late(usize);

impl Paced {
    /// Its time begins now.
    pub(super) fn new(body: Body) -> Self {
        Self { body, begun: Instant::now(), arrived: 0, end: None }
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.arrived += data_bytes(frame.as_ref());
            self.end = None;
            return Poll::Ready(frame);
        }
        let (begun, arrived) = (self.begun, self.arrived);
        let end = self.end.get_or_insert_with(|| Box::pin(sleep_until(next_by(begun, arrived))));
        ready!(end.as_mut().poll(context));
        Poll::Ready(Some(Err(axum::Error::new(Late(arrived)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn data_bytes(frame: Option<&Result<Frame<Bytes>, axum::Error>>) -> usize {
    frame.and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len)
}

/// A body that can still be read to its end when whoever was to read it has not.
#[derive(Clone)]
pub(super) struct Rest(Arc<Mutex<Left>>);

/// What is left of a body.
struct Left {
    body: Body,
    /// What has arrived takes room until the request is answered and all that it began has ended, for until then somebody
    /// may hold it.
    taken: Arc<Taken>,
    /// Nothing is: its end was met. A body that broke off has none.
    ended: bool,
}

/// How long a client that was refused may go on sending. One whose connection is closed in the middle of that
/// sees a broken connection instead of the refusal.
const LINGER: Duration = Duration::from_secs(1);

impl Rest {
    /// The same body, which takes `room` as it arrives and for as long as either lives; and what is left of it later.
    pub(super) fn of(body: Body, room: &Room) -> (Body, Self) {
        let rest = Self(Arc::new(Mutex::new(Left { body, taken: Arc::new(room.taken()), ended: false })));
        (Body::new(rest.clone()), rest)
    }

    /// What it takes of its room, also what it has yet to take.
    pub(super) fn taken(&self) -> Held {
        self.left().taken.clone()
    }

    /// Whether it was read to its end, as far as is known.
    pub(super) fn was_read(&self) -> bool {
        let left = self.left();
        left.ended || left.body.is_end_stream()
    }

    /// Reads what is left, for a moment, and throws it away.
    pub(super) async fn drain(mut self) {
        self.left().taken = Arc::new(Taken::nothing()); // nobody keeps anything of that
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
        let frame = ready!(Pin::new(&mut left.body).poll_frame(context));
        left.ended |= frame.is_none();
        match left.taken.more(data_bytes(frame.as_ref())) {
            Ok(()) => Poll::Ready(frame),
            Err(no_room) => Poll::Ready(Some(Err(axum::Error::new(no_room)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left().body.size_hint()
    }
}

fn broken(what: &str, error: &axum::Error) -> Problem {
    if let Some(no_room) = cause::<NoRoom>(error) {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", no_room);
        return problem.retry_after(Some(Duration::from_secs(1)));
    }
    if let Some(late) = cause::<Late>(error) {
        return Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", format!("the {what} {late}"));
    }
    Problem::new(StatusCode::BAD_REQUEST, "body_broken", format!("the {what} did not arrive whole: {error}"))
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use futures::stream;

    use super::*;

    const PIECE: usize = 32 * 1_024;

    /// A body of so many pieces, each after a pause.
    fn slow(pieces: usize, bytes: usize, pause: Duration) -> Body {
        let piece = move |_| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, axum::Error>(Bytes::from(vec![0; bytes]))
        };
        Body::from_stream(stream::iter(0..pieces).then(piece))
    }

    async fn told(body: Body) -> Result<usize, (u16, &'static str)> {
        let read = read(body, 1_000 * PIECE, "payload").await;
        read.map(|whole| whole.len()).map_err(|problem| (problem.status().as_u16(), problem.code()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_arrive_slowly_but_not_drip() {
        assert_eq!(told(slow(100, PIECE, Duration::from_secs(2))).await, Ok(100 * PIECE));
        assert_eq!(told(slow(100, PIECE, Duration::from_secs(3))).await, Err((408, "body_timeout")));
        let nearly = bounds::READ_TIMEOUT * 9 / 10;
        assert_eq!(told(slow(2, 1, nearly)).await, Err((408, "body_timeout")));
        assert_eq!(told(slow(1, PIECE, bounds::READ_TIMEOUT * 2)).await, Err((408, "body_timeout")));
    }

    #[tokio::test]
    async fn a_body_takes_room_as_it_arrives_until_its_request_is_answered() {
        let room = Room::new(3 * PIECE);
        let body = |pieces| Rest::of(slow(pieces, PIECE, Duration::ZERO), &room);
        let ((unread, _), (read, answering)) = (body(4), body(2));
        assert_eq!(told(read).await, Ok(2 * PIECE));
        let (second, _) = body(2);
        let refused = super::read(second, 4 * PIECE, "payload").await.unwrap_err();
        assert_eq!((refused.code(), refused.wait()), ("overloaded", Some(Duration::from_secs(1))));
        assert_eq!(told(body(1).0).await, Ok(PIECE), "what was refused keeps nothing");
        drop((unread, answering));
        assert_eq!(told(body(3).0).await, Ok(3 * PIECE));
    }
}
