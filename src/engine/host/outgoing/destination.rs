//! Where a request wants to go, as it says itself, and whether a grant covers that.

use http::Uri;
use wasmtime_wasi_http::Error;

use super::Unsent;
use crate::model::grant::HttpGrant;
use crate::outbound::Peer;

/// Where a request goes that a grant covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) peer: Peer,
    /// Whether it may be at a private address.
    pub(super) private: bool,
}

impl Destination {
    /// Where `uri` leads, if one of `grants` covers it.
    pub(super) fn of(uri: &Uri, grants: &[HttpGrant]) -> Result<Self, Unsent> {
        let peer = Peer::of(uri)?;
        let covering = || grants.iter().filter(|grant| grant.covers(peer.scheme, &peer.host, peer.port));
        if covering().next().is_none() {
            let flag = format!("{}://{}", peer.scheme.as_str(), peer.authority());
            return Err(Unsent::new(
                Error::HttpRequestDenied,
                format!("no grant covers it: deploy the function with `--allow-http {flag}` if it is to reach that"),
            ));
        }
        Ok(Self { private: covering().any(HttpGrant::covers_private), peer })
    }
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
