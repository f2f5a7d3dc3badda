//! The listener: accepts connections up to a limit and has each served, over TLS where it has a certificate. A slow or silent
//! client costs one connection for a while, and no more. HTTP/1.1 is served here, other protocols by whoever speaks them. Knows
//! no paths.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::front::Front;
use super::moving::Moving;
use super::yandex::Grpc;
use crate::model::bounds;
use crate::tasks::{OnExit, Tasks};
use crate::tls::Certificate;
pub(super) use crate::tls::Protocol;

/// Pause after an accept that failed, for want of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the last answers may take once everything else is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A bound address.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    certificate: Option<Arc<Certificate>>,
}

/// The address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}")]
pub struct NotBound {
    address: SocketAddr,
    cause: std::io::Error,
}

impl Listener {
    /// Binds `address`; port 0 lets the system choose one. With a certificate only TLS is spoken there.
    pub async fn bind(address: SocketAddr, certificate: Option<Arc<Certificate>>) -> Result<Self, NotBound> {
        let not_bound = |cause| NotBound { address, cause };
        let socket = TcpListener::bind(address).await.map_err(not_bound)?;
        // Its connections have it from here.
        SockRef::from(&socket).set_tcp_notsent_lowat(bounds::MAX_UNSENT_BYTES).map_err(not_bound)?;
        let address = socket.local_addr().map_err(not_bound)?;
        Ok(Self { socket, address, certificate })
    }

    /// The address, with the port that was chosen.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `front` until `closing`; connections then finish the request they are at, unless that takes until
    /// all tasks are told to stop.
    pub fn serve(self, front: Front, tasks: &Tasks, closing: CancellationToken) {
        let front = if self.certificate.is_some() { front.over_tls() } else { front };
        tasks.spawn("listener", OnExit::Ignore, accept(self, front, tasks.clone(), closing));
    }

    /// The same of gRPC.
    pub fn serve_grpc(self, grpc: Grpc, tasks: &Tasks, closing: CancellationToken) {
        tasks.spawn("grpc-listener", OnExit::Ignore, accept(self, grpc, tasks.clone(), closing));
    }
}

/// Somebody who speaks a protocol on connections.
pub(super) trait Serves: Clone + Send + 'static {
    /// Which, as TLS is told.
    const PROTOCOL: Protocol;

    /// Serves a connection to its end.
    fn connection(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        ending: Ending,
    ) -> impl Future<Output = ()> + Send;
}

async fn accept<S: Serves>(listener: Listener, front: S, tasks: Tasks, closing: CancellationToken) {
    let Listener { socket, certificate, .. } = listener;
    let connections = Arc::new(Semaphore::new(bounds::MAX_CONNECTIONS));
    loop {
        // The permit first: who does not fit waits in the kernel's backlog.
        let permit = tokio::select! {
            () = closing.cancelled() => return,
            permit = connections.clone().acquire_owned() => permit,
        };
        let Ok(permit) = permit else { return };
        let accepted = tokio::select! {
            () = closing.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let stopping = tasks.stopping().clone();
                let ending = Ending { closing: closing.clone(), stopping };
                let _ = stream.set_nodelay(true); // answers are written whole: nothing is gained by waiting for more
                let stream = Moving::new(stream, |stream| drop(stream.set_zero_linger()));
                if let Some(certificate) = &certificate {
                    let served = secured(certificate.acceptor(S::PROTOCOL), stream, front.clone(), ending, permit);
                    tasks.spawn("connection", OnExit::Ignore, served);
                } else {
                    let served = permitted(stream, front.clone(), ending, permit);
                    tasks.spawn("connection", OnExit::Ignore, served);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What ends a connection from this side.
pub(super) struct Ending {
    /// No more requests.
    pub(super) closing: CancellationToken,
    /// No more of the one it is at: its client may never send the rest of it.
    pub(super) stopping: CancellationToken,
}

impl Ending {
    /// Sees a connection to its end. Once there are to be no more requests it is told so by `finish`.
    pub(super) async fn seen<C, E>(self, connection: C, finish: impl FnOnce(Pin<&mut C>)) -> Result<(), E>
    where
        C: Future<Output = Result<(), E>>,
    {
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.closing.cancelled() => finish(connection.as_mut()),
        }
        let stopped = async {
            self.stopping.cancelled().await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            ended = connection => ended,
            () = stopped => Ok(()),
        }
    }
}

/// A connection over TLS. Whoever does not come to terms in time goes.
async fn secured(
    acceptor: TlsAcceptor,
    stream: Moving<TcpStream>,
    front: impl Serves,
    ending: Ending,
    permit: OwnedSemaphorePermit,
) {
    let agreed = tokio::select! {
        agreed = tokio::time::timeout(bounds::HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => agreed,
        () = ending.closing.cancelled() => return,
    };
    match agreed {
        Ok(Ok(stream)) => permitted(stream, front, ending, permit).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn permitted(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    front: impl Serves,
    ending: Ending,
    _permit: OwnedSemaphorePermit,
) {
    front.connection(stream, ending).await;
}

impl Serves for Front {
    const PROTOCOL: Protocol = Protocol::Http1;

    async fn connection(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, ending: Ending) {
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds::READ_TIMEOUT)
            .max_buf_size(bounds::MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), self);
        if let Err(error) = ending.seen(served, http1::Connection::graceful_shutdown).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::io::AsyncReadExt as _;
    use tokio::time::timeout;

    use super::*;

    /// What is promised to those who read slowly.
    const BYTES_A_SECOND: usize = 4 * 1_024;
    /// Long enough for the system to have done what it does by itself.
    const SETTLED: Duration = Duration::from_millis(300);

    async fn is_writable(stream: &TcpStream, within: Duration) -> bool {
        timeout(within, stream.writable()).await.is_ok_and(|ready| ready.is_ok())
    }

    #[tokio::test]
    async fn whoever_reads_a_little_at_a_time_makes_room_for_more_in_time() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let mut reader = TcpStream::connect(listener.address()).await.unwrap();
        let (writer, _) = listener.socket.accept().await.unwrap();
        let answer = vec![0; 1_024 * 1_024];
        while is_writable(&writer, SETTLED).await {
            match writer.try_write(&answer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                written => drop(written.unwrap()),
            }
        }
        let least = BYTES_A_SECOND * usize::try_from(bounds::WRITE_TIMEOUT.as_secs()).unwrap();
        reader.read_exact(&mut vec![0; least]).await.unwrap();
        assert!(is_writable(&writer, 10 * SETTLED).await, "{least} bytes were read, and nothing more is taken");
    }
}
