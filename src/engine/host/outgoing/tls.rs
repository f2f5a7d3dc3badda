//! TLS to others: Mozilla's roots, and those that the operator adds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use wasmtime_wasi_http::Error;

use super::Unsent;
use super::destination::Destination;

/// The file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}` has no certificates that can be trusted: {why}", path.display())]
pub(in crate::engine) struct UnusableAuthority {
    path: PathBuf,
    why: String,
}

/// What trusts the public authorities, and those in the file `authority`.
pub(super) fn connector(authority: Option<&Path>) -> Result<TlsConnector, UnusableAuthority> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = authority {
        add(&mut roots, path).map_err(|why| UnusableAuthority { path: path.to_owned(), why })?;
    }
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| UnusableAuthority { path: PathBuf::new(), why: error.to_string() })?;
    let mut config = versions.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // How fast a handshake is must not tell one function where another has been.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let file = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut added = false;
    for certificate in CertificateDer::pem_slice_iter(&file) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        added = true;
    }
    if added { Ok(()) } else { Err("there is no `BEGIN CERTIFICATE` in it".to_owned()) }
}

/// Greets the server that `to` names, over `stream`.
pub(super) async fn handshake<S>(
    connector: &TlsConnector,
    to: &Destination,
    stream: S,
    patience: Duration,
) -> Result<TlsStream<S>, Unsent>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(to.bare_host().to_owned())
        .map_err(|error| Unsent::new(Error::HttpRequestUriInvalid, format!("no certificate is for it: {error}")))?;
    match timeout(patience, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_elapsed) => Err(Unsent::new(Error::ConnectionTimeout, "the TLS handshake took too long")),
    }
}

fn failed(error: &std::io::Error) -> Unsent {
    let code = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        Some(_) => Error::TlsProtocolError,
        None => Error::ConnectionTerminated,
    };
    Unsent::new(code, format!("the TLS handshake failed: {error}"))
}
