//! One request of the runtime's own, whole in memory, over a connection of its own. What the other side answers is told
//! by its head; the body is read, up to a bound, and not kept.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::{Allowed, Cause, Outbound, Peer, Unsent};
use crate::model::bounds;
use crate::model::grant::Scheme;

/// Bytes of an answer's body that are read so that the other side can end well; it learns nothing from less.
const MAX_READ: usize = 64 * 1_024;

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
}

impl Outbound {
    /// Sends `request` where its URI leads, and returns what the other side says, all within `patience`.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        allowed: &Allowed,
        patience: Duration,
    ) -> Result<Answer, Unsent> {
        let late = || Unsent::new(Cause::NotAnswered, format!("it was not answered within {patience:?}"));
        timeout(patience, self.sent(request, allowed, patience)).await.unwrap_or_else(|_elapsed| Err(late()))
    }

    async fn sent(
        &self,
        mut request: Request<Full<Bytes>>,
        allowed: &Allowed,
        patience: Duration,
    ) -> Result<Answer, Unsent> {
        let peer = Peer::of(request.uri())?;
        let host = HeaderValue::try_from(peer.authority());
        let host = host.map_err(|error| Unsent::new(Cause::InvalidUri, error.to_string()))?;
        request.headers_mut().insert(HOST, host);
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(path);
        let stream = self.connect(&peer, |address| allowed.permits(&peer, address), patience).await?;
        match peer.scheme {
            Scheme::Http => exchange(stream, request).await,
            Scheme::Https => exchange(self.greet(&peer, stream, patience).await?, request).await,
        }
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, Unsent>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let greeted = Builder::new().max_buf_size(bounds::MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = greeted.map_err(|error| broken(&error))?;
    let answered = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        drain(body).await;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers })
    };
    alongside(answered, connection).await.map_err(|error| broken(&error))
}

/// What `answered` comes to, while `connection` carries it.
async fn alongside<T>(
    answered: impl Future<Output = Result<T, hyper::Error>>,
    connection: impl Future<Output = Result<(), hyper::Error>>,
) -> Result<T, hyper::Error> {
    tokio::pin!(answered, connection);
    tokio::select! {
        biased;
        answer = &mut answered => answer,
        // After which there is an answer, or there is none; a server that hangs up badly may have answered well.
        ended = &mut connection => answered.await.map_err(|error| ended.err().unwrap_or(error)),
    }
}

/// How it ends is nobody's concern: the status has been said.
async fn drain(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MAX_READ {
            return;
        }
    }
}

fn broken(error: &hyper::Error) -> Unsent {
    Unsent::new(Cause::BrokenOff, format!("the exchange broke off: {error}"))
}
