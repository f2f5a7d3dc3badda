//! Admission for those who connect by a client of their own: names are resolved here, and addresses that may not be
//! reached are left out. Connects to nobody.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::connect::{LOOKUP, look_up};
use super::{Allowed, Peer};
use crate::model::bounds;
use crate::model::grant::Scheme;

/// Which addresses may be connected to. Cheap to clone.
#[derive(Clone)]
pub struct Admission {
    /// What the operator allows besides public ones.
    allowed: Arc<Allowed>,
    /// Names that are looked up at once: each takes a thread for as long as the system's resolver wants.
    lookups: Arc<Semaphore>,
}

impl Admission {
    /// Admits public addresses, and those that are `allowed`.
    pub fn new(allowed: Allowed) -> Self {
        Self { allowed: Arc::new(allowed), lookups: Arc::new(Semaphore::new(bounds::MAX_LOOKUPS)) }
    }

    /// Looks at an address that stands in place of a name: it is not resolved, so nobody else looks at it. `host` is what
    /// a URL has become: `2130706433` and `127.1` are addresses too.
    pub fn admit_literal(&self, host: &str) -> io::Result<()> {
        literal(host).map_or(Ok(()), |address| self.admit(host, address))
    }

    /// The addresses of `host` that may be connected to.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Some(address) = literal(host) {
            self.admit(host, address)?;
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = timeout(LOOKUP, look_up(&self.lookups, host, port)).await;
        let found = found.map_err(|_elapsed| io::Error::other(format!("`{host}` was not resolved in time")))?;
        let found = found.map_err(|error| io::Error::other(format!("`{host}` cannot be resolved: {error}")))?;
        let admitted: Vec<_> = found.iter().filter(|address| self.admit(host, address.ip()).is_ok()).copied().collect();
        match (found.first(), admitted.is_empty()) {
            (None, _) => Err(io::Error::other(format!("`{host}` has no address"))),
            (Some(first), true) => {
                Err(self.admit(host, first.ip()).err().unwrap_or_else(|| io::Error::other("no address")))
            }
            (Some(_), false) => Ok(admitted),
        }
    }

    fn admit(&self, host: &str, address: IpAddr) -> io::Result<()> {
        // What is allowed does not depend on the scheme or the port.
        let peer = Peer { scheme: Scheme::Https, host: host.to_owned(), port: Scheme::Https.port() };
        if self.allowed.permits(&peer, address) {
            return Ok(());
        }
        let why = format!("{address} is a private address, and the server was not told to allow it");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
    }
}

impl Resolve for Admission {
    fn resolve(&self, name: Name) -> Resolving {
        let admission = self.clone();
        Box::pin(async move {
            // The port is that of the request, whatever stands here.
            let found = Self::resolve(&admission, name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The address that stands in place of a name.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}
