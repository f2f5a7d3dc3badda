//! Whom this program trusts when it speaks TLS to others: Mozilla's authorities, so that one binary is enough where a machine
//! has none of its own, and those that the operator adds; and what it shows to those who speak TLS to it. Connects to
//! nobody.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::config::TlsFiles;

/// The file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}` has no certificates that can be trusted: {why}", path.display())]
pub struct UnusableAuthority {
    path: PathBuf,
    why: String,
}

/// What trusts the public authorities, and those in the PEM file `authority`.
pub fn client_config(authority: Option<&Path>) -> Result<ClientConfig, UnusableAuthority> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = authority {
        add(&mut roots, path).map_err(|why| UnusableAuthority { path: path.to_owned(), why })?;
    }
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| UnusableAuthority { path: PathBuf::new(), why: error.to_string() })?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
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

/// What is spoken on a connection once TLS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, as gRPC wants it.
    Http2,
}

/// What a server shows of itself, as its files last had it.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    shown: RwLock<Shown>,
}

/// The same for each protocol.
#[derive(Debug)]
struct Shown {
    http1: Arc<ServerConfig>,
    http2: Arc<ServerConfig>,
}

/// The files have no certificate that can be shown.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be spoken with the certificate `{}` and the key `{}`: {why}", files.certificate.display(), files.key.display())]
pub struct UnusableCertificate {
    files: TlsFiles,
    why: String,
}

impl Certificate {
    /// The certificate in these files.
    pub fn open(files: &TlsFiles) -> Result<Self, UnusableCertificate> {
        Ok(Self { files: files.clone(), shown: RwLock::new(read(files)?) })
    }

    /// Reads the files again: connections from now on are shown what is in them. On an error all stays as it was.
    pub fn read_again(&self) -> Result<(), UnusableCertificate> {
        let fresh = read(&self.files)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// What answers a connection on which this is to be spoken.
    pub fn acceptor(&self, protocol: Protocol) -> TlsAcceptor {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(match protocol {
            Protocol::Http1 => &shown.http1,
            Protocol::Http2 => &shown.http2,
        }))
    }
}

fn read(files: &TlsFiles) -> Result<Shown, UnusableCertificate> {
    let unusable = |why: String| UnusableCertificate { files: files.clone(), why };
    let certificates = std::fs::read(&files.certificate).map_err(|error| unusable(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificates).collect();
    let certificates = certificates.map_err(|error| unusable(format!("the certificate: {error}")))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(format!("the key: {error}")))?;
    let versions = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    let config = versions.with_no_client_auth().with_single_cert(certificates, key);
    let mut config = config.map_err(|error| unusable(error.to_string()))?;
    let mut http2 = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    http2.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Shown { http1: Arc::new(config), http2: Arc::new(http2) })
}
