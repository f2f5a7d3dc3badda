//! Whom this program trusts when it speaks TLS to others: Mozilla's authorities, so that one binary is enough where a machine
//! has none of its own, and those that the operator adds. Connects to nobody.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

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
