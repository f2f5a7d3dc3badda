//! Addresses that are not public and may be reached all the same, as the operator says.
//!
//! ```text
//! 10.0.0.7           that address, however it is named
//! 10.1.0.0/16        every address of a network
//! db.internal        that name, whatever address it leads to
//! *.svc.internal     every name below it
//! ```

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::{Peer, address};

/// What the operator allows besides public addresses; nothing unless told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// First address, and bits that count; addresses of IPv4 as those of IPv6 that carry them.
    Network(Ipv6Addr, u32),
    Name(String),
    /// Every name that ends with a dot and this.
    Below(String),
}

/// The text allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address, network or name: write `10.0.0.7`, `10.1.0.0/16`, `db.internal` or `*.internal`")]
pub struct InvalidAllowed(String);

impl Allowed {
    /// What each of these texts allows; commas may stand between several.
    pub fn of(texts: &[String]) -> Result<Self, InvalidAllowed> {
        let parts = texts.iter().flat_map(|text| text.split(','));
        parts.map(str::trim).map(str::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `address` may be connected to for `peer`.
    pub fn permits(&self, peer: &Peer, address: IpAddr) -> bool {
        address::is_public(address) || self.0.iter().any(|entry| entry.covers(peer.bare_host(), address))
    }

    /// Whether `peer` names an address that may not be reached. What a name leads to is seen when it is connected to.
    pub fn refuses(&self, peer: &Peer) -> bool {
        peer.bare_host().parse().is_ok_and(|address| !self.permits(peer, address))
    }
}

impl Entry {
    fn covers(&self, host: &str, address: IpAddr) -> bool {
        match self {
            Self::Network(network, bits) => (mapped(address).to_bits() ^ network.to_bits()).leading_zeros() >= *bits,
            Self::Name(name) => name.eq_ignore_ascii_case(host),
            Self::Below(end) => {
                let host = host.to_ascii_lowercase();
                host.strip_suffix(end.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
        }
    }
}

/// So that one comparison does for both kinds, and for an address of IPv4 that is written as one of IPv6.
fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

impl FromStr for Entry {
    type Err = InvalidAllowed;

    fn from_str(text: &str) -> Result<Self, InvalidAllowed> {
        let invalid = || InvalidAllowed(text.chars().take(100).collect());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
        if let Ok(address) = bare.parse::<IpAddr>() {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Ok(most), str::parse::<u32>).map_err(|_| invalid())?;
            if bits > most {
                return Err(invalid());
            }
            return Ok(Self::Network(mapped(address), 128 - most + bits));
        }
        let (is_below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let is_number = name.split('.').all(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
        if !name.split('.').all(label) || is_number {
            return Err(invalid());
        }
        let name = name.to_ascii_lowercase();
        Ok(if is_below { Self::Below(name) } else { Self::Name(name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(allowed: &str, uri: &str, address: &str, permitted: bool) {
        let allowed = Allowed::of(&[allowed.to_owned()]).unwrap();
        let peer = Peer::of(&uri.parse().unwrap()).unwrap();
        assert_eq!(allowed.permits(&peer, address.parse().unwrap()), permitted, "{allowed:?} {uri} {address}");
    }

    #[test]
    fn what_is_allowed_may_be_reached_and_nothing_else_that_is_private() {
        check("10.1.0.0/16", "http://a.example/", "10.1.2.3", true);
        check("10.1.0.0/16", "http://a.example/", "::ffff:10.1.2.3", true);
        check("10.1.0.0/16", "http://a.example/", "10.2.0.1", false);
        check("127.0.0.1", "http://127.0.0.1/", "127.0.0.1", true);
        check("127.0.0.1", "http://127.0.0.1/", "127.0.0.2", false);
        check("127.0.0.1", "http://localhost/", "::1", false);
        check("10.0.0.0/8,[::1]", "http://localhost/", "::1", true);
        check("fd00::/8", "http://a.example/", "fd12::1", true);
        check("db.internal", "http://DB.internal./", "10.0.0.1", true);
        check("db.internal", "http://other.internal/", "10.0.0.1", false);
        check("*.internal", "http://a.b.internal/", "169.254.169.254", true);
        check("*.internal", "http://internal/", "169.254.169.254", false);
        check("*.internal", "http://badinternal/", "10.0.0.1", false);
        check("10.0.0.0/8", "http://a.example/", "1.1.1.1", true);
    }

    #[test]
    fn an_address_that_may_not_be_reached_is_known_before_it_is_connected_to() {
        let refuses = |allowed: &[String], uri: &str| {
            Allowed::of(allowed).unwrap().refuses(&Peer::of(&uri.parse().unwrap()).unwrap())
        };
        for uri in ["http://127.0.0.1/", "http://[::1]:8/", "http://169.254.169.254/", "https://10.0.0.1/"] {
            assert!(refuses(&[], uri), "{uri}");
            assert!(!refuses(&["0.0.0.0/0".to_owned(), "::/0".to_owned()], uri), "{uri}");
        }
        assert!(!refuses(&[], "http://1.1.1.1/") && !refuses(&[], "http://localhost/"));
    }

    #[test]
    fn what_allows_nothing_is_refused_with_what_to_write() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0", "a..b", "*", "a/8", "10.0.0.0/x", "a b"] {
            let error = Allowed::of(&[text.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}` is no")), "{error}");
        }
    }
}
