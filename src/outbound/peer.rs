//! Where a request goes, as its URI says.

use http::Uri;

use super::{Cause, Unsent};
use crate::model::grant::Scheme;

/// Who is to be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// In the clear, or over TLS.
    pub scheme: Scheme,
    /// A name, or an address; one of IPv6 in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Peer {
    /// Where `uri` leads.
    pub fn of(uri: &Uri) -> Result<Self, Unsent> {
        let invalid = |why: &str| Unsent::new(Cause::InvalidUri, why);
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(Unsent::new(Cause::WrongScheme, "its scheme is neither `http` nor `https`")),
        };
        let authority = uri.authority().ok_or_else(|| invalid("it names no host"))?;
        if authority.host().is_empty() || authority.as_str().contains('@') {
            return Err(invalid("its host is a name or an address, with a port if need be, and nothing else"));
        }
        let port = match (authority.port_u16(), authority.as_str().len() == authority.host().len()) {
            (Some(port), _) => port,
            (None, true) => scheme.port(),
            (None, false) => return Err(invalid("its port is no number from 1 to 65535")),
        };
        Ok(Self { scheme, host: authority.host().to_owned(), port })
    }

    /// The host as the system and certificates know it: without brackets, and without the dot that may end a name.
    pub fn bare_host(&self) -> &str {
        let host = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host);
        host.strip_suffix('.').unwrap_or(host)
    }

    /// What stands in `Host`: the port only where it is not that of the scheme.
    pub fn authority(&self) -> String {
        let Self { scheme, host, port } = self;
        if *port == scheme.port() { host.clone() } else { format!("{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_stands_in_the_host_header_where_it_is_not_the_schemes_own() {
        let peer = |uri: &str| Peer::of(&uri.parse().unwrap()).unwrap();
        let host = |uri| peer(uri).authority();
        assert_eq!(host("http://a.example/x"), "a.example");
        assert_eq!(host("http://a.example:80/"), "a.example");
        assert_eq!(host("http://a.example:443/"), "a.example:443");
        assert_eq!(host("https://a.example:443/"), "a.example");
        assert_eq!(host("https://a.example:8443/"), "a.example:8443");
        assert_eq!(host("https://[2606::1]:8443/"), "[2606::1]:8443");
        assert_eq!(peer("https://[2606::1]/").bare_host(), "2606::1");
        assert_eq!(peer("https://a.example./").bare_host(), "a.example");
    }
}
