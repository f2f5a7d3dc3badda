//! Why a topic was not made, changed or published on.

use uuid::Uuid;

use super::TopicPath;
use crate::model::bounds::{self, OutOfRange};
use crate::model::names::Namespace;
use crate::outbound::NotSent;
use crate::store::StoreError;

/// Why a topic was not made, changed or published on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TopicError {
    /// Attributes over their limit.
    #[error(
        "a publication has up to {} attributes with {} bytes, and this one has {count} with {bytes}",
        bounds::MAX_RECORD_ATTRIBUTES,
        bounds::MAX_RECORD_ATTRIBUTE_BYTES
    )]
    Attributes {
        /// How many it has.
        count: usize,
        /// Their names and values.
        bytes: usize,
    },
    /// The same publication is being written for somebody else.
    #[error("the publication {0} is being made at this moment: try again in a second")]
    Busy(Uuid),
    /// A publication over its limit.
    #[error("a publication has up to {most} bytes, and this one has {0}", most = bounds::MAX_PUBLICATION_BYTES)]
    Data(usize),
    /// The text says nothing that can be subscribed.
    #[error("`{0}` cannot be subscribed: write an `https://` or `http://` address, `function:NAME` or `queue:NAME`")]
    Endpoint(String),
    /// So much lies undelivered at a subscription that no more can be kept for it.
    #[error(
        "the subscription {id} of `{topic}` has {} publications on their way and {} that could not be delivered, and takes no \
         more: set its endpoint right and redrive them, purge them, or remove the subscription",
        bounds::MAX_PENDING_PUBLICATIONS,
        bounds::MAX_DEAD_PUBLICATIONS
    )]
    Full {
        /// Of which topic.
        topic: TopicPath,
        /// Which.
        id: Uuid,
    },
    /// What is to be subscribed may not be, or is not there.
    #[error("it cannot be subscribed: {0}")]
    Refused(NotSent),
    /// A filter over its limit.
    #[error("a filter names up to {most} attributes with up to {most} values each", most = super::MAX_FILTER)]
    Filter,
    /// The process is shutting down.
    #[error("it was interrupted, and may or may not have been done: look, and repeat it if it was not")]
    Interrupted,
    /// A setting outside its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
    /// The store behind it did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such subscription.
    #[error("the topic `{topic}` has no subscription {id}")]
    SubscriptionUnknown {
        /// Where it was looked for.
        topic: TopicPath,
        /// Which.
        id: Uuid,
    },
    /// What is to confirm a subscription is not what its endpoint was sent.
    #[error("this token does not confirm the subscription {0}: take the one that its endpoint was sent last")]
    Token(Uuid),
    /// There are as many topics as there may be.
    #[error(
        "the namespace `{namespace}` has {own} topics and there are {all} in all; the limits are {} and {}: delete some first",
        bounds::MAX_TOPICS,
        bounds::MAX_ALL_TOPICS
    )]
    TooMany {
        /// Where one more was wanted.
        namespace: Namespace,
        /// How many it has.
        own: usize,
        /// How many there are.
        all: usize,
    },
    /// There are as many subscriptions as there may be.
    #[error(
        "the topic `{topic}` has {own} subscriptions and there are {all} in all; the limits are {} and {}: remove some first",
        bounds::MAX_SUBSCRIPTIONS,
        bounds::MAX_ALL_SUBSCRIPTIONS
    )]
    TooManySubscriptions {
        /// Where one more was wanted.
        topic: TopicPath,
        /// How many it has.
        own: usize,
        /// How many there are.
        all: usize,
    },
    /// There is no such topic.
    #[error("there is no topic `{0}`: make it with `tidemill topics create`")]
    Unknown(TopicPath),
}
