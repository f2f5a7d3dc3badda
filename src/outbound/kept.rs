//! Connections that an exchange has left usable, for the next one to the same place: a greeting over TLS costs more than a
//! request. They are kept for less than servers keep them, and not for long in all, since a name may lead elsewhere by then.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Peer;
use super::post::Connection;
use crate::model::bounds;

/// For how long one is kept that nothing is sent over. Some servers (Node.js) let go of theirs after five seconds.
const IDLE: Duration = Duration::from_secs(4);
/// How old one becomes.
const AGE: Duration = Duration::from_secs(60);

/// The connections, of which those that were used last are behind.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<Idle>>);

struct Idle {
    peer: Peer,
    connection: Connection,
    used: Instant,
}

impl Kept {
    /// One to `peer`, at an address that is `permitted`: the one that was used last.
    pub(super) fn take(&self, peer: &Peer, permitted: impl Fn(IpAddr) -> bool) -> Option<Connection> {
        let mut all = self.current();
        let found = all.iter().rposition(|it| it.peer == *peer && permitted(it.connection.address))?;
        Some(all.remove(found).connection)
    }

    /// Keeps one, in place of the one that was used first where there are too many.
    pub(super) fn put(&self, peer: Peer, connection: Connection) {
        let mut all = self.current();
        let of_peer = all.iter().filter(|it| it.peer == peer).count();
        let most = [(of_peer, bounds::MAX_DELIVERIES_PER_TARGET), (all.len(), bounds::MAX_DELIVERIES)];
        if most.iter().any(|(there, most)| there >= most) {
            let oldest = all.iter().position(|it| of_peer < bounds::MAX_DELIVERIES_PER_TARGET || it.peer == peer);
            oldest.map(|oldest| all.remove(oldest));
        }
        all.push(Idle { peer, connection, used: Instant::now() });
    }

    /// Lets go of those whose time is over, now and then.
    pub(super) async fn let_go(&self) {
        loop {
            tokio::time::sleep(IDLE).await;
            drop(self.current());
        }
    }

    /// Those whose time is not over.
    fn current(&self) -> MutexGuard<'_, Vec<Idle>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|it| it.used.elapsed() < IDLE && it.connection.since.elapsed() < AGE);
        all
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::model::grant::Scheme;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn peer(port: u16) -> Peer {
        Peer { scheme: Scheme::Http, host: "localhost".to_owned(), port }
    }

    async fn connection() -> Connection {
        Connection::over(tokio::io::duplex(64).0, HERE).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_for_its_place_and_for_a_while() {
        let kept = Kept::default();
        kept.put(peer(1), connection().await);
        assert!(kept.take(&peer(2), |_| true).is_none());
        assert!(kept.take(&peer(1), |address| address != HERE).is_none(), "it may not be reached any more");
        let used = kept.take(&peer(1), |_| true).unwrap();
        assert!(kept.take(&peer(1), |_| true).is_none());
        let (began, mut used) = (Instant::now(), Some(used));
        while let Some(again) = used {
            kept.put(peer(1), again);
            advance(Duration::from_secs(3)).await;
            used = kept.take(&peer(1), |_| true);
        }
        assert_eq!(began.elapsed(), AGE, "its name may lead elsewhere by now");
        kept.put(peer(1), connection().await);
        advance(IDLE).await;
        assert!(kept.take(&peer(1), |_| true).is_none(), "nothing was sent over it");
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_kept_of_one_place_and_in_all_and_the_oldest_go() {
        let kept = Kept::default();
        for port in 0..40 {
            for _ in 0..=bounds::MAX_DELIVERIES_PER_TARGET {
                kept.put(peer(port), connection().await);
            }
        }
        let count = |port| kept.current().iter().filter(|it| it.peer == peer(port)).count();
        assert_eq!((count(39), count(0)), (bounds::MAX_DELIVERIES_PER_TARGET, 0));
        assert_eq!(kept.current().len(), bounds::MAX_DELIVERIES);
    }
}
