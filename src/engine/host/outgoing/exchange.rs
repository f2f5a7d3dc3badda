//! One request and its response over an open connection, in HTTP/1.1. What is in flight is bounded: a chunk of the
//! guest's, a chunk for the guest, and the buffers of the connection. A connection is used once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::OptionFuture;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep, timeout, timeout_at};
use wasmtime_wasi_http::{Error, WasiBody};

use super::{Patience, Permits, Transfer, Unsent};
use crate::model::bounds;

/// Sends `request` over `stream` and waits for the response's head. The future that comes with it carries the rest of
/// both bodies, and gives `permits` back when it ends or is dropped.
pub(super) async fn exchange<S>(
    stream: S,
    request: Request<WasiBody>,
    patience: Patience,
    permits: Permits,
) -> Result<(Response<WasiBody>, Transfer), Unsent>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let greeted = Builder::new().max_buf_size(bounds::MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = greeted.map_err(|error| broken(&error))?;
    let mut connection = Some(Box::pin(connection));
    let answered = async {
        let answer = sender.send_request(request);
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            Some(ended) = OptionFuture::from(connection.as_mut()) => {
                connection = None; // after which there is an answer, or there is none
                // A server that hangs up badly may have answered well.
                answer.await.map_err(|error| ended.err().unwrap_or(error))
            }
        }
    };
    let response = match timeout(patience.first_byte, answered).await {
        Ok(answered) => answered.map_err(|error| broken(&error))?,
        Err(_elapsed) => {
            let why = format!("it was not answered within {:?}", patience.first_byte);
            return Err(Unsent::new(Error::ConnectionReadTimeout, why));
        }
    };
    let between = patience.between_bytes;
    let response = response.map(|incoming| Received { incoming, between, waiting: None }.boxed_unsync());
    let transfer = async move {
        let _permits = permits;
        if let Some(connection) = connection {
            // How the body ends is told by the body.
            drop(timeout_at(patience.until, connection).await);
        }
        Ok(())
    };
    Ok((response, Box::new(transfer)))
}

/// The body of a response. It fails when nothing comes for too long while the guest waits; a guest that takes its time
/// is no server that does.
struct Received {
    incoming: Incoming,
    between: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| broken(&error).code)));
        }
        let between = self.between;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(between)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

fn broken(error: &hyper::Error) -> Unsent {
    let code = if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Error::HttpResponseIncomplete
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_parse() {
        Error::HttpProtocolError
    } else if error.is_user() {
        Error::HttpRequestBodySize(None) // the only thing that a guest can get wrong after its head was taken
    } else {
        Error::ConnectionTerminated
    };
    Unsent::new(code, format!("the exchange broke off: {error}"))
}
