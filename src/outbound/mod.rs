//! Connections to others: what requests of guests and requests of the runtime itself have in common.
//!
//! A name is resolved once, and the very addresses that it leads to are looked at: those that may not be reached are
//! left out, and nobody resolves it again. Who may reach which address is the caller's to say; what the runtime sends
//! of itself asks the operator ([`Allowed`]). Redirects are nobody's here.

mod address;
mod admission;
mod again;
mod allowed;
mod connect;
mod failure;
mod kept;
mod peer;
mod post;
mod tls;
mod webhooks;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use address::is_public;
pub use admission::Admission;
pub use again::retry_after;
pub use allowed::{Allowed, InvalidAllowed};
pub use failure::{Cause, NotSent, Unsent};
pub use peer::Peer;
pub use post::Answer;
pub use webhooks::{Post, SigningKey, WebhookKey, Webhooks};

use kept::Kept;

use crate::model::bounds;
use crate::tls::UnusableAuthority;

/// What connections to others are made with. Names that are looked up at once are bounded for each of these, so that
/// guests and the runtime do not wait for each other.
pub struct Outbound {
    tls: TlsConnector,
    /// Names that may be looked up at once: each takes a thread for as long as the system's resolver wants.
    lookups: Arc<Semaphore>,
    /// For requests of the runtime itself.
    kept: Kept,
}

impl Outbound {
    /// `authority` is a file of certificates in PEM that are trusted besides the public ones.
    pub fn new(authority: Option<&Path>) -> Result<Self, UnusableAuthority> {
        let lookups = Arc::new(Semaphore::new(bounds::MAX_LOOKUPS));
        Ok(Self { tls: tls::connector(authority)?, lookups, kept: Kept::default() })
    }

    /// Connects to one of those addresses of `to` that are `permitted`, within `patience`.
    pub async fn connect(
        &self,
        to: &Peer,
        permitted: impl Fn(IpAddr) -> bool + Send,
        patience: Duration,
    ) -> Result<TcpStream, Unsent> {
        connect::connect(self, to, permitted, patience).await
    }

    /// Greets the server that `to` names, over `stream`.
    pub async fn greet<S>(&self, to: &Peer, stream: S, patience: Duration) -> Result<TlsStream<S>, Unsent>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        tls::handshake(&self.tls, to, stream, patience).await
    }
}
