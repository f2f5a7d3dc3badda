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
use tokio::time::{Instant, timeout, timeout_at};

use super::{Allowed, Cause, Outbound, Peer, Unsent};
use crate::model::bounds;
use crate::model::grant::Scheme;

/// Bytes of an answer's body that are read so that the other side can end well; it learns nothing from less.
const MAX_READ: usize = 64 * 1_024;
/// For how long it is read.
const DRAIN: Duration = Duration::from_secs(1);

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
}

impl Outbound {
    /// Sends `request` where its URI leads, and returns what the other side says, whose head has to be here within
    /// `patience`.
    pub async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        allowed: &Allowed,
        patience: Duration,
    ) -> Result<Answer, Unsent> {
        let until = Instant::now() + patience;
        let peer = Peer::of(request.uri())?;
        let host = HeaderValue::try_from(peer.authority());
        let host = host.map_err(|error| Unsent::new(Cause::InvalidUri, error.to_string()))?;
        request.headers_mut().insert(HOST, host);
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(path);
        let stream = self.connect(&peer, |address| allowed.permits(&peer, address), patience).await?;
        let left = until.saturating_duration_since(Instant::now());
        let answer = match peer.scheme {
            Scheme::Http => exchange(stream, request, until).await?,
            Scheme::Https => exchange(self.greet(&peer, stream, left).await?, request, until).await?,
        };
        answer.ok_or_else(|| Unsent::new(Cause::NotAnswered, format!("it was not answered within {patience:?}")))
    }
}

/// `None` where nothing is answered until then.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, until: Instant) -> Result<Option<Answer>, Unsent>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let greeted = Builder::new().max_buf_size(bounds::MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = greeted.map_err(|error| broken(&error))?;
    let answered = async {
        let Ok(answer) = timeout_at(until, sender.send_request(request)).await else { return Ok(None) };
        let (head, body) = answer?.into_parts();
        // How it ends is nobody's concern: the status has been said.
        drop(timeout(DRAIN, drain(body)).await);
        Ok(Some(Answer { status: head.status.as_u16(), headers: head.headers }))
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// What is made of a server that takes a request, writes this and then neither says more nor hangs up.
    async fn sent_to(says: &str) -> Result<Answer, Unsent> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let request = Request::post(format!("http://{}/", listener.local_addr().unwrap()));
        let request = request.body(Full::default()).unwrap();
        let served = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(says.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        };
        let (outbound, allowed) = (Outbound::new(None).unwrap(), Allowed::of(&["127.0.0.1".to_owned()]).unwrap());
        tokio::select! {
            answer = outbound.send(request, &allowed, DRAIN / 2) => answer,
            () = served => unreachable!("it does not end"),
        }
    }

    #[tokio::test]
    async fn a_status_counts_also_where_the_body_behind_it_does_not_end() {
        let answer = sent_to("HTTP/1.1 410 Gone\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n").await;
        assert_eq!(answer.unwrap().status, 410);
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_has_not_answered() {
        let unsent = sent_to("").await.unwrap_err();
        assert_eq!((unsent.cause, unsent.why), (Cause::NotAnswered, "it was not answered within 500ms".to_owned()));
    }
}
