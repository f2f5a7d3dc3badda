//! What a server shows over TLS: a certificate for this machine, and the authority that those who ask are to trust.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// The arguments of `serve` for what [`certificate`] writes.
pub(in crate::process) const TLS: [&str; 4] = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
/// The file of the authority.
pub(super) const AUTHORITY: &str = "authority.pem";

/// Writes a certificate for `localhost` and 127.0.0.1, its key and its authority into a folder; returns the authority.
pub(in crate::process) fn certificate(folder: &Path) -> String {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // A certificate that is called as its authority counts as signed by itself.
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let signed = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    for (name, text) in [("cert.pem", signed.pem()), ("key.pem", key.serialize_pem()), (AUTHORITY, authority.pem())] {
        fs::write(folder.join(name), text).unwrap();
    }
    authority.pem()
}
