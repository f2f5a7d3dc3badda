//! From a destination to an open connection: the name is resolved once, the addresses that may not be reached are left
//! out, and the others are tried in turn.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use super::{Cause, Outbound, Peer, Unsent};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// How long the system's resolver may take.
pub(super) const LOOKUP: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried.
const MAX_TRIED: usize = 8;

/// Connects within `patience`.
pub(super) async fn connect(
    outbound: &Outbound,
    to: &Peer,
    may_reach: impl Fn(IpAddr) -> bool,
    patience: Duration,
) -> Result<TcpStream, Unsent> {
    let end = Instant::now() + patience;
    let found = resolve(outbound, to, patience.min(LOOKUP)).await?;
    let addresses = permitted(&found, may_reach)?;
    let mut last = Unsent::new(Cause::ConnectionTimeout, format!("no connection within {patience:?}"));
    for (tried, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let untried = u32::try_from(addresses.len() - tried).unwrap_or(1);
        match timeout(left / untried, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                drop(stream.set_nodelay(true)); // a request is written as a whole; without it it is only slower
                return Ok(stream);
            }
            Ok(Err(error)) => last = refused(*address, &error),
            Err(_elapsed) => last = Unsent::new(Cause::ConnectionTimeout, format!("{address} does not answer")),
        }
    }
    Err(last)
}

/// The addresses that may be connected to.
fn permitted(found: &[SocketAddr], may_reach: impl Fn(IpAddr) -> bool) -> Result<Vec<SocketAddr>, Unsent> {
    let permitted: Vec<_> = found.iter().filter(|address| may_reach(address.ip())).take(MAX_TRIED).copied().collect();
    if permitted.is_empty() {
        return Err(Unsent::new(
            Cause::PrivateAddress,
            "its address is private, and private ones are not allowed here",
        ));
    }
    Ok(permitted)
}

async fn resolve(outbound: &Outbound, to: &Peer, patience: Duration) -> Result<Vec<SocketAddr>, Unsent> {
    let (host, port) = (to.bare_host(), to.port);
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unknown = |why: String| Unsent::new(Cause::UnknownName, why);
    match timeout(patience, look_up(&outbound.lookups, host, port)).await {
        Ok(Ok(found)) if found.is_empty() => Err(unknown("its name has no address".to_owned())),
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(unknown(format!("its name cannot be resolved: {error}"))),
        Err(_elapsed) => {
            Err(Unsent::new(Cause::LookupTimeout, format!("its name was not resolved within {patience:?}")))
        }
    }
}

/// Asks the system for a name's addresses, on a thread of its own. The system may keep that for longer than anybody waits:
/// so it counts among the `lookups` until the system is done.
pub(super) async fn look_up(lookups: &Arc<Semaphore>, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let permit = lookups.clone().acquire_owned().await.map_err(io::Error::other)?;
    let host = host.to_owned();
    let look = move || {
        let _permit = permit;
        (host, port).to_socket_addrs().map(Iterator::collect)
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
}

fn refused(address: SocketAddr, error: &io::Error) -> Unsent {
    let code = match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::ConnectionRefused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Cause::Unroutable,
        io::ErrorKind::TimedOut => Cause::ConnectionTimeout,
        _ => Cause::Unavailable,
    };
    Unsent::new(code, format!("{address} cannot be connected to: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_leads_to_is_looked_at_address_by_address() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let both = [address("127.0.0.1:80"), address("1.1.1.1:80")];
        assert_eq!(permitted(&both, super::super::is_public).unwrap(), both[1..]);
        assert_eq!(permitted(&both, |_| true).unwrap(), both);
        let told = permitted(&both[..1], super::super::is_public).unwrap_err();
        assert_eq!(told.cause, Cause::PrivateAddress);
    }
}
