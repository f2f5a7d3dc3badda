//! The listener: accepts connections up to a limit and serves HTTP/1.1 on each, over TLS where it has a certificate. A slow or silent client costs
//! one connection and no more. Knows no paths.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::front::Front;
use crate::model::bounds;
use crate::tasks::{OnExit, Tasks};
use crate::tls::Certificate;

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
#[error("cannot listen on {address}: {source}")]
pub struct NotBound {
    address: SocketAddr,
    source: std::io::Error,
}

impl Listener {
    /// Binds `address`; port 0 lets the system choose one. With a certificate only TLS is spoken there.
    pub async fn bind(address: SocketAddr, certificate: Option<Arc<Certificate>>) -> Result<Self, NotBound> {
        let not_bound = |source| NotBound { address, source };
        let socket = TcpListener::bind(address).await.map_err(not_bound)?;
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
        tasks.spawn("listener", OnExit::Ignore, accept(self, front, tasks.clone(), closing));
    }
}

async fn accept(listener: Listener, front: Front, tasks: Tasks, closing: CancellationToken) {
    let Listener { socket, certificate, .. } = listener;
    let connections = Arc::new(Semaphore::new(bounds::MAX_CONNECTIONS));
    let front = if certificate.is_some() { front.over_tls() } else { front };
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
                if let Some(certificate) = &certificate {
                    let served = secured(certificate.acceptor(), stream, front.clone(), ending, permit);
                    tasks.spawn("connection", OnExit::Ignore, served);
                } else {
                    tasks.spawn("connection", OnExit::Ignore, connection(stream, front.clone(), ending, permit));
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
struct Ending {
    /// No more requests.
    closing: CancellationToken,
    /// No more of the one it is at: its client may never send the rest of it.
    stopping: CancellationToken,
}

/// A connection over TLS. Whoever does not come to terms in time goes.
async fn secured(acceptor: TlsAcceptor, stream: TcpStream, front: Front, ending: Ending, permit: OwnedSemaphorePermit) {
    let agreed = tokio::select! {
        agreed = tokio::time::timeout(bounds::HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => agreed,
        () = ending.closing.cancelled() => return,
    };
    match agreed {
        Ok(Ok(stream)) => connection(stream, front, ending, permit).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    front: Front,
    ending: Ending,
    _permit: OwnedSemaphorePermit,
) {
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds::READ_TIMEOUT)
        .max_buf_size(bounds::MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), front);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = ending.closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            let stopped = async {
                ending.stopping.cancelled().await;
                tokio::time::sleep(LAST_ANSWERS).await;
            };
            tokio::select! {
                ended = served => ended,
                () = stopped => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
