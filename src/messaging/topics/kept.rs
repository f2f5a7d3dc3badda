//! Topics as the store keeps them.
//!
//! | table         | key                                      | value                | lives |
//! | `Topic`       | topic                                    | [`KeptTopic`]        | as the topic |
//! | `Topic`       | topic, subscription                      | [`KeptSubscription`] | as the subscription |
//! | `Publication` | 0, topic, number                         | [`Publication`]      | while it, or one before it, is on its way |
//! | `Publication` | 1, topic, subscription, number           | [`Work`]             | until it has arrived or is given up |
//! | `Publication` | 2, topic, subscription, number           | [`Dead`]             | until somebody redrives or purges it |
//! | `Publication` | 3, topic, subscription, due time, number | nothing              | as the work of that number |
//!
//! What is published is written once, and for each subscription a small piece of work beside it. Work is
//! tried in the order of due times, which is the last of these; its own keys tell which is the oldest.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Endpoint, Filter, Publication, TopicPath};
use crate::model::names::{Digest, Namespace, TopicName};
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{DocumentKey, DocumentRange, StoreError, Table};

const BODY: u8 = 0;
const WORK: u8 = 1;
const DEAD: u8 = 2;
const ORDER: u8 = 3;

/// A topic's name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptTopic {
    pub(super) namespace: Namespace,
    pub(super) name: TopicName,
    pub(super) created: Timestamp,
}

impl KeptTopic {
    pub(super) fn path(&self) -> TopicPath {
        TopicPath { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// A subscription's settings, and how far it is confirmed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptSubscription {
    pub(super) to: Endpoint,
    pub(super) filter: Filter,
    pub(super) give_up_after_s: u64,
    pub(super) created: Timestamp,
    /// What is waited for; `None` once it is confirmed.
    pub(super) confirmation: Option<Confirmation>,
    /// The token that confirmed it, as a digest; `None` where none did, and in what was written before this was kept.
    #[serde(default)]
    pub(super) confirmed_by: Option<Digest>,
}

impl KeptSubscription {
    /// Whether nobody confirmed it in time.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.confirmation.as_ref().is_some_and(|it| it.until <= now)
    }
}

/// The question whether an address wants to be subscribed.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Confirmation {
    /// What only the endpoint is sent.
    pub(super) token: String,
    /// When the subscription goes unless it is confirmed.
    pub(super) until: Timestamp,
    /// Whether the endpoint was sent it.
    pub(super) is_sent: bool,
    pub(super) work: Work,
}

/// Without the token, which is for the endpoint alone.
impl std::fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Confirmation").field("until", &self.until).field("work", &self.work).finish_non_exhaustive()
    }
}

/// Something on its way to a subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Work {
    /// When that began.
    pub(super) since: Timestamp,
    /// When it is tried next.
    pub(super) due: Timestamp,
    /// Tries so far.
    pub(super) tries: u32,
    /// What came of the last one.
    pub(super) error: Option<String>,
}

impl Work {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { since: now, due: now, tries: 0, error: None }
    }
}

/// What did not arrive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Dead {
    pub(super) publication: Publication,
    pub(super) work: Work,
    pub(super) given_up: Timestamp,
}

pub(super) fn topic_key(topic: Uuid) -> DocumentKey {
    DocumentKey::new(Table::Topic, *topic.as_bytes())
}

pub(super) fn subscription_key(topic: Uuid, id: Uuid) -> DocumentKey {
    DocumentKey::new(Table::Topic, [*topic.as_bytes(), *id.as_bytes()].concat())
}

/// The topic in a key of that table, and the subscription where it is one.
pub(super) fn ids(key: &DocumentKey) -> Option<(Uuid, Option<Uuid>)> {
    let (topic, rest) = key.key().split_first_chunk()?;
    Some((Uuid::from_bytes(*topic), Uuid::from_slice(rest).ok()))
}

/// Whose something is that is published: the topic's, or a subscription's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lot {
    tag: u8,
    topic: Uuid,
    subscription: Option<Uuid>,
}

impl Lot {
    pub(super) const fn bodies(topic: Uuid) -> Self {
        Self { tag: BODY, topic, subscription: None }
    }

    pub(super) const fn work(topic: Uuid, subscription: Uuid) -> Self {
        Self { tag: WORK, topic, subscription: Some(subscription) }
    }

    pub(super) const fn dead(topic: Uuid, subscription: Uuid) -> Self {
        Self { tag: DEAD, topic, subscription: Some(subscription) }
    }

    /// The work of a subscription, by due times.
    pub(super) const fn order(topic: Uuid, subscription: Uuid) -> Self {
        Self { tag: ORDER, topic, subscription: Some(subscription) }
    }

    /// Which one a key is of.
    pub(super) fn of(key: &DocumentKey) -> Option<Self> {
        let (&tag, rest) = key.key().split_first()?;
        let (topic, rest) = rest.split_first_chunk()?;
        let subscription = rest.first_chunk().filter(|_| tag != BODY).map(|id| Uuid::from_bytes(*id));
        Some(Self { tag, topic: Uuid::from_bytes(*topic), subscription })
    }

    /// Whether it is of one of these.
    pub(super) fn is_of(&self, known: &[(Uuid, Vec<Uuid>)]) -> bool {
        let topic = known.iter().find(|(topic, _)| *topic == self.topic);
        topic.is_some_and(|(_, own)| self.subscription.is_none_or(|id| own.contains(&id)))
    }

    fn prefix(&self) -> Vec<u8> {
        let subscription = self.subscription.as_ref().map_or(&[][..], |id| id.as_bytes());
        [&[self.tag], &self.topic.as_bytes()[..], subscription].concat()
    }

    pub(super) fn range(&self) -> DocumentRange {
        DocumentRange::of(Table::Publication, &self.prefix())
    }

    pub(super) fn key(&self, number: u64) -> DocumentKey {
        let mut key = self.prefix();
        key.extend(number.to_be_bytes());
        DocumentKey::new(Table::Publication, key)
    }

    /// A place in an order.
    pub(super) fn place(&self, due: Timestamp, number: u64) -> DocumentKey {
        let key = [self.prefix(), due.as_ms().to_be_bytes().to_vec(), number.to_be_bytes().to_vec()].concat();
        DocumentKey::new(Table::Publication, key)
    }
}

/// The number in a key of something published.
pub(super) fn number(key: &DocumentKey) -> Option<u64> {
    key.key().last_chunk().map(|number| u64::from_be_bytes(*number))
}

/// The due time in a place of an order.
pub(super) fn due(place: &DocumentKey) -> Option<Timestamp> {
    let (rest, _) = place.key().split_last_chunk::<8>()?;
    rest.last_chunk().map(|due| Timestamp::from_ms(u64::from_be_bytes(*due)))
}

pub(super) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8], of: &TopicPath) -> Result<T, StoreError> {
    form::decode(bytes, || format!("something of the topic {of}"))
}
