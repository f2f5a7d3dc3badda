//! Hosts that a version may send HTTP requests to, and how they are written.
//!
//! ```text
//! https://api.example.com          that host, on the port of the scheme
//! https://*.example.com:8443       every name below it, on that port
//! http://localhost:*               any port
//! *://*                            every public host, either scheme, on the port of the scheme
//! private+http://db.internal:5984  also where the name leads to a private address
//! ```
//! An address that is written as one (`http://10.0.0.7`, `http://[::1]:80`) is granted as it stands, private or not.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a version may send HTTP requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpGrant {
    /// Whether a name may lead to a private address.
    private: bool,
    scheme: Option<Scheme>,
    host: Host,
    port: Port,
}

/// A scheme that requests are sent by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Host {
    Any,
    /// Every name that ends with a dot and this.
    Below(String),
    Name(String),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Port {
    OfScheme,
    Any,
    Number(u16),
}

/// The text grants no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` grants no host: {reason}; write `https://api.example.com`, `https://*.example.com:8443` or `private+http://db.internal:5984`"
)]
pub struct InvalidHttpGrant {
    text: String,
    reason: &'static str,
}

const PRIVATE: &str = "private+";
const MAX_BYTES: usize = 300;

impl Scheme {
    /// As it stands in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that goes without saying.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl HttpGrant {
    /// Whether it grants requests by `scheme` to `host`, as it stands in the request, on `port`. An address may be in
    /// brackets; letters may be of either case.
    #[must_use]
    pub fn covers(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        let port_fits = match self.port {
            Port::Any => true,
            Port::OfScheme => port == scheme.port(),
            Port::Number(number) => port == number,
        };
        port_fits && self.scheme.is_none_or(|granted| granted == scheme) && self.host.covers(host)
    }

    /// Whether a request that it covers may go to a private address.
    #[must_use]
    pub fn covers_private(&self) -> bool {
        self.private || matches!(self.host, Host::Address(_))
    }
}

impl Host {
    fn covers(&self, host: &str) -> bool {
        let address = bare(host).parse::<IpAddr>();
        match self {
            Self::Any => true,
            Self::Address(granted) => address.is_ok_and(|address| address == *granted),
            Self::Name(name) => address.is_err() && name.eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host)),
            Self::Below(end) => address.is_err() && is_below(host.strip_suffix('.').unwrap_or(host), end),
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Ok(address) = bare(text).parse() {
            return Ok(Self::Address(address));
        }
        let (is_below, name) = match text.strip_prefix("*.") {
            Some(end) => (true, end),
            None => (false, text),
        };
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if !name.split('.').all(label) {
            return Err("its host is no name, no address and no `*.` with a name");
        }
        let name = name.to_ascii_lowercase();
        Ok(if is_below { Self::Below(name) } else { Self::Name(name) })
    }
}

/// An IPv6 address stands in brackets in a URL.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_below(host: &str, end: &str) -> bool {
    let Some(at) = host.len().checked_sub(end.len() + 1) else { return false };
    at > 0 && host.is_char_boundary(at + 1) && host.as_bytes()[at] == b'.' && host[at + 1..].eq_ignore_ascii_case(end)
}

impl FromStr for HttpGrant {
    type Err = InvalidHttpGrant;

    fn from_str(text: &str) -> Result<Self, InvalidHttpGrant> {
        let invalid = |reason| InvalidHttpGrant { text: text.chars().take(100).collect(), reason };
        if text.len() > MAX_BYTES {
            return Err(invalid("it is too long"));
        }
        let (private, rest) = match text.strip_prefix(PRIVATE) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (scheme, rest) = rest.split_once("://").ok_or_else(|| invalid("it has no scheme"))?;
        let scheme = match scheme {
            "*" => None,
            "http" => Some(Scheme::Http),
            "https" => Some(Scheme::Https),
            _ => return Err(invalid("its scheme is none of `http`, `https` and `*`")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(invalid("it is of a whole host: no path and no user"));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            None => Port::OfScheme,
            Some("*") => Port::Any,
            Some(number) => match number.parse() {
                Ok(0) | Err(_) => return Err(invalid("its port is none: 1 to 65535, or `*`")),
                Ok(number) => Port::Number(number),
            },
        };
        Ok(Self { private, scheme, host: Host::parse(host).map_err(invalid)?, port })
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let private = if self.private { PRIVATE } else { "" };
        write!(f, "{private}{}://", self.scheme.map_or("*", Scheme::as_str))?;
        match &self.host {
            Host::Any => f.write_str("*")?,
            Host::Below(end) => write!(f, "*.{end}")?,
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Host::Address(address) => write!(f, "{address}")?,
        }
        match self.port {
            Port::OfScheme => Ok(()),
            Port::Any => f.write_str(":*"),
            Port::Number(number) => write!(f, ":{number}"),
        }
    }
}

as_text!(HttpGrant, InvalidHttpGrant);

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> HttpGrant {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(text: &str, scheme: Scheme, host: &str, port: u16, covered: bool) {
        assert_eq!(grant(text).covers(scheme, host, port), covered, "{text} and {host}:{port}");
    }

    #[test]
    fn a_host_is_granted_on_the_port_of_its_scheme_unless_it_says_another() {
        check("https://api.example.com", Scheme::Https, "api.example.com", 443, true);
        check("https://api.example.com", Scheme::Https, "API.example.com.", 443, true);
        check("https://api.example.com", Scheme::Https, "api.example.com", 8443, false);
        check("https://api.example.com", Scheme::Http, "api.example.com", 80, false);
        check("http://localhost:*", Scheme::Http, "localhost", 9_000, true);
        check("*://*", Scheme::Http, "whoever.example", 80, true);
        check("*://*", Scheme::Https, "whoever.example", 80, false);
    }

    #[test]
    fn a_wildcard_is_of_whole_labels() {
        check("https://*.example.com", Scheme::Https, "a.b.example.com", 443, true);
        check("https://*.example.com", Scheme::Https, "example.com", 443, false);
        check("https://*.example.com", Scheme::Https, "badexample.com", 443, false);
        check("https://*.example.com", Scheme::Https, ".example.com", 443, false);
    }

    #[test]
    fn an_address_is_granted_as_an_address_and_not_by_a_name() {
        check("http://10.0.0.7", Scheme::Http, "10.0.0.7", 80, true);
        check("http://[::1]:81", Scheme::Http, "[::1]", 81, true);
        check("http://*.0.0.7", Scheme::Http, "10.0.0.7", 80, false);
        assert!(grant("http://10.0.0.7").covers_private());
        assert!(!grant("http://*").covers_private());
        assert!(grant("private+http://*.internal").covers_private());
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["https://api.example.com", "*://*:*", "private+http://[::1]:81", "https://*.example.com:8443"] {
            assert_eq!(grant(text).to_string(), text);
        }
        assert_eq!(grant("https://Example.com/").to_string(), "https://example.com");
    }

    #[test]
    fn what_grants_no_host_is_refused_with_the_reason() {
        for (text, reason) in [
            ("example.com", "no scheme"),
            ("ftp://example.com", "scheme is none"),
            ("https://example.com/path", "no path"),
            ("https://user@example.com", "no user"),
            ("https://a..b", "no name"),
            ("https://*example.com", "no name"),
            ("https://", "no name"),
            ("https://example.com:0", "port"),
            ("https://example.com:http", "port"),
        ] {
            let error = text.parse::<HttpGrant>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
