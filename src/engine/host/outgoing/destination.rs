//! Where a request wants to go, as it says itself, and whether a grant covers that.

use http::Uri;
use wasmtime_wasi_http::Error;

use super::Unsent;
use crate::model::grant::{HttpGrant, Scheme};

/// Where a request goes that a grant covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) scheme: Scheme,
    /// A name, or an address; one of IPv6 in brackets.
    host: String,
    pub(super) port: u16,
    /// Whether it may be at a private address.
    pub(super) private: bool,
}

impl Destination {
    /// Where `uri` leads, if one of `grants` covers it.
    pub(super) fn of(uri: &Uri, grants: &[HttpGrant]) -> Result<Self, Unsent> {
        let invalid = |why: &str| Unsent::new(Error::HttpRequestUriInvalid, why);
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(Unsent::new(Error::HttpProtocolError, "its scheme is neither `http` nor `https`")),
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
        let host = authority.host().to_owned();
        let covering = || grants.iter().filter(|grant| grant.covers(scheme, &host, port));
        if covering().next().is_none() {
            let flag = format!("{}://{}", scheme.as_str(), with_port(&host, port, scheme));
            return Err(Unsent::new(
                Error::HttpRequestDenied,
                format!("no grant covers it: deploy the function with `--allow-http {flag}` if it is to reach that"),
            ));
        }
        Ok(Self { private: covering().any(HttpGrant::covers_private), scheme, port, host })
    }

    /// The host as the system and certificates know it: without brackets, and without the dot that may end a name.
    pub(super) fn bare_host(&self) -> &str {
        let host = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host);
        host.strip_suffix('.').unwrap_or(host)
    }

    /// What stands in `Host`: the port only where it is not that of the scheme.
    pub(super) fn authority(&self) -> String {
        with_port(&self.host, self.port, self.scheme)
    }
}

fn with_port(host: &str, port: u16, scheme: Scheme) -> String {
    if port == scheme.port() { host.to_owned() } else { format!("{host}:{port}") }
}

/// A URI as a log may have it: without its query, which may hold a key, and not too long.
pub(super) fn told(uri: &Uri) -> String {
    const SHOWN: usize = 200;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let text = format!("{}://{host}{}", uri.scheme_str().unwrap_or_default(), uri.path());
    text[..text.floor_char_boundary(SHOWN)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str, grants: &[&str]) -> Result<Destination, Unsent> {
        let grants: Vec<_> = grants.iter().map(|grant| grant.parse().unwrap()).collect();
        Destination::of(&uri.parse().unwrap(), &grants)
    }

    #[track_caller]
    fn check_refused(uri: &str, grants: &[&str], part: &str) {
        let why = of(uri, grants).unwrap_err().why;
        assert!(why.contains(part), "{uri}: {why}");
    }

    #[test]
    fn the_port_stands_in_the_host_header_where_it_is_not_the_schemes_own() {
        let host = |uri| of(uri, &["*://*:*"]).unwrap().authority();
        assert_eq!(host("http://a.example/x"), "a.example");
        assert_eq!(host("http://a.example:80/"), "a.example");
        assert_eq!(host("http://a.example:443/"), "a.example:443");
        assert_eq!(host("https://a.example:443/"), "a.example");
        assert_eq!(host("https://a.example:8443/"), "a.example:8443");
        assert_eq!(host("https://[2606::1]:8443/"), "[2606::1]:8443");
        assert_eq!(of("https://[2606::1]/", &["*://*:*"]).unwrap().bare_host(), "2606::1");
        assert_eq!(of("https://a.example./", &["*://*:*"]).unwrap().bare_host(), "a.example");
    }

    #[test]
    fn a_host_without_a_grant_is_refused_with_the_flag_that_grants_it() {
        check_refused("https://b.example/x?key=1", &["https://a.example"], "`--allow-http https://b.example`");
        check_refused("http://a.example:81/", &["http://a.example"], "`--allow-http http://a.example:81`");
        check_refused("http://a.example/", &[], "no grant covers it");
    }

    #[test]
    fn what_could_be_read_as_another_host_is_refused() {
        check_refused("http://a.example@b.example/", &["*://*"], "nothing else");
        check_refused("http://a.example:70000/", &["*://*"], "no number");
    }

    #[test]
    fn one_grant_of_those_that_cover_it_is_enough_for_private_addresses() {
        assert!(!of("http://a.example/", &["http://*"]).unwrap().private);
        assert!(of("http://a.example/", &["http://*", "private+http://a.example"]).unwrap().private);
        assert!(!of("http://a.example/", &["http://*", "private+http://b.example"]).unwrap().private);
    }

    #[test]
    fn neither_a_query_nor_a_user_gets_into_the_log() {
        assert_eq!(
            told(&"https://user:secret@a.example:1/path?key=secret".parse().unwrap()),
            "https://a.example:1/path"
        );
    }
}
