//! One request of the runtime's own, whole in memory, over a connection that an earlier one has left or over one of its
//! own. What the other side answers is told by its head; the body is read, up to a bound, and not kept.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::OptionFuture;
use http::header::{CONNECTION, HOST};
use http::response::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
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

/// What moves a connection's bytes.
type Driver = Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>;

/// A connection to where requests are sent, one after the other. It does nothing by itself: whoever exchanges something
/// over it drives it.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    driver: Option<Driver>,
    /// Where it leads.
    pub(super) address: IpAddr,
    /// When it was made.
    pub(super) since: Instant,
}

impl Outbound {
    /// Sends `request` where its URI leads, and returns what the other side says, whose head has to be here within
    /// `patience`. Where the other side has hung up on a connection that was kept, it is sent once more over a new one: so it
    /// may arrive twice, as it may when it is tried again.
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
        let kept = self.kept.take(&peer, |address| allowed.permits(&peer, address));
        let over_kept = match kept {
            Some(kept) => self.exchange(kept, &peer, request.clone(), until).await.ok(),
            None => None,
        };
        let answer = if let Some(answer) = over_kept {
            answer
        } else {
            let connection = self.open(&peer, allowed, until).await?;
            self.exchange(connection, &peer, request, until).await.map_err(|error| broken(&error))?
        };
        answer.ok_or_else(|| Unsent::new(Cause::NotAnswered, format!("it was not answered within {patience:?}")))
    }

    async fn open(&self, peer: &Peer, allowed: &Allowed, until: Instant) -> Result<Connection, Unsent> {
        let left = || until.saturating_duration_since(Instant::now());
        let stream = self.connect(peer, |address| allowed.permits(peer, address), left()).await?;
        let address = stream.peer_addr().map_err(|error| Unsent::new(Cause::BrokenOff, error.to_string()))?.ip();
        let connection = match peer.scheme {
            Scheme::Http => Connection::over(stream, address).await,
            Scheme::Https => Connection::over(self.greet(peer, stream, left()).await?, address).await,
        };
        connection.map_err(|error| broken(&error))
    }

    /// What the other side says, `None` where it says nothing until then. A connection that can be used again is kept.
    async fn exchange(
        &self,
        mut connection: Connection,
        peer: &Peer,
        request: Request<Full<Bytes>>,
        until: Instant,
    ) -> Result<Option<Answer>, hyper::Error> {
        let Some((head, is_whole)) = connection.exchange(request, until).await? else { return Ok(None) };
        if is_whole && is_kept(&head) && connection.is_ready().await {
            self.kept.put(peer.clone(), connection);
        }
        Ok(Some(Answer { status: head.status.as_u16(), headers: head.headers }))
    }
}

impl Connection {
    pub(super) async fn over<S>(stream: S, address: IpAddr) -> Result<Self, hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let greeted = Builder::new().max_buf_size(bounds::MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await;
        let (sender, driver) = greeted?;
        Ok(Self { sender, driver: Some(Box::pin(driver)), address, since: Instant::now() })
    }

    /// The head of the answer, and whether its body has ended; `None` where nothing is answered until then.
    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        until: Instant,
    ) -> Result<Option<(Parts, bool)>, hyper::Error> {
        let Self { sender, driver, .. } = self;
        let answered = async {
            let Ok(answer) = timeout_at(until, sender.send_request(request)).await else { return Ok(None) };
            let (head, body) = answer?.into_parts();
            // How it ends is nobody's concern but of who uses the connection next: the status has been said.
            let is_whole = timeout(DRAIN, drain(body)).await.unwrap_or(false);
            Ok(Some((head, is_whole)))
        };
        tokio::pin!(answered);
        tokio::select! {
            biased;
            answer = &mut answered => answer,
            // After which there is an answer, or there is none; a server that hangs up badly may have answered well.
            Some(ended) = OptionFuture::from(driver.as_mut()) => {
                *driver = None; // a request that it has not taken is told so, and does not wait any more
                answered.await.map_err(|error| ended.err().unwrap_or(error))
            }
        }
    }

    /// Whether another request may follow.
    async fn is_ready(&mut self) -> bool {
        let Self { sender, driver: Some(driver), .. } = self else { return false };
        let ready = async {
            tokio::select! {
                biased;
                ready = sender.ready() => ready.is_ok(),
                _ended = driver => false,
            }
        };
        timeout(DRAIN, ready).await.unwrap_or(false)
    }
}

/// Whether the other side leaves the connection open behind such an answer.
fn is_kept(head: &Parts) -> bool {
    let closes = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("close"));
    head.version == Version::HTTP_11 && !head.headers.get_all(CONNECTION).iter().any(closes)
}

/// Whether it has come to its end.
async fn drain(mut body: Incoming) -> bool {
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MAX_READ {
            return false;
        }
    }
    true
}

fn broken(error: &hyper::Error) -> Unsent {
    Unsent::new(Cause::BrokenOff, format!("the exchange broke off: {error}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    fn ours() -> (Outbound, Allowed) {
        (Outbound::new(None).unwrap(), Allowed::of(&["127.0.0.1".to_owned()]).unwrap())
    }

    fn request_to(listener: &TcpListener) -> Request<Full<Bytes>> {
        let request = Request::post(format!("http://{}/", listener.local_addr().unwrap()));
        request.body(Full::default()).unwrap()
    }

    /// Takes a request and answers it.
    async fn answer(stream: &mut TcpStream, says: &str) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(says.as_bytes()).await.unwrap();
    }

    /// What is made of a server that takes a request, writes this and then neither says more nor hangs up.
    async fn sent_to(says: &str) -> Result<Answer, Unsent> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let request = request_to(&listener);
        let served = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(says.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        };
        let (outbound, allowed) = ours();
        tokio::select! {
            answer = outbound.send(request, &allowed, DRAIN / 2) => answer,
            () = served => unreachable!("it does not end"),
        }
    }

    /// Over how many connections three requests come to a server that answers with this, and then hangs up or does not.
    async fn connections_of_three(says: &str, hangs_up: bool) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (outbound, allowed) = ours();
        let mut there: Vec<TcpStream> = Vec::new();
        for _ in 0..3 {
            if let Some(last) = there.last_mut().filter(|_| hangs_up) {
                last.shutdown().await.unwrap();
            }
            let sent = outbound.send(request_to(&listener), &allowed, Duration::from_secs(10));
            let served = async {
                match there.last_mut() {
                    Some(last) => tokio::select! {
                        biased;
                        new = listener.accept() => there.push(new.unwrap().0),
                        () = answer(last, says), if !hangs_up => return,
                    },
                    None => there.push(listener.accept().await.unwrap().0),
                }
                answer(there.last_mut().unwrap(), says).await;
            };
            let (sent, ()) = tokio::join!(sent, served);
            assert_eq!(sent.unwrap().status, 200);
        }
        there.len()
    }

    #[tokio::test]
    async fn one_connection_serves_one_request_after_the_other() {
        assert_eq!(connections_of_three("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", false).await, 1);
    }

    #[tokio::test]
    async fn what_the_other_side_closes_or_has_hung_up_on_is_not_used_again() {
        let closes = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(connections_of_three(closes, false).await, 3);
        assert_eq!(connections_of_three("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true).await, 3);
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
