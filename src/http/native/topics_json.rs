//! How topics, subscriptions and publications look in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::content::Content;
use super::openapi::values;
use crate::messaging::topics::{DeadPublication, SubscriptionView, TopicPath, TopicView};
use crate::model::outcome::OutcomeKind;

/// The status of a subscription that gets what is published.
const CONFIRMED: &str = "confirmed";

/// What is to be published: its data as text or as base64.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PublicationToSend)]
pub(super) struct Said {
    /// What it is recognised by when it is published again.
    #[schema(schema_with = values::id_or_null)]
    pub(super) id: Option<Uuid>,
    pub(super) content_type: Option<String>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    #[schema(schema_with = values::outcome_or_null)]
    pub(super) outcome: Option<String>,
    pub(super) data: Option<String>,
    pub(super) data_base64: Option<String>,
}

/// Who is to get what is published, and what of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SubscriptionToMake)]
pub(super) struct Subscribing {
    /// `function:NAME`, `queue:NAME` or `https://HOST/PATH`.
    pub(super) to: String,
    #[serde(default)]
    pub(super) filter: Wanted,
    #[schema(schema_with = values::give_up_after_s)]
    pub(super) give_up_after_s: Option<u64>,
}

/// What of the publications is wanted: all of it unless something is named.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FilterToSet)]
pub(super) struct Wanted {
    #[serde(default)]
    #[schema(schema_with = values::outcomes)]
    pub(super) outcomes: Vec<String>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, Vec<String>>,
}

/// A topic in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Topic)]
pub(super) struct TopicOut {
    namespace: String,
    name: String,
    #[schema(format = DateTime)]
    created_at: String,
    subscription_count: usize,
    /// Publications on their way, and those that were given up, for all subscriptions.
    pending: u64,
    dead: u64,
}

/// A topic with its subscriptions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WholeTopic)]
pub(super) struct WholeTopicOut {
    #[serde(flatten)]
    topic: TopicOut,
    subscriptions: Vec<SubscriptionOut>,
}

/// A page of topics.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Topics)]
pub(super) struct TopicsOut {
    pub(super) topics: Vec<TopicOut>,
    pub(super) next_cursor: Option<String>,
}

/// A subscription as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(super) struct SubscriptionOut {
    #[schema(schema_with = values::id)]
    id: Uuid,
    to: String,
    #[schema(schema_with = values::subscription_status)]
    status: &'static str,
    /// What came of asking it to confirm, where that failed.
    error: Option<String>,
    filter: FilterOut,
    give_up_after_s: u64,
    #[schema(format = DateTime)]
    created_at: String,
    pending: u64,
    dead: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Filter)]
struct FilterOut {
    #[schema(schema_with = values::outcomes)]
    outcomes: Vec<&'static str>,
    attributes: BTreeMap<String, Vec<String>>,
}

/// A subscription that its endpoint has confirmed, as the endpoint is told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConfirmedSubscription)]
pub(super) struct ConfirmedOut {
    #[schema(schema_with = values::id)]
    id: Uuid,
    topic: String,
    #[schema(schema_with = values::subscription_status)]
    status: &'static str,
}

/// The subscriptions of a topic.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subscriptions)]
pub(super) struct SubscriptionsOut {
    pub(super) subscriptions: Vec<SubscriptionOut>,
}

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Published)]
pub(super) struct PublishedOut {
    #[schema(schema_with = values::id)]
    pub(super) id: Uuid,
    /// How many get it; none where it was published before.
    pub(super) subscriptions: usize,
}

/// A page of what could not be brought.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadPublications)]
pub(super) struct DeadOut {
    pub(super) publications: Vec<PublicationOut>,
    pub(super) next_cursor: Option<String>,
}

/// A publication that was given up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadPublication)]
pub(super) struct PublicationOut {
    #[schema(schema_with = values::id)]
    id: Uuid,
    #[schema(format = DateTime)]
    published_at: String,
    #[schema(format = DateTime)]
    given_up_at: String,
    tries: u32,
    error: String,
    content_type: String,
    attributes: BTreeMap<String, String>,
    #[schema(schema_with = values::outcome_or_null)]
    outcome: Option<&'static str>,
    #[serde(flatten)]
    content: Content,
}

/// How many are tried again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RedrivenPublications)]
pub(super) struct RedrivenOut {
    pub(super) redriven: usize,
}

impl TopicOut {
    pub(super) fn of(topic: &TopicView) -> Self {
        Self {
            namespace: topic.path.namespace.to_string(),
            name: topic.path.name.to_string(),
            created_at: topic.created.to_string(),
            subscription_count: topic.subscriptions.len(),
            pending: topic.subscriptions.iter().map(|it| it.pending).sum(),
            dead: topic.subscriptions.iter().map(|it| it.dead).sum(),
        }
    }
}

impl WholeTopicOut {
    pub(super) fn of(topic: &TopicView) -> Self {
        let subscriptions = topic.subscriptions.iter().map(SubscriptionOut::of).collect();
        Self { topic: TopicOut::of(topic), subscriptions }
    }
}

impl SubscriptionOut {
    pub(super) fn of(it: &SubscriptionView) -> Self {
        let outcomes = it.filter.outcomes.iter().map(|kind| kind.as_str()).collect();
        Self {
            id: it.id,
            to: it.to.to_string(),
            status: if it.is_confirmed { CONFIRMED } else { "pending_confirmation" },
            error: it.error.clone(),
            filter: FilterOut { outcomes, attributes: it.filter.attributes.clone() },
            give_up_after_s: it.give_up_after_s,
            created_at: it.created.to_string(),
            pending: it.pending,
            dead: it.dead,
        }
    }
}

impl ConfirmedOut {
    pub(super) fn of(topic: &TopicPath, id: Uuid) -> Self {
        Self { id, topic: topic.name.to_string(), status: CONFIRMED }
    }
}

impl PublicationOut {
    pub(super) fn of(it: &DeadPublication) -> Self {
        Self {
            id: it.publication.id,
            published_at: it.since.to_string(),
            given_up_at: it.given_up.to_string(),
            tries: it.tries,
            error: it.error.clone(),
            content_type: it.publication.content_type.clone(),
            attributes: it.publication.attributes.iter().cloned().collect(),
            outcome: it.publication.outcome.map(OutcomeKind::as_str),
            content: Content::of(&it.publication.body),
        }
    }
}
