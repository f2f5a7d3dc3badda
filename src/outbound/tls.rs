//! TLS to others.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Cause, Peer, Unsent};
use crate::tls::{self, UnusableAuthority};

/// What trusts the public authorities, and those in the file `authority`.
pub(super) fn connector(authority: Option<&Path>) -> Result<TlsConnector, UnusableAuthority> {
    let mut config = tls::client_config(authority)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // How fast a handshake is must not tell one function where another has been.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Greets the server that `to` names, over `stream`.
pub(super) async fn handshake<S>(
    connector: &TlsConnector,
    to: &Peer,
    stream: S,
    patience: Duration,
) -> Result<TlsStream<S>, Unsent>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(to.bare_host().to_owned())
        .map_err(|error| Unsent::new(Cause::InvalidUri, format!("no certificate is for it: {error}")))?;
    match timeout(patience, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_elapsed) => Err(Unsent::new(Cause::ConnectionTimeout, "the TLS handshake took too long")),
    }
}

fn failed(error: &std::io::Error) -> Unsent {
    let code = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => Cause::Certificate,
        Some(rustls::Error::AlertReceived(alert)) => {
            Cause::TlsAlert { id: u8::from(*alert), name: format!("{alert:?}") }
        }
        Some(_) => Cause::TlsProtocol,
        None => Cause::Terminated,
    };
    Unsent::new(code, format!("the TLS handshake failed: {error}"))
}
