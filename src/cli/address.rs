//! Where a server is, and the addresses of what it has.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use reqwest::Url;

use super::error::Error;
use crate::signature::escaped;

/// The address of a server: `http://HOST:PORT` or `https://HOST:PORT`, perhaps with a path in front of the API's.
#[derive(Clone, Debug)]
pub(super) struct Server(Url);

/// The text is no address of a server.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not the address of a server: write `http://HOST:PORT` or `https://HOST:PORT`")]
pub(super) struct InvalidServer(String);

impl FromStr for Server {
    type Err = InvalidServer;

    fn from_str(text: &str) -> Result<Self, InvalidServer> {
        let url = Url::parse(text).map_err(|_| InvalidServer(text.to_owned()))?;
        let is_address = matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty();
        if is_address && url.password().is_none() && url.query().is_none() && url.fragment().is_none() {
            Ok(Self(url))
        } else {
            Err(InvalidServer(text.to_owned()))
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl Server {
    /// The socket, where the host is a number.
    pub(super) fn socket(&self) -> Option<SocketAddr> {
        let host = self.0.host_str()?.trim_matches(['[', ']']).parse::<IpAddr>().ok()?;
        Some(SocketAddr::from((host, self.0.port_or_known_default()?)))
    }

    /// The address of `segments`. They are escaped here, for a [`Url`] drops line ends from what it is given.
    pub(super) fn url(&self, segments: &[&str]) -> Result<Url, Error> {
        if let Some(dots) = segments.iter().find(|segment| matches!(**segment, "." | "..")) {
            let refused = format!("`{dots}` cannot be asked for: in an address it stands for a folder");
            return Err(Error::Usage(refused));
        }
        let mut url = self.0.clone();
        let above = url.path().trim_end_matches('/');
        let path = segments.iter().fold(above.to_owned(), |path, it| path + "/" + &escaped(it.as_bytes(), false));
        url.set_path(&path);
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(server: &str, segments: &[&str], expected: Option<&str>) {
        let url = server.parse::<Server>().ok().map(|server| server.url(segments).unwrap().to_string());
        assert_eq!(url.as_deref(), expected, "{server}");
    }

    #[test]
    fn a_server_is_an_http_address_with_or_without_a_path() {
        check("http://127.0.0.1:8090", &["v1", "functions"], Some("http://127.0.0.1:8090/v1/functions"));
        check("http://localhost:8090/", &["v1"], Some("http://localhost:8090/v1"));
        check("https://host", &["v1"], Some("https://host/v1"));
        check("http://host/mill", &["v1"], Some("http://host/mill/v1"));
        for server in ["127.0.0.1:8090", "localhost:8090", "ftp://host", "http://u:p@host", "http://host?a", ""] {
            check(server, &[], None);
        }
    }

    #[test]
    fn what_stands_in_a_path_cannot_leave_it() {
        check("http://host", &["a/b", "c?d", "ä"], Some("http://host/a%2Fb/c%3Fd/%C3%A4"));
        check("http://host/mill", &["%2e", "a\nb", "..."], Some("http://host/mill/%252e/a%0Ab/..."));
        for segment in [".", ".."] {
            let refused = "http://host".parse::<Server>().unwrap().url(&["v1", segment]);
            assert!(matches!(&refused, Err(Error::Usage(text)) if text.contains(segment)), "{refused:?}");
        }
    }
}
