//! Where a delivery stands among those to its target: the key of its document, which is all that is kept of the order.
//!
//! | bytes | what |
//! | --- | --- |
//! | 16 | the target, as a digest: what is one place to connect to is one target |
//! | 8 | when it is due, in milliseconds |
//! | 16 | the invocation |
//! | 1 | the way: destination or callback |

use sha2::{Digest as _, Sha256};

use crate::model::destination::{Outside, OutsideKind};
use crate::model::invocation::{Delivery, Invocation, Way};
use crate::model::names::{ConnectionName, InvocationId, Namespace};
use crate::model::time::Timestamp;
use crate::outbound::Peer;
use crate::store::{Change, DocumentKey, Store, StoreError, Table};

/// One target, as far as the order of deliveries is concerned.
pub(super) type Target = [u8; 16];

/// What the document says, whose key says it all: in which form that is.
const FORM: &[u8] = &[1];

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::dispatch) struct Stand {
    pub(super) target: Target,
    pub(super) due: Timestamp,
    pub(super) id: InvocationId,
    pub(super) way: Way,
}

impl Stand {
    /// Where `delivery` of `invocation` stands.
    pub(super) fn of(invocation: &Invocation, delivery: &Delivery) -> Self {
        let target = target(&invocation.target.path.namespace, delivery);
        Self { target, due: delivery.due, id: invocation.id, way: delivery.way }
    }

    /// Where everything stands that `invocation` has on its way out.
    pub(in crate::dispatch) fn all_of(invocation: &Invocation) -> Vec<Self> {
        invocation.deliveries().0.iter().map(|delivery| Self::of(invocation, delivery)).collect()
    }

    /// The place that a key says; `None` where it is of another form.
    pub(super) fn read(key: &[u8]) -> Option<Self> {
        let (target, rest) = key.split_first_chunk()?;
        let (due, rest) = rest.split_first_chunk()?;
        let (id, way) = rest.split_first_chunk()?;
        let way = match way {
            [0] => Way::Destination,
            [1] => Way::Callback,
            _ => return None,
        };
        let due = Timestamp::from_ms(u64::from_be_bytes(*due));
        Some(Self { target: *target, due, id: InvocationId::from_bytes(*id), way })
    }

    fn key(&self) -> DocumentKey {
        let way = match self.way {
            Way::Destination => 0,
            Way::Callback => 1,
        };
        let due = self.due.as_ms().to_be_bytes();
        DocumentKey::new(Table::Delivery, [&self.target[..], &due, self.id.as_bytes(), &[way]].concat())
    }

    /// Puts it there.
    pub(in crate::dispatch) fn put(&self) -> Change {
        Change::PutDocument(self.key(), bytes::Bytes::from_static(FORM))
    }

    /// Whether it stands there.
    pub(super) async fn is_there(&self, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(store.document(self.key()).await?.is_some())
    }

    /// Takes it away.
    pub(super) fn remove(&self) -> Change {
        Change::RemoveDocument(self.key())
    }
}

/// What is connected to: deliveries to one server, bucket or queue have one order and one limit, so that a dead one takes
/// no more of what there is for all, whatever paths and prefixes lead there.
fn target(namespace: &Namespace, delivery: &Delivery) -> Target {
    let (kind, place) = (delivery.to.kind, place(&delivery.to));
    let connection = delivery.terms.connection.as_ref().map(ConnectionName::as_str).unwrap_or_default();
    let mut digest = Sha256::new();
    for part in [namespace.as_str(), &format!("{kind:?}"), connection, &place] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut target = Target::default();
    target.copy_from_slice(&digest[..16]);
    target
}

/// The server, the bucket, the queue, the stream or the topic.
pub(super) fn place(to: &Outside) -> String {
    let Outside { kind, target } = to;
    match kind {
        OutsideKind::Webhook => match target.parse().ok().and_then(|uri| Peer::of(&uri).ok()) {
            Some(peer) => format!("{}://{}", peer.scheme.as_str(), peer.authority().to_ascii_lowercase()),
            None => target.clone(), // what is set is an address, so there is none
        },
        OutsideKind::Object => target.split('/').next().unwrap_or_default().to_owned(),
        OutsideKind::Queue | OutsideKind::Stream | OutsideKind::Topic => target.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::destination::{DestinationText, Terms};

    fn delivery(to: &str) -> Delivery {
        let Ok(DestinationText::Outside(to)) = to.parse() else { panic!("{to} is not outside") };
        let due = Timestamp::from_ms(7);
        Delivery { to, tries: 0, due, way: Way::Callback, terms: Terms::default(), since: None, error: None }
    }

    #[test]
    fn what_is_connected_to_is_one_target() {
        let target = |to: &str| target(&Namespace::default(), &delivery(to));
        assert_eq!(target("https://a.example/x?y=1"), target("https://A.example:443/z"));
        assert_ne!(target("https://a.example/"), target("http://a.example/"));
        assert_ne!(target("https://a.example/"), target("https://a.example:8443/"));
        assert_eq!(target("object:bucket/a"), target("object:bucket/b"));
        assert_ne!(target("queue:a"), target("stream:a"));
        assert_ne!(super::target(&"other".parse().unwrap(), &delivery("queue:a")), target("queue:a"));
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let stand = Stand {
            target: target(&Namespace::default(), &delivery("queue:a")),
            due: Timestamp::from_ms(7),
            id: InvocationId::from_bytes([3; 16]),
            way: Way::Callback,
        };
        assert_eq!(Stand::read(stand.key().key()), Some(stand));
        assert_eq!(Stand::read(b"something else"), None);
    }
}
